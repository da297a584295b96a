"use strict";

// Asks for data.json once a second, and shows it. All text goes in as text, none as HTML.

const INTERVAL = 1000;      // ms
const PATIENCE = 5000;      // ms until an answer is given up

const byId = (id) => document.getElementById(id);
const charts = new Charts(byId("charts"));
let previous = null;

function element(tag, className, ...children) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.append(...children);
  return made;
}

// What was counted between two histograms, as [[upper bound, count], ...].
function difference(now, before) {
  const earlier = new Map(before.buckets);
  return now.buckets
    .map(([upper, count]) => [upper, count - (earlier.get(upper) ?? 0)])
    .filter(([, count]) => count > 0);
}

function percentile(buckets, percent, largest) {
  let left = Math.max(1, Math.ceil(buckets.reduce((sum, [, count]) => sum + count, 0) * percent / 100));
  for (const [upper, count] of buckets) {
    left -= count;
    if (left <= 0) {
      const value = Math.min(upper ?? Infinity, largest ?? Infinity);
      return Number.isFinite(value) ? value : null;
    }
  }
  return null;
}

// Rates and percentiles from one answer to the next; null if there is none before.
function change(now, before) {
  const passed = before === null ? 0 : now.elapsed - before.elapsed;
  if (passed <= 0) return null;
  const rate = (...names) => names.reduce((sum, name) => sum + now[name] - before[name], 0) / passed;
  const late = difference(now.lateness, before.lateness);
  const lateness = (percent) => percentile(late, percent, now.lateness.largest);
  return {
    "scheduled": rate("scheduled"),
    "made": rate("fired"),
    "cancelled": rate("cancelled"),
    "moved": rate("moved_later", "moved_sooner"),
    "passes": rate("passes"),
    "without a call": rate("idle_passes"),
    "calls a pass": rate("fired") / (rate("passes") - rate("idle_passes") || 1),
    "busy": rate("seconds_in_passes"),
    "median": lateness(50),
    "99 %": lateness(99),
    "largest": lateness(100),
  };
}

function showCards(stats, watch, rates) {
  const cards = [
    ["pending", amount(stats.pending)],
    ["scheduled a second", amount(rates?.scheduled)],
    ["made a second", amount(rates?.made)],
    ["cancelled a second", amount(rates?.cancelled)],
    ["late, median", seconds(rates?.median)],
    ["late, 99 %", seconds(rates?.["99 %"])],
    ["calls a pass, mean", amount(rates?.["calls a pass"])],
    ["time in passes", rates ? `${(100 * rates.busy).toPrecision(2)} %` : "–"],
    ["longest pass", seconds(stats.longest_pass)],
    ["next deadline in", stats.until_deadline < 0 ? "due now" : seconds(stats.until_deadline)],
    ["failed", amount(stats.failed), stats.failed > 0],
    ["slow calls", watch ? amount(watch.slow_calls) : "no watch", watch?.slow_calls > 0],
    ["memory", `${compact.format(stats.memory)}B`],
  ];
  byId("cards").replaceChildren(...cards.map(([name, value, alert]) => element("div", "card",
    element("dl", "", element("dt", "", name), element("dd", alert ? "alert" : "", value)))));
}

// rows: of cells, which are texts or elements; a column is [title, class of its cells].
function showTable(id, columns, rows) {
  const head = element("tr", "", ...columns.map(([title, kind]) => element("th", kind, title)));
  const body = rows.map((cells) => element("tr", "",
    ...cells.map((cell, number) => element("td", columns[number][1], cell))));
  byId(id).replaceChildren(...(rows.length ? [element("thead", "", head), element("tbody", "", ...body)] : []));
}

// "module.function (file:line)": the place is shown below the name.
function named(text) {
  const [, name, place] = /^(.*?)(?: \((.*)\))?$/s.exec(text);
  const shown = element("span", "", name);
  if (place) shown.append(element("span", "place", place));
  return shown;
}

function placed(text) {
  const places = text.split(", called by ");
  const shown = element("span", "", places[0]);
  if (places.length > 1) shown.append(element("span", "place", `called by ${places.slice(1).join(", ")}`));
  return shown;
}

function bar(share) {
  const shown = element("span", "");
  shown.style.width = `${100 * share}%`;
  return shown;
}

function showSurvey(survey) {
  const spans = survey.by.time;
  const most = Math.max(1, ...spans.map((group) => group.count));
  showTable("spans", [["due in", ""], ["calls", "number"], ["", "bar"]],
    spans.map((group) => [group.name, amount(group.count), bar(group.count / most)]));
  const columns = [["calls", "number"], ["first in", "number"], ["last in", "number"]];
  const cells = (group) => [amount(group.count), seconds(group.soonest), group.latest === null ? "never" : seconds(group.latest)];
  showTable("functions", [["function", "name"], ...columns],
    survey.by.function.map((group) => [named(group.name), ...cells(group)]));
  const origins = survey.by.origin.filter((group) => group.name !== "not known");
  showTable("origins", [["scheduled at", "name"], ...columns],
    origins.map((group) => [placed(group.name), ...cells(group)]));
  showTable("times", [["function", "name"], ["calls", "number"], ["total", "number"], ["99 %", "number"], ["longest", "number"]],
    survey.times.map((one) => [named(one.function), amount(one.count), seconds(one.total), seconds(one.p99), seconds(one.longest)]));
  showNotes(survey, origins);
}

function showNotes(survey, origins) {
  const how = survey.every === 1
    ? "all calls"
    : `one call in ${survey.every}, multiplied: the counts are estimates`;
  byId("survey-note").textContent = `Tables of pending calls: looked through ${amount(survey.pending)} calls in small slices `
    + `within ${seconds(survey.seconds)}, ${seconds(survey.age)} ago; counted ${how}.`;
  const unknown = survey.by.origin.find((group) => group.name === "not known");
  byId("origins-note").textContent = origins.length
    ? (unknown ? `Not known of ${amount(unknown.count)} more: made before the watch, or not chosen by it.` : "")
    : "None known. timerwheel.watch(reactor, origins=100) remembers those of one call in a hundred.";
}

function showWatch(watch, survey) {
  showTable("slow", [["function", "half"], ["took", "number"], ["late", "number"], ["scheduled at", "half"]],
    (watch?.latest_slow ?? []).map((call) => [named(call.function), seconds(call.seconds), seconds(call.late), call.origin ? placed(call.origin) : "not known"]));
  const off = "No watch is on. timerwheel.watch(reactor) starts one.";
  byId("slow-note").textContent = !watch ? off : watch.slow_calls ? `${amount(watch.slow_calls)} in all, ${amount(watch.stalls)} stalls.` : "None so far.";
  byId("times-note").textContent = !watch ? off : survey?.times.length ? "" : "No call was timed so far.";
}

function showStatus(status, stats) {
  const versions = Object.entries(status.versions).map(([name, version]) => `${name} ${version}`);
  const wakes = status.precision ? [`wakes: ${status.precision}`] : [];
  byId("identity").textContent = [status.reactor, `${status.clock} clock`, ...wakes, ...versions].join(" · ");
  const notices = Object.entries(status.overridden).map(
    ([name, whose]) => `reactor.${name}() is not the wheel's but ${whose}`);
  if (stats?.bypassed) notices.push(`${amount(stats.bypassed)} calls came by a callLater() kept from before the wheel was put in`);
  byId("notices").replaceChildren(...notices.map((text) => element("p", "notice", text)));
}

function show(data) {
  const { status, stats, watch, survey } = data;
  showStatus(status, stats);
  if (stats === null) {
    setState("bad", "not on the wheel");
    return;
  }
  const restarted = previous !== null && stats.elapsed < previous.elapsed;
  if (restarted) charts.clear();
  const rates = change(stats, restarted ? null : previous);
  showCards(stats, watch, rates);
  if (previous === null || stats.elapsed !== previous.elapsed) {
    charts.add({ time: Date.now() / 1000, pending: stats.pending, ...rates });
  }
  if (survey) showSurvey(survey);
  showWatch(watch, survey);
  setState("good", "on the wheel");
  previous = stats;
}

function setState(kind, text) {
  byId("state").className = kind;
  byId("state").textContent = text;
}

async function refresh() {
  if (!document.hidden) {
    try {
      const answer = await fetch("data.json", { cache: "no-store", signal: AbortSignal.timeout(PATIENCE) });
      if (!answer.ok) throw new Error(`the server answered ${answer.status}`);
      show(await answer.json());
    } catch (error) {
      setState("bad", `no answer (${error.message}); asking again`);
    }
  }
  setTimeout(refresh, INTERVAL);
}

refresh();
