"""Static int8 by the best of its recipes, tried on real frames, with float16 storage beside."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from yochi_runtime.vision import CELLS, EMBEDS
from yochi_train.progress import Progress

from .frames import prepared
from .measure import Cost, measure
from .quantize import RECIPES, Recipe
from .rungs import VisionRung, make_rung

CALIBRATION_FRAMES, MEASURED_FRAMES = 48, 16
FLOAT, HALF = str(VisionRung.FP32), str(VisionRung.FP16)


@dataclass(frozen=True, eq=False)
class Forms:
    """`costs` by name: fp32, fp16, and every int8 recipe; `best` is the recipe nearest to float."""

    costs: dict[str, Cost]
    best: str

    @property
    def int8_is_faster(self) -> bool:
        return self.costs[self.best].ms < self.costs[HALF].ms

    def as_json(self) -> dict[str, Any]:
        return {"costs": {name: cost.as_json() for name, cost in self.costs.items()}, "best_int8": self.best}


def make_forms(
    source: Path,
    out: Path,
    pictures: Sequence[Path],
    recipes: Sequence[Recipe] = RECIPES,
    calibrated_on: int = CALIBRATION_FRAMES,
) -> Forms:
    """Write `int8-static.onnx` (the best recipe) and `fp16.onnx` into `out`; measure all against the float
    `source`.

    `calibrated_on`: how many of `pictures`, at most, set the ranges of int8.
    """
    out.mkdir(parents=True, exist_ok=True)
    frames = prepared(pictures, calibrated_on)
    graphs = {FLOAT: source, HALF: out / f"{VisionRung.FP16}.onnx"}
    make_rung(source, graphs[HALF], VisionRung.FP16)
    progress = Progress("int8 recipes", len(recipes))
    for recipe in recipes:
        graphs[recipe.name] = out / f"{recipe.name}.onnx"
        make_rung(source, graphs[recipe.name], VisionRung.STATIC, frames, recipe)
        progress.step(note=recipe.name)
    costs = measure(graphs, _others(pictures, calibrated_on), *output_sizes(source))
    best = min((recipe.name for recipe in recipes), key=lambda name: costs[name].embeds_error)
    for recipe in recipes:
        if recipe.name != best:
            graphs[recipe.name].unlink()
    graphs[best].replace(out / f"{VisionRung.STATIC}.onnx")
    return Forms(costs, best)


def _others(pictures: Sequence[Path], calibrated_on: int) -> list[NDArray[np.float32]]:
    """Frames to measure on, beside the ones that set the ranges where there are enough."""
    return prepared(pictures, MEASURED_FRAMES, offset=len(pictures) // calibrated_on // 2)


def output_sizes(graph: Path) -> tuple[int, int]:
    """(embedding width, cues) of a vision graph."""
    outputs = {o.name: o.type.tensor_type.shape.dim[-1].dim_value for o in onnx.load(graph).graph.output}
    return int(outputs[EMBEDS]), int(outputs[CELLS])
