// Niceties on pages that work without them. One module a concern, fetched only by pages that have what it is about.
import { copyButtons, dismissals, menus, summaries } from "./small.js";
import { localTimes } from "./times.js";

for (const start of [localTimes, copyButtons, dismissals, menus, summaries]) start(document);

const further = [
  ["a[data-dialog]", () => import("./dialogs.js"), ["dialogs"]],
  ["[data-key]", () => import("./keys.js"), ["keys"]],
  ["[data-refresh], [data-sheet]", () => import("./mail.js"), ["keepScroll", "fitSheet", "refreshList"]],
  ["form[data-passkey]", () => import("./passkey.js"), ["passkeys"]],
  ["[data-work]", () => import("./work.js"), ["work"]],
  [".composer", () => import("./composer.js"), ["autogrow", "composer"]],
];
const wanted = further.filter(([selector]) => document.querySelector(selector));
await Promise.all(
  wanted.map(async ([, load, names]) => {
    const module = await load();
    names.forEach((name) => module[name](document));
  }),
);
// Keys pressed from now on are heard.
document.documentElement.dataset.ready = "";
