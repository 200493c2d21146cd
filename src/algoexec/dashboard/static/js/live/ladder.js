/** The options around the money, calls on the left, puts on the right. */

import { fill, h, setText } from "../dom/h.js";
import { clockSeconds, dayAndMonth, duration } from "../format/ist.js";
import { compact, fixed, price } from "../format/numbers.js";
import { lastPrice, marketNow } from "../state/reading.js";

/**
 * @typedef {import("../state/store.js").Store} Store
 * @typedef {import("../state/state.js").State} State
 * @typedef {import("../api/types.js").OptionQuote} Quote
 */

const AROUND = 1;

/** @param {Store} store */
export function ladderPanel(store) {
  const aside = h("span", { class: "aside" });
  const body = h("tbody");
  const empty = h("p", { class: "empty" }, h("strong", {}, "No option chain yet"), "It is polled when the session begins, and then every five minutes.");
  const heads = ["OI", "IV", "Δ", "Bid", "Ask"];
  const table = h("table", { class: "ladder" },
    h("caption", { class: "sr-only" }, "Options around the money"),
    h("thead", {}, h("tr", {},
      heads.map((name) => h("th", { class: "num", scope: "col" }, h("span", { class: "sr-only" }, "Call "), name)),
      h("th", { class: "strike", scope: "col" }, "Strike"),
      heads.toReversed().map((name) => h("th", { class: "num", scope: "col" }, h("span", { class: "sr-only" }, "Put "), name)))),
    body);
  const panel = h("section", { class: "panel ladder-panel", "aria-label": "Option ladder" },
    h("header", {}, h("h2", {}, "Option ladder"), aside), h("div", { class: "body", tabindex: "0" }, empty, table));

  store.watch(["chain", "position"], (state) => {
    const strikes = aroundTheMoney(state);
    empty.hidden = strikes.length > 0;
    table.hidden = strikes.length === 0;
    fill(body, strikes.map((one) => row(one, state)));
    tick();
  });
  setInterval(tick, 1000);

  function tick() {
    const { chain } = store.state;
    const now = marketNow(store.state);
    const age = chain && now !== null ? `, ${duration(now - Date.parse(chain.at))} old` : "";
    setText(aside, chain ? `${dayAndMonth(chain.expiry)} expiry · polled ${clockSeconds(chain.at)}${age}` : "");
  }
  return panel;
}

/** @typedef {{strike: number, isAtm: boolean, call: Quote | undefined, put: Quote | undefined}} Strike */

/** @param {State} state @returns {Strike[]} From the lowest strike to the highest. */
function aroundTheMoney(state) {
  const { chain } = state;
  const spot = lastPrice(state) ?? chain?.spot ?? null;
  if (!chain || spot === null) return [];
  const strikes = [...new Set(chain.quotes.map((quote) => quote.strike))].sort((one, other) => one - other);
  // The lower one of two that are equally near, as the service has it.
  const atm = strikes.reduce((best, one, index) => (Math.abs(one - spot) < Math.abs(strikes[best] - spot) ? index : best), 0);
  return strikes.slice(Math.max(0, atm - AROUND), atm + AROUND + 1).map((strike) => ({
    strike,
    isAtm: strike === strikes[atm],
    call: chain.quotes.find((quote) => quote.strike === strike && quote.type === "CALL"),
    put: chain.quotes.find((quote) => quote.strike === strike && quote.type === "PUT"),
  }));
}

/** @param {Strike} strike @param {State} state */
function row({ strike, isAtm, call, put }, state) {
  const held = state.position?.instrument ?? null;
  return h("tr", { class: isAtm ? "atm" : null },
    cells(call, held),
    h("td", { class: "strike" }, price(strike).replace(".00", ""), isAtm && h("span", { class: "sr-only" }, " at the money")),
    cells(put, held).toReversed());
}

/** @param {Quote | undefined} quote @param {string | null} held */
function cells(quote, held) {
  const isHeld = quote !== undefined && quote.instrument === held;
  const cell = (/** @type {string} */ text, /** @type {string} */ tone = "") => h("td", { class: `num ${tone} ${isHeld ? "held" : ""}` }, text);
  return [
    cell(compact(quote?.open_interest), "quiet"),
    cell(quote?.iv == null ? "–" : `${(quote.iv * 100).toFixed(1)}%`, "quiet"),
    cell(fixed(quote?.delta, 2), "quiet"),
    cell(price(quote?.bid)),
    cell(price(quote?.ask)),
  ];
}
