"""Cue heads fitted anew: what stays, what a new cue starts as, and runs that do not fit."""

import tomllib
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from yochi_runtime.errors import UsageError
from yochi_runtime.taxonomy import Pack, pack_text
from yochi_train.align import CELL_WEIGHT, PICTURE_WEIGHT
from yochi_train.model_folder import MODEL, PROJECTOR
from yochi_train.nano.vision import CueProjector
from yochi_train.refit import refit

from .made import HIDDEN, tiny_nano
from .sft_data import write_sft_data

GAINED = "panel_open"  # the last cue of the pack


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory, pack: Pack) -> Path:
    root = write_sft_data(tmp_path_factory.mktemp("refit"), pack)
    (root / "records" / "pack.toml").write_text(pack_text(), encoding="utf-8")
    return root


def without(cue: str) -> str:
    """The pack before it gained `cue`."""
    head, mark, rest = pack_text().partition(f'[[cue]]\nid = "{cue}"')
    assert mark
    _, _, following = rest.partition("\n\n")
    return head + following


def finished(run: Path, pack: str) -> tuple[Path, dict[str, torch.Tensor]]:
    """A run with a projector of random numbers for `pack`."""
    torch.manual_seed(3)
    projector = CueProjector(len(tomllib.loads(pack)["cue"]), 16, HIDDEN)
    for value in (projector.cell_words, projector.picture_words):
        torch.nn.init.normal_(value)
    (run / MODEL).mkdir(parents=True)
    save_file(projector.state_dict(), run / MODEL / PROJECTOR)
    (run / MODEL / "pack.toml").write_text(pack, encoding="utf-8")
    (run / MODEL / "positives.json").write_text("{}", encoding="utf-8")
    return run, projector.state_dict()


def again(data: Path, run: Path, out: Path) -> dict[str, torch.Tensor]:
    folders = (run, data / "records", data / "photos", data / "features", out)
    return load_file(refit(*tiny_nano(), *folders, 0) / PROJECTOR)


def test_a_cue_keeps_its_words_and_a_new_one_starts_as_its_own(
    data: Path, tmp_path: Path, pack: Pack
) -> None:
    run, before = finished(tmp_path / "run", without(GAINED))
    after = again(data, run, tmp_path / "out")
    assert [cue.id for cue in pack.cue][-1] == GAINED
    for name in ("norm.weight", "norm.bias", "fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias"):
        assert torch.equal(after[name], before[name]), name
    for name, weight in (("cell_words", CELL_WEIGHT), ("picture_words", PICTURE_WEIGHT)):
        assert torch.equal(after[name][:-1], before[name])
        model, processor = tiny_nano()
        word = processor.text_tokenizer.encode(f" {pack.cue[-1].word}")[0]
        torch.testing.assert_close(after[name][-1], weight * model.language.model.embed_tokens.weight[word])
    assert after["cell_head.weight"].shape[0] == after["picture_head.weight"].shape[0] == len(pack.cue)
    assert not torch.equal(after["picture_head.weight"][:-1], before["picture_head.weight"])
    made = {p.name: p.read_bytes() for p in (tmp_path / "out" / MODEL).iterdir() if p.is_file()}
    assert made["pack.toml"].decode("utf-8") == pack_text()
    assert made["positives.json"] == b"{}"


def test_the_order_of_cues_may_change(data: Path, tmp_path: Path, pack: Pack) -> None:
    """A cue in the middle was gained: the rows behind it move up by one."""
    run, before = finished(tmp_path / "run", without("smoke"))
    place = [cue.id for cue in pack.cue].index("smoke")
    after = again(data, run, tmp_path / "out")
    assert torch.equal(after["cell_words"][:place], before["cell_words"][:place])
    assert torch.equal(after["cell_words"][place + 1 :], before["cell_words"][place:])


def test_heads_are_the_same_for_the_same_seed(data: Path, tmp_path: Path) -> None:
    run, _ = finished(tmp_path / "run", pack_text())
    first, second = (again(data, run, tmp_path / name) for name in ("one", "two"))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_runs_that_do_not_fit_are_refused(data: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="expected a finished run in"):
        again(data, tmp_path / "none", tmp_path / "out")
    more = pack_text().replace('id = "spill"', 'id = "puddle"')
    run, _ = finished(tmp_path / "lost", more)
    with pytest.raises(UsageError, match="with more cues, got the pack factory, without the cue puddle"):
        again(data, run, tmp_path / "out")
    run, _ = finished(tmp_path / "other", pack_text().replace('id = "factory"', 'id = "harbour"', 1))
    with pytest.raises(UsageError, match="expected records of the pack harbour of"):
        again(data, run, tmp_path / "out")
    assert not (tmp_path / "out").exists()
