// The page of one backtest. Everything it shows is in the element #data; times are IST, taken for UTC.

const run = JSON.parse(document.getElementById("data").textContent);
const colours = getComputedStyle(document.documentElement);
const colour = (name) => colours.getPropertyValue(`--${name}`).trim();

// --- how values read ---------------------------------------------------------------------------------------------

const rupees = new Intl.NumberFormat("en-IN", { maximumFractionDigits: 0 });
const plain = new Intl.NumberFormat("en-IN", { maximumFractionDigits: 2 });
const money = (value) => (value === null ? "–" : `${value < 0 ? "−" : ""}₹${rupees.format(Math.abs(value))}`);
const number = (value) => (value === null ? "–" : plain.format(value).replace("-", "−"));
const percent = (value) => (value === null ? "–" : `${number(value)} %`);
const clock = (ms) => new Date(ms).toISOString().slice(11, 19);
const date = (ms) => new Date(ms).toISOString().slice(0, 10);
const tone = (value) => (value > 0 ? "gain" : value < 0 ? "loss" : "faint");

const SHOWN = {
  count: number,
  rupees: money,
  percent,
  ratio: number,
  R: (value) => (value === null ? "–" : `${number(value)} R`),
  days: (value) => (value === null ? "–" : `${number(value)} days`),
  seconds: (value) => (value === null ? "–" : `${Math.floor(value / 60)} min ${Math.round(value % 60)} s`),
};

// --- the document ------------------------------------------------------------------------------------------------

const find = (id) => document.getElementById(id);

function make(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

/** A table: columns are {name, value(row), show(value), text, tone}; `pick(row)` makes rows a choice. */
function table(columns, rows, { pick, sortable = false, className = "" } = {}) {
  const body = make("tbody");
  let order = null;
  const fill = () => {
    const sorted = order === null ? rows : [...rows].sort((a, b) => order.sign * compare(order.of(a), order.of(b)));
    body.replaceChildren(...sorted.map((row) => line(columns, row, pick)));
  };
  const heads = columns.map((column) => {
    if (!sortable) return make("th", { scope: "col", className: column.text ? "text" : "" }, column.name);
    const button = make("button", { type: "button" }, column.name);
    button.addEventListener("click", () => {
      order = { of: column.value, sign: order?.of === column.value ? -order.sign : 1 };
      fill();
    });
    return make("th", { scope: "col", className: column.text ? "text" : "" }, button);
  });
  fill();
  return make("table", { className }, make("thead", {}, make("tr", {}, ...heads)), body);
}

function line(columns, row, pick) {
  const cells = columns.map((column) => {
    const value = column.value(row);
    const classes = [column.text ? "text" : "", column.wrap ? "wrap" : "", column.tone ? tone(value) : ""];
    return make("td", { className: classes.join(" ").trim() }, (column.show ?? String)(value));
  });
  const made = make("tr", {}, ...cells);
  if (pick) {
    Object.assign(made, { className: "pick", tabIndex: 0 });
    const choose = () => {
      for (const other of made.parentElement.children) other.classList.toggle("chosen", other === made);
      pick(row);
    };
    made.addEventListener("click", choose);
    made.addEventListener("keydown", (event) => event.key === "Enter" && choose());
  }
  return made;
}

const compare = (a, b) => (a === b ? 0 : a === null ? -1 : b === null ? 1 : a < b ? -1 : 1);
const column = (name, key, show, more = {}) => ({ name, value: (row) => row[key], show, ...more });
const empty = (text) => make("p", { className: "faint" }, text);

// --- charts ------------------------------------------------------------------------------------------------------

const charts = [];

function draw(id, option) {
  const chart = echarts.getInstanceByDom(find(id)) ?? echarts.init(find(id), null, { renderer: "canvas", useCoarsePointer: true });
  if (!charts.includes(chart)) charts.push(chart);
  chart.setOption({ animation: false, useUTC: true, textStyle: { color: colour("ink") }, ...option }, true);
  chart.resize();
}

/** Say why there is no chart. */
function nothing(id, text) {
  find(id).replaceChildren(empty(text));
  find(id).className = "";
}

window.addEventListener("resize", () => charts.forEach((chart) => chart.resize()));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => location.reload());

const axis = (more) => ({
  axisLine: { lineStyle: { color: colour("line") } },
  axisLabel: { color: colour("faint") },
  splitLine: { lineStyle: { color: colour("line") } },
  ...more,
});
const tooltip = (more) => ({
  backgroundColor: colour("card"),
  borderColor: colour("line"),
  textStyle: { color: colour("ink") },
  ...more,
});

function equity() {
  if (run.equity.length === 0) return nothing("equity", "Nothing was traded on any day.");
  let peak = -Infinity;
  const below = run.equity.map(([at, value]) => [at, -(100 * ((peak = Math.max(peak, value)) - value)) / peak]);
  draw("equity", {
    grid: [{ left: 80, right: 24, top: 24, height: "52%" }, { left: 80, right: 24, top: "66%", height: "18%" }],
    tooltip: tooltip({ trigger: "axis", valueFormatter: (value) => number(value) }),
    axisPointer: { link: [{ xAxisIndex: "all" }] },
    xAxis: [axis({ type: "time" }), axis({ type: "time", gridIndex: 1 })],
    yAxis: [
      axis({ type: "value", scale: true, axisLabel: { color: colour("faint"), formatter: (value) => rupees.format(value) } }),
      axis({ type: "value", gridIndex: 1, splitNumber: 2, axisLabel: { color: colour("faint"), formatter: "{value} %" } }),
    ],
    dataZoom: [{ type: "inside", xAxisIndex: [0, 1] }, { type: "slider", xAxisIndex: [0, 1], height: 18, bottom: 8 }],
    series: [
      series("Equity", run.equity.map(([at, value]) => [at, value]), "accent"),
      { ...series("Realised", run.equity.map(([at, , value]) => [at, value + run.setup.capital]), "faint"), lineStyle: { width: 1, type: "dotted", color: colour("faint") } },
      { ...series("Drawdown", below, "loss"), xAxisIndex: 1, yAxisIndex: 1, areaStyle: { color: colour("loss"), opacity: 0.25 } },
    ],
  });
}

const series = (name, data, shade) => ({
  name, data, type: "line", showSymbol: false, sampling: "lttb",
  lineStyle: { width: 1.5, color: colour(shade) }, itemStyle: { color: colour(shade) },
});

function spread() {
  const rs = run.trades.map((trade) => trade.r);
  if (rs.length === 0) return nothing("spread", "No trade.");
  const width = 0.25;
  const low = Math.floor(Math.min(...rs) / width);
  const counts = Array.from({ length: Math.floor(Math.max(...rs) / width) - low + 1 }, () => 0);
  for (const r of rs) counts[Math.floor(r / width) - low] += 1;
  draw("spread", {
    grid: { left: 48, right: 16, top: 20, bottom: 44 },
    tooltip: tooltip({ trigger: "axis", axisPointer: { type: "shadow" } }),
    xAxis: axis({ type: "category", name: "R, net", nameLocation: "middle", nameGap: 28, data: counts.map((_, n) => ((n + low) * width).toFixed(2)) }),
    yAxis: axis({ type: "value", minInterval: 1 }),
    series: [{ name: "Trades", type: "bar", barCategoryGap: "8%", data: counts.map((value, n) => ({ value, itemStyle: { color: colour(n + low < 0 ? "loss" : "gain") } })) }],
  });
}

function excursions() {
  const told = run.trades.filter((trade) => trade.mfe !== null && trade.mae !== null);
  if (told.length === 0) return nothing("excursions", "No trade was marked while it was held.");
  const points = (won) => told.filter((trade) => trade.net > 0 === won).map((trade) => ({ value: [trade.mae, trade.mfe], trade }));
  const of = (name, won) => ({ name, type: "scatter", symbolSize: 6, data: points(won), itemStyle: { color: colour(won ? "gain" : "loss"), opacity: 0.75 } });
  draw("excursions", {
    grid: { left: 48, right: 16, top: 30, bottom: 44 },
    legend: { top: 4, textStyle: { color: colour("faint") } },
    tooltip: tooltip({ formatter: ({ data }) => `${date(data.trade.opened_at)} ${data.trade.name}<br>${number(data.trade.r)} R, best ${number(data.value[1])} R, worst ${number(data.value[0])} R` }),
    xAxis: axis({ type: "value", name: "worst mark, R (MAE)", nameLocation: "middle", nameGap: 28 }),
    yAxis: axis({ type: "value", name: "best mark, R (MFE)", nameLocation: "middle", nameGap: 32 }),
    series: [of("Winners", true), of("Losers", false)],
  });
}

function tradeChart(trade) {
  const chart = run.charts[trade.id];
  find("trade").hidden = false;
  if (!chart) return draw("trade", { title: { text: "The prices of this trade are not in the file: it has the best, the worst and the last.", left: "center", top: "middle", textStyle: { color: colour("faint"), fontSize: 13 } } });
  // The same minutes below each other; bars carry minutes since the epoch, UTC.
  const minutes = [...new Set([...chart.index, ...chart.path].map(([minute]) => minute))].sort((a, b) => a - b);
  const shown = minutes.map((minute) => clock(minute * 60000 + 19800000).slice(0, 5));
  const place = (ms) => shown.indexOf(clock(ms).slice(0, 5));
  const bars = (rows) => {
    const by = new Map(rows.map(([minute, open, high, low, close]) => [minute, [open, close, low, high]]));
    return minutes.map((minute) => by.get(minute) ?? "-");
  };
  const level = (name, yAxis, shade) => ({ name, yAxis, lineStyle: { color: colour(shade), type: "dashed" }, label: { formatter: name, color: colour(shade), position: "insideEndTop" } });
  const point = (name, ms, y, shade) => ({ name, coord: [place(ms), y], value: name, symbol: "pin", symbolSize: 36, itemStyle: { color: colour(shade) }, label: { fontSize: 9 } });
  const candles = (name, rows, at, more) => ({
    name, type: "candlestick", data: bars(rows), xAxisIndex: at, yAxisIndex: at,
    itemStyle: { color: colour("gain"), color0: colour("loss"), borderColor: colour("gain"), borderColor0: colour("loss") }, ...more,
  });
  // The levels are to be seen even where the index never came near them.
  const levels = [trade.signal_price, trade.index_stop, trade.index_target];
  const within = { min: ({ min }) => Math.floor(Math.min(min, ...levels)), max: ({ max }) => Math.ceil(Math.max(max, ...levels)) };
  draw("trade", {
    title: { text: `${date(trade.opened_at)}  ${trade.pattern}  ${trade.name}  ${trade.reason}  ${money(trade.net)}`, left: 12, top: 8, textStyle: { color: colour("ink"), fontSize: 13, fontWeight: 500 } },
    grid: [{ left: 70, right: 24, top: 40, height: "46%" }, { left: 70, right: 24, top: "66%", height: "24%" }],
    tooltip: tooltip({ trigger: "axis", axisPointer: { type: "cross" } }),
    axisPointer: { link: [{ xAxisIndex: "all" }] },
    xAxis: [0, 1].map((gridIndex) => axis({ type: "category", data: shown, gridIndex, splitLine: { show: false } })),
    yAxis: [0, 1].map((gridIndex) => axis({ type: "value", scale: true, gridIndex, splitNumber: gridIndex ? 3 : 5, ...(gridIndex ? {} : within) })),
    series: [
      candles("Index", chart.index, 0, {
        markLine: { symbol: "none", data: [level("signal", trade.signal_price, "accent"), level("stop", trade.index_stop, "loss"), level("target", trade.index_target, "gain")] },
      }),
      candles("Premium (bid)", chart.path, 1, {
        markPoint: { data: [point("in", trade.opened_at, trade.entry, "accent"), point("out", trade.closed_at, trade.exit, trade.net > 0 ? "gain" : "loss")] },
      }),
    ],
  });
  find("trade").scrollIntoView({ block: "nearest" });
}

// --- tables ------------------------------------------------------------------------------------------------------

function head() {
  const { setup } = run;
  const range = setup.begins === null ? "no trading day" : `${setup.begins} to ${setup.ends}`;
  document.title = `Backtest ${range}`;
  find("range").textContent = range;
  find("about").textContent = `${setup.days} trading days, ${run.signals} signals, ${run.trades.length} trades, capital ${money(setup.capital)} on each day. Times are IST.`;
  const notices = [];
  if (run.partial) notices.push(`This run is not whole: ${run.partial}`);
  if (run.modelled_share) notices.push(`${percent(100 * run.modelled_share)} of profits and losses rest on modelled premiums, not on prices that anybody quoted.`);
  if (run.trades.some((trade) => trade.approximate)) notices.push("Charges of some dates are not known to the last item and are approximated.");
  if (run.missing_minutes) notices.push(`${number(run.missing_minutes)} minutes of continuous trading are missing in the data.`);
  find("notices").replaceChildren(...notices.map((text) => make("p", { className: "notice" }, text)));
}

function cards() {
  const keys = ["net", "return_ann", "sharpe", "sortino", "max_drawdown", "trades", "win_rate", "profit_factor", "expectancy", "expectancy_r", "charges_share", "exposure"];
  const by = Object.fromEntries(run.figures.map((figure) => [figure.key, figure]));
  find("key").replaceChildren(...keys.map((key) => {
    const { name, value, unit, formula } = by[key];
    const coloured = ["net", "return_ann", "expectancy", "expectancy_r"].includes(key) ? tone(value) : "";
    return make("div", { className: "card", title: formula }, make("b", { className: coloured }, SHOWN[unit](value)), make("span", {}, name.replace(" [%]", "")));
  }));
}

/** P&L in cells: `rows` and `names` are labels, `value(row, name)` the sum or null. */
function heat(rows, names, value, caption) {
  const all = rows.flatMap((row) => names.map((name) => value(row, name))).filter((one) => one !== null);
  const most = Math.max(1, ...all.map(Math.abs));
  const cell = (one) => {
    const made = make("td", {}, one === null ? "" : rupees.format(one).replace("-", "−"));
    if (one !== null) made.style.background = `color-mix(in srgb, ${colour(one < 0 ? "loss" : "gain")} ${Math.round((70 * Math.abs(one)) / most)}%, transparent)`;
    return made;
  };
  return make("table", { className: "heat" }, make("caption", { className: "hint" }, caption),
    make("thead", {}, make("tr", {}, make("th"), ...names.map((name) => make("th", { scope: "col" }, name)))),
    make("tbody", {}, ...rows.map((row) => make("tr", {}, make("th", { scope: "row" }, row), ...names.map((name) => cell(value(row, name)))))));
}

function sums(entries) {
  const found = new Map();
  for (const [key, value] of entries) found.set(key, (found.get(key) ?? 0) + value);
  return (row, name) => found.get(`${row}|${name}`) ?? null;
}

function heats() {
  const months = ["01", "02", "03", "04", "05", "06", "07", "08", "09", "10", "11", "12"];
  const years = [...new Set(run.days.map(([day]) => day.slice(0, 4)))];
  const weekdays = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
  const weekday = (ms) => weekdays[(new Date(ms).getUTCDay() + 6) % 7];
  const hour = (ms) => `${clock(ms).slice(0, 2)}:00`;
  const hours = [...new Set(run.trades.map((trade) => hour(trade.opened_at)))].sort();
  const traded = weekdays.filter((name) => run.trades.some((trade) => weekday(trade.opened_at) === name));
  find("months").replaceChildren(heat(years, months, sums(run.days.filter(([, , trades]) => trades).map(([day, net]) => [`${day.slice(0, 4)}|${day.slice(5, 7)}`, net])), "Net by month, rupees"));
  find("hours").replaceChildren(heat(traded, hours, sums(run.trades.map((trade) => [`${weekday(trade.opened_at)}|${hour(trade.opened_at)}`, trade.net])), "Net by weekday and hour of entry, rupees"));
}

function groups() {
  const choice = find("grouping");
  choice.replaceChildren(...Object.keys(run.groups).map((name) => make("option", {}, name)));
  const show = () => {
    const rows = run.groups[choice.value];
    if (rows.length === 0) return find("groups").replaceChildren(empty("No trade."));
    find("groups").replaceChildren(table([
      column(choice.value, "name", String),
      column("Trades", "trades", number),
      { name: "Win rate", value: (row) => (100 * row.wins) / row.trades, show: percent },
      { name: "Mean R", value: (row) => row.r / row.trades, show: number, tone: true },
      column("Gross", "gross", money, { tone: true }),
      column("Charges", "charges", money),
      column("Net", "net", money, { tone: true }),
    ], rows, { sortable: true }));
  };
  choice.addEventListener("change", show);
  show();
}

function trades() {
  if (run.trades.length === 0) {
    find("trades").replaceChildren(empty("No signal became a trade; below it says why."));
    return;
  }
  const columns = [
    column("Date", "opened_at", date, { text: true }),
    column("In", "opened_at", clock),
    column("Out", "closed_at", clock),
    column("Pattern", "pattern", String, { text: true }),
    column("Option", "name", String, { text: true }),
    column("Units", "quantity", number),
    column("Entry", "entry", number),
    column("Exit", "exit", number),
    column("Reason", "reason", String, { text: true }),
    column("Gross", "gross", money, { tone: true }),
    column("Charges", "charges", money),
    column("Net", "net", money, { tone: true }),
    column("R", "r", number, { tone: true }),
    column("MFE R", "mfe", number),
    column("MAE R", "mae", number),
    column("Premium", "source", String, { text: true }),
  ];
  const show = () => {
    const wanted = find("find").value.trim().toLowerCase();
    const rows = run.trades.filter((trade) => `${trade.pattern} ${trade.name} ${trade.reason} ${trade.side} ${date(trade.opened_at)}`.toLowerCase().includes(wanted));
    find("trades").replaceChildren(rows.length ? table(columns, rows, { sortable: true, pick: tradeChart }) : empty("No trade is like that."));
  };
  find("find").addEventListener("input", show);
  show();
}

function counts(id, pairs, none) {
  const columns = [column("Reason", "name", String, { text: true }), column("Times", "count", number)];
  find(id).replaceChildren(pairs.length ? table(columns, pairs, { sortable: true }) : empty(none));
}

function rest() {
  find("repricings").replaceChildren(table([
    { name: "Slippage", value: (row) => row.multiple, show: (value) => `× ${value}`, text: true },
    column("Gross", "gross", money, { tone: true }), column("Charges", "charges", money), column("Net", "net", money, { tone: true }),
  ], run.repricings), make("p", { className: "hint" }, "Fills so many times as far from the middle of the book; decisions and quantities as they were."));
  const sources = run.groups["Premium rests on"];
  find("sources").replaceChildren(sources.length ? table([column("Source", "name", String), column("Trades", "trades", number), column("Net", "net", money, { tone: true })], sources) : empty("No trade."));
  counts("refused", Object.entries(run.refused).map(([name, count]) => ({ name, count })), "Every signal became an order.");
  counts("rejected", Object.entries(run.rejected).flatMap(([pattern, reasons]) => Object.entries(reasons).map(([reason, count]) => ({ name: `${pattern}: ${reason}`, count }))), "No candidate was rejected.");
  find("figures").replaceChildren(table([
    column("Figure", "name", String, { text: true }),
    { name: "Value", value: (figure) => figure, show: (figure) => SHOWN[figure.unit](figure.value) },
    column("How it is made", "formula", String, { text: true, wrap: true }),
  ], run.figures));
  const block = (name, value) => make("div", {}, make("h3", {}, name), make("pre", {}, Object.entries(value).map(([key, one]) => `${key} = ${JSON.stringify(one)}`).join("\n")));
  const files = Object.fromEntries(run.setup.data.map((file) => [`${file.role}: ${file.name}`, [file.rows, ...file.notes]]));
  find("setup").replaceChildren(block("Data: rows read, notes", files), block("How orders meet the market", run.setup.execution), block("Strategy", run.setup.parameters), block("Trading (money in paise)", run.setup.rules));
}

head();
cards();
equity();
heats();
groups();
spread();
excursions();
trades();
rest();
