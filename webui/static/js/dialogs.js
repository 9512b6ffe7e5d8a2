// A link with data-dialog leads to a page with a question; here the question comes to the page instead.
import { copyButtons } from "./small.js";

export function dialogs(root) {
  root.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-dialog]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
    event.preventDefault();
    open(link);
  });
  root.addEventListener("click", (event) => {
    const dialog = event.target.closest("dialog");
    if (dialog && (event.target === dialog || event.target.closest("[data-close]"))) {
      event.preventDefault();
      dialog.close();
    }
  });
}

async function open(link) {
  let page;
  try {
    const answer = await fetch(link.href, { redirect: "follow" });
    page = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (!answer.ok) throw new Error(String(answer.status));
  } catch {
    location.assign(link.href);
    return;
  }
  const question = page.querySelector("[data-question]");
  if (!question) {
    // Something else comes first, such as showing once more who one is.
    location.assign(link.href);
    return;
  }
  for (const form of question.querySelectorAll("form:not([action])")) form.setAttribute("action", link.getAttribute("href"));
  const dialog = document.createElement("dialog");
  dialog.className = "dialog";
  dialog.setAttribute("aria-labelledby", question.getAttribute("aria-labelledby"));
  dialog.append(question);
  dialog.addEventListener("close", () => {
    dialog.remove();
    link.focus();
  });
  document.body.append(dialog);
  copyButtons(dialog);
  dialog.showModal();
}
