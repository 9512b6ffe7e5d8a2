// Niceties on pages that work without them. One module a concern; each finds its elements and does nothing without.
import { autogrow, composer } from "./composer.js";
import { copyButtons, dismissals, menus } from "./small.js";
import { keys } from "./keys.js";
import { fitSheet, keepScroll, refreshList } from "./mail.js";
import { passkeys } from "./passkey.js";
import { localTimes } from "./times.js";

for (const start of [localTimes, copyButtons, dismissals, menus, keys, keepScroll, fitSheet, refreshList, autogrow, composer, passkeys]) {
  start(document);
}
