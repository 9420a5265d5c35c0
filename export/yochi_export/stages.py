"""`yochi-export all`: a training run becomes a bundle, step by step.

    float/vision.onnx -> quantized/<rung>.onnx               the vision graph, and its rungs for the target
    lora.gguf                                                the LoRA
    <rung>/draft -> <rung>/box.npz -> <rung>/bundle          calibrated and compared with torch.npz
    bundle/                                                  the chosen rung with its proof
    report.json                                              every measured number, timings too

A step whose output is there is skipped, so a killed export goes on. `made_of.json` pins what the folder was
made of; another run or other records need another folder.
Answers are kept by what was asked and who answered (`yochi_train.kept`).
"""

import json
from dataclasses import asdict, dataclass, replace

from yochi_bench.answers import Answers
from yochi_bench.scored import Scored, score
from yochi_runtime.base import NANO_BASE, find_base
from yochi_runtime.bundle import Bundle, open_bundle
from yochi_runtime.record import Record
from yochi_runtime.taxonomy import pack_text, parse_pack
from yochi_train.calibrate import calibrate, draft
from yochi_train.calibration_error import calibration_errors
from yochi_train.learn_then_test import calibrate_tested
from yochi_train.pictures import read_pictures

from .answering import box_answers, compare_layers, torch_answers, validation_records
from .graphs import float_vision, graph_of, make_graph, small_forms
from .layers import Layers
from .lora import write_lora
from .order import Order, Report, Say, pin
from .pack import Parts, proved_languages, write_bundle
from .parity import MAX_FLIP_LIMIT, MAX_MEAN_DIFFERENCE, Parity, compare, spread, to_compare
from .rungs import VisionRung
from .targets import Choice, choose

SCREEN = 60  # records
SCREEN_DIFFERENCE = 0.1  # of one probability; float16 storage moves none of 500 records by more than 0.03


@dataclass(frozen=True)
class Proved:
    """One rung's bundle and what it is made of; `judged`: what it says of the records of `parity`."""

    rung: VisionRung
    parts: Parts
    bundle: Bundle
    parity: Parity
    judged: Scored


def export_all(order: Order, say: Say) -> Bundle:
    """Every step; the finished bundle in `order.out / "bundle"`."""
    report, choice = begin(order, say)
    *firsts, last = choice.vision
    for rung in firsts:
        if not worthwhile(order, rung, report, say):
            continue
        found = proved(order, rung, report, say)
        if found.parity.passed:
            return finish(order, found, report, say)
    return finish(order, proved(order, last, report, say), report, say)


def begin(order: Order, say: Say) -> tuple[Report, Choice]:
    """What every rung stands on: the float graph and the LoRA; and which rungs the target asks for."""
    report = Report(order.out / "report.json")
    pin(order)
    source = float_vision(order, report, say)
    choice = choose(order.target, source.stat().st_size, NANO_BASE.bytes, fixed=True)
    say(choice.why)
    report.put("target", {"target": choice.target, "vision": list(choice.vision), "why": choice.why})
    lora = order.out / "lora.gguf"
    if not lora.exists():
        say("LoRA")
        beside = order.out / ".partial-lora.gguf"
        write_lora(order.run.adapter, find_base(NANO_BASE), beside)
        beside.replace(lora)
    report.put("lora", {"bytes": lora.stat().st_size})
    return report, choice


def worthwhile(order: Order, rung: VisionRung, report: Report, say: Say) -> bool:
    """Whether static int8 is faster than float16 here and near enough for the minutes of its proof."""
    if rung is VisionRung.STATIC:
        forms = small_forms(order, float_vision(order, report, say), report, say)
        if not forms.int8_is_faster:
            return False
    return screened(order, rung, report, say)


def screened(order: Order, rung: VisionRung, report: Report, say: Say) -> bool:
    """Whether a rung is near enough on SCREEN records for the whole comparison to be worth its minutes."""
    make_graph(order, rung, report, say)
    say(f"{rung}: a first look at its slots")
    asked = _asked(order)
    rows = spread(len(asked), SCREEN)
    bundle = write_bundle(_draft(order, rung), order.out / rung / "draft")
    look = [asked[i] for i in rows]
    box = box_answers(bundle.path, look, order.photos, order.out / rung, order.threads)
    found = compare(bundle, look, box, _reference(order).take(rows))
    report.put(f"{rung}:screen", found.as_json())
    # Thresholds are a draft's here, so few verdicts flip: a probability that moves far is what tells.
    near = found.mean_difference <= MAX_MEAN_DIFFERENCE and found.max_difference <= SCREEN_DIFFERENCE
    return near and found.flip_rate <= MAX_FLIP_LIMIT and found.stops_lost == 0


def _asked(order: Order) -> list[Record]:
    """The records that are compared with torch."""
    records = validation_records(order.records)
    return [records[i] for i in to_compare(records, order.count)]


def _reference(order: Order) -> Answers:
    return torch_answers(order.run, _asked(order), order.photos, order.out)


def proved(order: Order, rung: VisionRung, report: Report, say: Say) -> Proved:
    """The bundle of one rung, calibrated on its own answers and compared with torch."""
    make_graph(order, rung, report, say)
    say(f"{rung}: answers, calibration, parity")
    records, folder = validation_records(order.records), order.out / rung
    parts = _draft(order, rung)
    bundle = write_bundle(parts, folder / "draft")
    fitted, compared = _fitted(order, records), to_compare(records, order.count)
    wanted = sorted({*fitted, *compared})
    place = {row: i for i, row in enumerate(wanted)}
    answers = box_answers(bundle.path, [records[i] for i in wanted], order.photos, folder, order.threads)
    known, of_known = [records[i] for i in fitted], answers.take([place[i] for i in fitted])
    calibrated = (
        calibrate(bundle, known, of_known)
        if order.miss is None
        else calibrate_tested(bundle, known, of_known, order.miss)
    )
    parts = replace(parts, calibration=calibrated.calibration)
    bundle = write_bundle(parts, folder / "bundle")
    asked, box = [records[i] for i in compared], answers.take([place[i] for i in compared])
    parity = compare(bundle, asked, box, _reference(order))
    parity = replace(parity, layers=layers_of(order, rung, bundle, report))
    tested = {"test": calibrated.calibration.test.model_dump()} if calibrated.calibration.test else {}
    errors = {"ece": calibration_errors(bundle, calibrated.calibration, known, of_known)}
    said = asdict(calibrated.chosen) | {"shared": calibrated.shared}
    report.put(f"{rung}:calibration", said | errors | tested)
    report.put(f"{rung}:parity", parity.as_json())
    parts = replace(parts, parity=parity.as_json())
    return Proved(rung, parts, bundle, parity, score(bundle, asked, box))


def _fitted(order: Order, records: list[Record]) -> list[int]:
    """Rows that calibration is fitted to. The box sees photos: a hazard that only scenes have must not move a
    threshold that photos have to keep.
    """
    rendered = {p.image for p in read_pictures(order.records / "pictures.jsonl") if p.pair}
    return [i for i, r in enumerate(records) if r.lang in order.fit and r.image not in rendered]


def layers_of(order: Order, rung: VisionRung, bundle: Bundle, report: Report) -> Layers:
    """Where the bundle of this rung differs from torch; from the report where it is there."""
    known = report.get(f"{rung}:layers")
    if known:
        return Layers.from_json(known)
    found = compare_layers(order.run, bundle, _asked(order), order.photos, order.threads)
    report.put(f"{rung}:layers", found.as_json())
    return found


def _draft(order: Order, rung: VisionRung) -> Parts:
    return Parts(
        vision=graph_of(order, rung),
        lora=order.out / "lora.gguf",
        tokenizer=order.run.tokenizer,
        glossary=order.run.glossary,
        pack=order.run.pack,
        base=NANO_BASE,
        positives=order.run.positives(),
        calibration=draft(parse_pack(pack_text(order.run.pack))),
        version=order.version,
        explanation=order.run.explanation,
    )


def finish(order: Order, found: Proved, report: Report, say: Say) -> Bundle:
    """The bundle with its evaluation and languages."""
    evaluation = None
    if order.evaluation is not None:
        evaluation = json.loads(order.evaluation.read_text(encoding="utf-8"))
    languages = proved_languages(evaluation, order.languages)
    say("bundle")
    bundle = write_bundle(
        replace(found.parts, evaluation=evaluation, languages=languages), order.out / "bundle"
    )
    files = {name: entry.bytes for name, entry in bundle.manifest.files.items()}
    report.put(
        "bundle",
        {"sha256": bundle.sha256, "vision": found.rung, "files": files, "bytes": sum(files.values())},
    )
    return open_bundle(bundle.path)
