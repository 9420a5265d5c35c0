// The worker's page. What is shown holds for `valid_s` seconds from its frame on; after that, and whenever the
// box is silent, the verdict is CANNOT JUDGE. Text reaches the page as text only (textContent), never as markup.
"use strict";

const settings = JSON.parse(document.getElementById("settings").textContent);
const $ = (id) => document.getElementById(id);
const MARKS = { stop: "!", caution: "!", proceed: "✓", cannot_judge: "?" };
const SHADOW_MARK = "●";
const SILENCE = 3500; // ms without a beat of the box, which comes every second
const CAMERA_EVERY = 5000; // ms from one look whether a box that is not set up has a camera by now to the next
const SIGNALS_EVERY = 2000; // ms from one look at the plant's signals to the next

let lang = document.documentElement.lang;
let given = null; // the newest judgement as the box gave it
let since = 0; // when its frame was taken, by two clocks of this browser
let sinceWall = 0;
let heard = performance.now();
let slots = {}; // names by slot id, once the box has them
let spoken = null; // what was shown last, so that a reader of the screen says each verdict once
let told = null; // the newest explanation, and what it is of
let sent = 0; // pictures that were sent to be judged
let signals = []; // how it stands with each sink and output, as the box said last
let said = null; // id of the judgement that was tapped as wrong

const words = () => settings.words[lang];
const text = (both) => both[lang];
const fill = (form, values) => form.replace(/\{(\w+)\}/g, (_, name) => values[name]);

function element(tag, content, name) {
  const made = document.createElement(tag);
  if (content !== undefined) made.textContent = content;
  if (name) made.className = name;
  return made;
}

function receive(next) {
  const age = next.age_s * 1000;
  given = next;
  since = performance.now() - age;
  sinceWall = Date.now() - age;
  render();
}

// A judgement that finds the same in the same note has the same explanation: a live one does not flicker.
const findings = ({ note, judgement }) => JSON.stringify([note, judgement.verdict, judgement.factors.map((factor) => factor.slot).sort()]);

function tell(next) {
  if (next.id !== given?.id || next.explanation.text === null) return; // shown when it is whole and checked
  told = { of: findings(given), text: next.explanation.text };
  tick();
}

// Both clocks, and the larger: one stands still while the device sleeps, the other can be set.
const age = () => Math.max(performance.now() - since, Date.now() - sinceWall, 0) / 1000;
const silent = () => settings.live && performance.now() - heard > SILENCE;
const expired = () => given !== null && given.judgement?.verdict !== "cannot_judge" && age() > given.valid_s;

// In shadow the box sends no judgement: whether it records is all there is to say.
const shadowed = () => (given === null ? settings.shadow : given.judgement === undefined);

function shadow() {
  const lost = given !== null && (given.id === null || expired());
  const why = silent() ? words().silent : lost ? words().not_recorded : "";
  return { verdict: "shadow", advice: words().shadow_advice, why };
}

function current() {
  if (shadowed()) return shadow();
  if (silent()) return { verdict: "cannot_judge", advice: words().call_supervisor, why: words().silent };
  if (given === null) return { verdict: "cannot_judge", advice: settings.live ? words().call_supervisor : words().begin, why: words().nothing };
  if (expired()) return { verdict: "cannot_judge", advice: words().call_supervisor, why: text(settings.reasons.expired) };
  const judgement = given.judgement;
  const why = judgement.reasons.map((reason) => text(settings.reasons[reason])).join(" ");
  return { verdict: judgement.verdict, advice: text(judgement.advice), why };
}

function explanation() {
  if (given === null || told === null || shadowed() || silent() || expired()) return "";
  return told.of === findings(given) ? text(told.text) : "";
}

function tick() {
  const now = current();
  const key = JSON.stringify([now, lang]);
  if (key !== spoken) {
    spoken = key;
    document.body.dataset.verdict = now.verdict;
    $("word").textContent = shadowed() ? words().shadow : words().verdicts[now.verdict];
    $("mark").textContent = MARKS[now.verdict] ?? SHADOW_MARK;
    $("advice").textContent = now.advice;
    $("reasons").textContent = now.why;
  }
  const explained = explanation();
  if ($("explanation").textContent !== explained) $("explanation").textContent = explained;
  tickSignals();
  document.body.dataset.stale = String(given !== null && (silent() || expired()));
  $("age").textContent = given === null ? "" : fill(words().age, { seconds: Math.floor(age()) });
  $("connection").textContent = silent() ? words().silent : "";
  const open = given !== null && given.id !== null && !silent() && !shadowed();
  $("right").disabled = $("wrong").disabled = !open;
}

// Nothing where the box is silent: what stood there would be of before.
function tickSignals() {
  const standing = (each) => fill(words()[`signal_${each.standing}${each.waiting ? "_count" : ""}`], { name: each.name, count: each.waiting });
  const shown = silent() ? [] : signals;
  const line = shown.length ? words().signals + shown.map(standing).join(" · ") : "";
  if ($("signals").textContent !== line) $("signals").textContent = line;
  $("signals").hidden = line === "";
  $("signals").dataset.failed = String(shown.some((each) => each.standing === "failed"));
}

async function followSignals() {
  try {
    const answer = await fetch("/v1/live/signals");
    signals = answer.ok ? await answer.json() : [];
  } catch {
    signals = [];
  }
  tickSignals();
  setTimeout(followSignals, SIGNALS_EVERY);
}

function render() {
  const judgement = given === null || shadowed() ? null : given.judgement;
  for (const place of document.querySelectorAll("[data-word]")) place.textContent = words()[place.dataset.word];
  for (const place of document.querySelectorAll("[data-say]")) if (place.dataset.say) place.textContent = words().verdicts[place.dataset.say];
  $("language").textContent = words().other_language;
  $("judge").textContent = settings.live ? words().use_note : words().judge;
  $("no-picture").textContent = given === null || $("picture").hidden ? words().no_picture : "";
  $("judged-note").textContent = given !== null && given.note !== null ? `${words().judged_note}${given.note}` : "";
  for (const key of $("notes").children) key.setAttribute("aria-pressed", String(given !== null && key.textContent === given.note));
  $("groups").replaceChildren(...(judgement === null ? [] : settings.sources.map(group).filter((found) => found !== null)));
  $("boxes").replaceChildren(...(judgement === null ? [] : boxes(judgement.factors)));
  $("rules").textContent = judgement?.rules?.not_taken ? words().rules_not_taken : "";
  if (judgement !== null && Object.keys(slots).length === 0) learn();
  tick();
}

// One for each place: two factors that show at the same one share it.
function boxes(factors) {
  const names = new Map();
  for (const factor of factors.filter((found) => found.evidence.box)) {
    const place = JSON.stringify(factor.evidence.box);
    names.set(place, (names.get(place) ?? new Set()).add(text(factor.name)));
  }
  return [...names].map(([place, own]) => box(JSON.parse(place), [...own].join(words().comma)));
}

function box([x0, y0, x1, y1], name) {
  const made = element("span");
  Object.assign(made.style, { left: `${100 * x0}%`, top: `${100 * y0}%`, width: `${100 * (x1 - x0)}%`, height: `${100 * (y1 - y0)}%` });
  made.append(element("b", name));
  return made;
}

const sourceOf = (id) => (id.startsWith("cue:") ? "image_content" : id.split(":")[0]);
const nameOf = (id) => (slots[id] ? text(slots[id]) : id);

function group(source) {
  const own = given.judgement.slots.filter((slot) => slot.id !== "verdict" && sourceOf(slot.id) === source);
  if (own.length === 0) return null;
  const made = element("div");
  made.append(element("h3", words().sources[source]));
  const judged = own.filter((slot) => slot.coverage === "judged").sort((a, b) => b.probability - a.probability);
  const factors = new Map(given.judgement.factors.map((factor) => [factor.slot, factor]));
  const shown = judged.filter((slot, i) => factors.has(slot.id) || i < 2); // the flagged, and the nearest two
  made.append(...shown.map((slot) => bar(slot, factors.get(slot.id))));
  for (const [coverage, head] of [["not_looked", words().not_looked], ["not_trained", words().not_trained]]) {
    const names = own.filter((slot) => slot.coverage === coverage).map((slot) => nameOf(slot.id));
    if (names.length) made.append(element("p", head + names.join(words().comma), "gap"));
  }
  return made;
}

function bar(slot, factor) {
  const made = element("div", undefined, factor ? "bar flagged" : "bar");
  made.append(element("span", factor ? text(factor.name) : nameOf(slot.id)), element("output", slot.probability.toFixed(2)));
  const line = element("i"), length = element("b"), threshold = element("u");
  length.style.width = `${100 * slot.probability}%`;
  threshold.style.left = `${100 * slot.threshold}%`;
  line.append(length, threshold);
  made.append(line);
  if (factor) made.append(element("small", text(factor.why)));
  return made;
}

async function learn() {
  try {
    const answer = await fetch("/v1/slots");
    if (!answer.ok) return; // no bundle is open yet; the next judgement asks again
    slots = await answer.json();
  } catch {
    return; // the box is silent, which `tick` says
  }
  render();
}

function listen() {
  const stream = new EventSource("/v1/live/events");
  stream.addEventListener("judgement", (event) => {
    heard = performance.now();
    const next = JSON.parse(event.data);
    const frame = next.judgement?.identities.frame ?? null;
    if (frame !== null) showPicture(`/v1/live/frame?sha256=${frame}`);
    else hidePicture();
    receive(next);
  });
  stream.addEventListener("explanation", (event) => { tell(JSON.parse(event.data)); });
  stream.addEventListener("beat", () => { heard = performance.now(); });
  stream.addEventListener("error", () => { // a browser comes back by itself after a cut, not after a refusal
    if (stream.readyState === EventSource.CLOSED) setTimeout(again, 2000);
  });
}

// Set up anew meanwhile, the box may have no fixed camera any more, or have one now: then this page is another.
async function again() {
  if (await hasCamera() === false) location.reload();
  else listen();
}

async function awaitCamera() {
  if (await hasCamera()) location.reload();
  else setTimeout(awaitCamera, CAMERA_EVERY);
}

async function hasCamera() {
  try {
    const answer = await fetch("/v1/live");
    return answer.status === 404 ? false : answer.ok || null;
  } catch {
    return null; // silent
  }
}

// The boxes belong to this picture: they are hidden until it has come.
function showPicture(url) {
  $("boxes").hidden = true;
  $("picture").src = url;
}

function hidePicture() {
  $("picture").hidden = $("boxes").hidden = true;
}

$("picture").addEventListener("load", () => { $("picture").hidden = $("boxes").hidden = false; render(); });
$("picture").addEventListener("error", () => { hidePicture(); render(); });

async function send(method, path, body) {
  try {
    const answer = await fetch(path, { method, headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
    return answer.ok;
  } catch {
    return false;
  }
}

// The server-sent events of an answer, each as its name and data.
async function* eventsOf(answer) {
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let rest = "", part = await reader.read(); !part.done; part = await reader.read()) {
    const events = (rest + part.value).split("\n\n");
    rest = events.pop();
    for (const event of events) {
      const [name, data] = event.split("\ndata: "); // each is one line
      yield [name.replace("event: ", ""), JSON.parse(data)];
    }
  }
}

async function follow(events) {
  for await (const [name, data] of events) {
    if (name === "judgement") {
      receive(data);
      $("judge").disabled = false; // the next one need not wait for the explanation
    } else tell(data);
  }
}

async function sendNote() {
  const note = $("text").value;
  if (settings.live) {
    const answer = await send("PUT", "/v1/live/note", { note });
    $("note-state").textContent = answer ? words().note_taken : words().not_kept;
    return;
  }
  const file = $("file").files[0];
  if (!file) {
    $("note-state").textContent = words().no_file;
    $("file").focus();
    return;
  }
  const mine = ++sent;
  $("note-state").textContent = "";
  $("judge").disabled = true;
  given = null; // the last verdict was of another picture
  showPicture(URL.createObjectURL(file));
  render();
  const form = new FormData();
  form.append("image", file);
  form.append("note", note);
  try {
    const answer = await fetch("/v1/judgements", { method: "POST", headers: { Accept: "text/event-stream" }, body: form });
    if (answer.ok) await follow(eventsOf(answer));
    else $("note-state").textContent = (await answer.json()).detail;
  } catch {
    $("note-state").textContent = words().silent;
  } finally {
    if (mine === sent) $("judge").disabled = false;
  }
}

async function say(id, body) {
  const kept = await send("POST", `/v1/judgements/${id}/feedback`, body);
  $("thanks").textContent = kept ? words().thanks : words().not_kept;
  $("correct").hidden = true;
}

$("judge").addEventListener("click", sendNote);
$("right").addEventListener("click", () => say(given.id, { says: "right" }));
$("wrong").addEventListener("click", () => {
  said = given.id; // of this judgement, whatever comes while the worker thinks
  $("correct").hidden = false;
  $("thanks").textContent = "";
});
for (const key of document.querySelectorAll("[data-say]"))
  key.addEventListener("click", () => say(said, key.dataset.say ? { says: "correction", verdict: key.dataset.say } : { says: "wrong" }));
$("language").addEventListener("click", () => {
  lang = lang === "ja" ? "en" : "ja";
  document.documentElement.lang = lang;
  $("language").lang = lang === "ja" ? "en" : "ja";
  render();
});
for (const note of settings.notes) {
  const key = element("button", note);
  key.type = "button";
  key.addEventListener("click", () => { $("text").value = note; sendNote(); });
  $("notes").append(key);
}
$("photo").hidden = settings.live;
$("first-run").hidden = !settings.first_run;
$("text").value = settings.note;
render();
setInterval(tick, 250);
if (settings.first_run) awaitCamera();
if (settings.live) {
  listen();
  followSignals();
}
