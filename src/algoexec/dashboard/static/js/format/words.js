/** What the API's codes are called on the screen. A code that is not listed is shown as words made of it. */

/** @type {Record<string, string>} */
const PATTERNS = {
  ORB_BREAKOUT: "Opening-range breakout",
  INSIDE_BAR_BREAKOUT: "Inside-bar breakout",
  BULLISH_ENGULFING: "Bullish engulfing",
  BEARISH_ENGULFING: "Bearish engulfing",
  HAMMER: "Hammer",
  SHOOTING_STAR: "Shooting star",
  MOMENTUM: "Momentum",
};

/** @type {Record<string, string>} Beside a marker, where there is room for a few letters. */
const SHORT = {
  ORB_BREAKOUT: "ORB",
  INSIDE_BAR_BREAKOUT: "IB",
  BULLISH_ENGULFING: "ENG",
  BEARISH_ENGULFING: "ENG",
  HAMMER: "HAM",
  SHOOTING_STAR: "STAR",
  MOMENTUM: "MOM",
};

/** @type {Record<string, string>} */
const STATUSES = {
  SCHEDULED: "waits for the open",
  STARTING: "reaching the broker",
  WARMING_UP: "warming up",
  RUNNING: "running",
  NEEDS_TOKEN: "needs a token",
  STOPPING: "stopping",
  STOPPED: "stopped",
  FAILED: "failed",
};

/** @type {Record<string, string>} Why a candidate was no signal, and why a signal became no order. */
const REFUSALS = {
  TRADE_LOCK: "a signal came a moment ago",
  VOLUME: "the volume does not confirm it",
  NO_MANS_LAND: "the price stands between VWAP and the levels",
  PCR: "the put-call ratio speaks against it",
  LOWER_PRIORITY: "a better setup was on the same candle",
  KILL_SWITCH: "the kill switch is on",
  HALTED: "entries are halted",
  DAY_LOCKED: "the day is locked",
  WARMING_UP: "the session is still warming up",
  NEEDS_TOKEN: "the broker token is gone",
  STOPPING: "the session is stopping",
  ALREADY_IN_TRADE: "a position is already open",
  OUTSIDE_HOURS: "outside the hours for entries",
  BLACKOUT: "inside a blackout window",
  EXPIRY_DAY: "it is expiry day",
  MAX_TRADES: "the day's number of trades is reached",
  STALE_FEED: "the feed is stale",
  STALE_CHAIN: "the option chain is stale",
  NO_QUOTE: "the option has no quote",
  EXPIRED: "it expired before it could be taken",
  SPREAD_TOO_WIDE: "the spread is too wide",
  RISK_TOO_SMALL: "the risk does not buy one lot",
  NO_CASH: "there is not enough cash",
  FUNDS_UNKNOWN: "the funds are not known yet",
  NO_INSTRUMENT: "no option is listed for it",
};

/** @type {Record<string, string>} */
const EXITS = {
  INDEX_STOP: "index stop",
  PREMIUM_STOP: "premium stop",
  TRAILING_STOP: "trailing stop",
  INDEX_TARGET: "index target",
  PREMIUM_TARGET: "premium target",
  TIME: "time in trade",
  SQUARE_OFF: "square-off",
  OPPOSITE_SIGNAL: "opposite signal",
  FLATTEN: "flattened by hand",
  BREAKER: "daily-loss breaker",
  EXTERNALLY_CLOSED: "closed elsewhere",
  HANDED_OVER: "handed over",
};

/** @type {Record<string, string>} */
const ENDS = { requested: "ended by a person", day_over: "the day is over", venue_gone: "its market is gone" };

/** @param {string} code `SPREAD_TOO_WIDE` → `spread too wide` */
export const plain = (code) => code.replaceAll("_", " ").toLowerCase();

/** @param {Record<string, string>} table @returns {(code: string | null | undefined) => string} */
const lookup = (table) => (code) => (code ? (table[code] ?? plain(code)) : "");

export const patternName = lookup(PATTERNS);
export const patternShort = lookup(SHORT);
export const statusName = lookup(STATUSES);
export const refusalReason = lookup(REFUSALS);
export const exitReason = lookup(EXITS);
export const endReason = lookup(ENDS);

/** @param {string | null | undefined} side @returns {string} */
export const sideName = (side) => (side === "BUY_CALL" ? "Buy call" : side === "BUY_PUT" ? "Buy put" : "");
