/** The lists of the past, a page at a time. */

import * as api from "../api/client.js";
import { h } from "../dom/h.js";
import { keyedTable } from "../dom/table.js";
import { clockSeconds, dateIn, dayAndMonth } from "../format/ist.js";
import { fixed, price, rupees, signed, signedRupees, tone, UNKNOWN } from "../format/numbers.js";
import { exitReason, patternName, plain, refusalReason, sideName } from "../format/words.js";

/**
 * @typedef {{session_id: string | null, since: string | null, until: string | null}} Filter
 * @typedef {import("../api/types.js").Signal} Signal
 * @typedef {import("../api/types.js").Order} Order
 * @typedef {import("../api/types.js").Trade} Trade
 */

const PAGE = 100;

/** @param {string} at */
const moment = (at) => `${dayAndMonth(dateIn(at))} ${clockSeconds(at)}`;

/**
 * @template {{id: string}} T
 * @param {string} name
 * @param {[string, string][]} heads
 * @param {(one: T) => (Node | string | null)[]} cellsOf
 * @param {(asked: import("../api/client.js").Asked) => Promise<import("../api/types.js").Page<T>>} list
 */
function pagedList(name, heads, cellsOf, list) {
  const table = keyedTable(name, heads, (/** @type {T} */ one) => one.id, cellsOf, `No ${name.toLowerCase()} here.`);
  /** @type {T[]} */
  let items = [];
  /** @type {Filter | null} */
  let shown = null;
  /** @type {string | null} */
  let next = null;
  const more = h("button", { class: "button small", type: "button", hidden: true, onclick: () => void page() }, "Show older ones");

  async function page() {
    const asked = shown;
    if (!asked) return;
    const found = await list({ ...asked, limit: PAGE, cursor: next });
    if (asked !== shown) return;
    items = [...items, ...found.items];
    next = found.cursor;
    more.hidden = next === null;
    table.show(items);
  }

  return {
    name,
    body: h("div", {}, table.body, h("p", { class: "more" }, more)),
    count: table.count,
    /** @param {Filter} filter */
    async read(filter) {
      [shown, items, next] = [filter, [], null];
      await page();
    },
  };
}

/** @param {Signal} one */
const setup = (one) => h("span", {}, h("span", { class: one.side === "BUY_CALL" ? "up" : "down" }, sideName(one.side)), ` ${patternName(one.pattern)}`);

export const signalList = () =>
  pagedList("Signals",
    [["Time", "nowrap"], ["P", "num"], ["Setup", "nowrap"], ["Price", "num"], ["PCR", "num"], ["Became", ""], ["Index after", "num"]],
    (/** @type {Signal} */ one) => [
      moment(one.at), String(one.priority), setup(one), price(one.price), fixed(one.pcr, 2), fateOf(one), h("span", { class: tone(one.outcome?.index?.points) }, indexResult(one)),
    ],
    api.listSignals);

/** @param {Signal} one */
function fateOf({ outcome }) {
  if (!outcome) return "open";
  if (outcome.fate === "TRADED") return h("span", { class: tone(outcome.net) }, `${signedRupees(outcome.net)}, ${exitReason(outcome.reason)}`);
  return outcome.reason ? `no order: ${refusalReason(outcome.reason)}` : plain(outcome.fate);
}

/** @param {Signal} one What the index did by the signal's own stop and target, traded or not. */
function indexResult({ outcome }) {
  const result = outcome?.index;
  return result ? `${plain(result.reached)}, ${signed(result.points)}` : UNKNOWN;
}

export const rejectionList = () =>
  pagedList("Rejections",
    [["Time", "nowrap"], ["P", "num"], ["Setup", "nowrap"], ["Price", "num"], ["PCR", "num"], ["Why not", ""]],
    (/** @type {Signal} */ one) => [moment(one.at), String(one.priority), setup(one), price(one.price), fixed(one.pcr, 2), refusalReason(one.reason)],
    api.listRejections);

export const orderList = () =>
  pagedList("Orders",
    [["Time", "nowrap"], ["", ""], ["Instrument", "nowrap"], ["Units", "num"], ["Limit", "num"], ["Average", "num"], ["Phase", ""], ["", "quiet"]],
    (/** @type {Order} */ one) => [
      moment(one.at), one.side ? plain(one.side) : "", one.instrument, one.quantity === null ? "" : `${one.filled}/${one.quantity}`,
      price(one.limit), price(one.average_price), h("span", { class: "tag" }, plain(one.phase)), one.reason ? refusalReason(one.reason) : one.message,
    ],
    api.listOrders);

export const tradeList = () =>
  pagedList("Trades",
    [["Closed", "nowrap"], ["Setup", "nowrap"], ["Units", "num"], ["Entry", "num"], ["Exit", "num"], ["Gross", "num"], ["Charges", "num quiet"], ["Net", "num strong"], ["R", "num"], ["Why", "quiet"]],
    (/** @type {Trade} */ one) => [
      moment(one.closed_at), patternName(one.pattern), String(one.quantity), price(one.entry_price), price(one.exit_price),
      signedRupees(one.gross), rupees(one.charges), h("span", { class: tone(one.net) }, signedRupees(one.net)), fixed(one.r, 2), exitReason(one.reason),
    ],
    api.listTrades);
