/** Begin a session: mode, whose, token, what may be risked; a live one behind a green preflight and a typed word. */

import { createSession, preflight } from "../api/client.js";
import { fill, h } from "../dom/h.js";
import { openDialog, underWay } from "../dom/dialog.js";
import { configFields } from "./config_fields.js";

/**
 * @typedef {import("../state/store.js").Store} Store
 * @typedef {import("../api/types.js").Mode} Mode
 * @typedef {import("../api/types.js").Me} Me
 * @typedef {import("../api/types.js").Session} Session
 * @typedef {import("../api/types.js").Preflight} Preflight
 */

const MODES = /** @type {const} */ (["signals", "paper", "live"]);

/** @param {Store} store @param {(session: Session) => void} begun */
export async function openStart(store, begun) {
  const { me } = store.state;
  if (!me) return;
  const fields = await configFields({});
  openDialog("Begin a session", ({ element, close }) => {
    const user = h("input", { type: "text", name: "user_id", required: true, value: me.user_id ?? "", maxlength: "64", autocomplete: "username" });
    const token = h("input", { type: "password", name: "access_token", autocomplete: "off", spellcheck: "false" });
    const typed = h("input", { type: "text", autocomplete: "off", spellcheck: "false", "aria-label": "Confirmation" });
    const button = h("button", { class: "button primary", type: "submit" }, "Begin");
    const error = h("p", { class: "error", role: "alert", hidden: true });
    const checks = h("div"), gate = h("div", { class: "field", hidden: true });
    const word = me.real_money ? "REAL MONEY" : "LIVE";
    const chosen = () => /** @type {Mode} */ (new FormData(form).get("mode"));
    /** @type {Preflight | null} */
    let looked = null;

    fill(gate, h("span", {}, "Type ", h("b", {}, word), " to send orders", me.real_money ? " for real money" : " to the simulator"), typed);
    const form = h("form", { onsubmit: begin, oninput: change },
      h("fieldset", { class: "modes" }, h("legend", { class: "sr-only" }, "Mode"),
        MODES.map((mode) => modeChoice(mode, me))),
      h("div", { class: "fields" },
        h("label", { class: "field", hidden: me.user_id !== null }, h("span", {}, "User"), user, h("small", {}, "Whose session it is.")),
        h("label", { class: "field" }, h("span", {}, "Broker access token"), token,
          h("small", {}, "Kept encrypted until the session ends. Without one the session waits for it."))),
      fields.trading, fields.strategy, checks, gate, error,
      h("div", { class: "choices" }, h("button", { class: "button", type: "button", onclick: close }, "Cancel"), button));
    change();
    return [form];

    /** @param {Event} [event] */
    function change(event) {
      const mode = chosen(), isLive = mode === "live";
      fields.trading.hidden = mode === "signals";
      // What was looked at was for this user and token.
      if (event?.target === user || event?.target === token || event?.target instanceof HTMLInputElement && event.target.name === "mode") {
        looked = null;
        fill(checks);
      }
      gate.hidden = !isLive || !looked?.green;
      element.classList.toggle("money", isLive && me?.real_money === true);
      button.className = `button ${isLive ? "filled-danger" : "primary"}`;
      button.disabled = isLive && looked?.green === true && typed.value.trim() !== word;
      fill(button, !isLive ? "Begin" : looked?.green ? "Begin live" : "Check first");
    }

    /** @param {Event} event */
    async function begin(event) {
      event.preventDefault();
      await underWay(button, error, async () => {
        const mode = chosen(), access_token = token.value.trim() || undefined, user_id = user.value.trim();
        if (mode === "live" && !looked?.green) {
          looked = await preflight({ mode, user_id, access_token });
          fill(checks, checkList(looked));
          return;
        }
        try {
          begun(await createSession({ mode, user_id, access_token, config: /** @type {any} */ (fields.values({ withTrading: mode !== "signals", isNew: true })) }));
          close();
        } catch (problem) {
          fields.complain(problem);
          throw problem;
        }
      });
      change();
    }
  }, { wide: true });
}

/** @param {Mode} mode @param {Me} me */
function modeChoice(mode, me) {
  const told = {
    signals: "Tells what it sees. Orders nothing.",
    paper: "Trades at live prices. No order leaves.",
    live: me.real_money ? "Sends orders to Upstox, for real money." : "Sends orders to the simulator.",
  }[mode];
  const isOffered = me.modes.includes(mode);
  const look = mode === "live" ? (me.real_money ? "live-money" : "live-simulator") : mode;
  const first = me.modes.includes("paper") ? "paper" : me.modes[0];
  const input = h("input", { type: "radio", name: "mode", value: mode, disabled: !isOffered });
  input.checked = mode === first;
  return h("label", { class: look }, input, h("b", {}, mode[0].toUpperCase() + mode.slice(1)),
    h("small", {}, isOffered ? told : "Your credential does not allow it."));
}

/** @param {Preflight} found */
export function checkList({ green, checks }) {
  return h("section", { "aria-label": "Preflight" },
    h("p", { class: green ? "up strong" : "down strong" }, green ? "Everything is ready." : "Not ready yet:"),
    h("ul", { class: "checks" }, checks.map(({ name, ok, detail }) =>
      h("li", {},
        h("span", { class: `mark ${ok === null ? "quiet" : ok ? "up" : "down"}`, "aria-label": ok === null ? "not known" : ok ? "good" : "bad" }, ok === null ? "–" : ok ? "✓" : "✕"),
        h("span", { class: "quiet" }, name.replaceAll("_", " ")),
        h("span", {}, detail)))));
}
