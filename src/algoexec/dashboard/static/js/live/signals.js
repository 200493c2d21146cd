/** The signal board, and beside it the answer to "why did it not trade?". */

import { h, setAttribute, setText } from "../dom/h.js";
import { rows } from "../dom/rows.js";
import { tabs } from "../dom/tabs.js";
import { clockMinutes } from "../format/ist.js";
import { fixed, price } from "../format/numbers.js";
import { patternName, plain, refusalReason, sideName } from "../format/words.js";
import { instrumentName, marketNow } from "../state/reading.js";

/**
 * @typedef {import("../state/store.js").Store} Store
 * @typedef {import("../state/state.js").State} State
 * @typedef {import("../state/state.js").KnownOrder} Order
 * @typedef {import("../api/types.js").Signal} Signal
 */

const MOST_SHOWN = 120;

/** @param {Store} store */
export function signalPanel(store) {
  const board = signalBoard(store), ledger = whyNot(store);
  return tabs("panel signals", "Signals", [
    { name: "Signals", body: board.element, count: board.count },
    { name: "Why not?", body: ledger.element, count: ledger.count },
  ]);
}

/** @param {Store} store */
function signalBoard(store) {
  const list = h("div", { class: "board" });
  const empty = h("p", { class: "empty" }, h("strong", {}, "No signal yet"), "Setups are looked for on each closed minute from 09:30 to 15:00.");
  const count = h("span", { class: "count" });
  const draw = rows(list, (/** @type {Signal} */ one) => one.id, makeSignal, (row, signal) => updateSignal(row, signal, store.state));
  const show = () => {
    const { signals } = store.state;
    draw(signals.slice(0, MOST_SHOWN));
    empty.hidden = signals.length > 0;
    setText(count, signals.length ? String(signals.length) : "");
  };
  store.watch(["signals", "orders", "trades", "options", "position"], show);
  setInterval(() => countDown(list, store.state), 250);
  return { element: h("div", {}, empty, list), count };
}

/** @param {Signal} signal */
function makeSignal(signal) {
  return h("article", { class: "signal", "data-side": signal.side, "data-expires": signal.expires_at },
    h("span", { class: "priority", title: `Priority ${signal.priority}; 1 is best` }, `P${signal.priority}`),
    h("span", { class: "what" }, `${sideName(signal.side)} · ${patternName(signal.pattern)}`),
    h("span", { class: "when" }, h("span", { class: "countdown" }), clockMinutes(signal.at)),
    h("span", { class: "why" }));
}

/** @param {HTMLElement} row @param {Signal} signal @param {State} state */
function updateSignal(row, signal, state) {
  const why = /** @type {HTMLElement} */ (row.querySelector(".why"));
  setText(why, `${outcome(signal, state)} · at ${price(signal.price)}, stop ${price(signal.stop_loss)}, target ${price(signal.target)} · ${evidence(signal)}`);
}

/** @param {Signal} signal @param {State} state @returns {string} What became of it. */
function outcome(signal, state) {
  const trade = state.trades.find((one) => one.signal_id === signal.id);
  if (trade) return `traded, ${trade.net >= 0 ? "won" : "lost"} ${fixed(Math.abs(trade.r), 2)}R`;
  const order = state.orders.find((one) => one.signal_id === signal.id);
  if (order?.phase === "REFUSED") return `no order: ${refusalReason(order.reason)}`;
  if (order && order.trade_id === state.position?.trade_id) return `${instrumentName(state, order.instrument)}, open now`;
  if (order && order.phase !== "FILLED") return `${instrumentName(state, order.instrument)}, order ${plain(order.phase)}`;
  return instrumentName(state, signal.instrument) || "no option is listed for it";
}

/** @param {Signal} signal */
function evidence({ pcr, pcr_quality, volume_confirmed }) {
  const ratio = pcr === null ? `PCR ${pcr_quality}` : `PCR ${pcr.toFixed(2)}`;
  const volume = volume_confirmed === null ? "volume unknown" : volume_confirmed ? "volume confirms" : "volume quiet";
  return `${ratio}, ${volume}`;
}

/** @param {HTMLElement} list @param {State} state */
function countDown(list, state) {
  const now = marketNow(state);
  for (const row of /** @type {NodeListOf<HTMLElement>} */ (list.querySelectorAll(".signal:not(.past)"))) {
    const left = now === null ? 0 : Date.parse(row.dataset.expires ?? "") - now;
    const text = /** @type {HTMLElement} */ (row.querySelector(".countdown"));
    row.classList.toggle("fresh", left > 0);
    row.classList.toggle("past", left <= 0);
    setText(text, left > 0 ? `${Math.ceil(left / 1000)}s` : "");
    setAttribute(text, "title", left > 0 ? "Until it expires" : null);
  }
}

/**
 * Everything that was not taken: setups that a guard rejected, and signals that became no order.
 * @typedef {{id: string, at: string, what: string, why: string, detail: string, side: string}} Refusal
 */

/** @param {Store} store */
function whyNot(store) {
  const list = h("div", { class: "board" });
  const empty = h("p", { class: "empty" }, h("strong", {}, "Nothing was refused yet"), "Every setup that is not traded is listed here, with the reason.");
  const count = h("span", { class: "count" });
  const draw = rows(
    list,
    (/** @type {Refusal} */ one) => one.id,
    (one) =>
      h("article", { class: "signal refused", "data-side": one.side },
        h("span", { class: "priority", "aria-hidden": "true" }, "×"),
        h("span", { class: "what" }, one.what),
        h("span", { class: "when" }, clockMinutes(one.at)),
        h("span", { class: "why" }, one.why, one.detail && h("span", { class: "faint" }, ` · ${one.detail}`))),
    () => {},
  );
  store.watch(["rejections", "orders", "signals"], (state) => {
    const refusals = refusalsOf(state);
    draw(refusals.slice(0, MOST_SHOWN));
    empty.hidden = refusals.length > 0;
    setText(count, refusals.length ? String(refusals.length) : "");
  });
  return { element: h("div", {}, empty, list), count };
}

/** @param {State} state @returns {Refusal[]} Newest first. */
function refusalsOf(state) {
  const rejected = state.rejections.map((one) => ({
    id: one.id,
    at: one.at,
    side: one.side,
    what: `${sideName(one.side)} · ${patternName(one.pattern)}`,
    why: refusalReason(one.reason),
    detail: one.reason === "PCR" ? `PCR ${fixed(one.pcr, 2)}` : price(one.price),
  }));
  const refused = state.orders.filter((order) => order.phase === "REFUSED").map((order) => {
    const signal = state.signals.find((one) => one.id === order.signal_id);
    return {
      id: order.id,
      at: order.at,
      side: signal?.side ?? "",
      what: signal ? `${sideName(signal.side)} · ${patternName(signal.pattern)}` : "A signal",
      why: refusalReason(order.reason),
      detail: order.message ?? "",
    };
  });
  return [...rejected, ...refused].sort((one, other) => Date.parse(other.at) - Date.parse(one.at));
}
