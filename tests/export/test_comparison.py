"""Two bundles on the same records: arithmetic by hand, and the command through the real engines."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from yochi_bench.answers import Answers
from yochi_bench.scored import score
from yochi_export.cli import command
from yochi_export.comparison import Comparison, compare_scored, render
from yochi_export.pack import parts_of, write_bundle
from yochi_runtime.bundle import Bundle, open_bundle
from yochi_runtime.taxonomy import Source
from yochi_train.calibrate import draft

from tests.fixtures.tiny_bundle import TinyBundle, make_bundle

from . import drawn

COUNT = 60


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> TinyBundle:
    return make_bundle(tmp_path_factory.mktemp("a"), untrained=["cue:pallet"])


@pytest.fixture(scope="module")
def a(made: TinyBundle) -> Bundle:
    """Draft calibration: p = sigmoid(margin), every threshold one half."""
    opened = open_bundle(made.folder)
    return replace(opened, calibration=draft(opened.pack))


def quiet(bundle: Bundle) -> Answers:
    """Nothing holds: every margin is -4, the verdict is proceed."""
    pack = bundle.pack
    pairs = [
        np.tile(np.array([2.0, -2.0], np.float32), (COUNT, len(s), 1))
        for s in (pack.cue_slots, pack.risk_slots)
    ]
    return Answers(pairs[0], pairs[1], np.tile(np.array([4.0, 0.0, 0.0], np.float32), (COUNT, 1)))


def sigmoid(x: float) -> float:
    return float(1 / (1 + np.exp(-x)))


@pytest.fixture(scope="module")
def found(a: Bundle) -> Comparison:
    """`b` lets 3 of `a`'s 5 stops go, raises one other, and moves one slot a little everywhere."""
    truths = ["stop"] * 10 + ["proceed"] * 20 + [None] * 30
    records = [drawn.record(f"r{i}", {}, truth, i) for i, truth in enumerate(truths)]
    was, now = quiet(a), quiet(a)
    was.verdict[:5] = (0.0, 0.0, 9.0)
    now.verdict[3:5] = (0.0, 0.0, 9.0)
    now.verdict[15] = (0.0, 9.0, 0.0)
    place = next(i for i, s in enumerate(a.pack.risk_slots) if s.id == "note_content:fall")
    now.risks[:, place] = (1.0, -1.0)
    return compare_scored(a, a, score(a, records, was), score(a, records, now))


def test_flips_by_direction_with_their_intervals(found: Comparison) -> None:
    assert {way: (rate.hits, rate.of) for way, rate in found.flips.items()} == {
        "proceed->caution": (1, COUNT),
        "stop->proceed": (3, COUNT),
    }
    assert (found.flipped.hits, found.flipped.of) == (4, COUNT)
    assert (found.stops_lost.hits, found.stops_lost.of) == (3, 10)
    assert found.clusters == {"pictures": 6, "templates": 50}
    for rate in (*found.flips.values(), found.flipped, found.stops_lost):
        assert rate.interval is not None
        assert rate.interval.low <= rate.value <= rate.interval.high
        assert rate.interval.high > 0.0


def test_misses_and_oversafety_of_both_and_what_changes(found: Comparison) -> None:
    assert (found.a.rates["miss"].hits, found.b.rates["miss"].hits) == (5, 8)
    assert (found.a.rates["oversafety"].hits, found.b.rates["oversafety"].hits) == (0, 1)
    assert found.changes["miss"].point == pytest.approx(0.3)
    assert found.changes["oversafety"].point == pytest.approx(0.05)


def test_drift_by_source_and_category(found: Comparison, a: Bundle) -> None:
    moved = sigmoid(-2) - sigmoid(-4)
    by_group = {drift.group: drift for drift in found.drifts}
    note = by_group[f"source {Source.NOTE_CONTENT}"]
    assert note.slots == sum(s.source is Source.NOTE_CONTENT for s in a.pack.risk_slots)
    assert note.distance.point == pytest.approx(moved / note.slots)
    assert note.shift == pytest.approx(moved / note.slots)
    fall = by_group["category fall"]
    assert fall.distance.point == pytest.approx(moved / fall.slots)
    assert fall.largest == pytest.approx(moved)
    for untouched in (f"source {Source.NOTE_INSTRUCTION}", "category vehicle", "category none (cues)"):
        assert by_group[untouched].distance.point == by_group[untouched].largest == 0.0
    assert by_group["all"].distance.point == pytest.approx(moved / by_group["all"].slots)


def test_a_slot_that_one_alone_judges_is_named_and_drifts_nowhere(
    a: Bundle, tmp_path: Path, found: Comparison
) -> None:
    opened = open_bundle(make_bundle(tmp_path, untrained=["cue:pallet", "note_content:fall"]).folder)
    b = replace(opened, calibration=draft(opened.pack))
    records = [drawn.record(f"r{i}", {}, None, i) for i in range(COUNT)]
    less = compare_scored(a, b, score(a, records, quiet(a)), score(b, records, quiet(b)))
    assert less.alone == ("note_content:fall",)
    assert less.drifts[0].slots == found.drifts[0].slots - 1
    assert "judged by one of the two alone: note_content:fall" in render(less)
    assert "stop lost to proceed    - (none to count)" in render(less)


def test_the_command_through_the_engines(
    made: TinyBundle,
    photos: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A bundle against itself under another version: nothing differs but its name."""
    monkeypatch.setenv("YOCHI_BASE", str(made.base))
    whole = parts_of(open_bundle(made.folder))
    parts = replace(whole, languages=(), evaluation=None, parity={"passed": False, "status": "undecided"})
    other = write_bundle(replace(parts, version="2"), tmp_path / "b")
    lines = [r.model_dump_json() + "\n" for r in drawn.records(other.pack, 4)]
    (tmp_path / "val.jsonl").write_text("".join(lines), encoding="utf-8")
    arguments = ["compare", made.folder, other.path, tmp_path, "--photos", photos, "--out", tmp_path / "out"]
    assert command([str(a) for a in (*arguments, "--threads", 1)]) == 0
    shown = capsys.readouterr().out
    report = json.loads((tmp_path / "out" / "compare.json").read_text(encoding="utf-8"))
    assert report["flips"] == {}
    assert (report["flipped"]["hits"], report["records"]) == (0, 4)
    assert report["b"]["bytes"] == sum(e.bytes for e in other.manifest.files.values())
    assert {drift["largest"] for drift in report["drifts"]} == {0.0}
    assert "yochi-nano 2" in shown
    shutil.rmtree(tmp_path / "b")
    assert command([str(a) for a in arguments]) == 2
