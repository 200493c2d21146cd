/** The live view: every panel of the session that is shown. */

import { h } from "../dom/h.js";
import { bookPanel } from "./book.js";
import { chartPanel } from "./chart/panel.js";
import { dayCard } from "./day.js";
import { ladderPanel } from "./ladder.js";
import { positionCard } from "./position.js";
import { signalPanel } from "./signals.js";

/** @param {import("../state/store.js").Store} store @param {HTMLElement} actions */
export function liveView(store, actions) {
  const chart = chartPanel(store);
  const element = h("main", { class: "live", id: "live" },
    h("h1", { class: "sr-only" }, "Live session"),
    chart.element,
    h("div", { class: "side" }, positionCard(store, actions), dayCard(store), signalPanel(store)),
    h("div", { class: "foot" }, ladderPanel(store), bookPanel(store)));
  return { element, redress: chart.redress };
}
