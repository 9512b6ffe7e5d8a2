// The list: its scroll position across pages, and new mail without a reload. The message: a frame as high as its text.
import { localTimes } from "./times.js";

const EVERY = 5000;

export function keepScroll(root) {
  const rows = root.querySelector(".rows");
  if (!rows) return;
  const key = `scroll ${root.querySelector("#list").getAttribute("action")}`;
  rows.scrollTop = Number(sessionStorage.getItem(key) ?? 0);
  rows.querySelector(".row.chosen")?.scrollIntoView({ block: "nearest" });
  addEventListener("pagehide", () => {
    const now = document.querySelector(".rows");
    if (now) sessionStorage.setItem(key, String(now.scrollTop));
  });
}

export function fitSheet(root) {
  const frame = root.querySelector("[data-sheet]");
  if (!frame) return;
  const fit = () => {
    const page = frame.contentDocument?.documentElement;
    if (!page) return;
    // Shrink first: a document is never lower than its frame.
    frame.style.height = "0";
    frame.style.height = `${Math.max(page.scrollHeight, 48)}px`;
  };
  frame.addEventListener("load", () => {
    fit();
    for (const picture of frame.contentDocument.images) picture.addEventListener("load", fit);
  });
  if (frame.contentDocument?.readyState === "complete") fit();
  new ResizeObserver(fit).observe(frame.parentElement);
}

export function refreshList(root) {
  if (!root.querySelector("#list")) return;
  let tag = null;
  const look = async () => {
    const list = document.querySelector("#list");
    if (document.hidden || !list || list.querySelector(":checked")) return;
    const headers = { "X-Fragment": "list" };
    if (tag) headers["If-None-Match"] = tag;
    let answer;
    try {
      answer = await fetch(list.dataset.refresh, { headers, redirect: "error" });
    } catch {
      return; // no network: the next look may find one
    }
    if (answer.status === 401) location.reload();
    if (!answer.ok) return;
    const first = tag === null;
    tag = answer.headers.get("ETag");
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("#list");
    if (!fresh || list.querySelector(":checked") || (first && fresh.dataset.unread === list.dataset.unread && same(fresh, list))) return;
    swap(list, fresh);
  };
  setInterval(look, EVERY);
  document.addEventListener("visibilitychange", look);
}

function same(one, other) {
  const ids = (list) => [...list.querySelectorAll(".row")].map((row) => row.id + row.className).join();
  return ids(one) === ids(other);
}

function swap(list, fresh) {
  const focused = document.activeElement.closest?.(".row")?.id;
  const scrolled = list.querySelector(".rows")?.scrollTop ?? 0;
  localTimes(fresh);
  list.replaceWith(fresh);
  const rows = fresh.querySelector(".rows");
  if (rows) rows.scrollTop = scrolled;
  if (focused) fresh.querySelector(`#${CSS.escape(focused)} a[data-row]`)?.focus({ preventScroll: true });
}
