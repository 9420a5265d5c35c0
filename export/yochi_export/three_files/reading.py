"""Slots read with the three files, in the segments in which torch reads them, and how far off they are."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from yochi_runtime.image import Frame
from yochi_train.vlm.hub import Hub
from yochi_train.vlm.slots import VlmSlots

from .sessions import Cache, Floats, Ids, ThreeFiles, repeat

NOTES = ("Oil on the floor by press 3.", "Locked out, tagged, and tried before the guard was opened.")


@dataclass(frozen=True, eq=False)
class Shown:
    """A picture with its cues read: `cues` (1, C, 2), the cache, `next` place and `axes` a place has."""

    cues: Floats
    cache: Cache
    next: int
    axes: tuple[int, ...]


class OnnxReader:
    """Reads a policy's slots with the three files that were made of it."""

    def __init__(self, files: ThreeFiles, hub: Hub, slots: VlmSlots) -> None:
        self._files, self._hub, self._slots = files, hub, slots
        self._prompt = slots.chat.prompt

    def show(self, frame: Frame) -> Shown:
        """The first pass: template, picture and cue slots, from an empty cache."""
        vlm, inputs = self._hub.vlm, self._slots.inputs(frame)
        ids = torch.tensor([self._slots.reader.shown(inputs)])
        positions = self._hub.family.positions(vlm.model, ids, inputs).numpy()
        features = self._files.see({name: value.numpy() for name, value in inputs.items()})
        embeds = self._files.embed_picture(ids.numpy(), vlm.config.image_token_id, features)
        passed = self._files.decode(embeds, positions, self._files.empty(1))
        at = np.array(self._prompt.look_at) + ids.shape[1] - len(self._prompt.look)
        answers = self._prompt.answers
        cues = passed.logits[:, at][..., [answers.no, answers.yes]]
        return Shown(cues, passed.cache, int(positions.max()) + 1, positions.shape[:-2])

    def answer(self, shown: Shown, notes: Sequence[str]) -> tuple[Floats, Floats]:
        """Risks (N, R, 2) and verdicts (N, 3): notes side by side, each after the picture's cache."""
        p = self._prompt
        rows = [[*p.sign(), *self._slots.chat.note(note), *self._slots.chat.turn, *p.slots] for note in notes]
        longest = max(map(len, rows))
        ids: Ids = np.array([row + [0] * (longest - len(row)) for row in rows], np.int64)
        place: Ids = np.arange(shown.next, shown.next + longest, dtype=np.int64)
        place = np.ascontiguousarray(np.broadcast_to(place, (*shown.axes, *ids.shape)))
        passed = self._files.decode(self._files.embed(ids), place, repeat(shown.cache, [0] * len(rows)))
        first = np.array([len(row) - len(p.slots) for row in rows])
        at = first[:, None] + np.array(p.slots_at)
        logits = np.take_along_axis(passed.logits, at[..., None], axis=1)
        risks = logits[:, :-1][..., [p.answers.no, p.answers.yes]]
        return risks, logits[:, -1][:, list(p.answers.verdict)]


def difference(files: ThreeFiles, hub: Hub, slots: VlmSlots) -> float:
    """The largest of any slot's logit between torch and the three files, on a made picture with two notes.

    Sharp blocks of every colour: a swapped channel, a turned picture or a lost tile moves them. NaN is
    infinitely far.
    """
    reader = OnnxReader(files, hub, slots)
    frame = made_picture()
    with torch.inference_mode():
        wanted, _ = slots.reader.read_picture(
            slots.inputs(frame), [slots.chat.note(note) for note in NOTES], [None] * len(NOTES)
        )
    shown = reader.show(frame)
    risks, verdict = reader.answer(shown, NOTES)
    pairs = ((wanted.cues, shown.cues), (wanted.risks, risks), (wanted.verdict, verdict))
    far = [np.abs(theirs.numpy() - ours).max() for theirs, ours in pairs]
    return float(np.nan_to_num(far, nan=np.inf).max())


def made_picture(height: int = 480, width: int = 640) -> Frame:
    """The same pixels every time."""
    blocks: NDArray[np.uint8] = np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return Frame(np.ascontiguousarray(np.kron(blocks, np.ones((height // 6, width // 8, 1), np.uint8))))
