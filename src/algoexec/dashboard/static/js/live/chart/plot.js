/** The chart itself: panes, series, and their colours. Knows nothing of sessions. */

import * as lwc from "../../../vendor/lightweight-charts/lightweight-charts.js";
import { clockMinutes, dateIn } from "../../format/ist.js";
import { price } from "../../format/numbers.js";
import { colours } from "./colours.js";
import { fromChart } from "./time.js";

const { LineStyle } = lwc;

/** A series without what would tell its value twice: the legend tells it. */
const SILENT = { priceLineVisible: false, lastValueVisible: false, crosshairMarkerVisible: false };

/**
 * @typedef {lwc.ISeriesApi<"Line", lwc.Time>} Line
 * @typedef {ReturnType<typeof createPlot>} Plot
 */

/** @param {HTMLElement} element */
export function createPlot(element) {
  const chart = lwc.createChart(element, {
    autoSize: true,
    // Its logo brings a style element, which the page's policy forbids; the credit stands in the panel's header.
    layout: { attributionLogo: false, fontFamily: getComputedStyle(document.body).fontFamily, fontSize: 11 },
    localization: {
      locale: "en-IN",
      priceFormatter: price,
      timeFormatter: (/** @type {number} */ time) => `${dateIn(fromChart(time))}  ${clockMinutes(fromChart(time))} IST`,
    },
    timeScale: { timeVisible: true, secondsVisible: false, rightOffset: 4, minBarSpacing: 1, barSpacing: 7 },
    crosshair: { mode: lwc.CrosshairMode.Normal },
    rightPriceScale: { minimumWidth: 78 },
  });
  const volume = chart.addSeries(lwc.HistogramSeries, {
    ...SILENT,
    priceScaleId: "volume",
    priceFormat: { type: "volume" },
  });
  chart.priceScale("volume").applyOptions({ scaleMargins: { top: 0.86, bottom: 0 } });
  const candles = chart.addSeries(lwc.CandlestickSeries, { borderVisible: false });
  candles.priceScale().applyOptions({ scaleMargins: { top: 0.12, bottom: 0.16 } });
  const vwap = chart.addSeries(lwc.LineSeries, { ...SILENT, lineWidth: 2 });
  const emaFast = chart.addSeries(lwc.LineSeries, { ...SILENT, lineWidth: 1 });
  const emaSlow = chart.addSeries(lwc.LineSeries, { ...SILENT, lineWidth: 1 });
  const pcr = chart.addSeries(
    lwc.LineSeries,
    {
      priceLineVisible: false,
      crosshairMarkerRadius: 3,
      lineWidth: 2,
      lineType: lwc.LineType.WithSteps,
      priceFormat: { type: "custom", minMove: 0.001, formatter: (/** @type {number} */ value) => value.toFixed(3) },
    },
    1,
  );
  chart.panes()[0].setStretchFactor(4);
  chart.panes()[1].setStretchFactor(1);
  const markers = lwc.createSeriesMarkers(candles, []);

  const plot = { chart, candles, volume, vwap, emaFast, emaSlow, pcr, markers, dress };

  /** Take the colours of the page as they are now. */
  function dress() {
    const colour = colours();
    chart.applyOptions({
      layout: {
        background: { type: lwc.ColorType.Solid, color: colour("panel") },
        textColor: colour("quiet"),
        panes: { separatorColor: colour("line"), separatorHoverColor: colour("line-strong") },
      },
      grid: { vertLines: { color: colour("line") }, horzLines: { color: colour("line") } },
      crosshair: {
        vertLine: { color: colour("faint"), labelBackgroundColor: colour("line-strong") },
        horzLine: { color: colour("faint"), labelBackgroundColor: colour("line-strong") },
      },
      timeScale: { borderColor: colour("line") },
      rightPriceScale: { borderColor: colour("line") },
    });
    candles.applyOptions({
      upColor: colour("up"),
      downColor: colour("down"),
      wickUpColor: colour("up"),
      wickDownColor: colour("down"),
      priceLineColor: colour("faint"),
    });
    volume.applyOptions({ color: colour("volume") });
    vwap.applyOptions({ color: colour("vwap") });
    emaFast.applyOptions({ color: colour("ema-fast") });
    emaSlow.applyOptions({ color: colour("ema-slow") });
    pcr.applyOptions({ color: colour("pcr") });
  }

  dress();
  return plot;
}

export { LineStyle };
