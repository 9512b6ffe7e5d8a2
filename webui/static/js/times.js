// Times in the reader's own zone, written as the page's language does: in the reader's own kind of it where that fits.
const page = document.documentElement.lang || undefined;
const own = navigator.languages.find((code) => page && code.toLowerCase().startsWith(page)) ?? page;
const styles = {
  today: new Intl.DateTimeFormat(own, { hour: "2-digit", minute: "2-digit" }),
  year: new Intl.DateTimeFormat(own, { day: "numeric", month: "short" }),
  older: new Intl.DateTimeFormat(own, { day: "numeric", month: "short", year: "numeric" }),
  exact: new Intl.DateTimeFormat(own, { dateStyle: "medium", timeStyle: "medium" }),
  long: new Intl.DateTimeFormat(own, { dateStyle: "full", timeStyle: "short" }),
};

export function localTimes(root) {
  const now = new Date();
  for (const time of root.querySelectorAll("time[data-style]")) {
    const when = new Date(time.dateTime);
    if (Number.isNaN(when.getTime())) continue;
    time.title = styles.long.format(when);
    if (time.dataset.style === "exact") time.textContent = styles.exact.format(when);
    else if (time.dataset.style === "long") time.textContent = styles.long.format(when);
    else if (when.toDateString() === now.toDateString()) time.textContent = styles.today.format(when);
    else if (when.getFullYear() === now.getFullYear()) time.textContent = styles.year.format(when);
    else time.textContent = styles.older.format(when);
  }
}
