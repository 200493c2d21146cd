/** The options around the money, calls on the left, puts on the right: live where the session follows them. */

import { fill, h, setAttribute, setText } from "../dom/h.js";
import { clockSeconds, dayAndMonth, duration } from "../format/ist.js";
import { compact, fixed, price, UNKNOWN } from "../format/numbers.js";
import { isWatching, lastPrice, marketNow } from "../state/reading.js";
import { loadQuotes } from "../state/load.js";

/**
 * @typedef {import("../state/store.js").Store} Store
 * @typedef {import("../state/state.js").State} State
 * @typedef {import("../api/types.js").OptionQuote} Polled
 */

const AROUND = 1;
const QUOTES_EVERY_MS = 1_000;

/**
 * What a column shows, from the call's side outwards in.
 * @type {[string, string, (option: Shown) => string, string][]} Name, what it means, text, class.
 */
const COLUMNS = [
  ["OI", "Open interest", (one) => compact(one.interest), "quiet"],
  ["IV", "Implied volatility", (one) => (one.iv === null ? UNKNOWN : `${(one.iv * 100).toFixed(1)}%`), "quiet"],
  ["Θ", "Theta, rupees a day", (one) => fixed(one.theta, 1), "quiet wide"],
  ["Γ", "Gamma, thousandths", (one) => fixed(one.gamma === null ? null : one.gamma * 1000, 2), "quiet wide"],
  ["Δ", "Delta", (one) => fixed(one.delta, 2), "quiet delta"],
  ["Bid", "Bid", (one) => price(one.bid), ""],
  ["Ask", "Ask", (one) => price(one.ask), ""],
];

/**
 * @typedef {object} Shown One side of one strike.
 * @property {string} instrument
 * @property {number | null} bid
 * @property {number | null} ask
 * @property {number | null} interest
 * @property {number | null} iv
 * @property {number | null} delta
 * @property {number | null} theta
 * @property {number | null} gamma
 */

/** @param {Store} store */
export function ladderPanel(store) {
  const aside = h("span", { class: "aside" });
  const body = h("tbody");
  const empty = h("p", { class: "empty" }, h("strong", {}, "No option chain yet"), "It is polled when the session begins, and then every five minutes.");
  const head = (/** @type {string} */ side) => (/** @type {typeof COLUMNS[number]} */ [name, title, , className]) =>
    h("th", { class: `num ${className}`, scope: "col", title }, h("span", { class: "sr-only" }, `${side} `), name);
  const table = h("table", { class: "ladder" },
    h("caption", { class: "sr-only" }, "Options around the money"),
    h("thead", {}, h("tr", {},
      COLUMNS.map(head("Call")), h("th", { class: "strike", scope: "col" }, "Strike"), COLUMNS.map(head("Put")).toReversed())),
    body);
  const panel = h("section", { class: "panel ladder-panel", "aria-label": "Option ladder" },
    h("header", {}, h("h2", {}, "Option ladder"), aside), h("div", { class: "body", tabindex: "0", role: "region", "aria-label": "Options around the money" }, empty, table));

  let drawn = "";
  /** @type {HTMLTableRowElement[]} */
  let shown = [];
  store.watch(["chain", "position", "quotes"], (state) => {
    const strikes = aroundTheMoney(state);
    empty.hidden = strikes.length > 0;
    table.hidden = strikes.length === 0;
    const key = strikes.map(({ strike, isAtm }) => `${strike}${isAtm}`).join();
    if (key !== drawn) {
      drawn = key;
      shown = strikes.map(({ strike, isAtm }) => row(strike, isAtm));
      fill(body, shown);
    }
    strikes.forEach((strike, index) => update(shown[index], strike, state));
    tick();
  });
  setInterval(tick, QUOTES_EVERY_MS);
  setInterval(() => {
    const isSeen = document.visibilityState === "visible" && panel.offsetParent !== null;
    if (isSeen && isWatching(store.state) && store.state.link?.state === "open") void loadQuotes(store);
  }, QUOTES_EVERY_MS);

  function tick() {
    const { chain, quotes } = store.state;
    const now = marketNow(store.state);
    if (!chain) return setText(aside, "");
    const isLive = chain.quotes.some(({ instrument }) => quotes.has(instrument));
    const age = now === null ? "" : `, ${duration(now - Date.parse(chain.at))} ago`;
    setText(aside, `${dayAndMonth(chain.expiry)} expiry · ${isLive ? "live" : `polled ${clockSeconds(chain.at)}${age}`}`);
  }
  return panel;
}

/** @typedef {{strike: number, isAtm: boolean, call: Shown | null, put: Shown | null}} Strike */

/** @param {State} state @returns {Strike[]} From the lowest strike to the highest. */
function aroundTheMoney(state) {
  const { chain } = state;
  const spot = lastPrice(state) ?? chain?.spot ?? null;
  if (!chain || spot === null) return [];
  const strikes = [...new Set(chain.quotes.map((quote) => quote.strike))].sort((one, other) => one - other);
  // The lower one of two that are equally near, as the service has it.
  const atm = strikes.reduce((best, one, index) => (Math.abs(one - spot) < Math.abs(strikes[best] - spot) ? index : best), 0);
  const side = (/** @type {number} */ strike, /** @type {string} */ type) => {
    const polled = chain.quotes.find((quote) => quote.strike === strike && quote.type === type);
    return polled ? newest(polled, state) : null;
  };
  return strikes.slice(Math.max(0, atm - AROUND), atm + AROUND + 1).map((strike) => ({
    strike,
    isAtm: strike === strikes[atm],
    call: side(strike, "CALL"),
    put: side(strike, "PUT"),
  }));
}

/** The tick's word where there is one, else the poll's. @param {Polled} polled @param {State} state @returns {Shown} */
function newest(polled, state) {
  const live = state.quotes.get(polled.instrument);
  return {
    instrument: polled.instrument,
    bid: live ? live.bid : polled.bid,
    ask: live ? live.ask : polled.ask,
    interest: live?.open_interest ?? polled.open_interest,
    iv: live?.iv ?? polled.iv,
    delta: live?.greeks?.delta ?? polled.delta,
    theta: live?.greeks?.theta ?? null,
    gamma: live?.greeks?.gamma ?? null,
  };
}

/** @param {number} strike @param {boolean} isAtm @returns {HTMLTableRowElement} */
function row(strike, isAtm) {
  const cells = () => COLUMNS.map(([, , , className]) => h("td", { class: `num ${className}` }));
  return h("tr", { class: isAtm ? "atm" : null },
    cells(),
    h("th", { class: "strike", scope: "row" }, price(strike).replace(".00", ""), isAtm && h("span", { class: "sr-only" }, " at the money")),
    cells().toReversed());
}

/** @param {HTMLTableRowElement} element @param {Strike} strike @param {State} state */
function update(element, { call, put }, state) {
  const held = state.position?.instrument ?? null;
  const cells = [...element.cells];
  const sides = /** @type {[Shown | null, HTMLTableCellElement[]][]} */ ([
    [call, cells.slice(0, COLUMNS.length)],
    [put, cells.slice(COLUMNS.length + 1).toReversed()],
  ]);
  for (const [option, places] of sides) {
    places.forEach((place, index) => {
      setText(place, option === null ? UNKNOWN : COLUMNS[index][2](option));
      place.classList.toggle("held", option !== null && option.instrument === held);
    });
  }
  setAttribute(element, "data-held", held !== null && (call?.instrument === held || put?.instrument === held) ? "true" : null);
}
