/** The live view: every panel of the session that is shown. */

import { h } from "../dom/h.js";
import { approvalPanel } from "./approvals.js";
import { bookPanel } from "./book.js";
import { chartPanel } from "./chart/panel.js";
import { dayCard } from "./day.js";
import { ladderPanel } from "./ladder.js";
import { positionCard } from "./position.js";
import { signalPanel } from "./signals.js";

/**
 * @param {import("../state/store.js").Store} store
 * @param {object} options
 * @param {() => void} [options.begin] Begins a session; a replay offers none.
 * @param {(order: import("../state/state.js").KnownOrder, isApproved: boolean) => void} [options.answer] Answers an
 *   entry that waits for a person; a replay asks nobody.
 * @param {boolean} [options.isReplay]
 */
export function liveView(store, { begin, answer, isReplay = false }) {
  const chart = chartPanel(store);
  const panels = h("div", { class: "live" },
    chart.element,
    h("div", { class: "side" }, answer && approvalPanel(store, answer), positionCard(store), dayCard(store), signalPanel(store)),
    h("div", { class: "foot" }, ladderPanel(store), bookPanel(store)));
  const nothing = h("div", { class: "gate" },
    h("div", { class: "panel card" },
      h("h2", {}, "No session is under way"),
      h("p", { class: "quiet" }, "A session follows the market, tells what it sees, and trades if you want it to. It ends with the trading day."),
      h("button", { class: "button primary", type: "button", onclick: begin, hidden: !begin }, "Begin a session")));
  const element = h("main", {}, h("h1", { class: "sr-only" }, isReplay ? "Replay of a session" : "Live session"), panels, nothing);
  store.watch(["session", "me"], ({ session, me }) => {
    panels.hidden = session === null;
    nothing.hidden = session !== null || me === null || isReplay;
  });
  return { element, redress: chart.redress };
}
