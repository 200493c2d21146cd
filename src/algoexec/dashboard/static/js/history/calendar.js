/** The days' results as a calendar: how the month went, at one look. */

import { fill, h, setText } from "../dom/h.js";
import { dateWords } from "../format/ist.js";
import { signedRupees, tone, wholeRupees } from "../format/numbers.js";
import { plain } from "../format/words.js";

/** @typedef {import("../api/types.js").Schemas["DayOut"]} Day */

const WEEKDAYS = ["Mon", "Tue", "Wed", "Thu", "Fri"];
const MONTHS = new Intl.DateTimeFormat("en-IN", { month: "long", year: "numeric", timeZone: "UTC" });
const DAY_MS = 86_400_000;

/** @param {(day: string) => void} chosen */
export function dayCalendar(chosen) {
  const aside = h("span", { class: "aside" });
  const body = h("div", { class: "body", tabindex: "0", role: "region", "aria-label": "Days" });
  const element = h("section", { class: "panel", "aria-label": "Days" },
    h("header", {}, h("h2", {}, "Days, after charges"), aside), body);
  return {
    element,
    /** @param {Day[]} days Newest first. @param {{from: string}} choice */
    show(days, { from }) {
      const byDay = Map.groupBy(days, (one) => one.day);
      const total = days.reduce((sum, one) => sum + one.net, 0);
      setText(aside, days.length ? `${byDay.size} day${byDay.size === 1 ? "" : "s"}, ${signedRupees(total)}` : "");
      const months = [...new Set([...byDay.keys()].map((day) => day.slice(0, 7)))].sort().toReversed();
      if (months.length === 0) return fill(body, h("p", { class: "empty" }, h("strong", {}, "No trading day yet"), "A day appears here as soon as a session has seen something of it."));
      fill(body, months.map((month) => monthGrid(month, byDay, from, chosen)));
    },
  };
}

/** @param {string} month `2026-11` @param {Map<string, Day[]>} byDay @param {string} shown @param {(day: string) => void} chosen */
function monthGrid(month, byDay, shown, chosen) {
  const first = Date.parse(`${month}-01T00:00:00Z`);
  const dates = Array.from({ length: 31 }, (_, index) => new Date(first + index * DAY_MS))
    .filter((date) => date.toISOString().startsWith(month) && date.getUTCDay() % 6 !== 0);
  const blanks = dates[0].getUTCDay() - 1;
  return h("div", { class: "month" },
    h("h3", {}, MONTHS.format(first)),
    h("div", { class: "days" },
      WEEKDAYS.map((name) => h("span", { class: "weekday", "aria-hidden": "true" }, name)),
      Array.from({ length: blanks }, () => h("span")),
      dates.map((date) => dayCell(date, byDay.get(date.toISOString().slice(0, 10)) ?? [], shown, chosen))));
}

/** @param {Date} date @param {Day[]} items @param {string} shown @param {(day: string) => void} chosen */
function dayCell(date, items, shown, chosen) {
  const day = date.toISOString().slice(0, 10);
  const number = h("span", { class: "number" }, date.getUTCDate());
  if (items.length === 0) return h("span", { class: "day-cell" }, number);
  const net = items.reduce((sum, one) => sum + one.net, 0);
  const trades = items.reduce((sum, one) => sum + one.trades, 0);
  const locks = items.flatMap((one) => one.locks.map(plain));
  const told = [`${dateWords(day)}: ${signedRupees(net)}, ${trades} trades`, ...locks].join(", ");
  return h("button", {
    class: `day-cell ${tone(net)}`,
    type: "button",
    "aria-pressed": String(day === shown),
    "aria-label": told,
    title: told,
    onclick: () => chosen(day),
  }, number, h("b", {}, trades ? wholeRupees(net) : "no trade"), locks.length > 0 && h("span", { class: "lock", "aria-hidden": "true" }, "locked"));
}
