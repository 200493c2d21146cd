/** Numbers as they are read in India: 1,24,500.00. What is not known is a dash, never a zero. */

const TWO = new Intl.NumberFormat("en-IN", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
const WHOLE = new Intl.NumberFormat("en-IN", { maximumFractionDigits: 0 });
const COMPACT_LAKH = 100_000;
const COMPACT_CRORE = 10_000_000;

export const UNKNOWN = "–";
const MINUS = "−";

/** @typedef {number | null | undefined} Maybe */

/** @param {Maybe} value @returns {value is number} */
const isKnown = (value) => typeof value === "number" && Number.isFinite(value);

/** @param {Maybe} value @returns {string} A price or index points: `56,538.90` */
export const price = (value) => (isKnown(value) ? TWO.format(value) : UNKNOWN);

/** @param {Maybe} value @returns {string} `1,24,500` */
export const whole = (value) => (isKnown(value) ? WHOLE.format(value) : UNKNOWN);

/** @param {Maybe} value @param {number} digits @returns {string} */
export const fixed = (value, digits) => (isKnown(value) ? value.toFixed(digits).replace("-", MINUS) : UNKNOWN);

/** @param {Maybe} value @returns {string} With its sign: `+12.35`, `−3.10` */
export const signed = (value) => (isKnown(value) ? sign(value) + TWO.format(Math.abs(value)) : UNKNOWN);

/** @param {Maybe} value @returns {string} Rupees: `₹1,24,500.00`, `−₹1,240.50` */
export const rupees = (value) => (isKnown(value) ? `${value < 0 ? MINUS : ""}₹${TWO.format(Math.abs(value))}` : UNKNOWN);

/** @param {Maybe} value @returns {string} Rupees without paise. */
export const wholeRupees = (value) =>
  isKnown(value) ? `${value < 0 ? MINUS : ""}₹${WHOLE.format(Math.abs(value))}` : UNKNOWN;

/** @param {Maybe} value @returns {string} Rupees with their sign: `+₹612.50` */
export const signedRupees = (value) => (isKnown(value) ? `${sign(value)}₹${TWO.format(Math.abs(value))}` : UNKNOWN);

/** @param {Maybe} value @returns {string} Open interest and volumes: `12.4L`, `1.2Cr`, `8,450` */
export function compact(value) {
  if (!isKnown(value)) return UNKNOWN;
  if (value >= COMPACT_CRORE) return `${(value / COMPACT_CRORE).toFixed(2)}Cr`;
  if (value >= COMPACT_LAKH) return `${(value / COMPACT_LAKH).toFixed(2)}L`;
  return WHOLE.format(value);
}

/** @param {Maybe} value @returns {"up" | "down" | ""} The class of its colour. */
export const tone = (value) => (!isKnown(value) || Math.abs(value) < 0.005 ? "" : value > 0 ? "up" : "down");

/** @param {number} value */
const sign = (value) => (Math.abs(value) < 0.005 ? "" : value > 0 ? "+" : MINUS);
