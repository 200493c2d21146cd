/** Past and present sessions: choose one to see what was its own, or replay it. */

import { h } from "../dom/h.js";
import { keyedTable } from "../dom/table.js";
import { clockMinutes, dayAndMonth } from "../format/ist.js";
import { signedRupees, tone } from "../format/numbers.js";
import { endReason, statusName } from "../format/words.js";

/** @typedef {import("../api/types.js").Session} Session */

/** @param {(id: string | null) => void} chosen */
export function sessionList(chosen) {
  /** @type {string | null} */
  let shown = null;
  /** @type {Session[]} */
  let items = [];
  const table = keyedTable(
    "Sessions",
    [["Day", "nowrap"], ["Who", ""], ["", ""], ["Net", "num"], ["", "num"]],
    (/** @type {Session} */ one) => one.id,
    (one) => [
      h("span", { title: `${one.day}, ${one.id}` }, dayAndMonth(one.day), h("span", { class: "faint" }, one.started_at ? ` ${clockMinutes(one.started_at)}` : "")),
      one.user_id,
      h("span", { class: `tag mode-${one.mode}` }, one.mode, h("span", { class: "sr-only" }, `, ${statusName(one.status)} ${endReason(one.reason)}`)),
      h("span", { class: tone(one.trading?.tally.realised) }, one.trading ? signedRupees(one.trading.tally.realised).replace(/\.\d+$/, "") : "–"),
      h("span", { class: "choices" },
        h("button", { class: "button small", type: "button", "aria-pressed": String(one.id === shown), onclick: () => choose(one.id) }, "Only"),
        h("a", { class: "button small", href: `#/replay/${one.id}`, "aria-label": `Replay the session of ${one.user_id} on ${one.day}` }, "Replay")),
    ],
    "No session yet.",
  );

  /** @param {string} id */
  function choose(id) {
    shown = shown === id ? null : id;
    table.show(items);
    chosen(shown);
  }

  return {
    element: h("section", { class: "panel", "aria-label": "Sessions" },
      h("header", {}, h("h2", {}, "Sessions"), table.count),
      h("div", { class: "body", tabindex: "0", role: "region", "aria-label": "Sessions" }, table.body)),
    clear: () => (shown = null),
    /** @param {Session[]} found Newest first. */
    show(found) {
      items = found;
      table.show(items);
    },
  };
}
