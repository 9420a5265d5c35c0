"""The shipped workload: what it holds, that the box takes all of it, and what is asked by default."""

from itertools import pairwise
from pathlib import Path

import pytest
from yochi_bench.cells import Cell, cell_of
from yochi_bench.cli import command
from yochi_bench.workload import SHIPPED, SHIPPED_RECORDS, Asked, given, shipped
from yochi_runtime.errors import UsageError
from yochi_runtime.gates import check_content
from yochi_runtime.image import read_frame
from yochi_runtime.inspection import Note
from yochi_runtime.opening import prompt_of, read_bundle
from yochi_runtime.record import read_records
from yochi_runtime.taxonomy import Pack

from tests.fixtures.tiny_bundle import TinyBundle

from .reports import valid_report

MOST_BYTES = 3_000_000
ENGLISH = "f5feaeee9a19bd9e52091c159c1619e8e8fbfa8f1f8f7e6d5c14fa898c084850"  # in the reports that are kept


def test_a_hundred_pictures_and_notes_that_every_box_takes() -> None:
    asked = shipped(("en", "ja")).read()
    assert (len(asked.frames), len(asked.notes)) == (100, 100)
    assert len({frame.sha256 for frame in asked.frames}) == 100
    assert sum(note.language == "en" for note in asked.notes) == 60
    assert {frame.rgb.shape[1] for frame in asked.frames} == {320}
    assert sum(file.stat().st_size for file in SHIPPED.rglob("*")) <= MOST_BYTES
    for frame in asked.frames[::5]:  # each takes a while
        assert all(gate.passed for gate in check_content(frame))


def test_its_notes_fit_the_shipped_prompt() -> None:
    prompt = prompt_of(read_bundle(None))
    for note in shipped(("en", "ja")).read().notes:
        assert prompt.note(note.text)


def test_its_english_half_is_what_kept_reports_were_made_of() -> None:
    identity = shipped(("en",)).read().identity
    assert (identity.name, identity.notes, identity.sha256) == ("shipped (en)", 60, ENGLISH)
    assert len(shipped(()).notes) == 100  # no language proved: nothing is left out


def test_its_records_fill_all_five_cells(pack: Pack) -> None:
    records = read_records(SHIPPED_RECORDS)
    cells = [cell_of(record, pack) for record in records]
    assert all(cells.count(cell) >= 19 for cell in Cell)
    assert {record.split for record in records} == {"train"}  # the scenes are no test set


def test_every_picture_meets_every_note_and_both_are_new_each_time() -> None:
    frames = tuple(read_frame(path) for path in sorted((SHIPPED / "images").iterdir())[:3])
    asked = Asked("some", frames, tuple(map(Note, ("a", "b", "c", "d"))))
    pairs = [(i.frame.sha256, i.note.text) for i in asked.inspections]
    assert len(set(pairs)) == 12
    assert all(one[0] != other[0] and one[1] != other[1] for one, other in pairwise(pairs))


def test_half_of_a_workload_is_refused() -> None:
    with pytest.raises(UsageError, match="both --image and --note"):
        given(None, ["Sweep."], None)


def test_quality_takes_the_shipped_records(
    tiny: TinyBundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = tmp_path / "few.jsonl"
    lines = SHIPPED_RECORDS.read_text("utf-8").splitlines(keepends=True)
    few.write_text("".join([*lines[:4], *lines[-2:]]), encoding="utf-8")
    (tmp_path / "images").symlink_to(SHIPPED / "images")
    monkeypatch.setattr("yochi_bench.cli.SHIPPED_RECORDS", few)
    words = [
        "quality",
        tmp_path / "out",
        "--bundle",
        tiny.folder,
        "--changed",
        0,
        "--resamples",
        100,
        "--threads",
        1,
    ]
    assert command([str(word) for word in words]) == 0
    assert valid_report(tmp_path / "out" / "report.json").table("verdicts").rows[0].cells["miss"].n == 4
    assert command([str(word) for word in ("quality", few, few, few)]) == 2
