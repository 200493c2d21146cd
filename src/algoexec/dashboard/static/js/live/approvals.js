/** Entries that wait for a person's word: what would be bought, what it may lose, and how long the question stands. */

import { h, setText } from "../dom/h.js";
import { rows } from "../dom/rows.js";
import { duration } from "../format/ist.js";
import { price, wholeRupees } from "../format/numbers.js";
import { patternName, sideName } from "../format/words.js";
import { instrumentName, marketNow, waitingOrders } from "../state/reading.js";

/**
 * @typedef {import("../state/store.js").Store} Store
 * @typedef {import("../state/state.js").KnownOrder} Order
 */

/** @param {Store} store @param {(order: Order, isApproved: boolean) => void} answer */
export function approvalPanel(store, answer) {
  const element = h("section", { class: "panel approvals", "aria-label": "Waiting for approval", "aria-live": "assertive", hidden: true });
  const draw = rows(element, (/** @type {Order} */ one) => one.id, (one) => make(one, answer), (row, one) => {
    const signal = store.state.signals.find((other) => other.id === one.signal_id);
    setText(part(row, ".what"), `Buy ${instrumentName(store.state, one.instrument)} × ${one.quantity} at ${price(one.limit)}?`);
    const why = signal ? `${sideName(signal.side)}, ${patternName(signal.pattern)}. ` : "";
    setText(part(row, ".why"), `${why}The stop would lose ${wholeRupees(one.risk)}.`);
  });
  const show = () => {
    const waiting = waitingOrders(store.state);
    draw(waiting);
    element.hidden = waiting.length === 0;
  };
  store.watch(["orders", "options", "signals"], show);
  setInterval(() => {
    const now = marketNow(store.state);
    for (const row of /** @type {NodeListOf<HTMLElement>} */ (element.querySelectorAll("[data-expires]"))) {
      const left = now === null ? null : Date.parse(row.dataset.expires ?? "") - now;
      setText(part(row, ".countdown"), left === null ? "" : duration(left));
    }
  }, 250);
  return element;
}

/** @param {Order} order @param {(order: Order, isApproved: boolean) => void} answer */
function make(order, answer) {
  return h("article", { "data-expires": order.expires_at },
    h("div", { class: "row" }, h("strong", { class: "what" }), h("span", { class: "countdown", title: "Until it is refused by itself" })),
    h("p", { class: "why quiet" }),
    h("div", { class: "row" },
      h("button", { class: "button primary", type: "button", onclick: () => answer(order, true) }, "Approve", h("kbd", { class: "key" }, "A")),
      h("button", { class: "button", type: "button", onclick: () => answer(order, false) }, "Reject", h("kbd", { class: "key" }, "X"))));
}

/** @param {HTMLElement} row @param {string} selector */
const part = (row, selector) => /** @type {HTMLElement} */ (row.querySelector(selector));
