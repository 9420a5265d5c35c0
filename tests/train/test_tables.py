"""The evaluation's tables, number by number."""

from collections.abc import Callable
from math import log

import numpy as np
import pytest
from numpy.typing import NDArray
from yochi_bench.answers import Answers
from yochi_bench.intervals import Interval
from yochi_bench.scored import Scored, any_truth, score
from yochi_runtime.record import Record
from yochi_runtime.taxonomy import Pack, Source
from yochi_train.features import POOLED, Features
from yochi_train.pictures import Picture
from yochi_train.tables import Bar, Table, at_least, at_most, bars_met, interval, markdown, number
from yochi_train.tables_notes import note_tables
from yochi_train.tables_pairs import combination_table, verdict_table
from yochi_train.tables_pictures import cross_set_table, cue_table
from yochi_train.testset import TestSet

from tests.bench.test_scored import answers_of

from .made import picture, plain_bundle, record

YES = log(9)  # a margin of 90 %


def test_numbers_and_bars_in_words() -> None:
    nan = float("nan")
    assert (number(0.12345), number(nan)) == ("0.123", "-")
    assert interval(Interval(0.5, 0.25, 1.0, 0.95, 10, 0, {})) == "0.500 [0.250, 1.000]"
    assert at_least("a", 0.9, 0.9) == Bar("a", "0.900", ">= 0.9", True)
    assert not at_least("a", nan, 0.9).met
    assert not at_most("a", nan, 0.9).met  # what was not measured is not reached
    assert bars_met([at_most("a", 0.5, 0.6), at_most("b", 0.7, 0.6)]) == "1 of 2 bars met; missed: b"


def test_the_report_as_text() -> None:
    text = markdown("run me", [Table("T", ["x", "y"], [["1", "2"]], "C.")], [at_least("a", 0.1, 0.9)])
    assert text.startswith("`run me`\n")
    assert "### T\n\n| x | y |\n| --- | --- |\n| 1 | 2 |\n\nC.\n" in text
    assert "| a | 0.100 | >= 0.9 | **no** |" in text


def test_any_truth_by_hand() -> None:
    """Holds if one holds; known if one holds or all are known to be absent."""
    holds, known = any_truth(np.array([[1, -1], [0, -1], [0, 0], [-1, -1], [1, 0]], np.int8))
    assert holds.tolist() == [True, False, False, False, True]
    assert known.tolist() == [True, False, True, False, True]


def note_record(pack: Pack, identity: str, lang: str, *risks: str) -> Record:
    """Every note slot known."""
    slots = {s.id: int(s.id in risks) for s in pack.risk_slots if s.id.startswith("note_")}
    return record(identity, slots, lang=lang)  # type: ignore[arg-type]


def test_notes_by_hand(pack: Pack) -> None:
    """English: two asked risks, one found, one false alarm: F1 = 2 / (2 + 1 + 1). Japanese: all right."""
    fall, fire = "note_instruction:fall", "note_instruction:thermal_fire"
    report = "note_content:load"
    rows = [
        (note_record(pack, "e1", "en", fall), {fall: YES}),
        (note_record(pack, "e2", "en", fire), {}),
        (note_record(pack, "e3", "en", report), {report: YES}),
        (note_record(pack, "e4", "en"), {fall: 2 * YES}),
        (note_record(pack, "j1", "ja", fall), {fall: YES}),
        (note_record(pack, "j2", "ja", report), {report: YES}),
        (note_record(pack, "j3", "ja"), {}),
    ]
    made = score(plain_bundle(pack), [r for r, _ in rows], answers_of(pack, [a for _, a in rows]))
    [(risk, _), (which, bars)], passed = note_tables(made, seed=0, count=20)
    asked = next(row for row in risk.rows if row[:2] == ["English", "note_instruction"])
    assert asked[2:4] == ["4", "2"]
    assert asked[4].startswith("0.500 [")
    # Scores: risky 0.9 and 0.01, harmless 0.01 and 0.99 (ties count one half): (1 + 0.5) / 4.
    assert asked[5] == "0.375"
    reported = next(row for row in risk.rows if row[:2] == ["Japanese", "note_content"])
    assert reported[2:] == ["3", "1", reported[4], "1.000"]
    assert reported[4].startswith("1.000 [")
    # Categories with a positive: fall 2/3 (one found, one alarm), fire 0, load 1.
    assert which.rows[0][2].startswith(f"{(2 / 3 + 0 + 1) / 3:.3f} [")
    assert which.rows[1][2].startswith("1.000 [")
    assert passed == {"en": False, "ja": True}
    assert {bar.name: bar.met for bar in bars}["notes en: category macro-F1"] is False
    assert sum(bar.met for bar in bars) == 4  # three Japanese ones, and English reports


def test_verdicts_by_hand(pack: Pack) -> None:
    """Two stops of three stopped, one of four dangerous missed, one of two safe ones alarmed."""
    fall, slip = "note_instruction:fall", "note_content:slip_trip"
    rows: list[tuple[Record, dict[str, float]]] = [
        (record("a", verdict="stop"), {fall: YES}),
        (record("b", verdict="stop"), {fall: YES}),
        (record("c", verdict="stop"), {}),
        (record("d", verdict="caution"), {slip: YES}),
        (record("e", verdict="proceed"), {}),
        (record("f", verdict="proceed"), {slip: YES}),
        (record("g"), {fall: YES}),  # unknown: counted nowhere
    ]
    made = score(plain_bundle(pack), [r for r, _ in rows], answers_of(pack, [a for _, a in rows]))
    table, bars = verdict_table(made, seed=0, count=20)
    shown = dict(zip(table.columns, table.rows[0], strict=True))
    counts = {name: cell.split(" [")[0] for name, cell in shown.items()}
    assert counts == {
        "judge": "model",
        "safe_effective": "0.667 (4/6)",
        "miss": "0.250 (1/4)",
        "oversafety": "0.500 (1/2)",
        "stop_recall": "0.667 (2/3)",
        "proceed_recall": "0.500 (1/2)",
        "cannot_judge": "0.000 (0/6)",
    }
    assert [row[0] for row in table.rows] == ["model", "always stop", "always caution", "always proceed"]
    assert [bar.met for bar in bars] == [False, False, False, True]


Told = Callable[[Record], float]


@pytest.fixture(scope="module")
def crossed(pictures: tuple[Picture, ...], pack: Pack) -> dict[str, list[Record]]:
    return TestSet(pictures, pack, seed=0).build()


def told(pack: Pack, records: list[Record], probability: Told) -> Scored:
    """Records whose combination slots all say `probability(record)`."""
    made = score(plain_bundle(pack), records[:1], answers_of(pack, [{}]))
    columns = made.columns(Source.COMBINATION)
    filled = np.full((len(records), len(made.slots)), 0.01)
    filled[:, columns] = np.array([probability(r) for r in records])[:, None]
    truth = np.array([[r.slots.get(s.id, -1) for s in made.slots] for r in records], np.int8)
    verdicts = made.verdicts * len(records)
    return Scored(tuple(records), made.slots, filled, made.threshold, truth, verdicts)


def share(text: str) -> float:
    """A number that depends on the text in no sensible way."""
    return (sum(text.encode()) * 7919 % 1009) / 1009


@pytest.mark.parametrize("half", ["image", "note"])
def test_half_of_a_crossed_pair_tells_exactly_nothing(
    crossed: dict[str, list[Record]], pack: Pack, half: str
) -> None:
    """A score that looks at the picture alone, or at the note alone, has AUROC 0.5: not about, exactly."""
    by_half = told(pack, crossed["combinations"], lambda r: share(getattr(r, half)))
    whole = told(pack, crossed["combinations"], lambda r: float(r.id[-1] in "01"))
    quadruples = told(pack, crossed["quadruples"], lambda r: float(r.id[-1] == "0"))
    scored = {
        "combinations": whole,
        "image-blind": by_half,
        "note-blind": by_half,
        "quadruples": quadruples,
    }
    table, bars = combination_table(scored, seed=0, count=20)
    assert [row[3].split(" [")[0] for row in table.rows] == ["1.000", "0.500", "0.500", "1.000"]
    count = len(crossed["combinations"])
    assert table.rows[0][1:3] == [str(count), str(count // 2)]
    assert [bar.met for bar in bars] == [True, True, True, True]


def test_combinations_that_are_not_judged_tell_nothing(crossed: dict[str, list[Record]], pack: Pack) -> None:
    blank = told(pack, crossed["combinations"], lambda _: float("nan"))
    scored = dict.fromkeys(("combinations", "image-blind", "note-blind", "quadruples"), blank)
    table, bars = combination_table(scored, seed=0, count=20)
    assert table.rows[0][3] == "0.500 [0.500, 0.500]"
    assert bars[0].met is False


def cue_answers(pack: Pack, cue: str, margins: NDArray[np.float64]) -> Answers:
    return answers_of(pack, [{f"cue:{cue}": float(m)} for m in margins])


def test_cues_against_the_probe(pack: Pack) -> None:
    """Ten test pictures that the model ranks perfectly; the probe's features are noise but for one number."""
    rng = np.random.default_rng(0)
    fire = np.arange(30) % 2
    pooled = 0.01 * rng.standard_normal((30, POOLED), dtype=np.float32)
    pooled[:, 0] = fire
    pictures = [
        picture({"fire": int(f)}, image=f"{i}.png", group=i, split="test" if i < 10 else "train")
        for i, f in enumerate(fire)
    ]
    features = Features(tuple(p.image for p in pictures), np.zeros((30, 1, 1), np.float16), pooled)
    answers = cue_answers(pack, "fire", np.where(fire[:10] == 1, 2.0, -2.0))
    table, bars = cue_table(
        plain_bundle(pack), pictures[10:], pictures[:10], answers, features, "photos", seed=0, count=50
    )
    rows = {row[0]: row[1:] for row in table.rows}
    assert rows["fire"][:3] == ["5", "5", "1.000"]
    assert float(rows["fire"][3]) > 0.5
    assert rows["smoke"] == ["0", "0", "not scored", "", ""]
    assert [(bar.name, bar.met) for bar in bars] == [("cue fire, photos: not below the probe", True)]


def test_other_sets_by_hand(pack: Pack) -> None:
    """Six with and five without a forklift by eye; one alarm, two missed."""
    truth = [1] * 6 + [0] * 5
    margins = np.array([1, 1, 1, 1, -1, -2, 2, -3, -3, -3, -3], np.float64)
    checked = [picture({"forklift": t}, by_eye={"forklift": t}, split="test") for t in truth]
    table, bars = cross_set_table(plain_bundle(pack), cue_answers(pack, "forklift", margins), checked)
    # Of 30 pairs, the alarm at 2 beats all six; the rest is in order: 24 / 30.
    assert table.rows == [["forklift", "11", "6", "0.800", "1/5", "2/6"]]
    assert bars == [Bar("cue forklift: photos of other sets", "11", ">= 100", False)]
