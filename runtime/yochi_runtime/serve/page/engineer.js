// The engineer's page: what judges now, the last judgements as small plots, what enforce would have done.
"use strict";

const EVERY = 2000; // ms from one look at the state to the next
const HISTORY_EVERY = 30000;
const MAX_PLOTS = 24;
const SVG = $("svg").namespaceURI;

let state = null;
let chosen = false; // whether the list of modes began with the one in force
let past = null;
let report = null;
let reportFault = null;

function drawState() {
  if (state === null) return;
  const ready = state.readiness, age = ready.check_age_s;
  $("ready").textContent = ready.ready ? words().ready : words().not_ready;
  $("ready").className = ready.ready ? "good" : "bad";
  $("fault").textContent = ready.fault ?? (age === null ? "" : fill(words().check_age, { seconds: Math.floor(age) }));
  facts($("facts"), [[words().mode, state.mode], [words().camera, state.camera ?? words().none], [words().waiting, String(state.seats_taken)]]);
  const bundle = state.bundle;
  facts($("bundle"), bundle === null ? [[words().bundle, element("span", words().no_bundle, "bad")]] : [
    [words().bundle, `${bundle.name} ${bundle.version}`], ["sha256", element("code", bundle.sha256)],
    [words().base, bundle.base], [words().pack, bundle.pack], [words().languages, bundle.languages.join(words().comma) || words().none],
    [words().proof, element("span", bundle.proof_passed ? words().proved : words().unproved, bundle.proof_passed ? "good" : "bad")],
    [bundle.trusted ? words().standing : words().untrusted, bundle.standing],
    [words().before, state.bundle_before === null ? words().none : named(state.bundle_before)],
  ]);
  const rules = state.rulebook;
  facts($("rulebook"), rules === null ? [[words().rules, words().no_rules]] : [
    [words().rules, `${rules.id} ${rules.version}`], ["", fill(words().in_force, { clauses: rules.clauses })],
    ["sha256", element("code", rules.sha256)], [words().before, rules.before === null ? words().none : named(rules.before)], [words().zone, rules.zone ?? words().none],
    ...(rules.not_taken ? [["", element("span", words().not_taken + rules.not_taken, "bad")]] : []),
  ]);
  swap($("engines"), [
    table([words().engines, words().restarts], state.engines.map((engine) => [words()[engine.name], engine.restarts]), words().engines),
    element("p", state.engine_versions ?? "")]);
  if (!chosen) $("mode-to").value = state.mode;
  chosen = true;
  drawChanges();
  drawNewest();
  swap($("signals"), [state.signals.length === 0 ? element("p", words().no_signals) : table(
    [words().signal, words().result, words().taken, words().waiting, words().lost],
    state.signals.map((signal) => [signal.name, element("span", signal.fault ?? words().signal_ok, signal.fault ? "bad" : "good"),
      signal.taken, signal.waiting ?? words().none, signal.missed ?? words().none]), words().signals)]);
}

function drawNewest() {
  const newest = state.newest;
  if (newest === null) {
    facts($("newest"), [[words().verdict, words().no_newest]]);
    $("newest-gates").replaceChildren();
    return;
  }
  const times = Object.entries(newest.timings_ms).map(([stage, ms]) => `${words().stages[stage] ?? stage} ${ms.toFixed(1)}`);
  facts($("newest"), [
    [words().verdict, verdictWord(newest.verdict)], [words().row, state.newest_id === null ? words().none : String(state.newest_id)],
    ...(state.age_s === null ? [] : [["", fill(words().age, { seconds: Math.floor(state.age_s) })]]),
    ...(newest.message ? [[words().reasons, newest.message]] : []),
    [`${words().timings} (ms)`, times.join(words().comma) || words().none],
  ]);
  swap($("newest-gates"), [gateTable(newest.gates, words().no_gates)]);
}

// Bars from 0 to 100 %, one for each slice of time; a slice without a judgement has none.
function plot(each, name, total) {
  const made = element("figure"), caption = element("figcaption"), svg = document.createElementNS(SVG, "svg"), width = each.shares.length;
  const draw = (tag, attributes) => {
    const own = document.createElementNS(SVG, tag);
    for (const [key, value] of Object.entries(attributes)) own.setAttribute(key, value);
    svg.append(own);
  };
  svg.setAttribute("viewBox", `0 0 ${width} 100`);
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("aria-hidden", "true"); // the caption says the number
  for (const y of [0, 50, 100]) draw("line", { x1: 0, x2: width, y1: y, y2: y });
  each.shares.forEach((share, i) => {
    if (share) draw("rect", { x: i + 0.1, width: 0.8, y: 100 * (1 - share), height: 100 * share });
  });
  caption.append(element("b", name), element("span", fill(words().share, { percent: (100 * each.count / total).toFixed(0), count: each.count })));
  made.append(caption, svg);
  return made;
}

function drawPast() {
  if (past === null) return;
  const total = past.judgements;
  $("span").textContent = total === 0 ? words().no_history : fill(words().history_of, { count: total, since: moment(past.since), until: moment(past.until) });
  const plots = (id, own, name, none) => $(id).replaceChildren(...(own.length ? own.slice(0, MAX_PLOTS).map((each) => plot(each, name(each.id), total)) : [element("p", none)]));
  plots("rates", past.factors, slotName, words().none_flagged);
  plots("verdict-plots", past.verdicts, (id) => words().verdicts[id] ?? id, words().none);
  plots("reason-plots", past.reasons, reasonText, words().none);
  $("stages").replaceChildren(past.stages.length === 0 ? element("p", words().none) : table(
    [words().stage, words().count, words().median, words().p95, words().largest],
    past.stages.map((each) => [words().stages[each.stage] ?? each.stage, each.count, each.median.toFixed(1), each.p95.toFixed(1), each.largest.toFixed(1)]), words().timings));
  $("gates").replaceChildren(past.gates.length === 0 ? element("p", words().none) : table(
    [words().gates, words().range, words().limit, words().refusals, words().count],
    past.gates.map((each) => [each.reason, `${rounded(each.least)} – ${rounded(each.largest)} ${each.unit}`,
      fill(words()[each.bound], { limit: each.threshold }), each.refused, each.count]), words().gates));
}

function drawReport() {
  if (reportFault !== null || report === null) {
    $("report-note").textContent = reportFault ?? "";
    $("report-table").replaceChildren();
    return;
  }
  const notes = [fill(words().report_note, { seconds: report.valid_s })];
  if (report.missed) notes.push(fill(words().unrecorded, { count: report.missed }));
  if (report.clock_back) notes.push(fill(words().clock_back, { count: report.clock_back }));
  $("report-note").textContent = notes.join(" ");
  const names = { verdict: (id) => words().verdicts[id] ?? id, reason: reasonText, factor: slotName, hour: moment };
  const columns = ["judgements", "held", "holds", "seconds", "marked_wrong", "should_hold"];
  $("report-table").replaceChildren(report.lines.length === 0 ? element("p", words().no_history) : table(
    [words().by, "", words().count, ...columns.slice(1).map((column) => words()[column])],
    report.lines.map((line) => [words()[`by_${line.by}`], [(names[line.by] ?? ((id) => id))(line.value), line.zone].filter(Boolean).join(" / "),
      ...columns.map((column) => (column === "seconds" ? line.numbers[column].toFixed(1) : line.numbers[column]))]), words().report));
}

async function look() {
  const answer = await ask("/v1/engineer/state");
  if (answer.ok) state = answer.body;
  else $("ready").textContent = answer.body.detail; // never an old "ready" beside a silent box
  if (!answer.ok) $("ready").className = "bad";
  if (Object.keys(slots).length === 0 && answer.ok && await learnSlots()) { drawPast(); drawReport(); }
  if (answer.ok) drawState();
}

async function watch() {
  await look();
  setTimeout(watch, EVERY);
}

async function remember() {
  const answer = await ask("/v1/engineer/history");
  if (answer.ok) past = answer.body;
  else $("span").textContent = answer.body.detail;
  drawPast();
  setTimeout(remember, HISTORY_EVERY);
}

$("report-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  reportFault = words().working;
  drawReport();
  const answer = await ask(`/v1/engineer/report?${query($("report-form"))}`);
  [report, reportFault] = answer.ok ? [answer.body, null] : [null, answer.body.detail];
  drawReport();
});
drawn.push(drawState, drawPast, drawReport);
drawWords();
watch();
remember();
