"""`records join`: photos and scenes as one folder: everything is found, nothing stands for another."""

import json
from pathlib import Path
from typing import Any

import pytest
from yochi_runtime.taxonomy import Pack
from yochi_train.pictures import build_pictures, read_photos

from .made import command, unlike
from .rows import noise
from .scenes.hand_made import quiet_pair, scenes_of

PAIR = quiet_pair("fire", "bin")


def photos_of(root: Path, *names: str, checked: tuple[str, ...] = ()) -> Path:
    """A folder of noise, labelled for conveyors; `checked` were found safe by eye."""
    root.mkdir()
    for number, name in enumerate(names):
        noise(root / name, seed=sum(root.name.encode()) + 1000 * number)
    write(
        root / "photos.jsonl",
        [{"image": n, "set": "own", "labelled": ["conveyor"], "boxes": []} for n in names],
    )
    write(root / "checked.jsonl", [{"id": i, "cues": ["person"], "verdict": "safe"} for i in checked])
    return root


def write(file: Path, rows: list[dict[str, Any]]) -> None:
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    assert command(["records", "join", *words]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    return line


def test_photos_and_scenes_are_one_folder(
    tmp_path: Path, pack: Pack, capsys: pytest.CaptureFixture[str]
) -> None:
    """`a` and `b` have a photo of one name each, of which one is checked; scenes are called "image"."""
    first = photos_of(tmp_path / "a", "x.png", "image.png", checked=("x", "image", "gone"))
    second = photos_of(tmp_path / "b", "x.png")
    scenes = scenes_of(tmp_path / "scenes", {PAIR: ({}, {})})
    out = tmp_path / "made" / "joined"
    assert command(["records", "join", *map(str, (first, second, scenes, out))]) == 0
    assert capsys.readouterr().out == (
        f"5 photos of 3 folders, 2 checked by eye, 1 checks of no photo left out: {out}\n"
    )
    assert all(not (out / name).readlink().is_absolute() for name in ("a", "b", "scenes"))
    assert all((out / photo.image).is_file() for photo in read_photos(out))
    found = {p.image: p for p in build_pictures(out, pack, unlike(5))}
    assert [found[image].checked for image in ("a/x.png", "a/image.png", "b/x.png")] == ["safe", "safe", ""]
    assert found["a/x.png"].cues["person"] == 1
    calm, burning = (found[f"scenes/scenes/{name}/image.jpg"] for name, _ in PAIR.scenes())
    assert (calm.checked, burning.checked) == ("safe", "not_safe")
    assert calm.pair == burning.pair == f"scenes/{PAIR.name}"
    assert calm.group == burning.group


def test_one_scene_in_two_folders_is_one_scene_and_two_pairs(tmp_path: Path, pack: Pack) -> None:
    folders = [scenes_of(tmp_path / name, {PAIR: ({}, {})}) for name in ("small", "large")]
    for folder in folders:  # as if made with other settings: no two files are alike
        for number, file in enumerate(sorted(folder.glob("scenes/*/image.jpg"))):
            noise(file, seed=sum(folder.name.encode()) + number)
    assert command(["records", "join", *map(str, (*folders, tmp_path / "out"))]) == 0
    found = build_pictures(tmp_path / "out", pack, unlike(4))
    assert len({p.group for p in found}) == 1
    assert [p.pair for p in found] == [f"{name}/{PAIR.name}" for name in ("small", "small", "large", "large")]


def test_what_is_missing_or_comes_twice_is_named_by_its_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good, bad, out = (
        photos_of(tmp_path / "a", "x.png"),
        photos_of(tmp_path / "b", "x.png", "y.png"),
        tmp_path / "out",
    )
    (bad / "y.png").unlink()
    said = refused([str(good), str(bad), str(out)], capsys)
    assert f"{bad}/photos.jsonl:2: expected an image at {bad}/y.png, found none" in said
    (bad / "y.png").symlink_to(good / "x.png")
    said = refused([str(good), str(bad), str(out)], capsys)
    assert (
        f"{bad}/photos.jsonl:2: expected every image once, got 'y.png' of {good}/photos.jsonl:1 again" in said
    )
    write(good / "photos.jsonl", [{"image": "../b/x.png", "set": "own", "labelled": [], "boxes": []}])
    assert "photos.jsonl:1: expected an image path below the folder" in refused([str(good), str(out)], capsys)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a", "b"]


def test_folders_need_names_of_their_own_and_a_new_place(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = photos_of(tmp_path / "a", "x.png")
    (tmp_path / "more").mkdir()
    second = photos_of(tmp_path / "more" / "a", "y.png")
    said = refused([str(first), str(second), str(tmp_path / "out")], capsys)
    assert "expected folders with names of their own, got a twice" in said
    assert "expected a new folder, got" in refused([str(first), str(second)], capsys)
    (tmp_path / "other").symlink_to(second)
    assert command(["records", "join", str(first), str(tmp_path / "other"), str(tmp_path / "out")]) == 0
    assert (tmp_path / "out" / "other" / "y.png").is_file()
