/** What a person must know before they trust anything else on the screen. */

import { h } from "../dom/h.js";
import { rows } from "../dom/rows.js";
import { duration } from "../format/ist.js";
import { endReason } from "../format/words.js";
import { isOver, isWatching, priceAge, tokenWarning } from "../state/reading.js";
import { STALE_MS } from "./header.js";

/**
 * @typedef {import("../state/store.js").Store} Store
 * @typedef {import("../state/state.js").State} State
 * @typedef {{key: string, isBad: boolean, text: string, action?: {name: string, run: () => void}}} Banner
 */

/** @param {Store} store @param {{token: () => void, dismissMissed: () => void}} actions */
export function banners(store, actions) {
  const element = h("div", { class: "banners", role: "alert" });
  const draw = rows(
    element,
    (/** @type {Banner} */ one) => one.key,
    (one) =>
      h("div", { class: "banner" }, h("p", {}),
        one.action && h("button", { class: "button small", type: "button", onclick: one.action.run }, one.action.name)),
    (row, one) => {
      row.classList.toggle("bad", one.isBad);
      const text = /** @type {HTMLElement} */ (row.querySelector("p"));
      if (text.textContent !== one.text) text.textContent = one.text;
    },
  );
  const show = () => draw([...current(store.state, actions)]);
  store.watch(["session", "link", "notices", "pnl", "killSwitch"], show);
  setInterval(show, 500);
  return element;
}

/**
 * @param {State} state @param {{token: () => void, dismissMissed: () => void}} actions
 * @returns {Generator<Banner>}
 */
function* current(state, actions) {
  const { session, link } = state;
  if (link?.state === "lost") {
    const wait = Math.max(0, link.retryAt - performance.now());
    yield { key: "link", isBad: true, text: `No connection to the service: what you see is old. ${link.reason} Trying again${wait > 900 ? ` in ${duration(wait)}` : ""}; nothing will be lost.` };
  }
  if (link?.state === "refused") yield { key: "refused", isBad: true, text: `The stream was refused: ${link.reason}` };
  if (!session) return;
  const token = tokenWarning(state);
  if (token) yield { key: "token", isBad: session.status === "NEEDS_TOKEN", text: token, action: { name: "New token", run: actions.token } };
  if (session.status === "FAILED") yield { key: "failed", isBad: true, text: `The session has failed: ${session.reason ?? "no reason was given"}.` };
  if (session.status === "STOPPED") yield { key: "stopped", isBad: false, text: `This session has ended: ${endReason(session.reason) || "no reason was given"}.` };
  const age = priceAge(state);
  if (!isOver(state) && link?.state === "open") {
    if (session.feed?.status === "FEED_TAKEN") yield { key: "feed", isBad: true, text: "Another program took the broker’s feed over. No prices come." };
    else if (session.feed?.status === "LOST" && isWatching(state)) yield { key: "feed", isBad: true, text: "The broker’s feed is lost; the service reconnects. Prices are old, and no trade is begun." };
    else if (age !== null && age > STALE_MS) yield { key: "feed", isBad: true, text: `The newest price is ${duration(age)} old.` };
  }
  const killed = state.killSwitch?.switches.find((one) => one.user_id === null || one.user_id === session.user_id);
  if (killed) yield { key: "killed", isBad: true, text: `The kill switch is on: ${killed.reason}, by ${killed.by}. No trade is begun.` };
  if (session.halted) yield { key: "halted", isBad: false, text: `New entries are halted: ${session.halted}.` };
  const lock = state.pnl?.lock ?? session.trading?.tally.lock;
  if (lock) yield { key: "lock", isBad: true, text: `The day is locked, no trade is begun any more: ${lock}.` };
  if (state.notices.missed) yield { key: "missed", isBad: false, text: state.notices.missed, action: { name: "Understood", run: actions.dismissMissed } };
}
