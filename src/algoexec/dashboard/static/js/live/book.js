/** Orders, trades and alerts of the session, newest first. */

import { h } from "../dom/h.js";
import { keyedTable } from "../dom/table.js";
import { tabs } from "../dom/tabs.js";
import { clockSeconds } from "../format/ist.js";
import { fixed, price, rupees, signedRupees, tone } from "../format/numbers.js";
import { exitReason, patternName, plain } from "../format/words.js";
import { instrumentName } from "../state/reading.js";

/**
 * @typedef {import("../state/store.js").Store} Store
 * @typedef {import("../state/state.js").State} State
 * @typedef {import("../state/state.js").KnownOrder} Order
 * @typedef {import("../api/types.js").Trade} Trade
 */

const MOST_SHOWN = 100;

/** @type {Record<string, string>} */
const PHASE_TONES = { FILLED: "up", REJECTED: "down", NOT_SENT: "down", UNKNOWN: "warn", SENDING: "accent", WORKING: "accent" };

/** @param {Store} store */
export function bookPanel(store) {
  const orders = orderTable(store), trades = tradeTable(store), alerts = alertList(store);
  return tabs("panel book", "Orders and trades", [
    { name: "Orders", ...orders },
    { name: "Trades", ...trades },
    { name: "Alerts", ...alerts },
  ]);
}

/** @param {Store} store */
function orderTable(store) {
  const made = keyedTable(
    "Orders",
    [["Time", "nowrap"], ["What", "nowrap"], ["Units", "num"], ["Limit", "num"], ["Average", "num"], ["", ""], ["", "quiet"]],
    (/** @type {Order} */ one) => one.id,
    (one) => [
      clockSeconds(one.at),
      h("span", {}, h("span", { class: one.side === "BUY" ? "up" : "down" }, one.side === "BUY" ? "Buy " : "Sell "), instrumentName(store.state, one.instrument)),
      `${one.filled}/${one.quantity ?? 0}`,
      price(one.limit),
      price(one.average_price),
      h("span", { class: `tag ${PHASE_TONES[one.phase] ?? ""}` }, plain(one.phase)),
      one.message,
    ],
    "No order yet.",
  );
  store.watch(["orders", "options"], (state) => made.show(state.orders.filter((order) => order.phase !== "REFUSED").slice(0, MOST_SHOWN)));
  return made;
}

/** @param {Store} store */
function tradeTable(store) {
  const made = keyedTable(
    "Trades",
    [["Closed", "nowrap"], ["What", "nowrap"], ["Entry", "num"], ["Exit", "num"], ["Charges", "num quiet"], ["Net", "num strong"], ["R", "num"], ["Why", "quiet"]],
    (/** @type {Trade} */ one) => one.id,
    (one) => [
      clockSeconds(one.closed_at),
      h("span", { title: patternName(one.pattern) }, `${instrumentName(store.state, one.instrument)} × ${one.quantity}`),
      price(one.entry_price),
      price(one.exit_price),
      rupees(one.charges),
      h("span", { class: tone(one.net) }, signedRupees(one.net)),
      fixed(one.r, 2),
      exitReason(one.reason),
    ],
    "No trade was closed yet.",
  );
  store.watch(["trades", "options"], (state) => made.show(state.trades.slice(0, MOST_SHOWN)));
  return made;
}

/** @param {Store} store */
function alertList(store) {
  const made = keyedTable(
    "Alerts",
    [["Time", "nowrap"], ["", ""], ["", ""]],
    (/** @type {State["alerts"][number]} */ one) => String(one.seq),
    (one) => [clockSeconds(one.at), h("span", { class: `tag ${one.severity === "critical" ? "down" : one.severity === "warning" ? "warn" : ""}` }, plain(one.code)), one.message],
    "Nothing that a person should read. Alerts since this page was opened stand here.",
  );
  store.watch(["alerts"], (state) => made.show(state.alerts.slice(0, MOST_SHOWN)));
  return made;
}
