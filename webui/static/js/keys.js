// Single-key shortcuts: an element with data-key is pressed by that key; j and k walk a list.
export function keys(root) {
  root.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (event.target.closest("input:not([type=checkbox]), textarea, select")) return;
    const target = root.querySelector(`[data-key="${CSS.escape(event.key)}"]`);
    if (target) {
      event.preventDefault();
      if (target.matches("input")) target.focus();
      else target.click();
    } else if (event.key === "j" || event.key === "k") {
      walk(event.key === "j" ? 1 : -1);
    } else if (event.key === "x") {
      document.activeElement.closest(".row")?.querySelector("input").click();
    }
  });
}

function walk(step) {
  const links = [...document.querySelectorAll("a[data-row]")];
  if (!links.length) return;
  const current = document.activeElement.closest?.(".row")?.querySelector("a[data-row]");
  const at = links.indexOf(current);
  const next = links[at < 0 ? (step > 0 ? 0 : links.length - 1) : Math.min(Math.max(at + step, 0), links.length - 1)];
  next.focus();
  next.scrollIntoView({ block: "nearest" });
}
