/** Asks who is there, where the service wants to know. */

import { whoAmI } from "./api/client.js";
import { credential, forgetCredential, keepCredential } from "./api/credential.js";
import { ApiError } from "./api/http.js";
import { fill, h } from "./dom/h.js";
import { underWay } from "./dom/dialog.js";

/** @typedef {import("./api/types.js").Me} Me */

/**
 * @param {HTMLElement} app Where to ask.
 * @returns {Promise<Me>} Once the service has let somebody in.
 */
export async function enter(app) {
  for (;;) {
    try {
      return await whoAmI();
    } catch (error) {
      const isUnknown = error instanceof ApiError && error.status === 401;
      const hadOne = credential() !== null;
      if (isUnknown) forgetCredential();
      await ask(app, isUnknown, isUnknown && !hadOne ? "" : error instanceof Error ? error.message : String(error));
    }
  }
}

/**
 * @param {HTMLElement} app @param {boolean} wantsCredential Else the service could not answer. @param {string} told
 * @returns {Promise<void>} Once it should be tried again.
 */
function ask(app, wantsCredential, told) {
  return new Promise((resolve) => {
    const input = h("input", { type: "password", required: wantsCredential, autocomplete: "current-password", spellcheck: "false" });
    const error = h("p", { class: "error", role: "alert", hidden: !told }, told);
    const button = h("button", { class: "button primary", type: "submit" }, wantsCredential ? "Enter" : "Try again");
    const form = h("form", {
      onsubmit: (/** @type {Event} */ event) => {
        event.preventDefault();
        void underWay(button, error, async () => {
          if (wantsCredential) keepCredential(input.value);
          resolve();
        });
      },
    },
    wantsCredential && h("label", { class: "field" }, h("span", {}, "API key or JWT"), input,
      h("small", {}, "Kept in this tab until it is closed, and sent to this service alone. Keys are made by: algoexec keys create.")),
    error, button);
    fill(app, h("main", { class: "gate" },
      h("div", { class: "panel card" }, h("h1", {}, wantsCredential ? "Who are you?" : "The service does not answer"),
        h("p", { class: "quiet" }, wantsCredential ? "This service lets nobody in without a key." : "Prices and positions cannot be shown."), form)));
    input.focus();
  });
}
