"""`yochi-export all` on a tiny run, through the real engines: a bundle that reads and is not yet proved."""

import json
import weakref
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from yochi_bench.answers import Answers, Box
from yochi_export import stages
from yochi_export.forms import Forms
from yochi_export.graphs import make_graph
from yochi_export.layers import Layers, Stage
from yochi_export.order import Order
from yochi_export.pack import write_bundle
from yochi_export.reference import Reference
from yochi_export.rungs import VisionRung
from yochi_export.stages import PART, SCREEN, Torch, begin, export_all
from yochi_export.trained import RunFolder, Trained
from yochi_runtime.errors import UsageError
from yochi_runtime.image import Frame
from yochi_runtime.inspection import Inspection, Note
from yochi_runtime.judge import Judge
from yochi_runtime.judgement import Coverage
from yochi_runtime.language import Language
from yochi_runtime.record import Record
from yochi_runtime.taxonomy import load_pack
from yochi_runtime.verdict import Verdict

from . import drawn
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


def test_the_same_inputs_give_the_same_bytes(order: Order, tmp_path: Path) -> None:
    """In another folder: nothing of time or place goes in."""
    once = export_all(order, print)
    again = export_all(replace(order, out=tmp_path / "elsewhere"), print)
    assert once.path != again.path
    for name in (*once.manifest.files, "manifest.json"):
        assert (once.path / name).read_bytes() == (again.path / name).read_bytes(), name
    pages = [(out / "fp16" / "reliability.html").read_bytes() for out in (order.out, again.path.parent)]
    assert pages[0] == pages[1]
    assert b"exchangeable" in pages[0]


def test_the_trained_model_is_gone_before_an_engine_of_the_box_opens(
    order: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Together they would be the peak of an export."""
    loaded: list[weakref.ref[torch.nn.Module]] = []
    load, language = RunFolder.load, Language.__init__

    def watched(run: RunFolder, base: Path | None = None) -> Trained:
        made = load(run, base)
        loaded.append(weakref.ref(made.reader._body))
        return made

    def opened(self: Language, *args: Any, **how: Any) -> None:
        assert [ref() for ref in loaded] == [None], "torch's model is still there"
        language(self, *args, **how)

    monkeypatch.setattr(RunFolder, "load", watched)
    monkeypatch.setattr(Language, "__init__", opened)
    export_all(order, print)
    assert len(loaded) == 1, "once for answers and stages"


@pytest.mark.parametrize(
    ("turned", "asked"), [([], SCREEN), ([0], PART), ([1], 2 * PART), ([SCREEN - 1], SCREEN)]
)
def test_a_candidate_is_asked_no_more_once_it_is_lost(
    order: Order, monkeypatch: pytest.MonkeyPatch, turned: list[int], asked: int
) -> None:
    """Row 0 is in the first part, row 1 in the second, the last row in the last. Every risk of a row is
    turned round, so that its probabilities are far off.
    """
    records = [
        r.model_copy(update={"note": f"{r.note}, {i}"})
        for i, r in enumerate(drawn.records(load_pack(), SCREEN))
    ]
    (order.records / "val.jsonl").write_text(
        "".join(r.model_dump_json() + "\n" for r in records), encoding="utf-8"
    )
    said = drawn.answers(load_pack(), records)
    risks = said.risks.copy()
    risks[turned] = risks[turned][..., ::-1]
    torch_said = Torch(Answers(said.cues, risks, said.verdict), Reference(cast(Any, None), ()))
    place = {r.note: i for i, r in enumerate(records)}
    questions: list[int] = []

    def answers(_: Box, some: Sequence[Record]) -> Answers:
        questions.append(len(some))
        return said.take([place[r.note] for r in some])

    monkeypatch.setattr(Box, "answers", answers)
    report, _, _ = begin(order, print)
    make_graph(order, VisionRung.FP16, report, print)
    bundle = write_bundle(stages._draft(order, VisionRung.FP16), order.out / "fp16" / "draft")
    found = stages.screened(order, VisionRung.FP16, bundle, torch_said, report)
    assert found is not bool(turned)
    assert sum(questions) == asked
    assert report.get("fp16:screen") is not None


def test_a_candidate_that_differs_at_a_stage_is_asked_nothing(
    order: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stages, "layer_parity", lambda *_: Layers(1, (Stage("a", "m", 2.0, 1.0),)))
    monkeypatch.setattr(Forms, "int8_is_faster", property(lambda _: True))
    monkeypatch.setattr(Box, "answers", lambda *_: pytest.fail("asked"))
    report, _, torch_said = begin(order, print)
    assert not stages.worthwhile(order, VisionRung.STATIC, torch_said, report, print)


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
