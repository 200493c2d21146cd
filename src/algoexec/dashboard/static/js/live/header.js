/** The bar at the top: what is traded and at what stakes, the price, how fresh it is, and the market's clock. */

import { h, setAttribute, setText, setTone } from "../dom/h.js";
import { clockSeconds, dateIn, dateWords } from "../format/ist.js";
import { price, signed, signedRupees, tone } from "../format/numbers.js";
import { statusName } from "../format/words.js";
import { change, dayResult, isOver, lastPrice, marketNow, priceAge, stakes } from "../state/reading.js";

/**
 * @typedef {import("../state/store.js").Store} Store
 * @typedef {import("../state/state.js").State} State
 */

const SLOW_MS = 2_000;
export const STALE_MS = 5_000;
const SLOW_LAG_MS = 500;
const BAD_LAG_MS = 2_000;

/** @param {Store} store @param {{navigation: HTMLElement, actions: HTMLElement}} parts */
export function header(store, { navigation, actions }) {
  const mode = h("span", { class: "mode", title: "Venue and mode" });
  const last = h("span", { class: "last" });
  const moved = h("span", { class: "change" });
  const feed = h("dd", {}), lag = h("dd", {});
  const time = h("div", { class: "time" }), date = h("div", { class: "date" });
  const dayNet = h("div", { class: "time" });

  const element = h("header", { class: "bar" },
    h("div", { class: "brand" }, h("span", { class: "word" }, "algoexec"), mode),
    h("div", { class: "price", role: "status", "aria-live": "off", "aria-label": "Bank Nifty" },
      h("span", { class: "name" }, "BANK NIFTY"), last, moved),
    h("dl", { class: "health" },
      h("dt", { title: "Time since the newest price" }, "Feed"), feed,
      h("dt", { title: "How late the newest heartbeat was, against the fastest one" }, "Lag"), lag),
    navigation,
    h("span", { class: "space" }),
    h("div", { class: "clock day-net", title: "The day’s result, after charges" }, dayNet, h("div", { class: "date" }, "Day, net")),
    h("div", { class: "clock" }, time, date),
    actions);

  store.watch(["session"], (state) => {
    const { key, name } = stakes(state);
    document.documentElement.dataset.mode = key;
    setText(mode, name);
    document.title = state.session ? `${name} · algoexec` : "algoexec";
  });
  store.watch(["running", "candles", "session"], (state) => {
    const moves = change(state);
    setText(last, price(lastPrice(state)));
    setText(moved, moves ? `${signed(moves.points)} (${signed(moves.percent)}%)` : "");
    setTone(moved, tone(moves?.points));
  });
  store.watch(["pnl", "session"], (state) => {
    const result = dayResult(state);
    setText(dayNet, result ? signedRupees(result.net) : "–");
    setTone(dayNet, tone(result?.net));
  });
  tick();
  setInterval(tick, 250);

  function tick() {
    const { state } = store;
    const now = marketNow(state);
    setText(time, now === null ? "--:--:-- IST" : `${clockSeconds(now)} IST`);
    setText(date, now === null ? "" : dateWords(dateIn(now)));
    show(feed, ...feedState(state));
    show(lag, ...lagState(state));
  }

  return element;
}

/** @param {HTMLElement} element @param {string} text @param {string} state */
function show(element, text, state) {
  setText(element, text);
  setAttribute(element, "data-state", state);
}

/** @param {State} state @returns {[string, string]} */
function feedState(state) {
  if (!state.session) return ["–", "none"];
  if (isOver(state)) return [statusName(state.session.status), "none"];
  const age = priceAge(state);
  if (state.session.feed?.status === "LOST" || state.session.feed?.status === "FEED_TAKEN") return ["lost", "bad"];
  if (age === null) return [statusName(state.session.status), "slow"];
  const text = age < 9_950 ? `${(age / 1000).toFixed(1)} s` : `${Math.round(age / 1000)} s`;
  return [text, age < SLOW_MS ? "good" : age < STALE_MS ? "slow" : "bad"];
}

/** @param {State} state @returns {[string, string]} */
function lagState({ link, lagMs }) {
  if (!link) return ["–", "none"];
  if (link.state !== "open") return [link.state === "connecting" ? "connecting" : "no stream", "bad"];
  if (lagMs === null) return ["live", "good"];
  return [`${Math.round(lagMs)} ms`, lagMs < SLOW_LAG_MS ? "good" : lagMs < BAD_LAG_MS ? "slow" : "bad"];
}
