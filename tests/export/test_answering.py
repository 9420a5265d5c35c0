"""Answers that an export keeps belong to their records, on the real engines."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from yochi_bench.answers import Box
from yochi_export import trained
from yochi_export.answering import box_answers
from yochi_export.trained import RunFolder
from yochi_runtime.bundle import open_bundle
from yochi_runtime.taxonomy import load_pack
from yochi_train.answers import from_torch
from yochi_train.kept import engine_of
from yochi_train.readout import SlotReader

from tests.fixtures.tiny_bundle import make_bundle

from . import drawn
from .tiny_run import TinyRun, tiny_nano


def test_records_that_moved_or_changed_keep_or_get_their_own_answers(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where somebody deletes made_of.json and makes the records anew."""
    made = make_bundle(tmp_path / "tiny")
    monkeypatch.setenv("YOCHI_BASE", str(made.base))
    before = drawn.records(open_bundle(made.folder).pack, 4)
    now = [before[3], before[1].model_copy(update={"note": "Sweep the floor."}), before[0]]
    box_answers(made.folder, before, photos, tmp_path / "kept", 1)
    asked: list[int] = []
    whole = Box.answers

    def counted(self: Box, records: list[object], **how: object) -> object:
        asked.append(len(records))
        return whole(self, records, **how)  # type: ignore[arg-type]

    monkeypatch.setattr(Box, "answers", counted)
    found = box_answers(made.folder, now, photos, tmp_path / "kept", 1)
    fresh = box_answers(made.folder, now, photos, tmp_path / "fresh", 1)
    assert asked == [1, 3]
    assert len({row.tobytes() for row in fresh.cues}) == 3, "another picture has other answers"
    for name, array in fresh.arrays().items():
        assert np.array_equal(array, found.arrays()[name]), name


def test_notes_of_one_picture_are_read_together_and_answer_as_apart(
    tiny_run: TinyRun, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three notes of different lengths on each of two pictures, out of order, one of them with a sign."""
    monkeypatch.setattr(trained, "assemble", lambda *_: tiny_nano())
    model = RunFolder(tiny_run.folder).load()
    notes = ("Oil", "Oil all over the floor by press 3", "Sweep the floor. Then sweep it again.")
    records = [
        drawn.record(f"r{i}", {}, None, i % 2).model_copy(
            update={"note": notes[i % 3], "sign": "keep out" if i == 4 else None}
        )
        for i in range(6)
    ]
    looks: list[int] = []
    look = SlotReader._look

    def counted(self: SlotReader, images: torch.Tensor) -> object:
        looks.append(len(images))
        return look(self, images)

    monkeypatch.setattr(SlotReader, "_look", counted)
    together = from_torch(model.reader, model.tower, records, photos)
    assert looks == [1, 1]
    for row, record in enumerate(records):
        apart = from_torch(model.reader, model.tower, [record], photos)
        for name, array in apart.arrays().items():
            np.testing.assert_allclose(together.arrays()[name][row], array[0], atol=2e-5, err_msg=name)
    assert together.risks.shape == (6, len(load_pack().risk_slots), 2)


def test_what_answers_is_told_by_its_files(tiny_run: TinyRun, tmp_path: Path) -> None:
    """Another calibration is the same engine; other weights are another one."""
    made = open_bundle(make_bundle(tmp_path / "one").folder)
    flags = open_bundle(make_bundle(tmp_path / "two", flags=["cue:fire"]).folder)
    assert made.sha256 != flags.sha256
    assert engine_of(made) == engine_of(flags)
    spoiled = open_bundle(make_bundle(tmp_path / "three", nan=True).folder)
    assert engine_of(made) != engine_of(spoiled)
    copied = tmp_path / "run"
    shutil.copytree(tiny_run.folder, copied)
    assert RunFolder(copied).hashes() == RunFolder(tiny_run.folder).hashes()
    projector = RunFolder(copied).projector
    projector.write_bytes(projector.read_bytes() + b" ")
    assert RunFolder(copied).hashes() != RunFolder(tiny_run.folder).hashes()
