// The engineer's three changes. The second token is asked for each time; it leaves this page as a header of one
// request, and stands neither in the page nor in its address. Its field has no name, so that a browser without
// scripts does not send it anywhere either.
"use strict";

let change = null; // the button that was pressed
let asking = false;
let saidOf = null; // what came of it: a line of the box, or the name of one of ours

const changeButtons = () => [$("change-mode"), $("change-bundle"), $("change-rules")];
const named = (one) => `${one.name} ${one.version} (${one.sha256.slice(0, 12)})`;

// What the pressed button would do, as the state stands; null where there is nothing to go back to.
function changed(button) {
  if (button === $("change-mode")) return `${state.mode} → ${$("mode-to").value}`;
  const before = button === $("change-bundle") ? state.bundle_before : state.rulebook?.before ?? null;
  return before === null ? null : fill(words().back_to, { what: named(before) });
}

function drawChanges() {
  if (state === null) return;
  $("no-changes").hidden = state.changes;
  for (const button of changeButtons()) button.disabled = !state.changes || changed(button) === null;
  if (change === null) return;
  $("change-title").textContent = words()[change.dataset.word];
  if (saidOf !== "change_done") $("change-what").textContent = changed(change) ?? words().none;
  $("change-said").textContent = asking ? words().changing : words()[saidOf] ?? saidOf ?? "";
  $("change-said").className = saidOf === "change_done" || asking ? "good" : "bad";
  $("change-do").disabled = asking || saidOf === "change_done";
}

for (const button of changeButtons()) {
  button.addEventListener("click", () => {
    [change, saidOf] = [button, null];
    drawChanges();
    $("change").showModal();
    $("second-token").focus();
  });
}
$("change-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  if (asking || saidOf === "change_done") return;
  const token = $("second-token").value.trim();
  $("second-token").value = "";
  asking = true;
  drawChanges();
  const body = change === $("change-mode") ? JSON.stringify({ mode: $("mode-to").value }) : undefined;
  const answer = await ask(change.dataset.path, change.dataset.method, { body, headers: { "Yochi-Admin-Token": token } });
  asking = false;
  saidOf = answer.ok ? "change_done" : answer.status === 403 ? "wrong_second" : answer.body.detail;
  await look();
  drawChanges();
  (answer.ok ? $("change-leave") : $("second-token")).focus();
});
$("change-leave").addEventListener("click", () => $("change").close());
// "close" comes a moment after the dialog is gone; Escape is told before.
for (const end of ["cancel", "close"]) $("change").addEventListener(end, () => { $("second-token").value = ""; });
$("mode-to").addEventListener("change", drawChanges);
drawn.push(drawChanges);
