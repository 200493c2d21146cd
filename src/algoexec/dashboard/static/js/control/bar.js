/** The buttons of a session, as far as they make sense now. */

import { h, setText } from "../dom/h.js";
import { isOver } from "../state/reading.js";

/**
 * @typedef {import("../state/store.js").Store} Store
 * @typedef {import("./commands.js").Commands} Commands
 */

/** @param {Store} store @param {Commands} commands @param {{start: () => void, theme: () => void, help: () => void, leave: () => void}} page */
export function controlBar(store, commands, page) {
  const button = (/** @type {string} */ name, /** @type {() => void} */ run, className = "", title = "") =>
    h("button", { class: `button ${className}`, type: "button", onclick: run, title }, name);
  const start = button("New session", page.start, "primary", "Begin a session (N)");
  const halt = button("Halt", () => commands.halt(), "", "Forbid new entries (H)");
  const resume = button("Resume", () => commands.resume(), "primary", "Allow entries again (R)");
  const flatten = button("Flatten", () => commands.flatten(), "danger", "Get out of everything (F)");
  const kill = button("Kill", () => commands.kill(), "danger", "Get out, and begin nothing (K)");
  const more = menu(store, commands, page);

  store.watch(["session", "killSwitch", "position", "me"], (state) => {
    const isActive = state.session !== null && !isOver(state);
    const isTrading = isActive && state.session?.mode !== "signals";
    const mayTrade = (state.me?.modes.length ?? 0) > 0;
    const isStopped = Boolean(state.session?.halted || state.session?.trading?.tally.lock);
    start.hidden = isActive || !mayTrade;
    halt.hidden = !isActive || isStopped || !mayTrade;
    resume.hidden = !isActive || !isStopped || !mayTrade;
    flatten.hidden = !isTrading || !mayTrade;
    kill.hidden = !mayTrade;
    setText(kill, state.killSwitch?.on ? "Killed" : "Kill");
    kill.classList.toggle("filled-danger", state.killSwitch?.on === true);
  });
  return h("div", { class: "controls", role: "group", "aria-label": "Session" }, start, halt, resume, flatten, kill, more);
}

/** @param {Store} store @param {Commands} commands @param {{start: () => void, theme: () => void, help: () => void, leave: () => void}} page */
function menu(store, commands, page) {
  const list = h("ul", { hidden: true });
  const opener = h("button", { class: "button", type: "button", "aria-haspopup": "true", "aria-expanded": "false", "aria-label": "More" }, "⋯");
  const show = (/** @type {boolean} */ isOpen) => {
    list.hidden = !isOpen;
    opener.setAttribute("aria-expanded", String(isOpen));
  };
  /** @type {[string, string, () => void, (() => boolean)][]} Name, key, what it does, whether it makes sense now. */
  const items = [
    ["New session", "N", page.start, () => (store.state.me?.modes.length ?? 0) > 0],
    ["Change the configuration", "C", () => void commands.config(), () => commands.session !== null],
    ["New broker token", "T", () => commands.token(), () => commands.session !== null],
    ["Preflight", "P", () => commands.preflight(), () => commands.session !== null],
    ["End the session", "", () => commands.stop(), () => commands.session !== null],
    ["Dark or light", "D", page.theme, () => true],
    ["Keyboard", "?", page.help, () => true],
    ["Leave", "", page.leave, () => store.state.me?.id !== "local"],
  ];
  opener.addEventListener("click", () => {
    if (!list.hidden) return show(false);
    list.replaceChildren(...items.filter(([, , , isSensible]) => isSensible()).map(([name, key, run]) =>
      h("li", {}, h("button", { type: "button", onclick: () => { show(false); run(); } }, name, key && h("span", { class: "key", "aria-hidden": "true" }, key)))));
    show(true);
    list.querySelector("button")?.focus();
  });
  document.addEventListener("click", (event) => {
    if (!wrap.contains(/** @type {Node} */ (event.target))) show(false);
  });
  const wrap = h("div", { class: "menu", onkeydown: (/** @type {KeyboardEvent} */ event) => {
    if (event.key !== "Escape") return;
    show(false);
    opener.focus();
  } }, opener, list);
  return wrap;
}
