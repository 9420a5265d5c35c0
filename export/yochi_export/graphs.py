"""The vision graph of a run in every rung, made once and kept in the folder of the export."""

from pathlib import Path

import numpy as np
import torch
from yochi_runtime.errors import UsageError
from yochi_runtime.vision import Vision

from .forms import Forms, make_forms, output_sizes
from .frames import prepared, training_pictures
from .measure import Cost
from .order import Order, Report, Say
from .rungs import VisionRung, make_rung
from .vision import export_vision

MAX_ONNX_DIFFERENCE = 1e-3  # of an output, float graph against torch


def graph_of(order: Order, rung: VisionRung) -> Path:
    """Where it lies once it is made."""
    if rung is VisionRung.FP32:
        return order.out / "float" / "vision.onnx"
    return order.out / "quantized" / f"{rung}.onnx"


def make_graph(order: Order, rung: VisionRung, report: Report, say: Say) -> Path:
    """The graph as `rung`; what is there already is not made again."""
    source = float_vision(order, report, say)
    path = graph_of(order, rung)
    if rung is VisionRung.STATIC:
        small_forms(order, source, report, say)
    elif not path.exists():
        say(f"vision as {rung}")
        beside = path.with_name(f".partial-{path.name}")
        make_rung(source, beside, rung)
        beside.replace(path)
    return path


def float_vision(order: Order, report: Report, say: Say) -> Path:
    """The float graph, compared with torch on real frames. UsageError where they differ."""
    path = graph_of(order, VisionRung.FP32)
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
    """int8 by the best recipe and float16, and what they cost; from the report where they are there."""
    known = report.get("quantize")
    if known and all(graph_of(order, rung).exists() for rung in (VisionRung.STATIC, VisionRung.FP16)):
        return Forms({name: Cost(**cost) for name, cost in known["costs"].items()}, known["best_int8"])
    say("static int8 and float16")
    pictures = training_pictures(order.records, order.photos)
    forms = make_forms(source, order.out / "quantized", pictures, calibrated_on=order.int8_frames)
    report.put("quantize", forms.as_json())
    return forms
