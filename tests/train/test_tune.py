"""The encoder's last stages opened: what learns and what stays, resuming, and runs that do not fit."""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from yochi_runtime.errors import UsageError
from yochi_runtime.taxonomy import Pack, pack_text
from yochi_train import tune as module
from yochi_train.align import known_loss, rarity
from yochi_train.average import average
from yochi_train.features import encode_folder, encode_lower
from yochi_train.lite0 import OPENED, encoder_of, pretrained
from yochi_train.model_folder import ENCODER, MODEL, PROJECTOR
from yochi_train.nano.vision import read_tower
from yochi_train.pictures import read_photos
from yochi_train.run_folder import save_checkpoint
from yochi_train.sft import train
from yochi_train.tune import tune

from .made import tiny_slots
from .sft_data import settings_of, write_sft_data

# PEFT asks transformers by the old name.
pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory, pack: Pack) -> Path:
    root = write_sft_data(tmp_path_factory.mktemp("tune"), pack)
    (root / "records" / "pack.toml").write_text(pack_text(), encoding="utf-8")
    train(settings_of(root, steps=1), tiny_slots(), root / "run")
    return root


def tuned(data: Path, out: Path, epochs: int = 2) -> Path:
    return tune(data / "run", data / "records", data / "photos", out, 0, epochs)


@pytest.fixture(scope="module")
def undisturbed(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tuned(data, tmp_path_factory.mktemp("undisturbed")).parent


def test_the_opened_stages_and_heads_learn_and_the_rest_stays(data: Path, undisturbed: Path) -> None:
    before, after = pretrained().state_dict(), load_file(undisturbed / MODEL / ENCODER)
    changed = {name for name, value in after.items() if not torch.equal(value, before[name])}
    assert changed
    lowest = min(int(name.split(".")[1]) for name in changed if name.startswith("_blocks"))
    assert lowest == OPENED
    assert "_conv_stem.weight" not in changed
    assert not [name for name in changed if "running" in name]  # the statistics
    old, new = (load_file(folder / MODEL / PROJECTOR) for folder in (data / "run", undisturbed))
    kept = {name for name in old if torch.equal(old[name], new[name])}
    assert kept == {"cell_words", "picture_words", "pooled_mean", "pooled_std"}
    assert not (undisturbed / "lower").exists()


def test_lower_and_upper_are_the_encoder(data: Path, tmp_path: Path) -> None:
    """Mirrored pictures are other pictures, and both lie where they are looked for."""
    images = [p.image for p in read_photos(data / "photos")][:2]
    ways = encode_lower(data / "photos", images, tmp_path / "lower", data / "run" / MODEL)
    whole = encode_folder(data / "photos", images, tmp_path / "features")
    shown = ways.of(np.array([0, 1, 1]), np.array([False, False, True]))
    with torch.inference_mode():
        maps = pretrained().upper(shown)
    pooled = torch.cat([maps.mean((2, 3)), maps.amax((2, 3))], 1).numpy()
    assert np.allclose(pooled[:2], whole.pooled, atol=0.02)
    assert not np.allclose(pooled[2], whole.pooled[1], atol=0.02)


def test_a_killed_run_reaches_the_same_weights(
    data: Path, undisturbed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(state: dict[str, object], out: Path) -> None:
        save_checkpoint(state, out)
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "EVERY", 1)
    monkeypatch.setattr(module, "save_checkpoint", killed)
    with pytest.raises(KeyboardInterrupt):
        tuned(data, tmp_path)
    assert not (tmp_path / MODEL).exists()
    monkeypatch.undo()
    tuned(data, tmp_path)
    for name in (ENCODER, PROJECTOR):
        expected, found = load_file(undisturbed / MODEL / name), load_file(tmp_path / MODEL / name)
        assert [key for key in expected if not torch.equal(expected[key], found[key])] == []
    with pytest.raises(UsageError, match="it holds another; choose a new folder"):
        tuned(data, tmp_path, epochs=3)


def test_what_is_trained_next_sees_with_it(data: Path, undisturbed: Path, tmp_path: Path) -> None:
    """Its features are not those of the pretrained encoder, and its encoder goes along."""
    settings = settings_of(data, steps=1, start=undisturbed)
    with pytest.raises(UsageError, match="by this encoder, it holds others"):
        train(settings, tiny_slots(), tmp_path / "refused")
    settings = settings_of(data, steps=1, start=undisturbed, features=tmp_path / "features")
    after = train(settings, tiny_slots(), tmp_path / "after")
    assert (after / ENCODER).read_bytes() == (undisturbed / MODEL / ENCODER).read_bytes()
    weights, tower = encoder_of(undisturbed / MODEL).state_dict(), read_tower(after)
    assert all(torch.equal(value, weights[name]) for name, value in tower.encoder.state_dict().items())
    average(undisturbed, tmp_path / "after", tmp_path / "mean")
    assert (tmp_path / "mean" / MODEL / ENCODER).is_file()
    with pytest.raises(UsageError, match="has another encoder than"):
        average(data / "run", tmp_path / "after", tmp_path / "mean")


def test_runs_that_do_not_fit_are_refused(data: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="expected a finished run in"):
        tune(tmp_path, data / "records", data / "photos", tmp_path / "out", 0, 1)
    records = tmp_path / "records"
    records.mkdir()
    (records / "pack.toml").write_text(pack_text().replace('id = "spill"', 'id = "puddle"'), encoding="utf-8")
    with pytest.raises(UsageError, match="has others; run: yochi-train refit"):
        tune(data / "run", records, data / "photos", tmp_path / "out", 0, 1)


def test_mirrored_cells_change_sides_and_unknown_ones_count_nothing() -> None:
    cells = torch.arange(49).reshape(1, 49, 1).repeat(2, 1, 1)
    turned = module._turned(cells, np.array([False, True]))
    assert torch.equal(turned[0], cells[0])
    assert turned[1, :, 0].tolist()[:8] == [6, 5, 4, 3, 2, 1, 0, 13]
    # One positive that counts three times, one unknown: 3 ln(1 + e^-1) over one label, by hand.
    loss = known_loss(torch.tensor([[1.0, 5.0]]), torch.tensor([[1, -1]]), torch.tensor([3.0, 1.0]))
    assert float(loss) == pytest.approx(3 * 0.3132617)
    labels = torch.tensor([[1, 0], [0, 0], [0, -1], [0, 0]])
    assert rarity(labels, (0,)).tolist() == [3.0, 3.0]


def test_every_epoch_shows_every_picture_once() -> None:
    for epoch in range(2):
        shown = [module._batch(12, 4, 0, 3 * epoch + place)[0] for place in range(3)]
        assert sorted(np.concatenate(shown)) == list(range(12))
    assert not np.array_equal(module._batch(12, 4, 0, 0)[0], module._batch(12, 4, 0, 3)[0])
