"""A folder of 3D files: which are taken, what becomes of the scene, and what is then not known."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from yochi_runtime.errors import UsageError
from yochi_train.scenes import environment
from yochi_train.scenes.assets import DRESSING, PROPS, REPLACED, Assets, Model, read_assets
from yochi_train.scenes.scene import render_request, scene_parts
from yochi_train.scenes.seeds import Pair
from yochi_train.scenes.spec import SceneSpec, draw_spec
from yochi_train.scenes.truth import slot_truths, unsure_cues

from ..made import command

FAKE = Path(__file__).with_name("fake_renderer.py")
SEEDS = range(200)


def folder_of(root: Path, *names: str) -> Path:
    for name in names:
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"glTF" + name.encode() if name.endswith(".glb") else name.encode())
    return root


@pytest.fixture
def rich(tmp_path: Path) -> Assets:
    names = ["a/CrateA_01.glb", "a/CrateA_01.png", "a/CrateA_02.png", "b/big_crate.glb", "TrashCan.glb"]
    return read_assets(folder_of(tmp_path / "rich", *names, "Shelf.glb", "DeskC_01.glb", "people/Worker.glb"))


def with_stations(*stations: str) -> SceneSpec:
    return next(spec for spec in map(draw_spec, SEEDS) if all(spec.layout.at(s) for s in stations))


def test_files_are_taken_by_a_word_in_their_name_with_the_pictures_beside_them(rich: Assets) -> None:
    assert rich.models == {
        "crates": (
            Model("a/CrateA_01.glb", ("a/CrateA_01.png", "a/CrateA_02.png")),
            Model("b/big_crate.glb", ()),
        ),
        "bin": (Model("TrashCan.glb", ()),),
        "shelf": (Model("Shelf.glb", ()),),
        "desk": (Model("DeskC_01.glb", ()),),
    }
    taken = [
        "DeskC_01.glb",
        "Shelf.glb",
        "TrashCan.glb",
        "a/CrateA_01.glb",
        "a/CrateA_01.png",
        "a/CrateA_02.png",
    ]
    assert list(rich.hashes) == [*taken, "b/big_crate.glb"]
    # sha256sum of "glTFTrashCan.glb"
    assert rich.hashes["TrashCan.glb"].startswith("013cc83d8c195283")


def test_numbered_models_of_one_name_wear_each_their_own_number(tmp_path: Path) -> None:
    names = ["shelf_1.glb", "shelf_2.glb", "shelf_1.png", "shelf_2.png", "shelf_3.png"]
    (first, second) = read_assets(folder_of(tmp_path, *names)).models["shelf"]
    assert first == Model("shelf_1.glb", ("shelf_1.png",))
    assert second == Model("shelf_2.glb", ("shelf_2.png",))


def test_a_folder_that_gives_nothing_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"expected a folder of 3D files at .*none, found none"):
        read_assets(tmp_path / "none")
    with pytest.raises(UsageError, match=r"one of these words in its name: clutter, .*; got 1 others"):
        read_assets(folder_of(tmp_path / "people", "Worker.glb"))
    (folder_of(tmp_path / "text", "crate.glb") / "crate.glb").write_bytes(b"<html>")
    with pytest.raises(UsageError, match=r"binary glTF file \(GLB\) at .*crate.glb, .*begins with b'<htm'"):
        read_assets(tmp_path / "text")


def test_every_word_finds_its_own_prop_and_every_prop_has_a_place(tmp_path: Path) -> None:
    for prop, what in PROPS.items():
        for word in what.words:
            assert set(read_assets(folder_of(tmp_path / prop / word, f"My{word.title()}_01.glb")).models) == {
                prop
            }
    assert {prop for prop, _ in REPLACED.values()} | set(DRESSING) == set(PROPS)


def test_a_model_stands_where_the_primitives_stood_and_nothing_else_moves(rich: Assets) -> None:
    for seed in SEEDS:
        plain, spec = scene_parts(draw_spec(seed)), draw_spec(seed)
        parts = scene_parts(spec, rich)
        models = {part.object: part for part in parts if part.shape == "model"}
        kept = [part for part in parts if part.shape != "model"]
        assert kept == [part for part in plain if part.object not in REPLACED]
        stood = {part.object: part for part in reversed(plain) if part.object in REPLACED}
        assert set(stood) == {name for name in models if not name.startswith("dressing/")}
        for name, part in stood.items():
            assert models[name].at == pytest.approx((*part.at[:2], REPLACED[name][1][2] / 2))
            assert models[name].model in rich.hashes


def test_where_the_folder_has_none_the_primitives_stay(tmp_path: Path) -> None:
    assets = read_assets(folder_of(tmp_path, "drum.glb"))
    spec = with_stations("exit", "bin")
    plain, parts = scene_parts(spec), scene_parts(spec, assets)
    assert [p for p in parts if p.object != "bin"] == [p for p in plain if p.object != "bin"]
    assert [p.shape for p in parts if p.object == "bin"] == ["model"]


def test_the_scenes_of_a_pair_have_the_same_models_in_the_same_places(rich: Assets) -> None:
    for seed in range(60):
        for hazard in draw_spec(seed).applicable():
            (_, first), (_, second) = Pair(seed, hazard).scenes()
            one, two = (
                {p.object: p for p in scene_parts(spec, rich) if p.shape == "model"}
                for spec in (first, second)
            )
            moved = {"exit_blocked": {"exit_crates"}, "extinguisher_blocked": {"extinguisher_crates"}}
            differ = {name for name in one if one[name] != two[name]}
            assert one.keys() == two.keys()
            assert differ == moved.get(hazard, set())
            assert all(one[name].model == two[name].model for name in one)


def test_the_side_walls_are_dressed_on_one_side_both_or_none_inside_the_room(rich: Assets) -> None:
    seen = set()
    for seed in SEEDS:
        stands = [p for p in scene_parts(draw_spec(seed), rich) if p.object.startswith("dressing/")]
        seen.add(tuple(sorted((p.object, p.at[0] > 0) for p in stands)))
        for part in stands:
            long, deep, _ = part.size
            assert abs(part.turn[2]) == 90
            assert abs(part.at[0]) + deep / 2 <= 5.0
            assert 0 < part.at[1] - long / 2 < part.at[1] + long / 2 <= 7.2 - 1.2 / 2 + 1e-9
    names = ("dressing/desk", "dressing/shelf")
    single = {((name, side),) for name in names for side in (False, True)}
    double = {((names[0], side), (names[1], not side)) for side in (False, True)}
    assert seen == {(), *single, *double}


def test_a_cue_that_a_model_in_sight_may_show_is_never_absent(rich: Assets) -> None:
    request = render_request(with_stations("exit", "extinguisher"), 64, 1, rich)
    assert {"exit_crates", "extinguisher_crates"} <= set(request["may_show"]["pallet"])
    objects = request["objects"]
    crates, room = (np.full((2, 2), 1 + objects.index(name), np.uint8) for name in ("exit_crates", "room"))
    assert unsure_cues(request["may_show"], objects, room, room) == []
    assert unsure_cues(request["may_show"], objects, crates, room) == ["pallet"]
    assert unsure_cues(request["may_show"], objects, room, crates) == ["pallet"]  # behind smoke
    assert slot_truths([], {})["cue:pallet"] == 0
    assert "cue:pallet" not in slot_truths([], {}, ["pallet"])
    assert slot_truths([], {}, ["pallet"])["cue:person"] == 0


def test_a_run_pins_the_files_and_its_truth_names_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    state, out, folder = tmp_path / "state", tmp_path / "out", folder_of(tmp_path / "assets", "crate.glb")
    state.mkdir()
    monkeypatch.setattr(
        environment, "renderer_command", lambda: [sys.executable, "-I", str(FAKE), str(state)]
    )
    seeds = tmp_path / "seeds.txt"
    seeds.write_text(f"{with_stations('exit').seed} exit_blocked\n")
    words = ["scenes", "render", str(out), "--seed-file", str(seeds), "--size", "64", "--samples", "1"]
    assert command([*words, "--assets", str(folder)]) == 0
    assert list(json.loads((out / "run.json").read_text())["assets"]) == ["crate.glb"]
    rows = [json.loads(line) for line in (out / "photos.jsonl").read_text("utf-8").splitlines()]
    for row in rows:
        truth = json.loads((out / row["image"]).with_name("truth.json").read_text("utf-8"))
        assert set(truth["assets"]["models"].values()) == {"crate.glb"}
        assert truth["assets"]["unsure"] == ["pallet"]
        assert row["source"] == "yochi-train scenes, version 2, crate.glb"
        assert row["licence"] == "Apache-2.0, and that of the models"
        assert "pallet" in row["rendered"]["half_seen"]
        assert "crusher" in row["labelled"]
    capsys.readouterr()
    (folder / "crate.glb").write_bytes(b"glTF, but another")
    for other in ([], ["--assets", str(folder)]):
        assert command([*words, *other]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert "to hold scenes of the same assets, got others; give a new folder" in line
