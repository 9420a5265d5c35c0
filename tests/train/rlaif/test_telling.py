"""An answer with its explanation: log-probability, worth and length by hand; a round; a step on one slot."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from yochi_runtime.taxonomy import Pack
from yochi_runtime.verdict import Verdict
from yochi_train.model_folder import write_explains
from yochi_train.rlaif.assignment import Assignments, log_probability, of_prompts
from yochi_train.rlaif.critic import Scores
from yochi_train.rlaif.plan import plan
from yochi_train.rlaif.preference import Answer, Explained, Preference, pair_up, with_text
from yochi_train.rlaif.rounds import Rounds
from yochi_train.rlaif.telling import Telling
from yochi_train.speech import Drawn, Text

from ..made import record, tiny_slots
from .rlaif_data import answers, holds, questions, settings_of
from .rounds_run import made, report, run

pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")
LIMIT = 12  # an untrained model never finds an end


@pytest.fixture(scope="module")
def telling_data(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same, from a start that learned to explain."""
    folder = tmp_path_factory.mktemp("telling") / "data"
    shutil.copytree(data, folder)
    write_explains(folder / "start" / "model", LIMIT)
    return folder


def slots_log(of: Rounds, drawn: Assignments, place: int) -> torch.Tensor:
    one = of.records[place]
    with torch.no_grad():
        read = of_prompts(of.policy.read([[one]], of.policy.images([[one]])), [[one]])
    return log_probability(*read, of.questions, drawn)[0]


def test_the_log_probability_of_an_answer_is_that_of_its_slots_and_its_text(
    telling_data: Path, tmp_path: Path
) -> None:
    """Of every answer of a round's pairs, read again by itself."""
    run_of = made(telling_data, tmp_path, explanation_tokens=LIMIT)
    assert run_of.telling is not None
    preferences = run_of.pairs_of(0)
    assert preferences.pairs
    for pair in preferences.pairs[:3]:
        one = run_of.records[pair.record]
        for answer in (pair.best, pair.worst):
            assert answer.tokens is not None
            said = run_of.questions.slots(answer.said)[None, None]
            place = list(Verdict).index(answer.drawn)
            of_slots = slots_log(run_of, Assignments(said, torch.tensor([[place]])), pair.record)[0]
            text = run_of.telling.text(one, answer.shown, answer.tokens)
            with torch.no_grad():
                _, logs = run_of.policy.read_on([[one]], run_of.policy.images([[one]]), [[text]])
            whole = float(of_slots) + float(logs[0][0].sum())
            assert answer.reference == pytest.approx(whole, abs=1e-3)
            assert float(logs[0][0].sum()) < -1


@pytest.mark.parametrize("best_says_yes", [True, False])
def test_a_step_on_answers_that_differ_in_one_slot_moves_that_slot(
    telling_data: Path, tmp_path: Path, *, best_says_yes: bool
) -> None:
    """The same verdict and the same words: they cancel, and the loss is log 2 at the reference."""
    run_of = made(telling_data, tmp_path, sft_weight=0.0, lora_rate=1e-3)
    slot, words = "note_content:fall", (30, 31, 32)
    assert run_of.telling is not None
    one = run_of.records[3]
    both = [(slot,), ()] if best_says_yes else [(), (slot,)]
    drawn = Assignments(torch.stack([run_of.questions.slots(s) for s in both])[None], torch.tensor([[2, 2]]))
    text = run_of.telling.text(one, Verdict.STOP, words)
    with torch.no_grad():
        logits, logs = run_of.policy.read_on([[one]], run_of.policy.images([[one]]), [[text]])
    column = logits.risks[0, run_of.questions.ids.index(slot) - logits.cues.shape[1]]
    before, said = float(column[1] - column[0]), float(logs[0][0].sum())
    best, worst = (
        Answer(
            said=slots,
            drawn=Verdict.STOP,
            shown=Verdict.STOP,
            gs=None,
            os=None,
            score=0.0,
            reference=float(log) + said,
            tokens=words,
        )
        for slots, log in zip(both, slots_log(run_of, drawn, 3), strict=True)
    )
    line = run_of.train_step([[Preference(record=3, id=one.id, best=best, worst=worst)]])
    assert line["dpo"] == pytest.approx(0.693147, abs=1e-4)
    with torch.no_grad():
        risks = run_of.policy.read([[one]], run_of.policy.images([[one]])).risks[0]
    column = risks[run_of.questions.ids.index(slot) - logits.cues.shape[1]]
    after = float(column[1] - column[0])
    assert (after > before) is best_says_yes
    assert after != before


def test_the_step_moves_the_text_where_only_that_differs(telling_data: Path, tmp_path: Path) -> None:
    run_of = made(telling_data, tmp_path, sft_weight=0.0, lora_rate=1e-3)
    one, both = run_of.records[3], ((30, 31), (40, 41, 42))
    assert run_of.telling is not None
    texts = [run_of.telling.text(one, Verdict.STOP, words) for words in both]
    drawn = Assignments(torch.stack([run_of.questions.slots(())] * 2)[None], torch.tensor([[2, 2]]))

    def said() -> list[float]:
        with torch.no_grad():
            _, logs = run_of.policy.read_on([[one]], run_of.policy.images([[one]]), [texts])
        return [float(log.sum()) for log in logs[0]]

    before, of_slots = said(), slots_log(run_of, drawn, 3).tolist()
    best, worst = (
        Answer(
            said=(),
            drawn=Verdict.STOP,
            shown=Verdict.STOP,
            gs=None,
            os=None,
            score=0.0,
            reference=log + own,
            tokens=words,
        )
        for words, own, log in zip(both, before, of_slots, strict=True)
    )
    run_of.train_step([[Preference(record=3, id=one.id, best=best, worst=worst)]])
    after = said()
    assert after[0] - after[1] > before[0] - before[1]


def test_what_a_text_is_worth_by_hand(pack: Pack) -> None:
    asked, telling = questions(pack), Telling(pack, tiny_slots().words, 64)
    fall = pack.category_of("fall").name.en
    texts = [
        f" note reports Why: {fall}\n",  # holds
        f" note reports; picture: fire Why: {fall}\n",  # one holds, one does not
        f" picture: smoke Why: {fall}\n",  # nobody knows
        " nothing Why: no risk in the picture or the note\n",  # but there is one
        f" note reports Why: {fall}",  # cut off
        f' note reports: "never" Why: {fall}\n',  # not in the note
    ]
    known = holds(asked, {"note_content:fall": 1, "cue:fire": 0})
    scores = Scores(torch.zeros(1, 6), torch.zeros(1, 6, len(asked.ids)), known)
    one = record("r", text="He fell off.")
    assert telling.worth([one], [texts], scores, asked).tolist() == [[1.0, 0.5, 0.5, 0.0, 0.0, 0.0]]
    safe = Scores(scores.gs, scores.os, holds(asked, {"note_content:fall": 0}))
    assert telling.worth([one], [texts[:4]], safe, asked).tolist() == [[0.0, 0.0, 0.5, 1.0]]


def test_length_costs_and_decides_between_equally_good_answers(pack: Pack) -> None:
    """0.8 x 0.5 + 0.2 x 1 - 0.1 x tokens / limit: 16 of 64 tokens beat 48, by 0.05."""
    score, told = torch.tensor([[0.5, 0.5]]), torch.tensor([[1.0, 1.0]])
    length = torch.tensor([[16 / 64, 48 / 64]])
    assert with_text(score, told, length, 0.2, 0.1).tolist()[0] == pytest.approx([0.575, 0.525])
    asked = questions(pack)
    drawn = ((Drawn((1,) * 48, -9.0), Drawn((1,) * 16, -7.0)),)
    texts = Explained(drawn, (("long", "short"),), told.double(), length.flip(1).double())
    same = answers(asked, ((), 0), ((), 0))
    known = holds(asked, {"cue:fire": 0})
    right = torch.where(known[:, None] >= 0, 1, -1).expand(1, 2, -1)
    scores = Scores(torch.full((1, 2), 10.0, dtype=torch.float64), right, known)
    of = pair_up([0], ["r"], same, scores, torch.tensor([[-1.0, -1.0]]), asked, 0.5, 0.04, texts, 0.2, 0.1)
    (pair,) = of.pairs
    assert (pair.best.text, pair.worst.text) == ("short", "long")
    assert (pair.best.reference, pair.worst.reference) == (-8.0, -10.0)
    assert pair.best.score - pair.worst.score == pytest.approx(0.1 * 32 / 64)
    assert (pair.best.gs, pair.best.os, pair.best.told) == (10.0, 1.0, 1.0)


def test_a_run_draws_within_its_limit_reports_lengths_and_resumes(telling_data: Path, tmp_path: Path) -> None:
    changes = {"rounds": 1, "explanation_tokens": LIMIT, "utility": telling_data / "instructions.jsonl"}
    said = run(telling_data, tmp_path, **changes)
    assert f"explanations 0/8 true, of {LIMIT} tokens at the median" in said
    found = report(tmp_path)
    for one in (found["start"], *found["rounds"]):
        told = one["explanations"]
        assert (told["of"], told["median_tokens"]) == (8, LIMIT)
        assert told["formed"] >= told["true"]
    pairs = json.loads((tmp_path / "round-01.json").read_text(encoding="utf-8"))["pairs"]
    assert all(0 < len(pair[which]["tokens"]) <= LIMIT for pair in pairs for which in ("best", "worst"))
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "<h2>Explanations</h2>" in page
    assert "<h2>Utility on instructions.jsonl</h2>" in page
    assert json.loads((tmp_path / "model" / "explains.json").read_text("utf-8"))["tokens"] == LIMIT


def test_a_start_without_explanations_has_none_in_its_answers(data: Path, tmp_path: Path) -> None:
    run_of = made(data, tmp_path)
    assert run_of.telling is None
    assert all(pair.best.tokens is None for pair in run_of.pairs_of(0).pairs)


def test_a_dry_run_tells_of_them(telling_data: Path, tmp_path: Path) -> None:
    told = plan(settings_of(telling_data, explanation_tokens=3), tiny_slots(), tmp_path / "out")
    assert "explanations: of at most 3 tokens, one an answer" in told


def test_what_is_given_names_the_verdict_and_the_language(pack: Pack) -> None:
    words = tiny_slots().words
    text = Telling(pack, words, 64).text(record("r", lang="ja"), Verdict.CAUTION, (5,))
    assert text == Text((*words.encode(" caution"), *words.encode("\nIn Japanese:")), (5,))
