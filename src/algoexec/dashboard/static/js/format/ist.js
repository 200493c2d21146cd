/**
 * Indian time. It has no summer time, so it is UTC shifted by five and a half hours, always: no need of `Intl`, which
 * costs a hundred times as much and is called for every row.
 */

export const IST_OFFSET_MS = 19_800_000;
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const WEEKDAYS = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];

/** @typedef {string | number} Instant ISO 8601, or milliseconds since 1970. */

/** @param {Instant} at */
const shifted = (at) => new Date((typeof at === "number" ? at : Date.parse(at)) + IST_OFFSET_MS);

/** @param {Instant} at @returns {string} `09:31` */
export const clockMinutes = (at) => shifted(at).toISOString().slice(11, 16);

/** @param {Instant} at @returns {string} `09:31:05` */
export const clockSeconds = (at) => shifted(at).toISOString().slice(11, 19);

/** @param {Instant} at @returns {string} The date in India, `2026-11-23` */
export const dateIn = (at) => shifted(at).toISOString().slice(0, 10);

/** @param {string} date `2026-11-23` @returns {string} `Mon, 23 Nov 2026` */
export function dateWords(date) {
  const day = new Date(`${date}T00:00:00Z`);
  return `${WEEKDAYS[day.getUTCDay()]}, ${day.getUTCDate()} ${MONTHS[day.getUTCMonth()]} ${day.getUTCFullYear()}`;
}

/** @param {string} date `2026-11-24` @returns {string} `24 Nov` */
export function dayAndMonth(date) {
  const day = new Date(`${date}T00:00:00Z`);
  return `${day.getUTCDate()} ${MONTHS[day.getUTCMonth()]}`;
}

/** @param {string} date A date in India. @param {string} time `03:30` @returns {number} Milliseconds since 1970. */
export const instantOf = (date, time = "00:00") => Date.parse(`${date}T${time}:00+05:30`);

/** @param {number} ms @returns {string} `4s`, `2m 05s`, `1h 20m` */
export function duration(ms) {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 60) return `${seconds}s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes}m ${String(seconds % 60).padStart(2, "0")}s`;
  return `${Math.floor(minutes / 60)}h ${String(minutes % 60).padStart(2, "0")}m`;
}
