/** Reads what happened before the stream began, so that a page opened at noon shows the morning. */

import * as api from "../api/client.js";
import { ApiError } from "../api/http.js";
import { placed, withOrder } from "./fold.js";
import { isOver } from "./reading.js";

/**
 * @typedef {import("./store.js").Store} Store
 * @typedef {import("./state.js").State} State
 * @typedef {import("../api/types.js").Candle} Candle
 */

const INDICATORS = /** @param {State} state */ (state) => {
  const config = state.session?.config;
  return { fast: `ema:${config?.ema_fast_length ?? 9}`, slow: `ema:${config?.ema_slow_length ?? 21}`, vwap: "vwap" };
};

/**
 * Everything of the session that is shown. Frames may come meanwhile: what they said stands, being newer.
 * @param {Store} store
 */
export async function loadSession(store) {
  const id = store.state.session?.id;
  if (!id) return;
  const asked = { session_id: id, limit: 300 };
  await Promise.all([
    // Bars at once; indicators as soon as they are computed.
    into(store, id, api.getCandles(id, {}), ({ candles }, state) => ({ candles: withCandles(state.candles, candles) })),
    loadCandles(store, null),
    loadChain(store),
    loadOptions(store),
    into(store, id, api.listPcr({ ...asked, limit: 600 }), ({ items }, state) => ({
      pcr: items.filter((one) => one.at.slice(0, 10) === state.session?.day)
        .reduce((list, one) => placed(list, one, (reading) => Date.parse(reading.at), 600), state.pcr),
    })),
    into(store, id, api.listSignals(asked), ({ items }, state) => ({ signals: joined(state.signals, items) })),
    into(store, id, api.listRejections(asked), ({ items }, state) => ({ rejections: joined(state.rejections, items) })),
    into(store, id, api.listTrades(asked), ({ items }, state) => ({ trades: joined(state.trades, items) })),
    into(store, id, api.listOrders(asked), ({ items }, state) => ({
      orders: items
        .map(({ history, ...order }) => ({ ...order, seq: history.at(-1)?.seq ?? 0 }))
        .reduce(withOrder, state.orders)
        .sort((one, other) => Date.parse(other.at) - Date.parse(one.at)),
    })),
  ]);
}

/**
 * Candles and the indicators beside them, as the service computes them.
 * @param {Store} store
 * @param {string | null} since Only from this time on; null: all.
 */
export async function loadCandles(store, since) {
  const { session } = store.state;
  if (!session) return;
  const { fast, slow, vwap } = INDICATORS(store.state);
  const ta = [...new Set([fast, slow, vwap])].join(",");
  await into(store, session.id, api.getCandles(session.id, { ta, since }), (answer, state) => {
    const line = (/** @type {string} */ name, /** @type {string} */ part, /** @type {number} */ index) =>
      answer.ta[name]?.[part]?.[index] ?? null;
    const levels = new Map(state.levels);
    answer.candles.forEach(({ start }, index) => {
      levels.set(start, {
        vwap: line(vwap, "vwap", index),
        emaFast: line(fast, "ema", index),
        emaSlow: line(slow, "ema", index),
      });
    });
    return { candles: withCandles(state.candles, answer.candles), levels };
  });
}

/** @param {Candle[]} known @param {Candle[]} read */
const withCandles = (known, read) => read.reduce((list, one) => placed(list, one, startOf, 800), known);

/** @param {Candle} candle */
const startOf = (candle) => Date.parse(candle.start);

/** The option chain as it was last polled; before the first poll, and once the session is over, there is none. @param {Store} store */
export async function loadChain(store) {
  const id = store.state.session?.id;
  if (id && store.state.pcr.length > 0 && !isOver(store.state)) await into(store, id, api.getOptionChain(id), (chain) => ({ chain }));
}

/** What the day's instrument keys stand for. @param {Store} store */
export async function loadOptions(store) {
  const id = store.state.session?.id;
  if (!id) return;
  await into(store, id, api.listOptions(id), ({ options }) => ({
    options: new Map(options.map((option) => [option.instrument, option])),
  }));
}

/** The newest quotes of what the session follows. @param {Store} store */
export async function loadQuotes(store) {
  const id = store.state.session?.id;
  if (!id) return;
  await into(store, id, api.getQuotes(id), ({ quotes }) => ({
    quotes: new Map(quotes.map((quote) => [quote.instrument, quote])),
  }));
}

/**
 * Keep an answer, unless another session is shown by the time it comes.
 * @template T
 * @param {Store} store @param {string} id @param {Promise<T>} answer
 * @param {(answer: T, state: State) => Partial<State>} read
 */
async function into(store, id, answer, read) {
  try {
    const found = await answer;
    if (store.state.session?.id === id) store.set(read(found, store.state));
  } catch (error) {
    // Nothing polled yet is no failure; any other one shows in the stream's banner, and is read again with the next.
    if (!(error instanceof ApiError) || error.status >= 500) console.warn(String(error));
  }
}

/**
 * @template {{id: string}} T
 * @param {T[]} known What frames said, newest first. @param {T[]} read @returns {T[]}
 */
function joined(known, read) {
  const ids = new Set(known.map((one) => one.id));
  return [...known, ...read.filter((one) => !ids.has(one.id))].sort((one, other) => timeOf(other) - timeOf(one));
}

/** @param {any} one A signal or a trade. */
const timeOf = (one) => Date.parse(one.closed_at ?? one.at);
