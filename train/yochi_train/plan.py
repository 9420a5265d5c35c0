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

import numpy as np
import torch
from yochi_runtime.inspection import Note
from yochi_runtime.prompt import IMAGE_TOKENS, Prompt
from yochi_runtime.record import Record

from .features import FOLDED, POOLED, TOKENS, Features, encoded
from .nano import YochiNanoForConditionalGeneration, YochiNanoProcessor
from .pictures import read_photos
from .records import PACK_NOTES, read_records
from .settings import SftSettings
from .sft import Trainer

TIMED = 3  # steps of each kind, after one that is not counted
READ = 2000  # notes whose tokens are counted


def plan(
    settings: SftSettings, model: YochiNanoForConditionalGeneration, processor: YochiNanoProcessor, out: Path
) -> str:
    """Lines for the screen. UsageError for what would stop the run: records, photos, features, start."""
    torch.set_num_threads(settings.threads)
    torch.manual_seed(settings.seed)
    records = read_records(settings.records / "train.jsonl")
    photos = [photo.image for photo in read_photos(settings.photos)]
    done = encoded(photos, settings.features)
    trainer = Trainer(model, processor, settings, noise(sorted({r.image for r in records})), records, out)
    if settings.start is not None:
        trainer.start_from(settings.start)
    moving = min(settings.projector_steps, settings.steps)
    kinds = ((0, moving, "while the projector learns"), (moving, settings.steps - moving, "after"))
    costs = [(count, _seconds(trainer, first), when) for first, count, when in kinds if count]
    minutes = sum(count * seconds for count, seconds, _ in costs) / 60
    each = ", ".join(f"{seconds:.2f} s a step {when}" for _, seconds, when in costs)
    lora, projector = (
        sum(p.numel() for p in part) for part in (trainer.lora, trainer.projector.parameters())
    )
    encoder = sum(p.numel() for p in model.vision.encoder.parameters())
    still = sum(p.numel() for p in trainer.language.parameters()) - lora + encoder
    passes = settings.steps * settings.packs / (len(records) // PACK_NOTES)
    langs = ", ".join(f"{count:,} {lang}" for lang, count in sorted(Counter(r.lang for r in records).items()))
    rows = [
        ("goes on from", str(settings.start or "the untrained base")),
        ("records", f"{len(records):,} notes ({langs}) on {len({r.image for r in records}):,} pictures"),
        (
            "steps",
            f"{settings.steps:,}, each of {settings.packs} x {PACK_NOTES} notes: {passes:.2f} passes",
        ),
        ("tokens", _tokens(processor.prompt, records)),
        ("trained", f"{lora:,} of LoRA; {projector:,} of the projector for {moving} steps"),
        ("not trained", f"{still:,}, in {str(trainer.precision).removeprefix('torch.')}"),
        ("features", f"{done:,} of {len(photos):,} photos are encoded; the others come first"),
        ("memory", f"{peak_gib():.1f} GiB so far at its peak; longer notes take more"),
        ("time", f"{minutes:.0f} min: {each}"),
    ]
    return "\n".join(f"{name + ':':14}{value}" for name, value in rows)


def noise(images: Sequence[str]) -> Features:
    """The same noise for every picture, which takes the room of one."""
    draw = np.random.default_rng(0)
    tokens = np.abs(draw.standard_normal((1, TOKENS, FOLDED))).astype(np.float16)
    pooled = np.abs(draw.standard_normal((1, POOLED))).astype(np.float32)
    count = len(images)
    return Features(
        tuple(images),
        np.broadcast_to(tokens, (count, *tokens.shape[1:])),
        np.broadcast_to(pooled, (count, POOLED)),
    )


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


def _tokens(prompt: Prompt, records: Sequence[Record]) -> str:
    picture = len(prompt.prefix) + IMAGE_TOKENS + len(prompt.look)
    around = len(prompt.sign()) + len(prompt.slots)
    some = records[:: max(1, len(records) // READ)]
    notes = [around + len(prompt.note(Note(record.note).text)) for record in some]
    mean = statistics.mean(notes)
    seen = f"{max(notes)} the longest of {len(some):,} looked at"
    return f"{picture} a picture; {mean:.0f} a note with its questions, {seen}"


def peak_gib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20  # KiB on Linux
