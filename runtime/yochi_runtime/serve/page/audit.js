// The auditor's page: look for judgements, read one whole, judge it again, check the chain, take the table along.
"use strict";

let found = []; // judgements in the list, the newest first
let looked = 0; // rows that were read for it
let before = null; // where the next search goes on
let asked = ""; // what the list was asked for
let one = null; // the judgement that is read
let chain = null; // what the verifier said
let replayed = null; // what judging it again gave
let refused = null; // why a search or a judgement could not be had

async function look(more) {
  if (!more) [found, looked, before, asked] = [[], 0, null, query($("search")).toString()];
  const place = new URLSearchParams(asked);
  if (before !== null) place.set("before", before);
  $("found").textContent = words().working;
  const answer = await ask(`/v1/audit/search?${place}`);
  refused = answer.ok ? null : answer.body.detail;
  if (answer.ok) {
    found = found.concat(answer.body.found);
    looked += answer.body.read;
    before = answer.body.before;
  }
  drawList();
}

function drawList() {
  const end = before === null ? words().to_start : fill(words().to_row, { row: before });
  $("found").textContent = refused ?? `${fill(words().found, { found: found.length, read: looked })} ${end}`;
  $("further").hidden = before === null;
  $("rows").replaceChildren(...found.map(line));
}

function line(each) {
  const made = element("tr"), number = element("td"), verdict = element("td"), open = element("button", String(each.id), "row");
  open.type = "button";
  open.setAttribute("aria-label", fill(words().one, { id: each.id }));
  open.addEventListener("click", () => read(each.id));
  number.append(open);
  verdict.append(verdictWord(each.verdict));
  made.setAttribute("aria-selected", String(one?.id === each.id));
  const why = each.factors.length ? each.factors.map(slotName) : each.reasons.map(reasonText);
  made.append(number, element("td", moment(each.time), "time"), verdict, element("td", why.join(words().comma)),
    element("td", each.note ?? "", "note"), element("td", [each.camera, each.zone].filter(Boolean).join(" / ")),
    element("td", each.said === null ? "" : words()[each.said]));
  return made;
}

async function read(id) {
  const answer = await ask(`/v1/audit/rows/${id}`);
  one = answer.ok ? answer.body : null;
  refused = answer.ok ? null : answer.body.detail;
  replayed = null;
  if (one !== null && one.picture === "kept") $("picture").src = `/v1/audit/rows/${id}/picture`;
  else $("picture").removeAttribute("src");
  $("picture").hidden = true;
  drawList();
  drawOne();
  $("one-title").focus();
}

function drawOne() {
  $("one-body").hidden = one === null;
  $("one-title").textContent = one === null ? words().choose : fill(words().one, { id: one.id });
  if (one === null) return;
  const judgement = one.judgement, rules = judgement.rules;
  const blurred = judgement.identities.blurred ? words().blurred : "";
  $("picture-state").textContent = one.picture === "kept" ? blurred
    : judgement.not_kept ? words()[`unkept_${judgement.not_kept}`] : fill(words()[one.picture], { row: one.deleted_in });
  $("picture").alt = words().picture;
  $("boxes").replaceChildren(...judgement.factors.filter((factor) => factor.evidence.box && one.picture === "kept").map((factor) => box(factor)));
  facts($("facts"), [
    [words().verdict, verdictWord(judgement.verdict)],
    ...judgement.reasons.map((reason) => [words().reasons, reasonText(reason)]),
    ...(judgement.message ? [[words().message, judgement.message]] : []),
    [words().time, moment(one.time)],
    [words().note, one.note ?? words().none],
    [words().camera, [judgement.camera, rules?.zone].filter(Boolean).join(" / ") || words().none],
    [words().mode, judgement.mode ?? words().none],
    ...(one.missed ? [["", element("span", fill(words().missed, { count: one.missed }), "bad")]] : []),
  ]);
  $("one-factors").replaceChildren(judgement.factors.length === 0 ? element("p", words().no_factor) : table(
    [words().factor, words().probability, words().limit],
    judgement.factors.map((factor) => [fill(words().of_source, { name: text(factor.name), source: words().sources[factor.source] }), factor.probability.toFixed(2), factor.threshold.toFixed(2)]),
    words().factors));
  const clauses = [
    ...(rules?.applied ?? []).map((clause) => [clause.clause, clause.effect, text(clause.wording)]),
    ...(rules?.open ?? []).map((clause) => [clause.clause, words().open, fill(words().of_source, { name: text(clause.wording), source: clause.missing.map(slotName).join(words().comma) })]),
  ];
  $("one-clauses").replaceChildren(clauses.length ? table([words().rules, words().result, words().note], clauses, words().clauses) : element("p", words().no_clause));
  $("one-said").replaceChildren(...(one.feedback.length ? one.feedback.map(opinion) : [element("p", words().no_feedback)]));
  $("one-gates").replaceChildren(gateTable(judgement.gates, words().none));
  const hashes = Object.entries(judgement.identities).filter(([, value]) => value !== null);
  facts($("hashes"), [[words().hash, element("code", one.hash)], [words().previous, element("code", one.previous)],
    ...hashes.map(([name, value]) => [name, element("code", value)])]);
  drawReplay();
}

function opinion(said) {
  const should = said.verdict ? fill(words().should_be, { verdict: words().verdicts[said.verdict] }) : "";
  return element("p", [moment(said.time), words()[said.says], should, said.comment ?? ""].filter(Boolean).join("  "));
}

function box(factor) {
  const [x0, y0, x1, y1] = factor.evidence.box, made = element("span");
  Object.assign(made.style, { left: `${100 * x0}%`, top: `${100 * y0}%`, width: `${100 * (x1 - x0)}%`, height: `${100 * (y1 - y0)}%` });
  made.append(element("b", text(factor.name)));
  return made;
}

// The verifier's and the replay's lines are those of the command line, in English.
function said(head, body, answer, good, bad, failed) {
  const [state, lines] = answer === null ? ["", ""] : answer.working ? [words().working, ""]
    : !answer.ok ? [failed, answer.body.detail] : [answer.body.whole ?? (answer.body.identical || answer.body.within_blur) ? good : bad, answer.body.said];
  head.textContent = state;
  head.className = state === good ? "good" : "bad";
  if (answer?.working) head.className = "";
  body.textContent = lines;
  body.lang = "en";
}
const drawChain = () => said($("chain-head"), $("chain-said"), chain, words().whole, words().broken, "");
const drawReplay = () => said($("replay-head"), $("replay-said"), replayed, replayed?.body?.within_blur ? words().within_blur : words().identical, words().differs, words().not_replayed);

async function press(key, put, draw, path) {
  key.disabled = true;
  put({ working: true });
  draw();
  put(await ask(path, "POST"));
  key.disabled = false;
  draw();
}

function choices() {
  const any = () => { const made = element("option", words().any); made.value = ""; return made; };
  const option = (value, name) => { const made = element("option", name); made.value = value; return made; };
  const [verdict, slot] = [$("verdicts").value, $("slots").value];
  $("verdicts").replaceChildren(any(), ...Object.entries(words().verdicts).map(([value, name]) => option(value, name)));
  $("slots").replaceChildren(any(), ...Object.keys(slots).map((id) => option(id, slotName(id))));
  [$("verdicts").value, $("slots").value] = [verdict, slot];
}

$("search").addEventListener("submit", (event) => { event.preventDefault(); look(false); });
$("further").addEventListener("click", () => look(true));
$("verify").addEventListener("click", () => press($("verify"), (answer) => { chain = answer; }, drawChain, "/v1/audit/verify"));
$("replay").addEventListener("click", () => {
  const id = one.id; // its answer is of no use once another is read
  press($("replay"), (answer) => { if (one?.id === id) replayed = answer; }, drawReplay, `/v1/audit/rows/${id}/replay`);
});
$("picture").addEventListener("load", () => { $("picture").hidden = false; });
drawn.push(choices, drawList, drawOne, drawChain);
drawWords();
learnSlots().then(() => { choices(); return look(false); });
