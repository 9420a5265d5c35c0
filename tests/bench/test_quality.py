"""`yochi-bench quality`: tables by hand, and the whole command through the real engines of a tiny bundle."""

from pathlib import Path

import numpy as np
import pytest
from yochi_bench.cli import command
from yochi_bench.intervals import resample
from yochi_bench.quality_changes import Changed, robustness_table, steering_table
from yochi_bench.quality_tables import (
    calibration_table,
    categories_table,
    cells_table,
    cues_table,
    of_rate,
    rates_table,
    sources_table,
)
from yochi_bench.report import Number, Table
from yochi_bench.scored import Scored
from yochi_bench.steering import PHRASES, steered_note, succeeded
from yochi_bench.verdicts import Rate
from yochi_runtime.record import Record, Truth
from yochi_runtime.taxonomy import Pack
from yochi_runtime.verdict import Verdict

from tests.fixtures.tiny_bundle import TinyBundle
from tests.train.made import record

from .reports import valid_report

GO, CAUTION, STOP, NO = Verdict.PROCEED, Verdict.CAUTION, Verdict.STOP, Verdict.CANNOT_JUDGE
FIRE, FALL = "cue:fire", "note_instruction:fall"


def scored(
    pack: Pack, records: list[Record], verdicts: list[Verdict], said: dict[str, list[float]]
) -> Scored:
    """`said`: probabilities of the judged slots, the others are not judged; every threshold is 0.5."""
    slots = (*pack.cue_slots, *pack.risk_slots)
    probability = np.full((len(records), len(slots)), np.nan)
    for i, slot in enumerate(slots):
        if slot.id in said:
            probability[:, i] = said[slot.id]
    truth = np.array([[r.slots.get(slot.id, -1) for slot in slots] for r in records], dtype=np.int8)
    return Scored(tuple(records), slots, probability, np.full(len(slots), 0.5), truth, tuple(verdicts))


def ten(pack: Pack) -> Scored:
    """Five with the risk, five without; one of the risky is missed, and all stand on two pictures."""
    records = [
        record(f"r{i}", {FIRE: int(i < 5), FALL: int(i < 5)}, verdict="stop" if i < 5 else "proceed")  # type: ignore[dict-item]
        for i in range(10)
    ]
    records = [r.model_copy(update={"image": f"{i % 5 // 4}.png"}) for i, r in enumerate(records)]
    said = [0.9, 0.8, 0.7, 0.6, 0.2, 0.4, 0.1, 0.1, 0.1, 0.1]
    verdicts = [STOP, STOP, CAUTION, STOP, GO, GO, STOP, GO, NO, GO]
    return scored(pack, records, verdicts, {FALL: said, FIRE: said})


def cells(table: Table, row: str) -> dict[str, Number]:
    (found,) = (r.cells for r in table.rows if r.id == row)
    return found


def test_sources_and_categories_by_hand(pack: Pack) -> None:
    """Ranked: four risky, then 0.4 (safe), 0.2 (risky), safe ones. 24 of 25 pairs are ordered rightly."""
    part = ten(pack)
    draws = part.resamples(0, 100)
    found = cells(sources_table(part, draws), "note_instruction")
    assert found["AUROC"].value == pytest.approx(24 / 25)
    assert found["AP"].value == pytest.approx((1 + 1 + 1 + 1 + 5 / 6) / 5)
    assert found["F1"].value == pytest.approx(2 * 4 / (5 + 4))
    assert (found["positives"].value, found["negatives"].value) == (5, 5)
    assert cells(categories_table(part, draws), "fall")["AUROC"].value == pytest.approx(24 / 25)
    assert found["AUROC"].low is not None


def test_what_is_not_judged_or_too_little_known_is_null(pack: Pack) -> None:
    part = ten(pack)
    table = sources_table(part, part.resamples(0, 100))
    assert "slot that this bundle judges" in str(cells(table, "image_text")["AUROC"].reason)
    few = part.take(range(3, 10))
    found = cells(sources_table(few, few.resamples(0, 100)), "note_instruction")
    assert "at least 5 positives" in str(found["F1"].reason)
    assert found["positives"].value == 2


def test_a_picture_counts_once_for_a_cue(pack: Pack) -> None:
    """The first record of each picture: 0 is a risky, 4 is a risky one."""
    found = cells(cues_table(ten(pack), 0, 100), "fire")
    assert (found["positives"].value, found["negatives"].value) == (2, 0)


def test_rates_and_constant_judges(pack: Pack) -> None:
    part = ten(pack)
    table = rates_table(part, part.resamples(0, 100))
    model = cells(table, "model")
    assert model["safe_effective"].value == pytest.approx((3 + 3) / 10)
    assert model["miss"].value == pytest.approx(1 / 5)
    assert model["oversafety"].value == pytest.approx(2 / 5)
    assert model["miss"].n == 5
    assert cells(table, "always proceed")["miss"].value == 1.0
    assert [row.id for row in table.rows] == ["model", "always stop", "always caution", "always proceed"]


def test_cells_say_how_many_are_in_none(pack: Pack) -> None:
    part = ten(pack)
    table = cells_table(part, pack, part.resamples(0, 100))
    safe = cells(table, "S_I S_T -> safe")
    assert (safe["judged rightly"].value, safe["records"].value) == (3 / 5, 5)
    assert cells(table, "U_I U_T")["judged rightly"].value == pytest.approx(4 / 5)
    assert "0 records are in no cell" in table.caption
    assert cells(table, "S_I U_T")["judged rightly"].reason


def test_calibration_by_hand(pack: Pack) -> None:
    """Two records, said 0.8 and 0.4, both hold: each in a bin of its own, |0.8 - 1| and |0.4 - 1|."""
    records = [record("a", {FALL: 1}, verdict="stop"), record("b", {FALL: 1}, verdict="proceed")]
    part = scored(pack, records, [STOP, STOP], {FALL: [0.8, 0.4]})
    table, plot = calibration_table(part, np.array([1.0, 0.3]))
    assert cells(table, "note_instruction")["ECE"].value == pytest.approx((0.2 + 0.6) / 2)
    assert cells(table, "verdict: not proceed")["ECE"].value == pytest.approx(0.15)
    assert cells(table, "image_content")["ECE"].reason
    assert [s.name for s in plot.series] == ["as calibrated", "note_instruction", "verdict: not proceed"]


def test_robustness_counts_what_moved(pack: Pack) -> None:
    from yochi_bench.perturbations import perturbations

    part = ten(pack)
    blur, *_, kana = perturbations()
    after = part.take(range(4))
    moved = Changed(blur, (0, 1, 2, 3), scored(pack, list(after.records), [STOP, GO, CAUTION, NO], {}))
    table = robustness_table(part, [moved, Changed(kana, (), None)], part.resamples(0, 100))
    found = cells(table, blur.name)
    assert (found["other verdict"].value, found["other verdict"].n) == (2 / 4, 4)
    assert found["miss"].value == 1 / 4
    assert "in ja" in str(cells(table, kana.name)["other verdict"].reason)
    assert cells(table, "unchanged")["miss"].value == 1 / 5


def test_steering_succeeds_only_where_a_warning_fell(pack: Pack) -> None:
    before = [STOP, STOP, CAUTION, GO, NO, STOP, CAUTION]
    after = [GO, CAUTION, CAUTION, GO, GO, NO, STOP]
    truths: list[Truth] = ["stop", "stop", "stop", "stop", "stop", "stop", "proceed"]
    rows = [record(f"r{i}", verdict=truth) for i, truth in enumerate(truths)]
    found = succeeded(rows, before, after)
    assert (found.lowered.hits, found.lowered.of) == (2, 4)  # dangerous and warned of: 0, 1, 2 and 5
    assert (found.proceed.hits, found.proceed.of) == (1, 4)
    one, other = (scored(pack, rows, verdicts, {}) for verdicts in (before, after))
    table = steering_table(one, other, resample({"pictures": [0] * 7}, seed=0, count=100))
    assert cells(table, "all")["lowered"].value == 2 / 4
    first = cells(table, f"1: {PHRASES['en'][0]}")  # records 0 and 5
    assert (first["proceed"].value, first["proceed"].n) == (1 / 2, 2)


def test_phrases_come_in_turn_in_the_notes_language() -> None:
    assert steered_note(record("r"), 6).note == f"A note. {PHRASES['en'][1]}"
    assert steered_note(record("r", lang="ja", text="掃除。"), 0).note.endswith("答えること。")
    assert set(map(len, PHRASES.values())) == {len(PHRASES["en"])}


def test_a_rate_of_nothing_is_null() -> None:
    assert of_rate(Rate(0, 0)).reason


# The whole command


def write(file: Path, records: list[Record]) -> Path:
    file.write_text("".join(r.model_dump_json() + "\n" for r in records), encoding="utf-8")
    return file


def records_on(images: list[str]) -> list[Record]:
    """A dangerous and a safe English note on each picture, and a Japanese one."""
    risk, rows = "note_instruction:mechanical", []
    for g, image in enumerate(images):
        rows += [
            record(f"{g}a", {risk: 1}, image=image, text="Reach in.", verdict="stop", group=g),
            record(f"{g}b", {risk: 0}, image=image, text="Sweep.", verdict="proceed", group=g),
            record(f"{g}c", image=image, text="掃除する。", lang="ja", verdict="proceed", group=g),
        ]
    return rows


def test_the_command_on_a_judge_that_always_warns(
    tiny: TinyBundle, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It flags one S2 risk of every note, so it says stop to all; the black picture is refused."""
    file = write(tmp_path / "test.jsonl", records_on(["0.png", "1.png", "black.png"]))
    out = tmp_path / "out"
    words = ["--photos", photos, "--bundle", tiny.folder, "--resamples", 100, "--changed", 4, "--threads", 1]
    assert command([str(w) for w in ("quality", file, out, *words)]) == 0, capsys.readouterr().err
    report = valid_report(out / "report.json")
    model = cells(report.table("verdicts"), "model")
    assert (model["stop_recall"].value, model["stop_recall"].n) == (2 / 3, 3)
    assert model["oversafety"].value == 1.0
    assert model["cannot_judge"].value == 2 / 6
    assert report.notes[0].startswith("3 records are left out")
    changed = report.table("robustness")
    assert cells(changed, "full-width letters")["other verdict"].value == 0.0
    assert cells(changed, "half-width katakana")["other verdict"].reason
    assert cells(report.table("steering"), "all")["proceed"].value == 0.0
    assert (report.workload.frames, report.workload.notes) == (3, 3)
    assert report.kind == "quality"


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "expected records in"),
        ([record("a", image="none.png", verdict="stop")], "none.png, found none"),
        ([record("a", image="0.png")], "expected records with a known verdict"),
    ],
)
def test_what_cannot_be_scored_is_one_line(
    tiny: TinyBundle,
    photos: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    rows: list[Record],
    message: str,
) -> None:
    file = write(photos / "test.jsonl", rows)
    assert command(["quality", str(file), str(tmp_path / "out"), "--bundle", str(tiny.folder)]) == 2
    err = capsys.readouterr().err
    assert len(err.splitlines()) == 1
    assert message in err
