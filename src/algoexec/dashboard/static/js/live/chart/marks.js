/** Signals and trades as markers on the candles, and what the pointer reads there. */

import { h } from "../../dom/h.js";
import { clockSeconds } from "../../format/ist.js";
import { price, rupees, signedRupees, tone } from "../../format/numbers.js";
import { exitReason, patternName, patternShort, refusalReason, sideName } from "../../format/words.js";
import { colours } from "./colours.js";
import { chartMinute } from "./time.js";

/**
 * @typedef {import("../../state/state.js").State} State
 * @typedef {import("../../../vendor/lightweight-charts/lightweight-charts.js").SeriesMarker<any>} Marker
 * @typedef {Map<number, HTMLElement[]>} Notes What is to be read at a candle, by its chart time.
 */

/** @param {State} state @returns {{markers: Marker[], notes: Notes}} */
export function marksOf(state) {
  const colour = colours();
  /** @type {Notes} */
  const notes = new Map();
  /** @type {Marker[]} */
  const markers = [];
  const note = (/** @type {number} */ time, /** @type {HTMLElement} */ element) =>
    notes.set(time, [...(notes.get(time) ?? []), element]);

  for (const signal of state.signals) {
    const time = chartMinute(signal.candle.start);
    const isCall = signal.side === "BUY_CALL";
    const refusal = state.orders.find((order) => order.signal_id === signal.id && order.phase === "REFUSED");
    markers.push({
      time,
      position: isCall ? "belowBar" : "aboveBar",
      shape: isCall ? "arrowUp" : "arrowDown",
      // What was not acted on stays in the background.
      color: colour(refusal ? "faint" : isCall ? "up" : "down"),
      text: refusal ? "" : patternShort(signal.pattern),
      size: refusal ? 0.6 : 1,
    });
    note(time, signalNote(signal, refusal?.reason ?? null));
  }
  for (const trade of state.trades) {
    const won = trade.net >= 0;
    const opened = chartMinute(trade.opened_at);
    const closed = chartMinute(trade.closed_at);
    markers.push(
      { time: opened, position: "inBar", shape: "circle", color: colour("accent"), size: 0.7 },
      {
        time: closed,
        position: "aboveBar",
        shape: "square",
        color: colour(won ? "up" : "down"),
        size: 0.7,
      },
    );
    note(closed, tradeNote(trade));
  }
  for (const rejection of state.rejections) {
    note(chartMinute(rejection.candle.start), rejectionNote(rejection));
  }
  markers.sort((one, other) => one.time - other.time);
  return { markers, notes };
}

/** @param {import("../../api/types.js").Signal} signal @param {string | null} refused Why it became no order. */
function signalNote(signal, refused) {
  return h("div", {},
    h("strong", { class: signal.side === "BUY_CALL" ? "up" : "down" },
      `${sideName(signal.side)} · ${patternName(signal.pattern)}`),
    `P${signal.priority} at ${price(signal.price)}, stop ${price(signal.stop_loss)}, target ${price(signal.target)}`,
    refused && h("div", { class: "quiet" }, `No order: ${refusalReason(refused)}`));
}

/** @param {import("../../api/types.js").Signal} rejection */
function rejectionNote(rejection) {
  return h("div", { class: "quiet" },
    h("strong", {}, `Not taken: ${sideName(rejection.side).toLowerCase()}, ${patternName(rejection.pattern)}`),
    refusalReason(rejection.reason));
}

/** @param {import("../../api/types.js").Trade} trade */
function tradeNote(trade) {
  return h("div", {},
    h("strong", { class: tone(trade.net) }, `${signedRupees(trade.net)} · ${exitReason(trade.reason)}`),
    `${price(trade.entry_price)} → ${price(trade.exit_price)}, ${trade.quantity} units, ${trade.r.toFixed(2)}R`,
    h("div", { class: "quiet" },
      `${clockSeconds(trade.opened_at)} to ${clockSeconds(trade.closed_at)}, charges ${rupees(trade.charges)}`));
}
