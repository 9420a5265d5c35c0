"""`yochi-bench blur`: covered heads by hand, and the command on the tiny bundle."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from yochi_bench import cli
from yochi_bench.blur import Covered, cover, read_labels, stray, summary
from yochi_runtime.errors import UsageError
from yochi_runtime.heads import HALVES
from yochi_runtime.judgement import GO_ON, Coverage, Judgement, SlotResult
from yochi_runtime.verdict import Verdict

from tests.fixtures.tiny_bundle import TinyBundle


def label(image: str, *boxes: tuple[str, list[float]], labelled: list[str] | None = None) -> str:
    found = [{"label": name, "xyxy": xyxy} for name, xyxy in boxes]
    return json.dumps({"image": image, "labelled": labelled or ["hard_hat"], "boxes": found})


def test_covered_by_hand() -> None:
    mask = np.zeros((HALVES, HALVES), bool)
    mask[0:2, 0:2] = True  # the first cell
    cell = 1 / 7
    inside, half, out = (0.0, 0.0, cell, cell), (0.0, 0.0, 2 * cell, cell), (0.9, 0.9, 1.0, 1.0)
    found = cover([inside, half, out], mask)
    assert found.centres == [True, False, False]  # a centre on the edge belongs to what is right of it
    assert found.shares == pytest.approx([1.0, 0.5, 0.0])
    assert found.picture == pytest.approx(4 / 196)
    assert cover([(0.0, 0.0, 0.0, 0.0), (1.0, 1.0, 1.0, 1.0)], mask).centres == [True, False]


def judged(verdict: Verdict, **probabilities: float) -> Judgement:
    slots = tuple(
        SlotResult(id=name.replace("__", ":"), coverage=Coverage.JUDGED, probability=p, threshold=0.5)
        for name, p in probabilities.items()
    )
    return Judgement(verdict=verdict, slots=slots, advice=GO_ON)


def test_strayed_by_hand() -> None:
    plain = judged(Verdict.PROCEED, cue__person=0.9, note_content__fall=0.25)
    found = stray(plain, judged(Verdict.STOP, cue__person=0.4, note_content__fall=0.2))
    assert found.notes == pytest.approx([0.05])
    assert found.pictures == pytest.approx([0.5])
    assert (found.refused, found.other_verdict) == (False, True)
    assert not stray(plain, plain).other_verdict


def test_a_summary_of_nothing_has_no_numbers() -> None:
    empty = summary([], [])
    assert (empty["photos"], empty["heads"], empty["judged_twice"]) == (0, 0, 0)
    assert {empty[name] for name in empty if name not in ("photos", "heads", "judged_twice")} == {None}
    two = summary([Covered([True, False], [1.0, 0.5], 0.25), Covered([], [], 0.75)], [])
    assert (two["heads"], two["centre_covered"], two["wholly_covered"]) == (2, 0.5, 0.5)
    assert two["photo_blurred"] == 0.5


def test_only_photos_that_are_labelled_for_heads(tmp_path: Path) -> None:
    lines = [label(f"{i}.png", labelled=["fire"] if i % 2 else None) for i in range(6)]
    (tmp_path / "photos.jsonl").write_text("\n".join(lines))
    assert {photo.image for photo in read_labels(tmp_path, 9, 0)} == {"0.png", "2.png", "4.png"}
    assert len(read_labels(tmp_path, 2, 0)) == 2
    (tmp_path / "photos.jsonl").write_text(lines[1] + "\n{}")
    with pytest.raises(UsageError, match=r"photos\.jsonl:2: "):
        read_labels(tmp_path, 2, 0)


def test_the_command(tiny: TinyBundle, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(0)
    for name in ("a.png", "b.png"):
        Image.fromarray(rng.integers(0, 256, (96, 128, 3), dtype=np.uint8)).save(tmp_path / name)
    boxes = [label(name, ("hard_hat", [0.1, 0.1, 0.3, 0.3])) for name in ("a.png", "b.png")]
    (tmp_path / "photos.jsonl").write_text("\n".join(boxes))
    words = ["blur", str(tmp_path), "--judged", "1", "--bundle", str(tiny.folder), "--threads", "1"]
    assert cli.command(words) == 0
    out, _ = capsys.readouterr()
    found = json.loads(out.splitlines()[-1])
    assert (found["photos"], found["heads"], found["judged_twice"]) == (2, 2, 1)
    assert (found["centre_covered"], found["photo_blurred"]) == (1.0, 1.0)  # it sees heads everywhere
    assert found["bundle"] == tiny.sha256
    assert len(out.splitlines()) == len(summary([], [])) + 1


@pytest.mark.parametrize("name", ["none", ""])
def test_a_folder_without_labels_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    assert cli.command(["blur", str(tmp_path / name)]) == 2
    out, err = capsys.readouterr()
    assert (out, len(err.splitlines())) == ("", 1)
