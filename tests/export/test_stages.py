"""`yochi-export all` on a tiny run, through the real engines: a bundle that reads and is not yet proved."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from yochi_export.order import Order
from yochi_export.stages import export_all
from yochi_export.trained import RunFolder
from yochi_runtime.errors import UsageError
from yochi_runtime.image import Frame
from yochi_runtime.inspection import Inspection, Note
from yochi_runtime.judge import Judge
from yochi_runtime.judgement import Coverage
from yochi_runtime.verdict import Verdict

from .conftest import COUNT


def test_a_run_becomes_a_bundle_that_reads(order: Order) -> None:
    said: list[str] = []
    bundle = export_all(order, said.append)
    assert bundle.manifest.proof.passed is False, "six records prove nothing"
    assert bundle.not_trained() == {"note_content:fall"}
    assert bundle.manifest.explanation == "explain-1"
    report = json.loads((order.out / "report.json").read_text(encoding="utf-8"))
    assert set(report) >= {"onnx", "lora", "quantize", "fp16:parity", "fp16:calibration", "target", "bundle"}
    parity = report["fp16:parity"]
    assert parity["records"] == COUNT
    assert parity["mean_difference"] <= 0.01, "float16 storage and an F32 base: the same model"
    assert report["bundle"]["vision"] == "fp16"
    with Judge.open(bundle.path, trust=frozenset({bundle.sha256}), threads=1) as judge:
        sharp = np.random.default_rng(0).integers(0, 256, (448, 448, 3), dtype=np.uint8)
        frame = Frame(sharp)  # the drawn photos are too plain for the gates
        judgement = judge.judge(Inspection(frame, Note("Oil all over the floor by press 3")))
    assert judgement.verdict is Verdict.CANNOT_JUDGE
    assert judgement.reasons == ("unproved",)
    assert len(judgement.coverage()[Coverage.JUDGED]) > 30
    again: list[str] = []
    assert export_all(order, again.append).sha256 == bundle.sha256
    assert "vision graph" in said
    assert "vision graph" not in again
    assert "static int8 and float16" not in again


def test_a_folder_of_another_run_is_refused(order: Order) -> None:
    order.out.mkdir()
    (order.out / "made_of.json").write_text("{}", encoding="utf-8")
    with pytest.raises(UsageError, match="holds another"):
        export_all(order, print)
    with pytest.raises(UsageError, match="validation records"):
        export_all(replace(order, records=order.out), print)


def test_an_unfinished_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="finish"):
        RunFolder(tmp_path)
