"""`yochi-train evaluate` from end to end, on the real engines with a tiny bundle and drawn photos."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from yochi_bench.answers import Box
from yochi_bench.cli import command as measure
from yochi_bench.report import Number
from yochi_runtime.taxonomy import Pack
from yochi_train import testset
from yochi_train.grammar import ComposedNote, Lang
from yochi_train.join import join_photos
from yochi_train.pictures import Picture, build_pictures, read_photos, write_pictures

from tests.bench.reports import valid_report
from tests.fixtures.tiny_bundle import TinyBundle, make_bundle

from .made import command, fake_cache, unlike
from .scenes.hand_made import quiet_pair, scenes_of

TABLES = (
    "Cues on held-out photos, against a linear probe on the pretrained encoder's features",
    "Cues on other sets, held out and checked by eye",
    "Hand-written notes: is there a risk, by source",
    "Hand-written notes: which category",
    "Verdicts",
    "Combinations",
    "Slots asked in the opposite order",
)
SIGN_TABLES = (
    "Words in the picture: do they say something risky?",
    "Steering by a sign: dangerous inspections whose verdict it brought down",
)
SCENE_TABLES = (
    "Cues on held-out scenes, against a linear probe on the pretrained encoder's features",
    "Minimal pairs: the same scene with and without one hazard",
    "Pointing: does the evidence box show where the cue is?",
)

PER_SET = 8


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> TinyBundle:
    return make_bundle(
        tmp_path_factory.mktemp("evaluated"), untrained=["combination:load", "cue:fire"], signs=True
    )


@pytest.fixture
def short_notes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The small tokenizer knows few words: whole notes would burst the prompt."""
    whole = testset.hand_notes

    def short(lang: Lang, pack: Pack, folder: Path | None) -> list[tuple[ComposedNote, str]]:
        cut = [(note.__dict__ | {"text": note.text[:24]}, kind) for note, kind in whole(lang, pack, folder)]
        return [(ComposedNote(**fields), kind) for fields, kind in cut]

    monkeypatch.setattr(testset, "hand_notes", short)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory, drawn: Path, pictures: tuple[Picture, ...]) -> Path:
    """Records and a feature cache for the drawn photos."""
    folder = tmp_path_factory.mktemp("evaluation")
    (folder / "records").mkdir()
    write_pictures(pictures, folder / "records" / "pictures.jsonl")
    fake_cache(folder / "features", [p.image for p in read_photos(drawn)])
    return folder


def words(bundle: Path, root: Path, drawn: Path, out: Path, *more: str) -> list[str]:
    options = ["--photos", str(drawn), "--features", str(root / "features"), "--resamples", "100", *more]
    return ["evaluate", str(bundle), str(root / "records"), str(out), *options]


@pytest.mark.usefixtures("short_notes")
def test_the_report_is_whole_and_a_second_run_asks_nothing_again(
    bundle: TinyBundle,
    root: Path,
    drawn: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("YOCHI_BASE", str(bundle.base))
    line = words(bundle.folder, root, drawn, tmp_path, "--per-set", str(PER_SET))
    assert command(line) == 0, capsys.readouterr().err
    text = capsys.readouterr().out
    report = json.loads((tmp_path / "evaluation.json").read_text(encoding="utf-8"))
    assert tuple(table["title"] for table in report["tables"]) == (*TABLES, *SIGN_TABLES)
    assert all(len(row) == len(table["columns"]) for table in report["tables"] for row in table["rows"])
    assert report["command"].endswith(f"--per-set {PER_SET}")
    assert report["whole"] is False
    assert set(report["languages"]) == {"en", "ja"}
    assert len(report["bars"]) > 10
    assert all(bar.keys() == {"name", "value", "bar", "met"} for bar in report["bars"])
    by_name = {row[0]: row for table in report["tables"] for row in table["rows"]}
    assert by_name["fire"][3] == "not scored"  # not trained
    assert by_name["crossed pairs, full"][1] == str(PER_SET)
    assert (tmp_path / "evaluation.md").read_text(encoding="utf-8") in text

    def fail(*_: Any, **__: Any) -> None:
        raise AssertionError("asked again")

    monkeypatch.setattr(Box, "answers", fail)
    before = (tmp_path / "evaluation.json").read_bytes()
    assert command(line) == 0, capsys.readouterr().err
    assert (tmp_path / "evaluation.json").read_bytes() == before
    # Other questions have other answers, even under the same names.
    assert command([*line, "--seed", "1"]) == 1
    assert "asked again" in capsys.readouterr().err


@pytest.mark.usefixtures("short_notes")
def test_a_bundle_that_was_taught_nothing_is_scored_and_reaches_nothing(
    root: Path,
    drawn: Path,
    pack: Pack,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """As the smoke recipe's: no slot has thirty positive examples."""
    made = make_bundle(tmp_path / "made", untrained=[s.id for s in pack.slots if s.id != "verdict"])
    monkeypatch.setenv("YOCHI_BASE", str(made.base))
    line = words(made.folder, root, drawn, tmp_path / "out", "--per-set", "4")
    assert command(line) == 0, capsys.readouterr().err
    report = json.loads((tmp_path / "out" / "evaluation.json").read_text(encoding="utf-8"))
    assert tuple(table["title"] for table in report["tables"]) == TABLES
    assert report["languages"] == {"en": False, "ja": False}
    met = {bar["name"]: bar["met"] for bar in report["bars"]}
    assert met["combination AUROC, crossed pairs"] is False


@pytest.mark.usefixtures("short_notes")
def test_a_held_out_pair_of_scenes_has_tables(
    bundle: TinyBundle,
    drawn: Path,
    pack: Pack,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Photos and scenes as one folder; the pair is put into the test split."""
    monkeypatch.setenv("YOCHI_BASE", str(bundle.base))
    scenes = scenes_of(tmp_path / "scenes", {quiet_pair("no_helmet", "worker"): ({}, {})})
    join_photos([drawn, scenes], tmp_path / "photos")
    images = [p.image for p in read_photos(tmp_path / "photos")]
    built = build_pictures(tmp_path / "photos", pack, unlike(len(images)))
    (tmp_path / "records").mkdir()
    write_pictures(
        [replace(p, split="test") if p.pair else p for p in built], tmp_path / "records" / "pictures.jsonl"
    )
    fake_cache(tmp_path / "features", images)
    line = words(bundle.folder, tmp_path, tmp_path / "photos", tmp_path / "out", "--per-set", "4")
    assert command(line) == 0, capsys.readouterr().err
    report = json.loads((tmp_path / "out" / "evaluation.json").read_text(encoding="utf-8"))
    assert tuple(table["title"] for table in report["tables"]) == (*TABLES, *SIGN_TABLES, *SCENE_TABLES)
    flips, points = ({row[0]: row for row in table["rows"]} for table in report["tables"][-2:])
    assert flips["no_hard_hat"][1] == flips["all"][1] == "1"
    assert flips["fire"][1:] == ["0", "not scored", "", ""]
    assert points["no_hard_hat"][1] == "1"
    assert points["person"][1] == "2"


@pytest.mark.usefixtures("short_notes")
def test_its_records_give_the_same_verdicts_on_a_box_without_the_trainer(
    root: Path,
    drawn: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """`yochi-bench quality` on what `evaluate` wrote: every rate, its count, both ends of its interval."""
    made = make_bundle(
        tmp_path / "made", flags=["note_instruction:mechanical"], languages=("en", "ja"), verdict=(0.2, 0.9)
    )
    monkeypatch.setenv("YOCHI_BASE", str(made.base))
    line = words(made.folder, root, drawn, tmp_path / "evaluation", "--per-set", "40")
    assert command(line) == 0, capsys.readouterr().err
    tables = json.loads((tmp_path / "evaluation" / "evaluation.json").read_text(encoding="utf-8"))["tables"]
    said = {t["title"]: t for t in tables}["Verdicts"]
    test = tmp_path / "evaluation" / "test"
    assert {file.stem for file in test.iterdir()} == {"notes", "verdicts", "combinations", "quadruples"}
    options = ["--photos", str(drawn), "--bundle", str(made.folder), "--resamples", "100", "--changed", "0"]
    asked = ["quality", str(test / "verdicts.jsonl"), str(tmp_path / "quality"), *options]
    assert measure(asked) == 0, capsys.readouterr().err
    found = valid_report(tmp_path / "quality" / "report.json").table("verdicts")
    shown = [[row.id, *(worded(row.cells[name]) for name in said["columns"][1:])] for row in found.rows]
    assert shown == said["rows"]


def worded(number: Number) -> str:
    """As `evaluate` words a rate."""
    if number.value is None:
        return "- (0/0)"
    assert number.n is not None
    limits = "" if number.low is None else f" [{number.low:.3f}, {number.high:.3f}]"
    return f"{number.value:.3f} ({round(number.value * number.n)}/{number.n}){limits}"


def test_a_missing_bundle_is_a_usage_error(
    root: Path, drawn: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(words(tmp_path / "none", root, drawn, tmp_path)) == 2
    err = capsys.readouterr().err
    assert err.startswith("yochi-train: expected a bundle folder at ")
    assert len(err.splitlines()) == 1
