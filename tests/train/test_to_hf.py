"""Records as a folder for Hugging Face datasets: one type a column, every picture where its row says."""

import json
from pathlib import Path
from typing import Any

import pytest
from yochi_runtime.errors import UsageError
from yochi_runtime.taxonomy import Pack
from yochi_train.convert.to_hf import hf_row, slot_names, to_hf
from yochi_train.records import iterate_records

from .made import command
from .rows import folder_of, noise, picture_of, row


def made(root: Path) -> tuple[Path, Path]:
    """Records of two splits, and the photos."""
    (root / "photos" / "images").mkdir(parents=True)
    for seed, split in enumerate(("train", "val")):
        noise(root / "photos" / "images" / f"{split}.png", seed)
    folder = folder_of(
        root / "r",
        train=[
            row("1", slots={}, verdict="stop"),
            row("2", lang="ja", note="床に油", picture_group=2**64 - 1),
        ],
        val=[row("3", split="val", slots={"cue:fire": 1})],
        pictures=[picture_of("images/train.png", licence="CC BY 4.0 | declared")],
    )
    return folder, root / "photos"


def rows(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text("utf-8").splitlines()]


def test_every_record_and_its_picture(tmp_path: Path, pack: Pack, capsys: pytest.CaptureFixture[str]) -> None:
    folder, photos = made(tmp_path)
    out = tmp_path / "out"
    assert command(["records", "to-hf", str(folder), str(photos), str(out)]) == 0
    assert capsys.readouterr().out == f"3 records on 2 pictures: {out}\n"
    train, val = rows(out / "train" / "metadata.jsonl"), rows(out / "validation" / "metadata.jsonl")
    assert [r["id"] for r in (*train, *val)] == ["1", "2", "3"]
    assert all(set(r) == set(val[0]) and len(r["slots"]) == len(pack.slots) - 1 for r in train)
    assert (train[0]["verdict"], train[1]["verdict"], set(train[0]["slots"])) == ("stop", "", {-1})
    assert train[1]["picture_group"] == str(2**64 - 1)
    for split, found in (("train", train), ("validation", val)):
        for r in found:
            assert (out / split / r["file_name"]).read_bytes() == (photos / r["file_name"]).read_bytes()
    card = (out / "README.md").read_text("utf-8")
    assert "| made by hand (CC BY 4.0 / declared) | 1 |" in card
    assert "| unknown | 1 |" in card
    assert f"\n{slot_names(pack).index('cue:fire')}. `cue:fire`\n" in card
    assert not list(out.rglob("*.partial"))


def test_slots_come_back(tmp_path: Path, pack: Pack) -> None:
    folder, _ = made(tmp_path)
    for stem in ("train", "val"):
        for record in iterate_records(folder / f"{stem}.jsonl"):
            written: Any = hf_row(record, pack, None)["slots"]
            back = {name: value for name, value in zip(slot_names(pack), written, strict=True) if value >= 0}
            assert back == record.slots


def test_a_killed_run_goes_on(tmp_path: Path) -> None:
    folder, photos = made(tmp_path)
    out = tmp_path / "out"
    hidden = photos / "images" / "val.png"
    hidden.rename(tmp_path / "val.png")
    with pytest.raises(UsageError, match=r"expected a picture at .*val\.png, found none"):
        to_hf(folder, photos, out)
    assert not (out / "README.md").exists()
    assert not (out / "train" / "metadata.jsonl").exists()
    (tmp_path / "val.png").rename(hidden)
    assert to_hf(folder, photos, out) == f"3 records on 2 pictures: {out}"
    assert len(rows(out / "train" / "metadata.jsonl")) == 2
    assert not list(out.rglob("*.partial"))
