// Copy buttons, notices that can be dismissed, menus that close, the list of a form's errors.
export function copyButtons(root) {
  if (!navigator.clipboard) return;
  for (const button of root.querySelectorAll("[data-copy]")) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(button.dataset.copy);
      button.classList.add("copied");
      const use = button.querySelector("use");
      const before = use.getAttribute("href");
      use.setAttribute("href", before.replace(/#.*/, "#check"));
      setTimeout(() => {
        use.setAttribute("href", before);
        button.classList.remove("copied");
      }, 1600);
    });
  }
}

export function dismissals(root) {
  for (const button of root.querySelectorAll("[data-dismiss]")) {
    button.hidden = false;
    const notice = button.closest(".notice");
    button.addEventListener("click", () => notice.remove());
    if (notice.classList.contains("done")) setTimeout(() => notice.remove(), 6000);
  }
}

export function menus(root) {
  const close = (except) => {
    for (const menu of document.querySelectorAll("details[data-menu][open]")) if (menu !== except) menu.open = false;
  };
  root.addEventListener("click", (event) => close(event.target.closest("details[data-menu]")));
  root.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    const open = document.querySelector("details[data-menu][open]");
    if (open) {
      open.open = false;
      open.querySelector("summary").focus();
    }
  });
}

export function summaries(root) {
  // After a refusal the list of errors is the first thing that is read.
  root.querySelector("[data-summary]")?.focus();
}
