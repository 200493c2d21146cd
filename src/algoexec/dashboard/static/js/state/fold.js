/**
 * Folds frames of the stream into the state, as the service folds its journal. The same function serves the live view
 * and the replay of a past session.
 */

/**
 * @typedef {import("./state.js").State} State
 * @typedef {keyof State} Part
 * @typedef {import("../api/types.js").Frame} Frame
 */

/** Lists hold no more than this: a page that is open all day must not grow. */
const MOST = { candles: 800, pcr: 600, signals: 300, rejections: 600, orders: 600, trades: 300, alerts: 200 };

/** @type {Record<string, (state: State, frame: Frame) => Part[]>} */
const FOLDS = {
  session: (state, { data }) => {
    if (!state.session) return [];
    const { feed, ...rest } = data;
    const before = state.session.feed ?? { age_ms: null, late_ticks: 0 };
    state.session = { ...state.session, ...rest, feed: { ...before, status: feed } };
    return ["session"];
  },
  candle: (state, { data }) => {
    state.candles = placed(state.candles, data, (one) => Date.parse(one.start), MOST.candles);
    if (state.running && state.running.start <= data.start) state.running = null;
    return ["candles", "running"];
  },
  candle_update: (state, { data, at }) => {
    const newest = state.candles.at(-1);
    if (newest && data.start <= newest.start) return [];
    state.running = data;
    return heard(state, at, ["running", "priceAt"]);
  },
  pcr: (state, { data }) => {
    state.pcr = placed(state.pcr, data, (one) => Date.parse(one.at), MOST.pcr);
    return ["pcr"];
  },
  signal: (state, { data, session_id }) => {
    state.signals = led(state.signals, { ...data, session_id }, MOST.signals);
    return ["signals"];
  },
  rejection: (state, { data, session_id }) => {
    state.rejections = led(state.rejections, { ...data, session_id }, MOST.rejections);
    return ["rejections"];
  },
  order: (state, frame) => {
    state.orders = withOrder(state.orders, { ...frame.data, at: frame.at, seq: frame.seq });
    return ["orders"];
  },
  position: (state, { data }) => {
    state.position = data;
    if (data.stage === "NEUTRAL") state.pnl = null;
    return ["position", "pnl"];
  },
  trade: (state, { data, session_id }) => {
    state.trades = led(state.trades, { ...data, session_id }, MOST.trades);
    if (state.session?.trading) {
      const { tally } = state.session.trading;
      const realised = Math.round((tally.realised + data.net) * 100) / 100;
      const losses_in_a_row = data.net < 0 ? tally.losses_in_a_row + 1 : 0;
      state.session = {
        ...state.session,
        trading: { ...state.session.trading, tally: { ...tally, realised, losses_in_a_row } },
      };
    }
    return ["trades", "session"];
  },
  pnl: (state, { data, at }) => {
    state.pnl = data;
    if (state.session?.trading) state.session.trading.tally.trades = data.trades;
    return heard(state, at, ["pnl"]);
  },
  alert: (state, frame) => {
    state.alerts = [{ ...frame.data, at: frame.at, seq: frame.seq }, ...state.alerts].slice(0, MOST.alerts);
    return ["alerts"];
  },
};

/**
 * @param {State} state Changed in place.
 * @param {Frame} frame A numbered frame, `candle_update` or `pnl`. Types that are not known change nothing.
 * @returns {Part[]} What has changed.
 */
export function fold(state, frame) {
  const changed = FOLDS[frame.type]?.(state, frame) ?? [];
  return frame.seq === null ? changed : heard(state, frame.at, changed);
}

/** Move market time on. @param {State} state @param {string} at @param {Part[]} changed @returns {Part[]} */
function heard(state, at, changed) {
  if (state.marketTime !== null && Date.parse(state.marketTime) >= Date.parse(at)) return changed;
  state.marketTime = at;
  return [...changed, "marketTime"];
}

/**
 * Put an item into a list that is in order of time; one of the same time is replaced.
 * @template T
 * @param {T[]} list @param {T} item @param {(one: T) => number} timeOf @param {number} most
 */
export function placed(list, item, timeOf, most) {
  const time = timeOf(item);
  let index = list.length;
  while (index > 0 && timeOf(list[index - 1]) > time) index -= 1;
  const isKnown = index > 0 && timeOf(list[index - 1]) === time;
  const next = list.slice();
  next.splice(isKnown ? index - 1 : index, isKnown ? 1 : 0, item);
  return next.slice(-most);
}

/**
 * Put an item at the head of a list that is newest first; one that is known is replaced where it stands.
 * @template {{id: string}} T
 * @param {T[]} list @param {T} item @param {number} most
 */
function led(list, item, most) {
  const index = list.findIndex((one) => one.id === item.id);
  if (index < 0) return [item, ...list].slice(0, most);
  return list.with(index, item);
}

/** @param {import("./state.js").KnownOrder[]} list @param {import("./state.js").KnownOrder} order */
export function withOrder(list, order) {
  const index = list.findIndex((one) => one.id === order.id);
  if (index < 0) return [order, ...list].slice(0, MOST.orders);
  const known = list[index];
  // `at` stays the time of its first word: by that it is listed.
  return known.seq >= order.seq ? list : list.with(index, { ...order, at: known.at });
}
