/** The chart of a session: what the store knows, drawn. */

import { fill, h, setText } from "../../dom/h.js";
import { fixed, price, whole } from "../../format/numbers.js";
import { colours } from "./colours.js";
import { marksOf } from "./marks.js";
import { createPlot, LineStyle } from "./plot.js";
import { chartMinute } from "./time.js";

/**
 * @typedef {import("../../state/store.js").Store} Store
 * @typedef {import("../../state/state.js").State} State
 * @typedef {import("../../api/types.js").Candle} Candle
 * @typedef {import("../../../vendor/lightweight-charts/lightweight-charts.js").IPriceLine} PriceLine
 */

const MINUTE_MS = 60_000;

/** @param {Store} store @returns {{element: HTMLElement, redress: () => void}} */
export function chartPanel(store) {
  const canvas = h("div", { class: "canvas", role: "img", "aria-label": "Bank Nifty, one-minute candles and put-call ratio" });
  const legend = createLegend();
  const hover = h("div", { class: "hover", hidden: true });
  const element = h("section", { class: "panel chart", "aria-label": "Chart" },
    h("header", {}, h("h2", {}, "Bank Nifty · 1 minute"),
      h("span", { class: "aside" }, "Charts by ", h("a", { class: "credit", href: "https://www.tradingview.com/", rel: "noopener noreferrer", target: "_blank" },
        "TradingView"))),
    h("div", { class: "plot" }, canvas, legend.element, hover));

  const plot = createPlot(canvas);
  const lines = priceLines(plot);
  /** @type {import("./marks.js").Notes} */
  let notes = new Map();
  /** @type {{candles: readonly Candle[], last: number}} What the candle series shows. */
  let drawn = { candles: [], last: 0 };
  /** Chart time of the last bar, closed or running. */
  let farthest = 0;
  let isNew = true;

  store.watch(["session", "candles", "running"], (state) => {
    drawCandles(state);
    lines.draw(state);
    legend.draw(state, null);
  });
  store.watch(["levels"], (state) => drawLevels(state));
  store.watch(["pcr"], (state) => plot.pcr.setData(pcrPoints(state)));
  store.watch(["position"], (state) => lines.draw(state));
  store.watch(["signals", "rejections", "trades", "orders"], drawMarks);

  plot.chart.subscribeCrosshairMove((move) => {
    const time = typeof move.time === "number" ? move.time : null;
    legend.draw(store.state, time);
    showHover(time, move.point ?? null);
  });

  /** @param {State} state */
  function drawCandles(state) {
    const { candles } = state;
    const hasGrown = candles.length === drawn.candles.length + 1 && candles.at(-2) === drawn.candles.at(-1);
    if (candles !== drawn.candles) {
      const newest = candles.at(-1);
      // The next minute may be on the chart already, for a minute is decided a little after it ends; then all is drawn.
      if (hasGrown && newest && chartMinute(newest.start) >= farthest) {
        plot.candles.update(bar(newest));
        plot.volume.update(volumeBar(newest));
      } else {
        plot.candles.setData(candles.map(bar));
        plot.volume.setData(candles.map(volumeBar));
        if (isNew && candles.length) {
          isNew = false;
          plot.chart.timeScale().scrollToRealTime();
        }
        if (!candles.length) isNew = true;
      }
      drawn = { candles, last: newest ? Date.parse(newest.start) : 0 };
      farthest = newest ? chartMinute(newest.start) : 0;
    }
    const { running } = state;
    if (running && drawn.candles.length && Date.parse(running.start) > drawn.last) {
      farthest = chartMinute(running.start);
      plot.candles.update(bar(running));
      plot.volume.update(volumeBar(running));
    }
  }

  /** @param {State} state */
  function drawLevels(state) {
    const points = (/** @type {"vwap" | "emaFast" | "emaSlow"} */ name) =>
      state.candles.flatMap(({ start }) => {
        const value = state.levels.get(start)?.[name] ?? null;
        return value === null ? [] : [{ time: chartMinute(start), value }];
      });
    plot.vwap.setData(points("vwap"));
    plot.emaFast.setData(points("emaFast"));
    plot.emaSlow.setData(points("emaSlow"));
  }

  /** @param {State} state */
  function drawMarks(state) {
    const marks = marksOf(state);
    notes = marks.notes;
    plot.markers.setMarkers(marks.markers);
  }

  /** @param {number | null} time @param {{x: number, y: number} | null} point */
  function showHover(time, point) {
    const told = time === null || point === null ? undefined : notes.get(time);
    hover.hidden = !told;
    if (!told || !point) return;
    fill(hover, told);
    const left = point.x + 16 + hover.offsetWidth > canvas.clientWidth - 80 ? point.x - 16 - hover.offsetWidth : point.x + 16;
    hover.style.transform = `translate(${Math.max(4, left)}px, ${Math.max(4, point.y - hover.offsetHeight - 12)}px)`;
  }

  return {
    element,
    redress() {
      plot.dress();
      lines.draw(store.state, true);
      drawMarks(store.state);
    },
  };
}

/** @param {Candle | import("../../api/types.js").Running} candle */
const bar = ({ start, open, high, low, close }) => ({ time: chartMinute(start), open, high, low, close });

/** @param {Candle | import("../../api/types.js").Running} candle */
const volumeBar = ({ start, volume }) => ({ time: chartMinute(start), value: volume ?? 0 });

/** One point a minute, the newest of it. @param {State} state */
function pcrPoints(state) {
  const points = new Map();
  for (const reading of state.pcr) {
    if (reading.pcr !== null) points.set(chartMinute(reading.at), reading.pcr);
  }
  return [...points].map(([time, value]) => ({ time, value })).sort((one, other) => one.time - other.time);
}

/** The day's levels that reach across: opening range, and what watches over the position. @param {import("./plot.js").Plot} plot */
function priceLines(plot) {
  /** @type {Map<string, {line: PriceLine, price: number}>} */
  const shown = new Map();

  /** @param {string} name @param {number | null} level @param {object} options */
  function put(name, level, options) {
    const known = shown.get(name);
    if (known && known.price === level) return;
    if (known) plot.candles.removePriceLine(known.line);
    shown.delete(name);
    if (level === null) return;
    shown.set(name, { line: plot.candles.createPriceLine({ price: level, ...options }), price: level });
  }

  return {
    /** @param {State} state @param {boolean} [anew] Colours have changed. */
    draw(state, anew = false) {
      const colour = colours();
      if (anew) for (const name of [...shown.keys()]) put(name, null, {});
      const range = openingRange(state);
      const quiet = { color: colour("range"), lineWidth: 1, lineStyle: LineStyle.Dashed, axisLabelVisible: true };
      put("high", range?.high ?? null, { ...quiet, title: "OR high" });
      put("low", range?.low ?? null, { ...quiet, title: "OR low" });
      const held = state.position && state.position.stage !== "NEUTRAL" ? state.position : null;
      const guard = { lineWidth: 1, lineStyle: LineStyle.Solid, axisLabelVisible: true };
      put("stop", held?.index_stop ?? null, { ...guard, color: colour("down"), title: "stop" });
      put("target", held?.index_target ?? null, { ...guard, color: colour("up"), title: "target" });
    },
  };
}

/**
 * High and low of the session's opening range; null until all its minutes are there.
 * @param {State} state
 */
export function openingRange(state) {
  const config = state.session?.config;
  if (!config || !state.session) return null;
  const opens = Date.parse(`${state.session.day}T00:00:00+05:30`) + config.opening_minute * MINUTE_MS;
  const ends = opens + config.opening_range_minutes * MINUTE_MS;
  const inside = state.candles.filter(({ start }) => Date.parse(start) >= opens && Date.parse(start) < ends);
  if (inside.length < config.opening_range_minutes) return null;
  return { high: Math.max(...inside.map((one) => one.high)), low: Math.min(...inside.map((one) => one.low)) };
}

/** What the candle under the pointer says, or the newest one. */
function createLegend() {
  const value = (/** @type {string} */ name, /** @type {string} */ tone = "") => {
    const text = h("b", { class: tone });
    const label = h("span", { class: "name" }, name);
    return { text, label, element: h("span", {}, label, text) };
  };
  const open = value("O"), high = value("H"), low = value("L"), close = value("C"), volume = value("Vol");
  const vwap = value("VWAP", "vwap"), fast = value("EMA", "ema-fast"), slow = value("EMA", "ema-slow");
  const pcr = value("PCR", "pcr");
  const element = h("div", { class: "legend", "aria-hidden": "true" },
    h("div", { class: "row" }, [open, high, low, close, volume].map((one) => one.element)),
    h("div", { class: "row" }, [vwap, fast, slow, pcr].map((one) => one.element)));
  /** @type {Map<number, number>} */
  let places = new Map();
  /** @type {readonly Candle[]} */
  let indexed = [];

  return {
    element,
    /** @param {State} state @param {number | null} time Chart time under the pointer; null: the newest. */
    draw(state, time) {
      if (indexed !== state.candles) {
        indexed = state.candles;
        places = new Map(indexed.map((candle, index) => [chartMinute(candle.start), index]));
      }
      const place = time === null ? indexed.length - 1 : places.get(time);
      const isRunning = state.running && (time === null || time === chartMinute(state.running.start));
      const candle = isRunning ? state.running : place === undefined ? undefined : indexed[place];
      const levels = place === undefined ? undefined : state.levels.get(indexed[place]?.start);
      setText(fast.label, `EMA ${state.session?.config?.ema_fast_length ?? ""}`);
      setText(slow.label, `EMA ${state.session?.config?.ema_slow_length ?? ""}`);
      setText(open.text, price(candle?.open));
      setText(high.text, price(candle?.high));
      setText(low.text, price(candle?.low));
      setText(close.text, price(candle?.close));
      setText(volume.text, whole(candle?.volume));
      setText(vwap.text, price(levels?.vwap));
      setText(fast.text, price(levels?.emaFast));
      setText(slow.text, price(levels?.emaSlow));
      const until = time ?? Infinity;
      setText(pcr.text, fixed(state.pcr.findLast((one) => chartMinute(one.at) <= until)?.pcr, 3));
    },
  };
}
