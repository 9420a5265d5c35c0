"""The encoder's last stages opened: a finished run learns to see the cues of its pictures better.

Stages 6, 7 and the head convolution of the encoder learn with the cue heads, from boxes and from what is
known of whole pictures; what lies below stays pretrained, and batch-norm statistics stay as they are. The
projector learns along, and is held to the image embeddings that the run had (feature distillation, Romero et
al. 2015), so that the language model goes on reading them. Half of the pictures are shown mirrored.

A killed run goes on from its checkpoint. The maps under the opened stages are kept beside it meanwhile, 351
kB a picture.
"""

import copy
import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional
from yochi_runtime.bundle import PACK, file_sha256
from yochi_runtime.errors import UsageError
from yochi_runtime.image import GRID
from yochi_runtime.taxonomy import Pack, pack_text, parse_pack

from .align import cell_labels, cue_labels, known_loss, rarity
from .features import Ways, encode_lower
from .lite0 import fold, tuned_encoder
from .model_folder import ENCODER, MODEL, PROJECTOR, new_model
from .nano.vision import VisionTower, read_tower
from .pictures import Picture, read_pictures
from .policy import check_finite, has_fast_bf16
from .progress import Progress
from .run_folder import CHECKPOINT, pin, room_on_disk, save_checkpoint

BATCH, RATE, DECAY = 32, 5e-4, 0.05
WARM = 0.15  # share of the steps until the full rate
KEPT = 1.0  # weight of the distillation, whose unit is the variance of the embeddings
EVERY = 20  # steps between checkpoints


class Sight(torch.nn.Module):
    """What learns: the encoder's opened stages, and the projector with its heads."""

    def __init__(self, tower: VisionTower) -> None:
        super().__init__()
        self.tower = tower.requires_grad_(False)
        for part in (*tower.encoder.opened, tower.projector):
            part.requires_grad_(True)
        for words in (tower.projector.cell_words, tower.projector.picture_words):
            words.requires_grad_(False)  # what the language model reads a cue by

    def forward(self, lower: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(B, 112, 28, 28) -> embeddings without cue words (B, 49, H), cell and picture logits."""
        with torch.autocast("cpu", torch.bfloat16, enabled=has_fast_bf16()):
            maps = self.tower.encoder.upper(lower)
        maps, projector = maps.float(), self.tower.projector
        pooled = torch.cat([maps.mean((2, 3)), maps.amax((2, 3))], 1)
        x, cells, picture = projector.heads(fold(maps), pooled)
        return projector.fc2(functional.gelu(projector.fc1(x))), cells, picture


def tune(run: Path, records: Path, photos: Path, out: Path, seed: int, epochs: int) -> Path:
    """Write `out/model`: `run` with a tuned encoder and projector, from the training pictures of `records`.

    UsageError where `run` is not finished, where its pack has other cues than `records`, and where `out`
    holds another run.
    """
    start = run / MODEL
    if not (start / PROJECTOR).is_file():
        raise UsageError(f"expected a finished run in {run}, found no {start / PROJECTOR}")
    pack = parse_pack(pack_text(records / PACK), str(records / PACK))
    if [c.id for c in parse_pack(pack_text(start / PACK), str(start / PACK)).cue] != [c.id for c in pack.cue]:
        raise UsageError(
            f"expected a run with the cues of {records}, {run} has others; run: yochi-train refit"
        )
    out.mkdir(parents=True, exist_ok=True)
    made_of = (start / PROJECTOR, tuned_encoder(start), records / "pictures.jsonl")
    hashes = {file.name: file_sha256(file) for file in made_of if file}
    pin(json.dumps({"seed": seed, "epochs": epochs, **hashes}, indent=1, sort_keys=True) + "\n", out)
    lower = out / "lower"
    if not (out / MODEL).exists():
        with room_on_disk(out):
            _tune(start, records, photos, out, lower, pack, seed, epochs)
    shutil.rmtree(lower, ignore_errors=True)
    return out / MODEL


def _tune(
    start: Path, records: Path, photos: Path, out: Path, lower: Path, pack: Pack, seed: int, epochs: int
) -> None:
    pictures = [p for p in read_pictures(records / "pictures.jsonl") if p.split == "train"]
    tower = read_tower(start)
    ways = encode_lower(photos, [p.image for p in pictures], lower, start)
    sight = Sight(tower)
    _learn(sight, copy.deepcopy(sight).eval().requires_grad_(False), ways, pictures, pack, out, seed, epochs)
    with new_model(out, start) as model:
        save_file(tower.encoder.state_dict(), model / ENCODER, metadata={"format": "pt"})
        save_file(tower.projector.state_dict(), model / PROJECTOR, metadata={"format": "pt"})


def _learn(
    sight: Sight,
    before: Sight,
    ways: Ways,
    pictures: Sequence[Picture],
    pack: Pack,
    out: Path,
    seed: int,
    epochs: int,
) -> None:
    known, cells = torch.from_numpy(cue_labels(pictures, pack)), torch.from_numpy(cell_labels(pictures, pack))
    weights = rarity(known, (0,)), rarity(cells, (0, 1))
    learned = [p for p in sight.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(learned, lr=RATE, weight_decay=DECAY)
    batch = min(BATCH, len(pictures))
    per_epoch = len(pictures) // batch
    total, step = epochs * per_epoch, 0
    if (out / CHECKPOINT).exists():
        state = torch.load(out / CHECKPOINT, weights_only=True)
        step = state["step"]
        sight.load_state_dict(state["sight"])
        optimizer.load_state_dict(state["optimizer"])
    progress = Progress("vision", total, step)
    while step < total:
        rows, mirrored = _batch(len(pictures), batch, seed, step)
        shown = ways.of(rows, mirrored)
        with torch.no_grad():
            target = before(shown)[0]
        embedded, cell_logits, picture_logits = sight(shown)
        loss = (
            known_loss(cell_logits, _turned(cells[rows], mirrored), weights[1])
            + known_loss(picture_logits, known[rows], weights[0])
            + KEPT * functional.mse_loss(embedded, target) / target.var()
        )
        check_finite(loss, step)
        _schedule(optimizer, step, total)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(learned, 1.0)
        optimizer.step()
        step += 1
        if step % EVERY == 0 or step == total:
            save_checkpoint(
                {"step": step, "sight": sight.state_dict(), "optimizer": optimizer.state_dict()}, out
            )
        progress.step(note=f"loss {loss.item():.3f}")


def _batch(count: int, batch: int, seed: int, step: int) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Rows of a step, in order, and which of them are shown mirrored: the same for the same seed and step."""
    epoch, place = divmod(step, count // batch)
    order = np.random.default_rng((seed, epoch)).permutation(count)
    rows = np.sort(order[place * batch : (place + 1) * batch])
    return rows, np.random.default_rng((seed, epoch, place)).random(batch) < 0.5


def _turned(cells: Tensor, mirrored: NDArray[np.bool_]) -> Tensor:
    """(B, 49, C) labels, left and right exchanged where the picture is mirrored."""
    square = cells.reshape(len(cells), GRID, GRID, -1)
    turn = torch.from_numpy(mirrored)[:, None, None, None]
    return torch.where(turn, square.flip(2), square).reshape(cells.shape)


def _schedule(optimizer: torch.optim.Optimizer, step: int, total: int) -> None:
    """Linear warm-up, then half a cosine down to nothing (Loshchilov & Hutter 2017)."""
    warm = max(1, round(WARM * total))
    rate = (
        (step + 1) / warm if step < warm else 0.5 * (1 + np.cos(np.pi * (step - warm) / max(1, total - warm)))
    )
    for group in optimizer.param_groups:
        group["lr"] = RATE * float(rate)
