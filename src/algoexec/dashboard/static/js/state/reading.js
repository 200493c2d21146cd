/** What follows from the state: nothing here is kept. */

import { instantOf } from "../format/ist.js";

/** @typedef {import("./state.js").State} State */

/** At Upstox market time is the time of day; a simulator's is what its newest stamp says. */
const REAL_VENUE = "upstox";

/** Statuses in which prices should come. */
const WATCHING = new Set(["WARMING_UP", "RUNNING", "STOPPING"]);
const OVER = new Set(["STOPPED", "FAILED"]);

/** @param {State} state @returns {number | null} Market time now, milliseconds since 1970; null: not known. */
export function marketNow(state) {
  const heard = state.marketTime ?? state.session?.market_time ?? null;
  if (state.session?.venue === REAL_VENUE && !isOver(state)) return Date.now();
  return heard === null ? null : Date.parse(heard);
}

/** @param {State} state */
export const isOver = (state) => state.session !== null && OVER.has(state.session.status);

/** @param {State} state */
export const isWatching = (state) => state.session !== null && WATCHING.has(state.session.status);

/**
 * Venue × mode, by which the page takes its colour.
 * @param {State} state
 * @returns {{key: "none" | "signals" | "paper" | "live-simulator" | "live-money", name: string}}
 */
export function stakes(state) {
  const { session } = state;
  if (!session) return { key: "none", name: "NO SESSION" };
  const isReal = session.venue === REAL_VENUE;
  const where = isReal ? "UPSTOX" : "SIMULATOR";
  if (session.mode === "live") {
    return isReal ? { key: "live-money", name: "LIVE · REAL MONEY" } : { key: "live-simulator", name: "LIVE · SIMULATOR" };
  }
  return { key: session.mode, name: `${session.mode.toUpperCase()} · ${where}` };
}

/** @param {State} state @returns {number | null} The index's newest price. */
export const lastPrice = (state) => state.running?.close ?? state.candles.at(-1)?.close ?? null;

/**
 * How far the index has moved: since yesterday's close, or where that is not told since the day's first price.
 * @param {State} state
 * @returns {{points: number, percent: number} | null}
 */
export function change(state) {
  const last = lastPrice(state);
  const underlying = state.session?.contracts?.underlying ?? "";
  const from = state.quotes.get(underlying)?.previous_close ?? state.candles[0]?.open;
  if (last === null || !from) return null;
  return { points: last - from, percent: ((last - from) / from) * 100 };
}

/** @param {State} state Milliseconds since the newest price came; null: none is expected. */
export function priceAge(state) {
  return state.priceAt === null || !isWatching(state) ? null : performance.now() - state.priceAt;
}

/**
 * The day's result so far, rupees. `net` is after the charges that are known; the open trade's exit will cost some more.
 * @param {State} state
 * @returns {{net: number, realised: number, open: number, charges: number} | null} null: nothing is traded.
 */
export function dayResult(state) {
  const tally = state.session?.trading?.tally;
  if (!tally) return null;
  const { pnl } = state;
  if (!pnl) return { net: tally.realised, realised: tally.realised, open: 0, charges: 0 };
  return { net: pnl.total, realised: pnl.realised, open: pnl.unrealised, charges: pnl.charges };
}

/** @param {State} state Entries that wait for a person's word. */
export const waitingOrders = (state) => state.orders.filter((order) => order.phase === "AWAITING_APPROVAL");

/** @param {State} state @param {string | null | undefined} key @returns {string} `56,500 CE`, or the key itself. */
export function instrumentName(state, key) {
  if (!key) return "";
  const option = state.options.get(key);
  return option ? `${option.strike.toFixed(0)} ${option.type === "CALL" ? "CE" : "PE"}` : key;
}

/**
 * When the broker's token is about to die: all tokens do at 03:30.
 * @param {State} state
 * @returns {string | null} What to do about it; null: nothing.
 */
export function tokenWarning(state) {
  const { session } = state;
  const now = marketNow(state);
  if (!session || now === null || isOver(state)) return null;
  if (session.status === "NEEDS_TOKEN") return "The broker takes no token of this session any more. Until a new one is handed in, nothing is watched.";
  const dies = instantOf(session.day, "03:30");
  if (session.status === "SCHEDULED" && now < dies) return "The broker token dies at 03:30, before this session’s day begins. Hand in a new one after that.";
  return null;
}
