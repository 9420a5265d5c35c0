"""Answers become probabilities, flags and verdicts by the runtime's own functions; worked out by hand."""

from collections.abc import Mapping
from dataclasses import replace
from math import log
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from yochi_bench.answers import Answers
from yochi_bench.scored import Scored, as_the_box, refused, score
from yochi_runtime.taxonomy import Pack, Source
from yochi_runtime.verdict import Verdict

from tests.train.made import plain_bundle, record

NEVER = -log(99)  # a margin of 1 %


def answers_of(
    pack: Pack, margins: list[Mapping[str, float]], verdict: tuple[float, ...] = (9, 0, 0)
) -> Answers:
    """One row a mapping from slot id to margin; 1 % wherever nothing is said."""

    def logits(slots: list[str]) -> NDArray[np.float32]:
        yes = np.array([[row.get(slot, NEVER) for slot in slots] for row in margins], np.float32)
        return np.stack([np.zeros_like(yes), yes], axis=-1)

    return Answers(
        logits([s.id for s in pack.cue_slots]),
        logits([s.id for s in pack.risk_slots]),
        np.array([verdict] * len(margins), np.float32),
    )


def scored(pack: Pack, *margins: Mapping[str, float], untrained: tuple[str, ...] = ()) -> Scored:
    records = [record(f"r{i}", {"note_instruction:fall": 1}) for i in range(len(margins))]
    return score(plain_bundle(pack, untrained=untrained), records, answers_of(pack, list(margins)))


def test_probabilities_are_calibrated_margins(pack: Pack) -> None:
    made = scored(pack, {"cue:fire": log(3)}, {"note_content:fall": -log(4)})
    assert made.probability[0, made.column("cue:fire")] == pytest.approx(0.75)
    assert made.probability[1, made.column("note_content:fall")] == pytest.approx(0.2)
    assert made.probability[1, made.column("cue:fire")] == pytest.approx(0.01)


def test_truth_is_what_is_known(pack: Pack) -> None:
    made = scored(pack, {})
    assert made.truth[0, made.column("note_instruction:fall")] == 1
    assert (made.truth == -1).sum() == len(made.slots) - 1


@pytest.mark.parametrize(
    ("slot", "verdict"),
    [
        ("note_instruction:fall", Verdict.STOP),
        ("note_content:slip_trip", Verdict.CAUTION),
        ("cue:no_hard_hat", Verdict.CAUTION),
        ("combination:load", Verdict.STOP),
        ("cue:forklift", Verdict.PROCEED),  # a cue, no risk
    ],
)
def test_a_flag_decides_the_verdict(pack: Pack, slot: str, verdict: Verdict) -> None:
    assert scored(pack, {slot: 1.0}).verdicts == (verdict,)
    assert scored(pack, {slot: -1.0}).verdicts == (Verdict.PROCEED,)


def test_the_verdict_slot_alone_can_stop(pack: Pack) -> None:
    answers = answers_of(pack, [{}], verdict=(0.0, 0.0, 9.0))
    assert score(plain_bundle(pack), [record("a")], answers).verdicts == (Verdict.STOP,)


def test_a_slot_that_is_not_judged_flags_nothing(pack: Pack) -> None:
    made = scored(pack, {"note_instruction:fall": 9.0}, untrained=("note_instruction:fall",))
    column = made.column("note_instruction:fall")
    assert np.isnan(made.probability[0, column])
    assert made.verdicts == (Verdict.PROCEED,)
    assert made.flagged([column]).tolist() == [False]
    assert made.highest([column]).tolist() == [0.0]
    assert made.highest([column, made.column("cue:fire")]).tolist() == pytest.approx([0.01])


def test_columns_of_a_source(pack: Pack) -> None:
    made = scored(pack, {})
    assert [made.slots[i].id for i in made.columns(Source.COMBINATION)] == [
        "combination:mechanical",
        "combination:vehicle",
        "combination:load",
    ]
    assert len(made.columns(Source.NOTE_CONTENT)) == 13


def test_where_takes_the_rows_that_match(pack: Pack) -> None:
    records = [record("a"), record("b", lang="ja"), record("c")]
    made = score(plain_bundle(pack), records, answers_of(pack, [{}, {"cue:fire": 1.0}, {}]))
    ja = made.where(lang="ja")
    assert [r.id for r in ja.records] == ["b"]
    assert ja.verdicts == (Verdict.STOP,)
    assert ja.probability.shape == ja.truth.shape == (1, len(made.slots))


def test_answers_come_back_from_their_arrays(pack: Pack) -> None:
    answers = answers_of(pack, [{"cue:fire": 2.5}, {}])
    loaded = Answers.of(answers.arrays())
    assert np.array_equal(loaded.margins(), answers.margins())
    assert np.array_equal(loaded.verdict, answers.verdict)
    assert loaded.take([1]).margins()[0, 0] == pytest.approx(NEVER)
    assert loaded.cells is None
    cells = np.random.default_rng(0).random((2, 49, len(pack.cue))).astype(np.float32)
    kept = Answers.of(replace(answers, cells=cells).arrays()).take([1]).cells
    assert kept is not None
    assert np.array_equal(kept, cells[1:])
    assert answers.margins().shape == (2, len(pack.cue_slots) + len(pack.risk_slots))


def test_what_the_box_refuses_is_not_judged(pack: Pack, tmp_path: Path) -> None:
    """Noise passes the gates and a black picture does not; nor is a note in a language that is not proved."""
    noise = np.random.default_rng(0).integers(0, 256, (64, 72, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "noise.png")
    Image.fromarray(np.zeros_like(noise)).save(tmp_path / "black.png")
    rows = [
        record("r0", image="noise.png", text="Sweep the floor."),
        record("r1", image="black.png", text="Sweep the floor."),
        record("r2", image="noise.png", text="床を掃いて。", lang="ja"),
    ]
    assert refused(rows, tmp_path) == {"black.png"}
    made = score(plain_bundle(pack), rows, answers_of(pack, [{}, {}, {}]))
    both = as_the_box(made, {"en": True, "ja": True}, {"black.png"})
    assert both.verdicts == (Verdict.PROCEED, Verdict.CANNOT_JUDGE, Verdict.PROCEED)
    english = as_the_box(made, {"en": True, "ja": False}, {"black.png"})
    assert [r.id for r in english.records] == ["r0", "r1"]
    assert english.verdicts == (Verdict.PROCEED, Verdict.CANNOT_JUDGE)
    neither = as_the_box(made, {"en": False, "ja": False}, ())
    assert neither.verdicts == (Verdict.PROCEED,) * 3
