// The first run. The second token is asked for once and leaves this page as a header alone; the two that the box
// makes stand on this page until it is left, and nowhere else in the browser.
"use strict";

const EVERY = 3000; // ms from one look at cameras and bundle to the next

let state = null;
let refused = false; // the box wants the second token first
let token = ""; // the second one, where it was asked for
let drawnCameras = "";
let noted = null; // the note as the box or this page proposed it; what a person writes stays
let tried = null; // { camera, seen } or { camera, detail }: what was looked through last
let checked = null;
let busy = null; // the word of what is going on
let keptSaid = null;
let done = null;
let started = false; // the service, with what was chosen

const own = (path, method, body) => ask(`/v1/setup${path}`, method, {
  headers: token ? { "Yochi-Admin-Token": token } : {}, body: body === undefined ? undefined : JSON.stringify(body),
});

// An index, an address, "" where none is fixed; null where none is chosen yet.
function camera() {
  if (state.camera_named) return "";
  const picked = document.querySelector("input[name=camera]:checked");
  if (picked === null) return null;
  if (picked === $("no-fixed")) return "";
  return picked === $("network") ? $("address").value.trim() || null : picked.value;
}

function usbKey(found) {
  const made = element("label", undefined, "key"), input = element("input");
  Object.assign(input, { type: "radio", name: "camera", value: String(found.index), disabled: !found.usable });
  const name = fill(words().usb, found);
  made.append(input, element("span", found.usable ? name : fill(words().no_rights, { name })));
  return made;
}

// Only when another is there: the key that somebody is on stays.
function drawCameras() {
  const drawnNow = JSON.stringify([state.cameras, lang]);
  if (drawnNow === drawnCameras) return;
  const before = document.querySelector("#usb input:checked")?.value, focused = $("usb").contains(document.activeElement);
  $("usb").replaceChildren(...state.cameras.map(usbKey));
  for (const input of $("usb").querySelectorAll("input")) {
    input.checked = input.value === before;
    if (input.checked && focused) input.focus();
  }
  $("no-usb").hidden = state.cameras.length > 0;
  drawnCameras = drawnNow;
}

function lookedFacts(looked) {
  if (looked === null) return [];
  const shown = [[words().size, fill(words().pixels, looked)], [words().frames, String(looked.frames)]];
  if (looked.rate !== null) shown.push([words().rate, fill(words().a_second, { rate: looked.rate.toFixed(1) })]);
  if (looked.oldest !== null) shown.push([words().oldest, fill(words().in_seconds, { seconds: looked.oldest.toFixed(2) })]);
  if (looked.failures > 0) {
    const last = element("span", looked.failure);
    last.lang = "en";
    shown.push([words().failures, String(looked.failures)], [words().last_failure, last]);
  }
  return shown;
}

function drawTried() {
  const now = camera(), seen = tried !== null && tried.camera === now ? tried.seen ?? null : null;
  const detail = tried !== null && tried.camera === now ? tried.detail ?? seen.fault : null;
  $("by-address").hidden = !$("network").checked;
  $("try").hidden = now === "";
  $("try").disabled = now === null || busy !== null;
  const refused = seen?.picture && seen.fault ? fill(words().not_fine, { why: reasonText(seen.reason) }) : words().no_frame;
  $("tried").textContent = busy === "trying" ? words().trying : detail !== null ? refused : seen === null ? "" : words().fine;
  $("tried").className = detail !== null && busy === null ? "bad" : "good";
  $("tried-why").textContent = busy === "trying" ? "" : detail ?? "";
  facts($("looked"), lookedFacts(seen?.looked ?? null));
  swap($("tried-gates"), seen?.gates.length ? [gateTable(seen.gates, "")] : []);
  $("view").hidden = !seen?.picture;
  if (seen?.picture && $("picture").src !== seen.picture) $("picture").src = seen.picture;
  $("picture").alt = words().picture;
}

function drawBundle() {
  const bundle = state.bundle;
  facts($("bundle"), bundle === null ? [[words().bundle, element("span", words().no_bundle, "bad")]] : [
    [words().bundle, `${bundle.name} ${bundle.version}`], ["sha256", element("code", bundle.sha256)],
    [words().languages, bundle.languages.join(words().comma) || words().none],
    [words().proof, element("span", bundle.proof_passed ? words().proved : words().unproved, bundle.proof_passed ? "good" : "bad")],
    [bundle.trusted ? words().standing : words().untrusted, bundle.standing],
  ]);
  const open = bundle !== null && checked !== null;
  $("checked").textContent = busy === "checking" ? words().checking : open ? (checked.whole ? words().whole : words().not_whole) : words().loading;
  $("checked").className = open && !checked.whole ? "bad" : "good";
  $("checked-why").textContent = (open ? checked.said : state.fault) ?? "";
  $("check").disabled = busy !== null || bundle === null;
}

// Why it cannot be kept yet; null where it can.
function lacking() {
  const now = camera();
  if (now === null) return "choose_first";
  if (now !== "" && $("first-note").value.trim() === "") return "note_first";
  return now !== "" && !(tried?.camera === now && tried.seen) ? "try_first" : null;
}

function draw() {
  $("locked").hidden = !refused || done !== null;
  $("steps").hidden = state === null || done !== null;
  $("done").hidden = done === null;
  if (done !== null) drawDone();
  if (state === null || done !== null) return;
  for (const each of ["ja", "en"]) $(each === "ja" ? "to-ja" : "to-en").setAttribute("aria-pressed", String(lang === each));
  $("camera-named").hidden = !state.camera_named;
  $("choice").hidden = state.camera_named;
  if (noted === null || $("first-note").value === noted) $("first-note").value = noted = state.note ?? words().default_note;
  drawCameras();
  drawTried();
  $("noted").hidden = camera() === "";
  drawBundle();
  $("makes").textContent = state.makes_tokens ? words().makes : words().makes_none;
  const lacks = lacking();
  $("keep").disabled = busy !== null || lacks !== null;
  $("kept-said").textContent = busy === "saving" ? words().saving : keptSaid ?? (lacks === null ? "" : words()[lacks]);
  $("kept-said").className = keptSaid !== null && busy === null ? "bad" : "";
}

function drawDone() {
  $("tokens").hidden = done.admin === null;
  $("to-worker").hidden = !started;
  $("starting").textContent = started ? "" : words().starting;
  const shown = [["reading", done.reading], ["admin", done.admin]].filter(([, made]) => made !== null);
  $("token-list").replaceChildren(...shown.map(([name, made]) => {
    const line = element("p", words()[name]);
    line.append(element("code", made));
    return line;
  }));
  $("tokens-file").textContent = done.tokens_file === null ? "" : fill(words().tokens_file, { file: done.tokens_file });
}

async function doing(word, work) {
  busy = word;
  draw();
  try {
    await work();
  } finally {
    busy = null;
    draw();
  }
}

const check = () => doing("checking", async () => {
  const answer = await own("/bundle", "POST");
  checked = answer.ok ? answer.body : { whole: false, said: answer.body.detail };
});

// What was chosen before is chosen again.
function takeUp() {
  if (state.camera === null) return;
  const index = /^\d+$/.test(state.camera);
  $("network").checked = !index;
  $("address").value = index ? "" : state.camera;
  drawCameras();
  for (const input of $("usb").querySelectorAll("input")) input.checked = input.value === state.camera;
}

async function look() {
  const first = state === null, answer = await own("", "GET");
  if (answer.status === 403) {
    [state, refused] = [null, true];
    $("unlock-said").textContent = token ? words().wrong_second : "";
    token = "";
  } else if (answer.ok) {
    [state, refused] = [answer.body, false];
    $("unlock-said").textContent = "";
    if (first) takeUp();
    if (checked === null && state.bundle !== null && busy === null) check();
  }
  draw();
}

// A page that was loaded before would be of the service that ends.
async function waitStarted(before) {
  const answer = await own("", "GET");
  started = answer.ok && answer.body.service !== before;
  draw();
  if (!started) setTimeout(() => waitStarted(before), 500);
}

async function watch() {
  if (done !== null) return;
  if (!refused) await look();
  setTimeout(watch, EVERY);
}

for (const each of ["ja", "en"]) {
  $(each === "ja" ? "to-ja" : "to-en").addEventListener("click", () => { if (lang !== each) $("language").click(); });
}
$("choice").addEventListener("input", () => { keptSaid = null; draw(); });
$("try").addEventListener("click", () => doing("trying", async () => {
  const now = camera(), answer = await own("/camera", "POST", { camera: now });
  tried = answer.ok ? { camera: now, seen: answer.body } : { camera: now, detail: answer.body.detail };
  if (answer.status === 422 && $("network").checked) { // what may be a password does not stay on the screen
    $("address").value = now.replace(/\/\/.*@/, "//").replace(/[?#;=].*$/, "");
    tried.camera = camera();
  }
}));
$("address").addEventListener("keydown", (event) => { if (event.key === "Enter") $("try").click(); });
$("check").addEventListener("click", check);
$("keep").addEventListener("click", () => doing("saving", async () => {
  const now = camera();
  const answer = await own("", "PUT", { language: lang, camera: now || null, note: $("first-note").value.trim() || words().default_note });
  keptSaid = answer.ok ? null : answer.body.detail;
  if (!answer.ok) return;
  done = answer.body;
  token = done.admin ?? token;
  started = !done.starts_again;
  draw();
  $("done-title").focus();
  if (!started) waitStarted(state.service);
}));
$("unlock").addEventListener("submit", async (event) => {
  event.preventDefault();
  token = $("second-token").value.trim();
  $("second-token").value = "";
  await look();
});
drawn.push(draw);
drawWords();
watch();
