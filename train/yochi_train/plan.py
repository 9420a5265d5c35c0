"""`yochi-train sft --dry-run`: what a run would do and cost, before it is begun. Nothing is written.

Time and memory are measured, not guessed: some steps are made on the real records, with noise for what the
encoder sees, and their weights are thrown away.
"""

import resource
import statistics
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from yochi_runtime.record import Record

from .features import encoded
from .model_folder import MODEL
from .pictures import read_photos
from .records import PACK_NOTES, read_records
from .settings import PolicySettings, SftSettings
from .sft import Trainer
from .slot_model import SlotModel
from .utility import check_instructions

TIMED = 3  # steps of each kind, after one that is not counted
READ = 2000  # notes whose tokens are counted


def plan(settings: SftSettings, model: SlotModel, out: Path) -> str:
    """Lines for the screen. UsageError for what would stop the run: records, photos, features, start."""
    torch.set_num_threads(settings.threads)
    torch.manual_seed(settings.seed)
    records = read_records(settings.records / "train.jsonl")
    check_instructions(settings, model)
    features = encoded_photos(settings)
    model.pretend(settings, sorted({r.image for r in records}))
    trainer = Trainer(model, settings, records, out)
    if settings.start is not None:
        trainer.start_from(settings.start)
    moving = min(settings.projector_steps, settings.steps) if model.projector else 0
    kinds = ((0, moving, "while the projector learns"), (moving, settings.steps - moving, "after"))
    costs = [(count, _seconds(trainer, first), when) for first, count, when in kinds if count]
    minutes = sum(count * seconds for count, seconds, _ in costs) / 60
    each = ", ".join(f"{seconds:.2f} s a step {when}" for _, seconds, when in costs)
    lora = sum(p.numel() for p in trainer.lora)
    still = sum(p.numel() for p in trainer.language.parameters()) - lora + model.beside()
    passes = settings.steps * settings.packs / (len(records) // PACK_NOTES)
    langs = ", ".join(f"{count:,} {lang}" for lang, count in sorted(Counter(r.lang for r in records).items()))
    rows = [
        ("goes on from", str(settings.start or "the untrained base")),
        ("records", f"{len(records):,} notes ({langs}) on {len({r.image for r in records}):,} pictures"),
        (
            "steps",
            f"{settings.steps:,}, each of {settings.packs} x {PACK_NOTES} notes: {passes:.2f} passes",
        ),
        ("tokens", _tokens(model, records)),
        *_beside(trainer, records),
        ("trained", f"{lora:,} of LoRA{_of_projector(model, moving)}"),
        ("not trained", f"{still:,}, in {str(trainer.precision).removeprefix('torch.')}"),
        *features,
        ("memory", f"{peak_gib():.1f} GiB so far at its peak; longer notes take more"),
        ("time", f"{minutes:.0f} min: {each}"),
    ]
    return "\n".join(f"{name + ':':14}{value}" for name, value in rows)


def _beside(trainer: Trainer, records: Sequence[Record]) -> list[tuple[str, str]]:
    """The rows about what is learned beside the slots."""
    s, rows = trainer.settings, list[tuple[str, str]]()
    if s.explanation_weight:
        some = records[:: max(1, len(records) // READ)]
        lengths = [len(made.said) for made in map(trainer.explainer.of, some) if made]
        median = f", {statistics.median(lengths):g} tokens at the median" if lengths else ""
        told = f"{len(lengths):,} of {len(some):,} notes looked at have one{median}"
        rows.append(("explanations", f"{told}; {s.explained} a picture and step"))
    if trainer.anchors:
        rows.append(("anchors", f"{len(trainer.anchors):,}, {s.anchors_a_step} a step"))
    return rows


def encoded_photos(settings: PolicySettings) -> list[tuple[str, str]]:
    """The row about the encoder's features, where the model has a cache of them."""
    if settings.features is None:
        return []
    photos = [photo.image for photo in read_photos(settings.photos)]
    done = encoded(photos, settings.features, settings.start / MODEL if settings.start else None)
    return [("features", f"{done:,} of {len(photos):,} photos are encoded; the others come first")]


def _of_projector(model: SlotModel, steps: int) -> str:
    if model.projector is None:
        return ""
    count = sum(p.numel() for p in model.projector.parameters())
    return f"; {count:,} of the projector for {steps} steps"


def _seconds(trainer: Trainer, step: int) -> float:
    """A step like number `step`; it is made again and again, so that short runs have enough."""

    def made() -> None:
        trainer.step = step
        trainer.train_step()

    return seconds_of(made)


def seconds_of(work: Callable[[], object]) -> float:
    """Median of TIMED runs of `work`, after one that is not counted."""
    times = []
    for _ in range(TIMED + 1):
        begun = time.perf_counter()
        work()
        times.append(time.perf_counter() - begun)
    return statistics.median(times[1:])


def _tokens(model: SlotModel, records: Sequence[Record]) -> str:
    some = records[:: max(1, len(records) // READ)]
    picture, notes = model.tokens([record.note for record in some])
    mean = statistics.mean(notes)
    seen = f"{max(notes)} the longest of {len(some):,} looked at"
    return f"{picture} a picture; {mean:.0f} a note with its questions, {seen}"


def peak_gib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20  # KiB on Linux
