/** The keyboard: one letter each, never while something is typed, and never one that acts without asking. */

import { h } from "./dom/h.js";
import { openDialog } from "./dom/dialog.js";

/** @typedef {{key: string, name: string, run: () => void}} Shortcut */

/** @param {Shortcut[]} shortcuts */
export function listen(shortcuts) {
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || isTyping(event.target)) return;
    if (document.querySelector("dialog[open]")) return;
    const found = shortcuts.find((one) => one.key === (event.key.length === 1 ? event.key.toUpperCase() : event.key));
    if (!found) return;
    event.preventDefault();
    found.run();
  });
}

/** @param {Shortcut[]} shortcuts */
export function showShortcuts(shortcuts) {
  openDialog("Keyboard", () => [
    h("div", { class: "content" },
      h("dl", { class: "shortcuts" }, shortcuts.flatMap(({ key, name }) =>
        [h("dt", {}, h("kbd", { class: "key" }, key)), h("dd", {}, name)]))),
  ]);
}

/** @param {EventTarget | null} target */
const isTyping = (target) =>
  target instanceof HTMLElement && (target.isContentEditable || ["INPUT", "SELECT", "TEXTAREA"].includes(target.tagName));
