/** What is held, what it would bring now, and how far its stop and target are. */

import { fill, h, setAttribute, setText, setTone } from "../dom/h.js";
import { fixed, price, rupees, signed, signedRupees, tone, UNKNOWN } from "../format/numbers.js";
import { exitReason, statusName } from "../format/words.js";
import { instrumentName, isOver, lastPrice } from "../state/reading.js";

/**
 * @typedef {import("../state/store.js").Store} Store
 * @typedef {import("../state/state.js").State} State
 * @typedef {import("../api/types.js").Position} Position
 */

/** @type {Record<string, string>} */
const STAGES = { ENTERING: "Entering", IN_TRADE: "In trade", EXITING: "Exiting", HANDING_OVER: "Handing over" };

/** @param {Store} store */
export function positionCard(store) {
  const aside = h("span", { class: "aside" });
  const body = h("div");
  const flat = flatBody(), held = heldBody();
  let shown = /** @type {HTMLElement | null} */ (null);
  store.watch(["position", "pnl", "running", "session", "options", "killSwitch"], (state) => {
    const position = state.position && state.position.stage !== "NEUTRAL" ? state.position : null;
    const part = position ? held : flat;
    if (shown !== part.element) {
      shown = part.element;
      fill(body, shown);
    }
    setText(aside, position ? STAGES[position.stage] ?? position.stage : "");
    if (position) held.draw(state, position);
    else flat.draw(state);
  });
  return h("section", { class: "panel card position", "aria-label": "Position" },
    h("header", {}, h("h2", {}, "Position"), aside), h("div", { class: "body" }, body));
}

function flatBody() {
  const headline = h("div", { class: "big" }), detail = h("p", { class: "quiet" });
  return {
    element: h("div", {}, headline, detail),
    /** @param {State} state */
    draw(state) {
      const { session } = state;
      setText(headline, !session || session.mode === "signals" ? "No trading" : "Flat");
      setText(detail, whyFlat(state));
    },
  };
}

/** @param {State} state */
function whyFlat(state) {
  const { session } = state;
  if (!session) return "No session is shown.";
  if (isOver(state)) return `The session is ${statusName(session.status)}.`;
  if (session.mode === "signals") return "This session tells what it sees and orders nothing.";
  if (state.killSwitch?.on) return "The kill switch is on.";
  if (session.trading?.tally.lock) return "The day is locked.";
  if (session.halted) return "New entries are halted.";
  if (session.status !== "RUNNING") return `The session is ${statusName(session.status)}.`;
  return "The next signal that passes every check is traded.";
}

function heldBody() {
  const name = h("span", { class: "strong" }), net = h("span", { class: "big" });
  const fact = (/** @type {string} */ label) => ({ label: h("dt", {}, label), value: h("dd", {}) });
  const entry = fact("Entry"), now = fact("Now"), stop = fact("Stop"), target = fact("Target");
  const indexStop = fact("Index stop"), indexTarget = fact("Index tgt"), charges = fact("Charges"), risk = fact("Result");
  const facts = [entry, now, stop, target, indexStop, indexTarget, charges, risk];
  const mark = h("span", { class: "mark" }), zero = h("span", { class: "zero" }), filled = h("span", { class: "fill" });
  const low = h("span"), high = h("span");
  const track = h("div", { class: "track", role: "img", "aria-label": "Between stop and target" }, filled, zero, mark);
  return {
    element: h("div", {},
      h("div", { class: "headline" }, name, net),
      track, h("div", { class: "track-ends" }, low, high),
      h("dl", { class: "facts" }, facts.flatMap((one) => [one.label, one.value]))),
    /** @param {State} state @param {Position} position */
    draw(state, position) {
      const option = position.instrument ? state.options.get(position.instrument) : undefined;
      const lots = option ? lotsOf(position.open_units / option.lot) : "";
      const result = resultOf(state, position);
      setText(name, `${instrumentName(state, position.instrument)} · ${position.open_units}${lots}`);
      setText(net, signedRupees(result.net));
      setTone(net, tone(result.net));
      setText(entry.value, price(position.average_price));
      setText(now.value, price(result.premium));
      setText(stop.value, price(position.stop));
      setText(target.value, price(position.target));
      const last = lastPrice(state);
      drawIndexLevel(indexStop.value, position.index_stop, last);
      drawIndexLevel(indexTarget.value, position.index_target, last);
      setText(charges.value, rupees(state.pnl?.charges));
      setText(risk.value, position.exit_reason ? exitReason(position.exit_reason) : result.r === null ? UNKNOWN : `${fixed(result.r, 2)}R`);
      drawTrack(position, result.premium);
    },
  };

  /** How far the index is from a level; the level itself is on the chart. @param {HTMLElement} place @param {number | null} level @param {number | null} last */
  function drawIndexLevel(place, level, last) {
    setText(place, level === null ? UNKNOWN : last === null ? price(level) : `${signed(level - last)} pts`);
    setAttribute(place, "title", level === null ? null : price(level));
  }

  /** @param {Position} position @param {number | null} premium */
  function drawTrack(position, premium) {
    const { stop: from, target: to, average_price: entered } = position;
    track.hidden = from === null || to === null || premium === null || entered === null;
    if (from === null || to === null || premium === null || entered === null) return;
    const share = (/** @type {number} */ value) => Math.min(1, Math.max(0, (value - from) / (to - from))) * 100;
    mark.style.left = `${share(premium)}%`;
    zero.style.left = `${share(entered)}%`;
    filled.style.left = `${Math.min(share(entered), share(premium))}%`;
    filled.style.width = `${Math.abs(share(entered) - share(premium))}%`;
    filled.classList.toggle("down", premium < entered);
    setText(low, `stop ${signed(from - premium)}`);
    setText(high, `target ${signed(to - premium)}`);
  }
}

/** @param {number} lots @returns {string} */
const lotsOf = (lots) => (lots > 0 ? ` (${lots} lot${lots === 1 ? "" : "s"})` : "");

/**
 * The open trade's result, after the charges so far.
 * @param {State} state @param {Position} position
 * @returns {{net: number | null, premium: number | null, r: number | null}}
 */
function resultOf(state, position) {
  const { pnl } = state;
  if (!pnl) return { net: null, premium: null, r: null };
  const { average_price: average, open_units: units } = position;
  const premium = average !== null && units > 0 ? average + pnl.unrealised / units : null;
  return { net: pnl.unrealised - pnl.charges, premium, r: pnl.r };
}
