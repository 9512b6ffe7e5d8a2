// Times in the reader's own zone and language.
const styles = {
  today: new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" }),
  year: new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" }),
  older: new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", year: "numeric" }),
  long: new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "short" }),
};

export function localTimes(root) {
  const now = new Date();
  for (const time of root.querySelectorAll("time[data-style]")) {
    const when = new Date(time.dateTime);
    if (Number.isNaN(when.getTime())) continue;
    time.title = styles.long.format(when);
    if (time.dataset.style === "long") time.textContent = styles.long.format(when);
    else if (when.toDateString() === now.toDateString()) time.textContent = styles.today.format(when);
    else if (when.getFullYear() === now.getFullYear()) time.textContent = styles.year.format(when);
    else time.textContent = styles.older.format(when);
  }
}
