/** The endpoints that the page uses, one function each, named as in openapi.json. */

import { request } from "./http.js";

/**
 * @typedef {import("./types.js").Me} Me
 * @typedef {import("./types.js").Session} Session
 * @typedef {import("./types.js").Mode} Mode
 * @typedef {import("./types.js").Preflight} Preflight
 * @typedef {import("./types.js").KillSwitches} KillSwitches
 * @typedef {import("./types.js").Schemas} Schemas
 * @typedef {{session_id?: string | null, since?: string | null, until?: string | null, limit?: number,
 *   cursor?: string | null}} Asked What a list is asked for.
 */

/** @template T @typedef {import("./types.js").Page<T>} Page */

/** @returns {Promise<Me>} */
export const whoAmI = () => request("GET", "/me");

/** @returns {Promise<Schemas["ConfigSchema"]>} */
export const getConfigSchema = () => request("GET", "/config/schema");

/** @param {Asked & {active?: boolean}} asked @returns {Promise<Page<Session>>} */
export const listSessions = (asked) => request("GET", "/sessions", { query: asked });

/** @param {string} id @returns {Promise<Session>} */
export const getSession = (id) => request("GET", `/sessions/${id}`);

/** @param {Partial<Schemas["NewSession"]>} body @returns {Promise<Session>} */
export const createSession = (body) => request("POST", "/sessions", { body, once: true });

/** @param {string} id @param {Record<string, unknown>} config @returns {Promise<Session>} */
export const changeSession = (id, config) => request("PATCH", `/sessions/${id}`, { body: { config } });

/** @param {string} id @param {boolean} flatten @returns {Promise<Session>} */
export const stopSession = (id, flatten) =>
  request("DELETE", `/sessions/${id}`, { query: { flatten: flatten || null } });

/** @param {string} id @param {string} reason @returns {Promise<Session>} */
export const haltSession = (id, reason) =>
  request("POST", `/sessions/${id}/halt`, { body: { reason }, once: true });

/** @param {string} id @returns {Promise<Session>} */
export const resumeSession = (id) => request("POST", `/sessions/${id}/resume`, { once: true });

/** @param {string} id @returns {Promise<Session>} */
export const flattenSession = (id) => request("POST", `/sessions/${id}/flatten`, { once: true });

/** @param {string} id @param {string} token @returns {Promise<Session>} */
export const replaceToken = (id, token) =>
  request("POST", `/sessions/${id}/token`, { body: { access_token: token }, once: true });

/** @param {string} id @returns {Promise<Preflight>} */
export const getPreflight = (id) => request("GET", `/sessions/${id}/preflight`);

/** @param {{user_id?: string, access_token?: string, mode: Mode}} body @returns {Promise<Preflight>} */
export const preflight = (body) => request("POST", "/preflight", { body });

/** @returns {Promise<KillSwitches>} */
export const getKillSwitch = () => request("GET", "/kill-switch");

/** @param {string | null} userId @param {string} reason @returns {Promise<KillSwitches>} */
export const throwKillSwitch = (userId, reason) =>
  request("POST", "/kill-switch", { query: { user_id: userId }, body: { reason }, once: true });

/** @param {string | null} userId @returns {Promise<KillSwitches>} */
export const takeBackKillSwitch = (userId) => request("DELETE", "/kill-switch", { query: { user_id: userId } });

/**
 * @param {string} id
 * @param {{ta?: string, since?: string | null}} asked `since`: only candles from this time on.
 * @returns {Promise<Schemas["CandlesOut"]>}
 */
export const getCandles = (id, asked) => request("GET", `/sessions/${id}/candles`, { query: asked });

/** @param {string} id @returns {Promise<Schemas["QuotesOut"]>} */
export const getQuotes = (id) => request("GET", `/sessions/${id}/quotes`);

/** @param {string} id @returns {Promise<Schemas["OptionsOut"]>} */
export const listOptions = (id) => request("GET", `/sessions/${id}/options`);

/** @param {string} id @returns {Promise<import("./types.js").OptionChain>} */
export const getOptionChain = (id) => request("GET", "/option-chain", { query: { session_id: id } });

/** @param {Asked} asked @returns {Promise<Page<import("./types.js").Pcr>>} */
export const listPcr = (asked) => request("GET", "/pcr", { query: asked });

/** @param {Asked} asked @returns {Promise<Page<import("./types.js").Signal>>} */
export const listSignals = (asked) => request("GET", "/signals", { query: asked });

/** @param {Asked} asked @returns {Promise<Page<import("./types.js").Signal>>} */
export const listRejections = (asked) => request("GET", "/rejections", { query: asked });

/** @param {Asked & {refused?: boolean}} asked @returns {Promise<Page<import("./types.js").Order>>} */
export const listOrders = (asked) => request("GET", "/orders", { query: asked });

/** @param {string} id @param {boolean} isApproved @returns {Promise<import("./types.js").Order>} */
export const answerOrder = (id, isApproved) =>
  request("POST", `/orders/${id}/${isApproved ? "approve" : "reject"}`, { once: true });

/** @param {Asked} asked @returns {Promise<Page<import("./types.js").Trade>>} */
export const listTrades = (asked) => request("GET", "/trades", { query: asked });

/**
 * @param {{since?: string, until?: string, limit?: number, cursor?: string | null, mode?: string}} asked `since` and
 *   `until` are dates.
 * @returns {Promise<Page<Schemas["DayOut"]>>}
 */
export const listDays = (asked) => request("GET", "/days", { query: asked });

/** @returns {Promise<Schemas["Ticket"]>} */
export const createTicket = () => request("POST", "/ws/tickets");
