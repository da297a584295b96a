"use strict";

// The charts of the last five minutes. A series is a line: what it is called, and its value in a row.

const KEPT = 300;       // rows: one a second
const HEIGHT = 180;

const seconds = (value) => {
  if (value === null || value === undefined) return "–";
  const size = Math.abs(value);
  if (size === 0) return "0 s";
  if (size < 1e-3) return `${(value * 1e6).toPrecision(3)} µs`;
  if (size < 1) return `${(value * 1e3).toPrecision(3)} ms`;
  if (size < 120) return `${value.toPrecision(3)} s`;
  if (size < 7200) return `${(value / 60).toPrecision(3)} min`;
  if (size < 172800) return `${(value / 3600).toPrecision(3)} h`;
  return `${(value / 86400).toPrecision(3)} d`;
};

const compact = new Intl.NumberFormat("en", { notation: "compact", maximumSignificantDigits: 3 });
const amount = (value) => (value === null || value === undefined ? "–" : compact.format(value));

const CHARTS = [
  { title: "Pending calls", lines: ["pending"], show: amount, fill: true },
  {
    title: "Calls a second", show: amount,
    lines: ["scheduled", "made", "cancelled", "moved"],
  },
  {
    title: "Lateness of calls", show: seconds, log: true,
    lines: ["median", "99 %", "largest"],
  },
  { title: "Passes a second", lines: ["passes", "without a call"], show: amount },
];

class Charts {
  constructor(parent) {
    this.parent = parent;
    this.rows = [];
    this.build();
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.build());
    new ResizeObserver(() => this.resize()).observe(parent);
  }

  build() {
    this.parent.replaceChildren();
    this.plots = CHARTS.map((chart) => {
      const panel = document.createElement("div");
      panel.className = "panel chart";
      const title = document.createElement("h2");
      title.textContent = chart.title;
      const place = document.createElement("div");
      panel.append(title, place);
      this.parent.append(panel);
      return new uPlot(options(chart, place.clientWidth), this.dataOf(chart), place);
    });
  }

  resize() {
    for (const plot of this.plots) {
      const width = plot.root.parentElement.clientWidth;
      if (width !== plot.width) plot.setSize({ width, height: HEIGHT });
    }
  }

  // Add a row: {time, and by the names of the lines their values, or null}.
  add(row) {
    this.rows.push(row);
    if (this.rows.length > KEPT) this.rows.shift();
    CHARTS.forEach((chart, number) => this.plots[number].setData(this.dataOf(chart)));
  }

  clear() {
    this.rows = [];
  }

  dataOf(chart) {
    return ["time", ...chart.lines].map((name) => this.rows.map((row) => row[name] ?? null));
  }
}

function options(chart, width) {
  const style = getComputedStyle(document.documentElement);
  const color = (name) => style.getPropertyValue(`--${name}`).trim();
  const axis = {
    stroke: color("dim"),
    grid: { stroke: color("line"), width: 1 },
    ticks: { stroke: color("line"), width: 1, size: 4 },
  };
  const sparse = chart.log ? { filter: powersOfTen } : {};
  // The legend shows the latest value while no other is pointed at.
  const latest = (plot, value, line, index) => chart.show(index === null ? plot.data[line].at(-1) : value);
  return {
    width,
    height: HEIGHT,
    cursor: { drag: { x: false, y: false } },
    scales: {
      x: { range: (plot, least, most) => [Math.min(least, most - 30), most] },
      y: chart.log
        ? { distr: 3 }
        : { range: (plot, least, most) => uPlot.rangeNum(0, Math.max(most, 1), 0.1, true) },
    },
    axes: [
      { ...axis, space: 70, size: 32, values: (plot, times) => times.map(clock) },
      {
        ...axis,
        ...sparse,
        grid: { ...axis.grid, ...sparse },
        ticks: { ...axis.ticks, ...sparse },
        size: 62,
        values: (plot, values) => values.map((value) => (value === null ? "" : chart.show(value))),
      },
    ],
    series: [
      { label: "at", value: (plot, value) => (value === null ? "" : clock(value)) },
      ...chart.lines.map((name, number) => ({
        label: name,
        stroke: color(`series-${number + 1}`),
        fill: chart.fill ? `${color("series-1")}22` : undefined,
        width: 1.5,
        points: { show: false },
        value: latest,
      })),
    ],
  };
}

function powersOfTen(plot, values) {
  return values.map((value) => (Math.abs(Math.log10(value) % 1) < 1e-6 ? value : null));
}

function clock(time) {
  return new Date(time * 1000).toLocaleTimeString("en-GB");
}
