// The composer: a text field that grows, files named, Ctrl+Enter, and a send that keeps files when it is refused.
export function autogrow(root) {
  const text = root.querySelector(".composer textarea");
  if (!text) return;
  const grow = () => {
    text.style.height = "auto";
    text.style.height = `${text.scrollHeight + 2}px`;
  };
  text.addEventListener("input", grow);
  addEventListener("resize", grow);
  grow();
  if (text.matches(":focus") || text.hasAttribute("autofocus")) text.setSelectionRange(0, 0);
}

export function composer(root) {
  const form = root.querySelector("[data-composer]");
  if (!form) return;
  const files = form.querySelector("[data-files]");
  files.addEventListener("change", () => {
    const names = [...files.files].map((file) => file.name);
    form.querySelector(".files output").textContent = names.length > 2 ? `${names.length} files` : names.join(", ");
  });
  form.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      form.requestSubmit(form.querySelector("[data-send]"));
    }
  });
  let leaving = false;
  let changed = false;
  form.addEventListener("input", () => (changed = true));
  addEventListener("beforeunload", (event) => {
    if (changed && !leaving) event.preventDefault();
  });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = event.submitter ?? form.querySelector("[data-send]");
    if (button.getAttribute("aria-busy") === "true") return;
    button.setAttribute("aria-busy", "true");
    try {
      const answer = await fetch(form.action, {
        method: "POST",
        body: new FormData(form, button),
        headers: { "X-Fragment": "composer" },
      });
      if (answer.status === 204) {
        leaving = true;
        location.assign(answer.headers.get("X-Location"));
        return;
      }
      show(form, new DOMParser().parseFromString(await answer.text(), "text/html"), answer.status);
    } catch {
      say(form, "The connection failed, so it is not certain whether this was sent. Sending again is safe.");
    }
    button.removeAttribute("aria-busy");
  });
}

function show(form, page, status) {
  const problems = page.querySelector("[data-problems]");
  if (!problems) {
    say(form, page.querySelector("h1 + p")?.textContent ?? `The server answered ${status}.`);
    return;
  }
  problems.querySelector("[data-without-script]")?.remove();
  form.querySelector("[data-problems]").replaceChildren(...problems.querySelectorAll("[role=alert]"));
  for (const line of form.querySelectorAll(".line")) {
    const field = line.querySelector("input, select");
    const error = page.querySelector(`#${CSS.escape(field.id || "none")}-error`);
    line.querySelector(".error")?.remove();
    field.toggleAttribute("aria-invalid", Boolean(error));
    if (error) {
      field.setAttribute("aria-invalid", "true");
      field.setAttribute("aria-describedby", error.id);
      line.append(error);
      line.closest("details")?.setAttribute("open", "");
      field.focus();
    }
  }
  const rest = page.querySelector(".foot .notice, #text-error");
  if (rest) say(form, rest.textContent);
  form.querySelector("[data-problems]").scrollIntoView({ block: "nearest" });
}

function say(form, text) {
  const notice = document.createElement("p");
  notice.className = "notice problem problems";
  notice.setAttribute("role", "alert");
  notice.textContent = text;
  form.querySelector("[data-problems]").replaceChildren(notice);
}
