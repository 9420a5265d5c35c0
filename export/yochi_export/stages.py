"""`yochi-export all`: a training run becomes a bundle, step by step.

    float/vision.onnx -> quantized/{int8,half}.onnx          the vision graph, and its two small forms
    lora.gguf                                                the LoRA
    <form>/draft -> <form>/box.npz -> <form>/bundle          calibrated, compared with torch.npz, int8 first
    bundle/                                                  the chosen form with its proof
    report.json                                              every measured number, timings too

A step whose output is there is skipped, so a killed export goes on. `made_of.json` pins what the folder was
made of; another run or other records need another folder.
Answers are kept by what was asked and who answered (`yochi_train.kept`).
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from yochi_bench.answers import Answers
from yochi_runtime.base import NANO_BASE, find_base
from yochi_runtime.bundle import Bundle, file_sha256, open_bundle
from yochi_runtime.errors import UsageError
from yochi_runtime.image import PREPARATION
from yochi_runtime.prompt import PROMPT_VERSION
from yochi_runtime.record import Record
from yochi_runtime.taxonomy import pack_text, parse_pack
from yochi_runtime.vision import Vision
from yochi_train.calibrate import calibrate, draft
from yochi_train.grammar import LANGS
from yochi_train.pictures import read_pictures

from .answering import box_answers, compare_layers, torch_answers, validation_records
from .forms import CALIBRATION_FRAMES, Form, Forms, choose_form, make_forms, output_sizes
from .frames import prepared, training_pictures
from .layers import Layers
from .lora import write_lora
from .measure import Cost
from .pack import Parts, proved_languages, write_bundle
from .parity import MAX_FLIP_LIMIT, MAX_MEAN_DIFFERENCE, Parity, compare, spread
from .trained import RunFolder
from .vision import export_vision

SCREEN = 60  # records
SCREEN_DIFFERENCE = 0.1  # of one probability; float16 storage moves none of 500 records by more than 0.03
MAX_ONNX_DIFFERENCE = 1e-3  # of an output, float graph against torch
Say = Callable[[str], None]


@dataclass(frozen=True)
class Order:
    """What to export. `records` from `yochi-train records`, `photos`: the folder its images are in."""

    run: RunFolder
    out: Path
    records: Path
    photos: Path
    version: str
    count: int = 500  # records that are compared with torch
    threads: int = 2
    languages: tuple[str, ...] | None = None  # None: those that `evaluation` proves
    evaluation: Path | None = None
    int8_frames: int = CALIBRATION_FRAMES  # training pictures that int8's ranges are set on
    fit: tuple[str, ...] = LANGS  # languages whose validation notes calibration and thresholds are fitted to


def export_all(order: Order, say: Say) -> Bundle:
    """Every step; the finished bundle in `order.out / "bundle"`."""
    report = Report(order.out / "report.json")
    _pin(order)
    vision = float_vision(order, report, say)
    say("LoRA")
    lora = order.out / "lora.gguf"
    if not lora.exists():
        beside = order.out / ".partial-lora.gguf"
        write_lora(order.run.adapter, find_base(NANO_BASE), beside)
        beside.replace(lora)
    report.put("lora", {"bytes": lora.stat().st_size})
    forms = small_forms(order, vision, report, say)
    parts, parity = None, None
    if forms.int8_is_faster and screened(order, report, say):
        parts, parity = proved(order, "int8", report, say)
    if parts is None or choose_form(forms, parity) == "half":
        parts, parity = proved(order, "half", report, say)
    return finish(order, parts, report, say)


class Report:
    """report.json: every measured number by step, written after each."""

    def __init__(self, file: Path) -> None:
        self._file = file
        file.parent.mkdir(parents=True, exist_ok=True)
        self._steps: dict[str, Any] = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}

    def put(self, step: str, numbers: Mapping[str, Any]) -> None:
        self._steps[step] = dict(numbers)
        text = json.dumps(self._steps, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
        self._file.write_text(text, encoding="utf-8")

    def get(self, step: str) -> dict[str, Any] | None:
        found: dict[str, Any] | None = self._steps.get(step)
        return found


def _pin(order: Order) -> None:
    """Refuse to mix two runs in one folder."""
    records = order.records / "val.jsonl"
    if not records.is_file():
        raise UsageError(f"expected validation records in {records}, found none; check --records")
    made_of = order.run.hashes() | {"records": file_sha256(records)}
    made_of |= {"preparation": PREPARATION, "prompt": PROMPT_VERSION}
    chosen = {"count": order.count, "int8_frames": order.int8_frames, "fit": list(order.fit)}
    text = json.dumps(made_of | chosen, indent=1)
    pinned = order.out / "made_of.json"
    if pinned.exists() and pinned.read_text(encoding="utf-8") != text:
        raise UsageError(
            f"expected {order.out} to be new or of this run, it holds another; choose another folder"
        )
    pinned.write_text(text, encoding="utf-8")


def float_vision(order: Order, report: Report, say: Say) -> Path:
    """The float graph, compared with torch on real frames. UsageError where they differ."""
    path = order.out / "float" / "vision.onnx"
    if path.exists() and report.get("onnx"):
        return path
    say("vision graph")
    tower = order.run.tower()
    path.parent.mkdir(parents=True, exist_ok=True)
    export_vision(tower, path)
    worst = {"image_embeds": 0.0, "cue_cells": 0.0}
    with Vision(path, *output_sizes(path), threads=order.threads) as engine:
        for frame in prepared(training_pictures(order.records, order.photos), 4):
            sight = engine.see(frame)
            with torch.inference_mode():
                wanted = tower(torch.from_numpy(frame))
            for name, ours, theirs in zip(worst, (sight.embeds, sight.cells), wanted, strict=True):
                worst[name] = max(worst[name], float(np.abs(ours - theirs[0].numpy()).max()))
    if max(worst.values()) > MAX_ONNX_DIFFERENCE:
        raise UsageError(f"expected ONNX within {MAX_ONNX_DIFFERENCE} of torch, got {worst}; report it")
    report.put("onnx", {"bytes": path.stat().st_size, "max_difference": worst})
    return path


def small_forms(order: Order, source: Path, report: Report, say: Say) -> Forms:
    """int8 and half, and what they cost; from the report where they are there."""
    out, known = order.out / "quantized", report.get("quantize")
    if known and (out / "int8.onnx").exists() and (out / "half.onnx").exists():
        return Forms({name: Cost(**cost) for name, cost in known["costs"].items()}, known["best_int8"])
    say("int8 and float16 forms")
    pictures = training_pictures(order.records, order.photos)
    forms = make_forms(source, out, pictures, calibrated_on=order.int8_frames)
    report.put("quantize", forms.as_json())
    return forms


def screened(order: Order, report: Report, say: Say) -> bool:
    """Whether int8 is near enough on SCREEN records for the whole comparison to be worth its minutes."""
    say("int8: a first look at its slots")
    asked = _asked(order)
    rows = spread(len(asked), SCREEN)
    bundle = write_bundle(_draft(order, "int8"), order.out / "int8" / "draft")
    look = [asked[i] for i in rows]
    box = box_answers(bundle.path, look, order.photos, order.out / "int8", order.threads)
    found = compare(bundle, look, box, _reference(order).take(rows))
    report.put("int8:screen", found.as_json())
    # Thresholds are a draft's here, so few verdicts flip: a probability that moves far is what tells.
    near = found.mean_difference <= MAX_MEAN_DIFFERENCE and found.max_difference <= SCREEN_DIFFERENCE
    return near and found.flip_rate <= MAX_FLIP_LIMIT and found.stops_lost == 0


def _asked(order: Order) -> list[Record]:
    """The records that are compared with torch."""
    records = validation_records(order.records)
    return [records[i] for i in spread(len(records), order.count)]


def _reference(order: Order) -> Answers:
    return torch_answers(order.run, _asked(order), order.photos, order.out)


def proved(order: Order, form: Form, report: Report, say: Say) -> tuple[Parts, Parity]:
    """The bundle of one form, calibrated on its own answers and compared with torch."""
    records, folder = validation_records(order.records), order.out / form
    say(f"{form}: answers, calibration, parity")
    parts = _draft(order, form)
    bundle = write_bundle(parts, folder / "draft")
    answers = box_answers(bundle.path, records, order.photos, folder, order.threads)
    # The box sees photos: a hazard that only scenes have must not move a threshold that photos have to keep.
    rendered = {p.image for p in read_pictures(order.records / "pictures.jsonl") if p.pair}
    fitted = [i for i, r in enumerate(records) if r.lang in order.fit and r.image not in rendered]
    calibrated = calibrate(bundle, [records[i] for i in fitted], answers.take(fitted))
    parts = replace(parts, calibration=calibrated.calibration)
    bundle = write_bundle(parts, folder / "bundle")
    rows = spread(len(records), order.count)
    parity = compare(bundle, _asked(order), answers.take(rows), _reference(order))
    parity = replace(parity, layers=layers_of(order, form, bundle, report))
    report.put(f"{form}:calibration", asdict(calibrated.chosen) | {"shared": calibrated.shared})
    report.put(f"{form}:parity", parity.as_json())
    return replace(parts, parity=parity.as_json()), parity


def layers_of(order: Order, form: Form, bundle: Bundle, report: Report) -> Layers:
    """Where the bundle of this form differs from torch; from the report where it is there."""
    known = report.get(f"{form}:layers")
    if known:
        return Layers.from_json(known)
    found = compare_layers(order.run, bundle, _asked(order), order.photos, order.threads)
    report.put(f"{form}:layers", found.as_json())
    return found


def _draft(order: Order, form: Form) -> Parts:
    return Parts(
        vision=order.out / "quantized" / f"{form}.onnx",
        lora=order.out / "lora.gguf",
        tokenizer=order.run.tokenizer,
        glossary=order.run.glossary,
        pack=order.run.pack,
        base=NANO_BASE,
        positives=order.run.positives(),
        calibration=draft(parse_pack(pack_text(order.run.pack))),
        version=order.version,
    )


def finish(order: Order, parts: Parts, report: Report, say: Say) -> Bundle:
    """The bundle with its evaluation and languages."""
    evaluation = None
    if order.evaluation is not None:
        evaluation = json.loads(order.evaluation.read_text(encoding="utf-8"))
    languages = proved_languages(evaluation, order.languages)
    say("bundle")
    bundle = write_bundle(replace(parts, evaluation=evaluation, languages=languages), order.out / "bundle")
    files = {name: entry.bytes for name, entry in bundle.manifest.files.items()}
    report.put(
        "bundle",
        {"sha256": bundle.sha256, "form": parts.vision.stem, "files": files, "bytes": sum(files.values())},
    )
    return open_bundle(bundle.path)
