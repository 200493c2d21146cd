/** What has been: the calendar of days, past sessions, and their signals, orders and trades. */

import * as api from "../api/client.js";
import { h } from "../dom/h.js";
import { tabs } from "../dom/tabs.js";
import { toast } from "../dom/toast.js";
import { instantOf } from "../format/ist.js";
import { dayCalendar } from "./calendar.js";
import { orderList, rejectionList, signalList, tradeList } from "./lists.js";
import { sessionList } from "./sessions.js";

/** @typedef {import("./lists.js").Filter} Filter */

const DAY_MS = 86_400_000;

/** @returns {{element: HTMLElement, open: () => void}} `open` reads it anew. */
export function historyView() {
  const from = h("input", { type: "date", "aria-label": "From" });
  const until = h("input", { type: "date", "aria-label": "Until, inclusive" });
  const mode = h("select", { "aria-label": "Mode" }, h("option", { value: "" }, "All modes"),
    ["signals", "paper", "live"].map((one) => h("option", { value: one }, one)));
  /** @type {string | null} */
  let session = null;

  const calendar = dayCalendar((day) => {
    from.value = until.value = from.value === day && until.value === day ? "" : day;
    void read();
  });
  const sessions = sessionList((chosen) => {
    session = chosen;
    void read();
  });
  const lists = [tradeList(), signalList(), rejectionList(), orderList()];
  const book = tabs("panel book", "Signals, orders and trades", lists.map(({ name, body, count }) => ({ name, body, count })));
  const clear = h("button", { class: "button small", type: "button", onclick: () => {
    from.value = until.value = mode.value = "";
    sessions.clear();
    session = null;
    void read();
  } }, "Clear");
  const filters = h("form", { class: "filters", onchange: () => void read(), onsubmit: (/** @type {Event} */ event) => event.preventDefault() },
    h("label", {}, h("span", {}, "From"), from), h("label", {}, h("span", {}, "Until"), until), h("label", {}, h("span", {}, "Mode"), mode), clear);

  const element = h("main", { class: "history" },
    h("h1", { class: "sr-only" }, "History"),
    h("div", { class: "past" }, calendar.element, sessions.element),
    h("div", { class: "records" }, filters, book));

  /** @returns {Filter} */
  const filter = () => ({
    session_id: session,
    since: from.value ? new Date(instantOf(from.value)).toISOString() : null,
    until: until.value ? new Date(instantOf(until.value) + DAY_MS).toISOString() : null,
  });

  async function read() {
    const asked = filter();
    const [days, past, ...rest] = await Promise.allSettled([
      api.listDays({ mode: mode.value || undefined, limit: 400 }),
      api.listSessions({ limit: 200 }),
      ...lists.map((list) => list.read(asked)),
    ]);
    if (days.status === "fulfilled") calendar.show(days.value.items, { from: from.value });
    if (past.status === "fulfilled") sessions.show(past.value.items.filter((one) => !mode.value || one.mode === mode.value));
    const failed = [days, past, ...rest].find((one) => one.status === "rejected");
    if (failed) toast("Not everything could be read", String(failed.reason?.message ?? failed.reason), "bad");
  }

  return { element, open: () => void read() };
}
