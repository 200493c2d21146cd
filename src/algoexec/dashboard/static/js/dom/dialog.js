/** Dialogs on the browser's own element: it keeps the focus inside, and Escape closes it. */

import { fill, h } from "./h.js";

/**
 * @param {string} title
 * @param {(dialog: {element: HTMLDialogElement, close: () => void}) => Node[]} contents
 * @param {{wide?: boolean, tone?: string}} [look]
 * @returns {HTMLDialogElement} Shown, and gone from the page once it is closed.
 */
export function openDialog(title, contents, { wide = false, tone = "" } = {}) {
  const element = h("dialog", { class: `dialog ${wide ? "wide" : ""} ${tone}`, "aria-label": title });
  const close = () => element.close();
  element.append(
    h("header", {}, h("h2", {}, title),
      h("button", { class: "button plain", type: "button", "aria-label": "Close", onclick: close }, "✕")),
    ...contents({ element, close }),
  );
  element.addEventListener("close", () => element.remove());
  element.addEventListener("click", (event) => {
    // Outside of it there is only its backdrop.
    if (event.target === element) close();
  });
  document.body.append(element);
  element.showModal();
  // Where one begins: what is to be filled in, else the button that does nothing.
  /** @type {HTMLElement | null} */ (element.querySelector("form input:not([type=hidden]), form select, form button"))?.focus();
  return element;
}

/**
 * Ask before something that cannot be taken back.
 * @param {object} question
 * @param {string} question.title
 * @param {(string | Node)[]} question.text A paragraph each.
 * @param {string} question.confirm What the button says.
 * @param {string} [question.typed] What must be typed first; left out: nothing.
 * @param {{label: string, value: string}} [question.reason] A line to fill in.
 * @param {(reason: string) => Promise<void>} question.run Shown as under way; its error is shown, and the dialog stays.
 */
export function confirmDialog({ title, text, confirm, typed, reason, run }) {
  openDialog(title, ({ close }) => {
    const error = h("p", { class: "error", role: "alert", hidden: true });
    const button = h("button", { class: "button filled-danger", type: "submit" }, confirm);
    const word = typed === undefined ? null : h("input", { type: "text", autocomplete: "off", spellcheck: "false", "aria-label": `Type ${typed}` });
    const why = reason ? h("input", { type: "text", value: reason.value, maxlength: "200" }) : null;
    button.disabled = word !== null;
    word?.addEventListener("input", () => (button.disabled = word.value.trim() !== typed));
    return [
      h("form", {
        method: "dialog",
        onsubmit: async (/** @type {Event} */ event) => {
          event.preventDefault();
          await underWay(button, error, async () => {
            await run(why?.value.trim() || reason?.value || "");
            close();
          });
        },
      },
      text.map((one) => h("p", {}, one)),
      why && h("label", { class: "field" }, h("span", {}, reason?.label), why),
      word && h("label", { class: "field" }, h("span", {}, "Type ", h("b", {}, typed), " to go on"), word),
      error,
      h("div", { class: "choices" },
        h("button", { class: "button", type: "button", onclick: close }, "Cancel"), button)),
    ];
  });
}

/**
 * Do something once: the button is off meanwhile, and a failure is said in its place.
 * @param {HTMLButtonElement} button @param {HTMLElement} error @param {() => Promise<void>} run
 */
export async function underWay(button, error, run) {
  button.disabled = true;
  button.setAttribute("aria-busy", "true");
  error.hidden = true;
  try {
    await run();
  } catch (problem) {
    fill(error, problem instanceof Error ? problem.message : String(problem));
    error.hidden = false;
  } finally {
    button.disabled = false;
    button.removeAttribute("aria-busy");
  }
}
