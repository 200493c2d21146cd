/** The day's account, and how far it is to the breaker. */

import { h, setText, setTone } from "../dom/h.js";
import { rupees, signedRupees, tone, wholeRupees } from "../format/numbers.js";
import { dayResult } from "../state/reading.js";

/** @typedef {import("../state/store.js").Store} Store */

/** @param {Store} store */
export function dayCard(store) {
  const net = h("span", { class: "big" }), trades = h("span", { class: "quiet" });
  const filled = h("span", { class: "fill down" });
  const gauge = h("div", { class: "track", role: "meter", "aria-label": "Used of the day’s loss limit", "aria-valuemin": "0", "aria-valuemax": "100" }, filled);
  const left = h("span"), limit = h("span");
  const fact = (/** @type {string} */ label) => ({ label: h("dt", {}, label), value: h("dd", {}) });
  const realised = fact("Realised"), open = fact("Open"), funds = fact("Funds"), losses = fact("Losses in a row");
  const aside = h("span", { class: "aside" });
  const element = h("section", { class: "panel card day", "aria-label": "The day" },
    h("header", {}, h("h2", {}, "The day, after charges"), aside),
    h("div", { class: "body" },
      h("div", { class: "headline" }, net, trades),
      gauge, h("div", { class: "track-ends" }, left, limit),
      h("dl", { class: "facts" }, [realised, open, funds, losses].flatMap((one) => [one.label, one.value]))));

  store.watch(["pnl", "session", "trades", "position"], (state) => {
    const result = dayResult(state);
    element.hidden = result === null;
    const trading = state.session?.trading, rules = state.session?.config?.trading;
    if (!result || !trading || !rules) return;
    setText(net, signedRupees(result.net));
    setTone(net, tone(result.net));
    setText(trades, `${trading.tally.trades} of ${rules.max_trades_per_day} trades`);
    // After a person has taken a lock away the limit counts from there.
    const since = result.net - trading.tally.baseline;
    const used = Math.min(1, Math.max(0, -since / rules.max_daily_loss));
    filled.style.width = `${used * 100}%`;
    gauge.setAttribute("aria-valuenow", String(Math.round(used * 100)));
    setText(left, trading.tally.lock ? `locked: ${trading.tally.lock}` : `${wholeRupees(rules.max_daily_loss + Math.min(0, since))} to the breaker`);
    setText(limit, `at ${wholeRupees(trading.tally.baseline - rules.max_daily_loss)}`);
    setText(realised.value, signedRupees(result.realised));
    setText(open.value, signedRupees(result.open - result.charges));
    setText(funds.value, rupees(trading.funds));
    setText(losses.value, `${trading.tally.losses_in_a_row} of ${rules.max_consecutive_losses}`);
    setText(aside, `risk ${rules.risk_pct}% of ${wholeRupees(rules.capital)}`);
  });
  return element;
}
