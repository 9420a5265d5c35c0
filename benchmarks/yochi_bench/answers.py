"""Raw answers to many records, from a bundle on the box. The trainer makes the same arrays in torch.

Calibration, scores and parity are then arithmetic on files.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from yochi_runtime.bundle import LORA, MMPROJ, TEXT, VISION, Kind
from yochi_runtime.image import Frame, read_frame
from yochi_runtime.inspection import Note
from yochi_runtime.language import Language
from yochi_runtime.layout import context_for, read_layout
from yochi_runtime.multimodal import Multimodal
from yochi_runtime.opening import base_of, prompt_in, prompt_of, read_bundle
from yochi_runtime.prompt import Prompt
from yochi_runtime.record import Record
from yochi_runtime.scene import Scene, Stages
from yochi_runtime.taxonomy import Pack
from yochi_runtime.vision import Vision

from .progress import Progress

GRAY = Frame(np.full((64, 64, 3), 127, np.uint8))


@dataclass(frozen=True)
class Answers:
    """float32 logits in the order of the records.

    `cues` (N, C, 2) and `risks` (N, R, 2) as (no, yes), `verdict` (N, 3) as (proceed, caution, stop). `cells`
    (N, 49, C) scores in 0..1 of the picture's cells, None where nobody asked for them.
    """

    cues: NDArray[np.float32]
    risks: NDArray[np.float32]
    verdict: NDArray[np.float32]
    cells: NDArray[np.float32] | None = None

    def margins(self) -> NDArray[np.float64]:
        """(N, C + R) logit(yes) - logit(no), cues first, as `pack.slots` without the verdict."""
        both = np.concatenate([self.cues, self.risks], axis=1).astype(np.float64)
        margins: NDArray[np.float64] = both[..., 1] - both[..., 0]
        return margins

    def arrays(self) -> dict[str, NDArray[np.float32]]:
        """Every array that there is, by name."""
        arrays = {f.name: getattr(self, f.name) for f in fields(self)}
        return {name: array for name, array in arrays.items() if array is not None}

    @classmethod
    def of(cls, arrays: Mapping[str, NDArray[Any]]) -> "Answers":
        """From what `arrays` gives; other names in it are left alone."""
        return cls(arrays["cues"], arrays["risks"], arrays["verdict"], arrays.get("cells"))

    def take(self, rows: Sequence[int] | NDArray[np.int64]) -> "Answers":
        cells = None if self.cells is None else self.cells[rows]
        return Answers(self.cues[rows], self.risks[rows], self.verdict[rows], cells)


def joined(one: Answers, other: Answers) -> Answers:
    """The records of both, one's first. Both have cells, or neither."""
    first, second = one.arrays(), other.arrays()
    if first.keys() != second.keys():
        raise ValueError(f"expected answers alike, got {sorted(first)} and {sorted(second)}")
    return Answers.of({name: np.concatenate([array, second[name]]) for name, array in first.items()})


def blind(_: Frame) -> Frame:
    """A gray picture in place of any."""
    return GRAY


class Vector(Protocol):
    """One record's answers in the order of `Answers`, without the leading axis."""

    def __call__(self, record: Record) -> tuple[NDArray[np.float32], ...]: ...


class Box:
    """A bundle on the box's own engines, in this process, asked as often as wanted.

    The engines start with the first question. `photos` is the folder that records' pictures are relative to.
    """

    def __init__(self, bundle: Path, photos: Path, threads: int = 2) -> None:
        self.bundle, self._photos, self._threads = read_bundle(bundle), photos, threads
        self._prompt = prompt_of(self.bundle)
        self._open = ExitStack()
        self._scene: Callable[[Prompt], Scene] | None = None

    def __enter__(self) -> "Box":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()

    def answers(
        self,
        records: Sequence[Record],
        *,
        shown: Callable[[Frame], Frame] | None = None,
        pack: Pack | None = None,
        cells: bool = False,
    ) -> Answers:
        """Segment by segment.

        `shown` is what becomes of each record's picture before it is judged. `pack` asks its slots, in its
        order, instead of the bundle's own. `cells` keeps the scores of the picture's cells, of a bundle that
        has them.
        """
        self._scene = self._scene or self._start()
        kind = self.bundle.manifest.kind
        prompt = self._prompt if pack is None else prompt_in(self.bundle.path, kind, pack)
        scene = self._scene(prompt)

        def answer(record: Record) -> tuple[NDArray[np.float32], ...]:
            frame = read_frame(self._photos / record.image)
            seen = scene.look(frame if shown is None else shown(frame), Stages())
            note = prompt.note(Note(record.note).text, record.sign)
            after = scene.read(note, Stages(), record.sign)
            places = [seen.cells] if cells and seen.cells is not None else []
            return seen.look, after.risks, after.verdict, *places

        return collect("answers on the box", records, answer)

    def _start(self) -> Callable[[Prompt], Scene]:
        path, threads = self.bundle.path, self._threads
        if self.bundle.manifest.kind is Kind.STOCK:
            layout, context = read_layout(path), context_for(self._prompt)
            engine = self._open.enter_context(
                Multimodal(
                    path / TEXT, path / MMPROJ, threads=threads, context=context, tokens=layout.free_tokens
                )
            )
            return partial(Scene.together, engine, layout)
        language = self._open.enter_context(Language(base_of(self.bundle), path / LORA, threads=threads))
        cues = len(self.bundle.pack.cue)
        vision = self._open.enter_context(Vision(path / VISION, language.width, cues, threads=threads))
        return partial(Scene.apart, vision, language)


def collect(what: str, records: Sequence[Record], answer: Vector) -> Answers:
    """Asks picture by picture, so that a picture is looked at once; returns the records' order."""
    order = sorted(range(len(records)), key=lambda i: (records[i].image, i))
    rows: dict[int, tuple[NDArray[np.float32], ...]] = {}
    for i in _shown(what, order):
        rows[i] = answer(records[i])
    parts = [rows[i] for i in range(len(records))]
    return Answers(*(np.stack(arrays).astype(np.float32) for arrays in zip(*parts, strict=True)))


def _shown(what: str, order: Sequence[int]) -> Iterator[int]:
    progress = Progress(what, len(order))
    for i in order:
        yield i
        progress.step()
