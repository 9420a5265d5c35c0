"""Before the language model learns: cue heads on the frozen features, and image embeddings in its own words.

Minutes on a CPU. The picture head is a logistic regression on pooled features (what `evaluate` refits as the
baseline); the cell head learns from boxes. A cue's vector starts as the language model's own embedding of the
cue's word, so that a cell that shows a forklift reads like "fork" from the first step.
"""

import warnings
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from torch import Tensor
from torch.nn import functional
from yochi_runtime.image import GRID
from yochi_runtime.prompt import Tokenizer
from yochi_runtime.taxonomy import Pack

from .features import Features
from .nano.vision import CueProjector
from .pictures import Picture
from .progress import Progress

PROBE_C = 0.003  # inverse L2 strength on standardized features
EPOCHS, BATCH, RATE = 12, 64, 2e-3
COVERED = 0.3  # share of a cell that a box must cover to make the cell positive
CELL_WEIGHT, PICTURE_WEIGHT, MLP_WEIGHT = (
    1.0,
    0.7,
    0.3,
)  # of the three parts of an image embedding at the start


def cue_labels(pictures: Sequence[Picture], pack: Pack) -> NDArray[np.int8]:
    """(N, C): 1 seen, 0 absent, -1 unknown."""
    return np.array([[p.cues.get(c.id, -1) for c in pack.cue] for p in pictures], dtype=np.int8)


def cell_labels(pictures: Sequence[Picture], pack: Pack) -> NDArray[np.int8]:
    """(N, 49, C): 1 covered by a box of the cue, 0 untouched by any or cue absent, -1 unknown or edge."""
    index = {c.id: i for i, c in enumerate(pack.cue)}
    labels = np.full((len(pictures), GRID * GRID, len(index)), -1, dtype=np.int8)
    for n, picture in enumerate(pictures):
        for cue, value in picture.cues.items():
            if value == 0 or cue in picture.boxed:
                labels[n, :, index[cue]] = 0
        for cue, box in picture.boxes:
            share = _cover(box)
            column = labels[n, :, index[cue]]
            column[(share > 0) & (share < COVERED) & (column != 1)] = -1
            column[(share >= COVERED) | (share == share.max())] = 1
    return labels


def _cover(box: tuple[float, float, float, float]) -> NDArray[np.float64]:
    """(49,) share of each cell that the box covers, row by row."""
    edges = np.arange(GRID + 1) / GRID
    x = np.clip(np.minimum(edges[1:], box[2]) - np.maximum(edges[:-1], box[0]), 0, None) * GRID
    y = np.clip(np.minimum(edges[1:], box[3]) - np.maximum(edges[:-1], box[1]), 0, None) * GRID
    return np.outer(y, x).ravel()


def fit_probe(pooled: NDArray[np.float32], labels: NDArray[np.int8]) -> tuple[NDArray[np.float64], float]:
    """Weights (2560,) and bias of a logistic regression on standardized pooled features; labels 0 or 1."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # 300 steps reach four digits of AUROC
        model = LogisticRegression(C=PROBE_C, max_iter=300, class_weight="balanced").fit(pooled, labels)
    return model.coef_[0], float(model.intercept_[0])


def align(
    projector: CueProjector, features: Features, pictures: Sequence[Picture], pack: Pack, seed: int
) -> None:
    """Fit both heads in place on `pictures` (the training split)."""
    rows = np.array([features.row()[p.image] for p in pictures])
    scaler = StandardScaler().fit(features.pooled[rows])
    projector.pooled_mean.copy_(torch.from_numpy(scaler.mean_).float())
    projector.pooled_std.copy_(torch.from_numpy(scaler.scale_).float())
    pooled, labels = scaler.transform(features.pooled[rows]), cue_labels(pictures, pack)
    with torch.no_grad():
        projector.picture_head.weight.zero_()
        projector.picture_head.bias.fill_(-4.0)  # a cue that nobody labelled is all but absent
        for c in range(len(pack.cue)):
            known = labels[:, c] >= 0
            if 1 < labels[known, c].sum() < known.sum():
                weight, bias = fit_probe(pooled[known], labels[known, c])
                projector.picture_head.weight[c] = torch.from_numpy(weight).float()
                projector.picture_head.bias[c] = bias
    _fit_cells(projector, features, rows, torch.from_numpy(cell_labels(pictures, pack)), seed)


def _fit_cells(
    projector: CueProjector, features: Features, rows: NDArray[np.int64], labels: Tensor, seed: int
) -> None:
    weight = rarity(labels, (0, 1))
    optimizer = torch.optim.AdamW(projector.cell_head.parameters(), lr=RATE, weight_decay=0.05)
    generator = torch.Generator().manual_seed(seed)
    batch = min(BATCH, len(rows))
    steps = EPOCHS * (len(rows) // batch)
    progress = Progress("cue heads", steps)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=steps)
    for _ in range(EPOCHS):
        order = torch.randperm(len(rows), generator=generator)
        for start in range(0, len(rows) - batch + 1, batch):
            chosen = np.sort(order[start : start + batch].numpy())
            logits = projector.cell_head(
                projector.norm(torch.from_numpy(features.tokens[rows[chosen]]).float())
            )
            loss = known_loss(logits, labels[chosen], weight)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
            progress.step(note=f"loss {loss.item():.3f}")


def rarity(labels: Tensor, over: tuple[int, ...]) -> Tensor:
    """(C,) how much a positive counts: negatives over positives, within 1 and 10."""
    positives, negatives = (labels == 1).sum(over), (labels == 0).sum(over)
    return (negatives / positives.clamp(min=1)).clamp(1, 10).float()


def known_loss(logits: Tensor, labels: Tensor, positive_weight: Tensor) -> Tensor:
    """Binary cross-entropy over the labels that are 0 or 1; -1 is unknown."""
    losses = functional.binary_cross_entropy_with_logits(
        logits, labels.clamp(min=0).float(), pos_weight=positive_weight, reduction="none"
    )
    return losses[labels >= 0].mean()


def speak_words(projector: CueProjector, embeddings: Tensor, pack: Pack, tokenizer: Tokenizer) -> None:
    """Start the cue vectors as the language model's embeddings (V, H) of the cue words."""
    ids = [tokenizer.encode(" " + cue.word)[0] for cue in pack.cue]
    words = embeddings[ids].detach().float()
    with torch.no_grad():
        projector.cell_words.copy_(CELL_WEIGHT * words)
        projector.picture_words.copy_(PICTURE_WEIGHT * words)
        projector.fc2.weight.mul_(MLP_WEIGHT)
        projector.fc2.bias.zero_()
