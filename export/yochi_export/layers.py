"""Where a bundle differs from the trained model, stage by stage, so that a difference has an address.

    note           -> prompt ids                               exactly torch's, asked at the same places
    decoded pixels -> pixels                                   against torch's own resize
    pixels         -> vision embeddings, cue scores            the bundle's graph against the vision tower
    embeddings, ids -> slot logits                             base and LoRA in llama.cpp against torch

Pixels and ids are caught where the box hands them to its engines. Graph and language model get torch's input,
so that a fault shows in its own stage and in none after it.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from yochi_runtime.base import find_base
from yochi_runtime.bundle import LORA, VISION, Bundle
from yochi_runtime.errors import CannotJudge
from yochi_runtime.language import Language
from yochi_runtime.opening import prompt_of
from yochi_runtime.prompt import Prompt
from yochi_runtime.reader import Reader
from yochi_runtime.vision import Vision

from .fed import Fed, feed
from .measure import relative_error
from .reference import Case, Reference
from .storage import Storage, storage_of

IDS, PIXELS, EMBEDS, CELLS, LOGITS = (
    "prompt ids",
    "pixels",
    "vision embeddings",
    "cue scores",
    "slot logits",
)
RECORDS = 12  # a wrong stage is wrong for every record
MAX_LEVELS = 2.0  # of 256: Pillow rounds to 8 bits after each of its two passes, torch does not
MAX_KL = 1e-4  # nats, of an answer; F16 weights and another order of sums
# Of the embeddings' spread, and of a cue score in 0..1, by how the graph's weights are stored. Pictures whose
# red and blue have changed places move them by 0.6 and 0.1.
MAX_EMBEDS = {Storage.FLOAT: 1e-3, Storage.HALF: 1e-2, Storage.INT8: 0.4}
MAX_CELLS = {Storage.FLOAT: 1e-3, Storage.HALF: 5e-3, Storage.INT8: 0.1}
Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Stage:
    """The worst record's difference and the bar for it; `fault` where an engine gave nothing to compare."""

    name: str
    measure: str
    worst: float
    bar: float
    fault: str | None = None

    @property
    def passed(self) -> bool:
        return self.fault is None and self.worst <= self.bar  # NaN is no pass


@dataclass(frozen=True)
class Layers:
    """Every stage, in the order of the computation, on `records` records."""

    records: int
    stages: tuple[Stage, ...]

    @property
    def passed(self) -> bool:
        return all(stage.passed for stage in self.stages)

    @property
    def address(self) -> str | None:
        """The first stage that differs; None where none does."""
        return next((stage.name for stage in self.stages if not stage.passed), None)

    def as_json(self) -> dict[str, Any]:
        """For `parity.json`; `from_json` reads it."""
        stages = [{**asdict(s), "worst": _short(s.worst), "passed": s.passed} for s in self.stages]
        return {"records": self.records, "stages": stages, "address": self.address, "passed": self.passed}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "Layers":
        stages = ({k: v for k, v in stage.items() if k != "passed"} for stage in value["stages"])
        read = (Stage(**{**s, "worst": float("nan") if s["worst"] is None else s["worst"]}) for s in stages)
        return cls(value["records"], tuple(read))


def layer_parity(reference: Reference, bundle: Bundle, threads: int) -> Layers:
    """`bundle` against the trained model, on the records of `reference`."""
    cases = reference.cases
    with ExitStack() as stack:
        box = _Box(bundle, threads, stack)
        stages = (*_fed(box, cases), *_seen(box, cases), _read(reference.prompt, box, cases))
    return Layers(len(cases), stages)


class _Box:
    """The bundle's engines, each made where it is first asked for: one that does not load is its stage's."""

    def __init__(self, bundle: Bundle, threads: int, stack: ExitStack) -> None:
        self.bundle, self._threads, self._stack = bundle, threads, stack

    @cached_property
    def language(self) -> Language:
        base = find_base(self.bundle.manifest.base)
        made = Language(base, self.bundle.path / LORA, threads=self._threads)
        return self._stack.enter_context(made)

    def vision(self, width: int) -> Vision:
        """For embeddings of `width`."""
        path, cues = self.bundle.path / VISION, len(self.bundle.pack.cue)
        return self._stack.enter_context(Vision(path, width, cues, self._threads))


def _fed(box: _Box, cases: Sequence[Case]) -> Iterator[Stage]:
    """What the box hands to its engines: ids and the places it asks at, and pixels."""
    ids: list[float] = []
    pixels: list[float] = []
    fault: str | None = None
    try:
        prompt = prompt_of(box.bundle)
        for case in cases:
            width, cues = case.embeds.shape[1], case.cells.shape[1]
            found = feed(prompt, case.frame, case.note, case.sign, width, cues)
            ids.append(_unlike(found, case.fed))
            pixels.append(float(np.abs(found.pixels - case.pixels).max() * 128.0))
    except CannotJudge as e:
        fault = str(e)
    yield stage_of(IDS, "ids, places and answers that differ", ids, 0.0, fault)
    yield stage_of(PIXELS, "largest difference, of 256 levels", pixels, MAX_LEVELS, fault and "not reached")


def _unlike(found: Fed, wanted: Fed) -> float:
    """How many ids differ or are too many or too few, and places asked at or answers that differ."""
    longer = abs(len(found.ids) - len(wanted.ids))
    ids = sum(a != b for a, b in zip(found.ids, wanted.ids, strict=False))
    return float(longer + ids + len(set(found.asked) ^ set(wanted.asked)))


def _seen(box: _Box, cases: Sequence[Case]) -> Iterator[Stage]:
    """The vision graph on torch's pixels."""
    embeds: list[float] = []
    cells: list[float] = []
    fault, storage = None, Storage.FLOAT
    try:
        storage = storage_of(box.bundle.path / VISION)
        engine = box.vision(cases[0].embeds.shape[1])
        for case in cases:
            sight = engine.see(case.pixels)
            embeds.append(relative_error(sight.embeds, case.embeds))
            cells.append(float(np.abs(sight.cells - case.cells).mean()))
    except CannotJudge as e:
        fault = str(e)
    yield stage_of(EMBEDS, f"root mean square over spread, {storage}", embeds, MAX_EMBEDS[storage], fault)
    yield stage_of(CELLS, f"mean difference, {storage}", cells, MAX_CELLS[storage], fault and "not reached")


def _read(prompt: Prompt, box: _Box, cases: Sequence[Case]) -> Stage:
    """Base and LoRA on torch's embeddings and the trained prompt."""
    found: list[float] = []
    fault: str | None = None
    try:
        reader = Reader(box.language, prompt)
        for case in cases:
            note = prompt.note(case.note, case.sign)
            look = reader.look(partial(box.language.embeddings, case.embeds))
            after = reader.answer(note, case.sign)
            pairs = zip(case.logits, (look, after.risks, after.verdict), strict=True)
            found.append(float(np.concatenate([np.atleast_1d(divergence(*pair)) for pair in pairs]).mean()))
    except CannotJudge as e:
        fault = str(e)
    return stage_of(LOGITS, "KL to torch, mean of the answers", found, MAX_KL, fault)


def divergence(reference: Floats, ours: Floats) -> NDArray[np.float64]:
    """Kullback-Leibler divergence in nats over the last axis, from logits (..., answers)."""
    p, q = (_log_softmax(logits.astype(np.float64)) for logits in (reference, ours))
    nats: NDArray[np.float64] = np.asarray((np.exp(p) * (p - q)).sum(axis=-1))
    return nats


def _log_softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    shifted = logits - logits.max(axis=-1, keepdims=True)
    result: NDArray[np.float64] = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return result


def stage_of(name: str, measure: str, found: Sequence[float], bar: float, fault: str | None) -> Stage:
    """The worst of what was `found`, of one record each."""
    # NumPy's maximum: Python's would lose a NaN among numbers.
    return Stage(name, measure, float(np.max(found)) if found and not fault else float("nan"), bar, fault)


def _short(value: float) -> float | None:
    return None if np.isnan(value) else float(f"{value:.3g}")
