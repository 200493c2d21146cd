/** The chart takes every time for UTC; it is given Indian time, so that its axis reads as the market's clock. */

import { IST_OFFSET_MS } from "../../format/ist.js";

/** @typedef {import("../../../vendor/lightweight-charts/lightweight-charts.js").UTCTimestamp} ChartTime */

/** @param {string} at ISO 8601 @returns {ChartTime} Seconds. */
export const chartTime = (at) => /** @type {ChartTime} */ (Math.floor((Date.parse(at) + IST_OFFSET_MS) / 1000));

/** @param {string} at @returns {ChartTime} The beginning of its minute: every point stands at a candle. */
export const chartMinute = (at) => /** @type {ChartTime} */ (chartTime(at) - (chartTime(at) % 60));

/** @param {number} time @returns {number} Milliseconds since 1970, UTC. */
export const fromChart = (time) => time * 1000 - IST_OFFSET_MS;
