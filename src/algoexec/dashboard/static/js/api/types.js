/**
 * The shapes of the public API, by their names in openapi.json. `algoexec-api` is what a generator makes of that file;
 * docs/frontend.md says how. Nothing of this is loaded by a browser.
 *
 * @typedef {import("algoexec-api").components["schemas"]} Schemas
 *
 * @typedef {Schemas["Me"]} Me
 * @typedef {Omit<Required<Schemas["SessionConfig"]>, "trading"> & {trading: Required<Schemas["TradingConfig"]> | null}} Config
 *   In an answer nothing is left out.
 * @typedef {Omit<Schemas["SessionOut"], "config"> & {config: Config | null}} Session
 * @typedef {Schemas["CandleOut"]} Candle
 * @typedef {Schemas["PcrOut"]} Pcr
 * @typedef {Schemas["SignalOut"]} Signal
 * @typedef {Schemas["OrderOut"]} Order
 * @typedef {Omit<Schemas["OrderStepOut"], "seq" | "at">} OrderState `data` of an `order` frame.
 * @typedef {Schemas["TradeOut"]} Trade
 * @typedef {Schemas["PositionOut"]} Position
 * @typedef {Schemas["OptionChainOut"]} OptionChain
 * @typedef {Schemas["OptionQuoteOut"]} OptionQuote
 * @typedef {Schemas["QuoteOut"]} Quote
 * @typedef {Schemas["OptionOut"]} Option
 * @typedef {Schemas["PreflightOut"]} Preflight
 * @typedef {Schemas["KillSwitchesOut"]} KillSwitches
 * @typedef {Schemas["Problem"]} Problem
 * @typedef {Schemas["Mode"]} Mode
 */

/**
 * @template T
 * @typedef {{items: T[], cursor: string | null}} Page One page of a list, newest first; `cursor` gets the next one.
 */

/**
 * The minute under way: `data` of a `candle_update` frame.
 * @typedef {{start: string, open: number, high: number, low: number, close: number, volume?: number | null}} Running
 *
 * The day's profit so far, rupees: `data` of a `pnl` frame.
 * @typedef {object} Pnl
 * @property {number} realised Of closed trades, after charges.
 * @property {number} unrealised Of the open trade, before charges.
 * @property {number} charges Of the open trade's orders so far.
 * @property {number | null} r Of the open trade after those charges, in units of its risk.
 * @property {number} total
 * @property {number} trades
 * @property {number} losses_in_a_row
 * @property {string | null} lock
 *
 * @typedef {{severity: "info" | "warning" | "critical", code: string, message: string}} Alert
 */

/**
 * A frame of the stream (asyncapi.yaml). `seq`, `prev` and `cursor` are null where the frame has no number.
 * @typedef {object} Frame
 * @property {string} type
 * @property {number | null} seq
 * @property {string | null} session_id
 * @property {string} at
 * @property {any} data
 * @property {number | null} prev
 * @property {string | null} cursor
 */

export {};
