/** A panel whose header is a row of tabs, after the ARIA pattern: arrows move between them. */

import { fill, h } from "./h.js";

/** @typedef {{name: string, body: HTMLElement, count?: HTMLElement}} Tab */

let made = 0;

/**
 * @param {string} className @param {string} label @param {Tab[]} items The first is shown.
 * @returns {HTMLElement}
 */
export function tabs(className, label, items) {
  made += 1;
  const body = h("div", { class: "body", role: "tabpanel", id: `panel-${made}`, tabindex: "0" });
  const buttons = items.map(({ name, count }, index) =>
    h("button", {
      type: "button",
      role: "tab",
      id: `tab-${made}-${index}`,
      "aria-controls": body.id,
      onclick: () => show(index),
      onkeydown: (/** @type {KeyboardEvent} */ event) => move(event, index),
    }, name, count));

  /** @param {number} chosen */
  function show(chosen) {
    buttons.forEach((button, index) => {
      button.setAttribute("aria-selected", String(index === chosen));
      button.tabIndex = index === chosen ? 0 : -1;
    });
    body.setAttribute("aria-labelledby", buttons[chosen].id);
    fill(body, items[chosen].body);
  }

  /** @param {KeyboardEvent} event @param {number} index */
  function move(event, index) {
    const step = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
    if (step === 0) return;
    event.preventDefault();
    const next = (index + step + items.length) % items.length;
    show(next);
    buttons[next].focus();
  }

  show(0);
  return h("section", { class: className, "aria-label": label },
    h("header", {}, h("div", { class: "tabs", role: "tablist", "aria-label": label }, buttons)), body);
}
