/** The configuration of a session as fields: what may be risked first, the strategy's numbers behind a fold. */

import { getConfigSchema } from "../api/client.js";
import { ApiError } from "../api/http.js";
import { h } from "../dom/h.js";
import { fieldsOf, resolved, showErrors, valuesOf } from "./schema_form.js";

/** @typedef {import("./schema_form.js").Schema} Schema */

/** @typedef {{withTrading: boolean, isNew: boolean}} Given A new session says what it was shown, not only what was changed. */

/** What nearly everybody sets. The order is that of the screen. */
const FIRST = ["capital", "risk_pct", "max_daily_loss", "max_trades_per_day", "approval"];

/** @type {Promise<Schema> | null} It never changes while the service runs. */
let asked = null;

/** @returns {Promise<Schema>} */
function schemaOf() {
  asked ??= getConfigSchema().then((answer) => /** @type {Schema} */ (answer.config));
  asked.catch(() => (asked = null));
  return asked;
}

/**
 * @param {Record<string, any>} config What holds now; empty for a new session.
 * @returns {Promise<{trading: HTMLElement, strategy: HTMLElement, values: (given: Given) => Record<string, unknown>,
 *   complain: (error: unknown) => void}>}
 */
export async function configFields(config) {
  const schema = await schemaOf();
  const rules = resolved(schema.properties?.trading ?? {}, schema);
  const held = config.trading ?? {};
  const first = FIRST.flatMap((name) => fieldsOf(rules, schema, held, (one) => one === name));
  const others = fieldsOf(rules, schema, held, (name) => !FIRST.includes(name));
  const strategy = fieldsOf(schema, schema, config, (name) => name !== "trading");
  const trading = [...first, ...others];
  return {
    trading: h("div", {},
      h("div", { class: "fields" }, first.map((field) => field.element)),
      h("details", {}, h("summary", {}, `${others.length} more rules of trading`),
        h("div", { class: "fields" }, others.map((field) => field.element)))),
    strategy: h("details", {}, h("summary", {}, `${strategy.length} numbers of the strategy`),
      h("div", { class: "fields" }, strategy.map((field) => field.element))),
    values({ withTrading, isNew }) {
      const changed = valuesOf(strategy.filter((field) => field.isChanged()));
      const rulesGiven = valuesOf([...(isNew ? first : []), ...trading.filter((field) => field.isChanged())]);
      return withTrading && Object.keys(rulesGiven).length ? { ...changed, trading: rulesGiven } : changed;
    },
    complain(error) {
      const errors = error instanceof ApiError ? error.problem.errors : null;
      showErrors(trading, errors, "body.config.trading.");
      showErrors(strategy, errors, "body.config.");
    },
  };
}
