/** A word in the corner: what was done, or why not. It goes by itself; what must stay is a banner. */

import { h } from "./h.js";

const STAYS_MS = 7_000;
const shelf = h("div", { class: "toasts", role: "status", "aria-live": "polite" });

/** @param {string} title @param {string} [text] @param {"good" | "bad"} [tone] */
export function toast(title, text = "", tone = "good") {
  if (!shelf.isConnected) document.body.append(shelf);
  const element = h("div", { class: `toast ${tone}` }, h("strong", {}, title), text);
  shelf.append(element);
  setTimeout(() => element.remove(), STAYS_MS);
}
