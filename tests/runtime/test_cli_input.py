"""Bad pictures, notes and bundles on the command line: exit 3, one Judgement, one clear line."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from yochi_runtime.bundle import FORMAT
from yochi_runtime.errors import Reason

from tests.fixtures.tiny_bundle import TinyBundle, write_manifest

from .conftest import PLAIN_NOTE as NOTE
from .conftest import Yochi, flip, noise, refused


def bad_frames(folder: Path) -> dict[str, Path]:
    jpeg = folder / "whole.jpg"
    Image.fromarray(noise(0, 200, 200).rgb).save(jpeg)
    Image.new("RGB", (1, 1)).save(folder / "tiny.png")
    Image.new("1", (10_000, 6_000)).save(folder / "huge.png")
    contents = {"text.jpg": b"no picture", "zero.jpg": b"", "cut.jpg": jpeg.read_bytes()[:3000]}
    for name, data in contents.items():
        (folder / name).write_bytes(data)
    return {path.name: path for path in folder.iterdir()}


BAD_FRAMES = [
    ("text.jpg", Reason.FRAME_UNREADABLE),
    ("zero.jpg", Reason.FRAME_UNREADABLE),
    ("cut.jpg", Reason.FRAME_TRUNCATED),
    ("tiny.png", Reason.FRAME_TOO_SMALL),
    ("huge.png", Reason.FRAME_TOO_LARGE),
]


@pytest.mark.parametrize(("name", "reason"), BAD_FRAMES)
def test_a_bad_frame_is_cannot_judge(yochi: Yochi, tmp_path: Path, name: str, reason: Reason) -> None:
    path = bad_frames(tmp_path)[name]
    assert refused(yochi("judge", path, "--note", NOTE, "--json")).reasons == (reason,)
    code, out, err = yochi("judge", path, "--note", NOTE, "--lang", "ja")
    assert (code, out.splitlines()[0], err) == (3, "判定不能", "")
    assert "監督者を呼ぶこと" in out


BAD_NOTES = [
    ("", Reason.NOTE_EMPTY),
    (" \n\t　", Reason.NOTE_EMPTY),
    ("a" * 10_000, Reason.NOTE_TOO_LONG),
    ("wxyz " * 300, Reason.NOTE_TOO_LONG),
    ("oil \udcff here", Reason.NOTE_UNREADABLE),
    ("Масло на полу", Reason.LANGUAGE_NOT_PROVED),
]


@pytest.mark.parametrize(("note", "reason"), BAD_NOTES)
def test_a_bad_note_is_cannot_judge(yochi: Yochi, picture: Path, note: str, reason: Reason) -> None:
    assert refused(yochi("judge", picture, "--note", note, "--json")).reasons == (reason,)


def test_a_note_file_in_another_encoding_is_cannot_judge(yochi: Yochi, picture: Path, tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_bytes("床を掃く".encode("cp932"))
    found = refused(yochi("judge", picture, "--note-file", tmp_path / "note.txt", "--json"))
    assert found.reasons == (Reason.NOTE_UNREADABLE,)


def rewrite(bundle: TinyBundle, **changes: Any) -> None:
    text = json.loads((bundle.folder / "manifest.json").read_text())
    write_manifest(bundle.folder, {**text, **changes})


SPOILED: dict[str, tuple[Callable[[TinyBundle], object], Reason]] = {
    "weights": (lambda b: flip(b.folder / "vision.onnx"), Reason.BUNDLE_CHANGED),
    "tokenizer": (lambda b: flip(b.folder / "tokenizer.json"), Reason.BUNDLE_CHANGED),
    "a file gone": (lambda b: (b.folder / "lora.gguf").unlink(), Reason.BUNDLE_CHANGED),
    "no manifest": (lambda b: (b.folder / "manifest.json").unlink(), Reason.BUNDLE_MISSING),
    "newer": (lambda b: rewrite(b, format=FORMAT + 1, novelty=True), Reason.BUNDLE_NEWER),
    "unknown key": (lambda b: rewrite(b, novelty=True), Reason.BUNDLE_INVALID),
    "no bundle": (lambda b: (b.folder / "manifest.json").write_text("{"), Reason.BUNDLE_INVALID),
    "base": (lambda b: flip(b.base), Reason.BASE_CHANGED),
    "base cut": (lambda b: b.base.write_bytes(b"GGUF"), Reason.BASE_CHANGED),
    "no base": (lambda b: b.base.unlink(), Reason.BASE_MISSING),
    "unproved": (lambda b: rewrite(b, version="2"), Reason.UNPROVED),
}


@pytest.mark.parametrize("how", SPOILED)
def test_a_spoiled_bundle_is_cannot_judge(yochi: Yochi, copy: TinyBundle, picture: Path, how: str) -> None:
    spoil, reason = SPOILED[how]
    spoil(copy)
    found = refused(yochi("judge", picture, "--note", NOTE, "--json", "--bundle", copy.folder))
    assert found.reasons == (reason,)
    assert bool(found.slots) == (reason is Reason.UNPROVED)
