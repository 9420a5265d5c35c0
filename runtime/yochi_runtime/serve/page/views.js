// What the auditor's and the engineer's pages share. Text reaches a page as text only, never as markup.
"use strict";

const settings = JSON.parse(document.getElementById("settings").textContent);
const $ = (id) => document.getElementById(id);

let lang = document.documentElement.lang;
let slots = {}; // names by slot id, once the box has them
const drawn = []; // what is drawn again in the other language

const words = () => settings.words[lang];
const text = (both) => both[lang];
const fill = (form, values) => form.replace(/\{(\w+)\}/g, (_, name) => values[name]);
const slotName = (id) => {
  const name = id === "verdict" ? words().verdict : slots[id] ? text(slots[id]) : id;
  const source = id.startsWith("cue:") ? "image_content" : id.split(":")[0];
  return words().sources[source] ? fill(words().of_source, { name, source: words().sources[source] }) : name;
};
const reasonText = (id) => (settings.reasons[id] ? text(settings.reasons[id]) : id);
const moment = (iso) => new Date(iso).toLocaleString(lang === "ja" ? "ja-JP" : "en-GB", { dateStyle: "short", timeStyle: "medium" });
const rounded = (value) => (value === null ? words().none : Math.abs(value) >= 100 ? value.toFixed(0) : value.toFixed(2));

function element(tag, content, name) {
  const made = document.createElement(tag);
  if (content !== undefined) made.textContent = content;
  if (name) made.className = name;
  return made;
}

function verdictWord(verdict) {
  const made = element("span", words().verdicts[verdict] ?? verdict, "word");
  made.dataset.verdict = verdict;
  return made;
}

// [name, text or node] in pairs.
function facts(place, pairs) {
  swap(place, pairs.flatMap(([name, value]) => {
    const held = element("dd");
    held.append(value);
    if (name === "") held.className = "alone";
    return name === "" ? [held] : [element("dt", name), held];
  }));
}

// Only where it says something else: who reads or scrolls there is not disturbed every two seconds.
function swap(place, nodes) {
  const made = document.createElement("div");
  made.append(...nodes);
  if (made.textContent !== place.textContent) place.replaceChildren(...made.childNodes);
}

// A table that scrolls by itself where the screen is too narrow; numbers stand right.
function table(heads, lines, name) {
  const made = element("table"), top = element("tr"), body = element("tbody"), wide = element("div", undefined, "wide");
  const cell = (tag, value) => {
    const own = element(tag);
    own.append(value);
    return own;
  };
  top.append(...heads.map((head) => { const own = cell("th", head); own.scope = "col"; return own; }));
  for (const line of lines) {
    const own = element("tr");
    own.append(...line.map((value) => cell("td", value)));
    body.append(own);
  }
  heads.forEach((_, i) => {
    const column = [...body.rows].map((row) => row.cells[i]);
    if (column.every((own) => /^[\d.]+$/.test(own.textContent))) for (const own of [top.cells[i], ...column]) own.className = "number";
  });
  const head = element("thead");
  head.append(top);
  made.append(head, body);
  wide.tabIndex = 0;
  wide.setAttribute("role", "region");
  wide.setAttribute("aria-label", name);
  wide.append(made);
  return wide;
}

function gateTable(gates, none) {
  if (gates.length === 0) return element("p", none);
  return table([words().gates, words().value, words().limit, words().result], gates.map((gate) => [
    gate.reason, `${rounded(gate.value)} ${gate.unit}`, fill(words()[gate.bound], { limit: gate.threshold }),
    element("span", gate.passed ? words().passed : words().refused, gate.passed ? "good" : "bad"),
  ]), words().gates);
}

// The answer, or what the box said instead: { ok, status, body }.
async function ask(path, method = "GET", more = {}) {
  try {
    const answer = await fetch(path, { method, ...more });
    const body = await answer.json();
    $("connection").textContent = "";
    return { ok: answer.ok, status: answer.status, body };
  } catch {
    $("connection").textContent = words().silent;
    return { ok: false, status: 0, body: { detail: words().silent } };
  }
}

async function learnSlots() {
  const answer = await ask("/v1/slots");
  if (answer.ok) slots = answer.body;
  return answer.ok;
}

function drawWords() {
  for (const place of document.querySelectorAll("[data-word]")) place.textContent = words()[place.dataset.word];
  $("language").textContent = words().other_language;
  $("title").textContent = words().title;
  document.title = `Yochi – ${words().title}`;
  for (const draw of drawn) draw();
}

function query(form) {
  const asked = new URLSearchParams();
  for (const [name, value] of new FormData(form)) if (value) asked.set(name, value);
  return asked;
}

for (const link of document.querySelectorAll("nav a")) if (link.getAttribute("href") === location.pathname) link.setAttribute("aria-current", "page");
$("language").addEventListener("click", () => {
  lang = lang === "ja" ? "en" : "ja";
  document.documentElement.lang = lang;
  $("language").lang = lang === "ja" ? "en" : "ja";
  drawWords();
});
