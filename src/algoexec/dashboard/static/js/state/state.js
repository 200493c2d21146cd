/** What the page knows. */

/**
 * An order, and the number of the frame that told it: REST lists are written behind the stream, and an older word must
 * not replace a newer one.
 * @typedef {import("../api/types.js").OrderState & {at: string, seq: number}} KnownOrder
 *
 * Indicators as of one candle; null: not known yet.
 * @typedef {{vwap: number | null, emaFast: number | null, emaSlow: number | null}} Levels
 *
 * @typedef {object} State
 * @property {import("../api/types.js").Me | null} me Who is at the page; null until the service has said.
 * @property {import("../api/types.js").Session[]} sessions The active ones that may be seen.
 * @property {import("../api/types.js").Session | null} session The one that is shown; null: none.
 * @property {import("../api/stream.js").Link | null} link Its stream.
 * @property {{missed: string | null}} notices What a banner should say once.
 * @property {string | null} marketTime Newest market time that was heard of.
 * @property {number | null} priceAt performance.now() of the newest price; null: none yet.
 * @property {number | null} lagMs How late the newest heartbeat was, against the fastest one.
 * @property {import("../api/types.js").Candle[]} candles Closed minutes, oldest first.
 * @property {import("../api/types.js").Running | null} running The minute under way.
 * @property {Map<string, Levels>} levels By the start of their candle.
 * @property {import("../api/types.js").Pcr[]} pcr Oldest first.
 * @property {import("../api/types.js").Signal[]} signals Newest first.
 * @property {import("../api/types.js").Signal[]} rejections Newest first.
 * @property {KnownOrder[]} orders Newest first; refused signals among them.
 * @property {import("../api/types.js").Trade[]} trades Newest first.
 * @property {import("../api/types.js").Position | null} position null: the session trades nothing.
 * @property {import("../api/types.js").Pnl | null} pnl Newest while something is held; null: nothing is.
 * @property {(import("../api/types.js").Alert & {at: string, seq: number})[]} alerts Newest first.
 * @property {import("../api/types.js").OptionChain | null} chain As last polled.
 * @property {Map<string, import("../api/types.js").Quote>} quotes Of what the session follows, by instrument key.
 * @property {Map<string, import("../api/types.js").Option>} options The day's, by instrument key.
 * @property {import("../api/types.js").KillSwitches | null} killSwitch
 */

/** @returns {State} */
export function emptyState() {
  return { me: null, sessions: [], killSwitch: null, ...emptySession() };
}

/** What belongs to the session that is shown. */
export function emptySession() {
  return {
    session: null,
    link: null,
    notices: { missed: null },
    marketTime: null,
    priceAt: null,
    lagMs: null,
    candles: [],
    running: null,
    levels: new Map(),
    pcr: [],
    signals: [],
    rejections: [],
    orders: [],
    trades: [],
    position: null,
    pnl: null,
    alerts: [],
    chain: null,
    options: new Map(),
    quotes: new Map(),
  };
}
