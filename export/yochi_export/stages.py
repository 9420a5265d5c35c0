"""`yochi-export all`: a training run becomes a bundle, step by step.

    torch.npz                                                what the trained model says
    float/vision.onnx -> quantized/<rung>.onnx               the vision graph, and its rungs for the target
    lora.gguf                                                the LoRA
    <rung>/draft -> <rung>/box.npz -> <rung>/bundle          calibrated and compared with torch.npz
    <rung>/reliability.html                                  what its probabilities are worth
    bundle/                                                  the chosen rung with its proof
    report.json                                              every measured number, timings too

A step whose output is there is skipped, so a killed export goes on. `made_of.json` pins what the folder was
made of; another run or other records need another folder.
Answers are kept by what was asked and who answered (`yochi_train.kept`).
"""

import json
from dataclasses import asdict, dataclass, replace

from yochi_bench.answers import Answers, Box
from yochi_bench.scored import Scored, score
from yochi_runtime.base import NANO_BASE, find_base
from yochi_runtime.bundle import EXPLAIN, Bundle, open_bundle
from yochi_runtime.record import Record
from yochi_runtime.taxonomy import pack_text, parse_pack
from yochi_train.calibrate import draft
from yochi_train.pictures import read_pictures
from yochi_train.reliability import reliability_of

from .answering import ask_torch, box_answers, fit, kept_answers, validation_records
from .graphs import float_vision, graph_of, make_graph, small_forms
from .layers import Layers, layer_parity
from .lora import write_lora
from .order import Order, Report, Say, pin
from .pack import Parts, proved_languages, write_bundle
from .parity import MAX_FLIP_LIMIT, MAX_MEAN_DIFFERENCE, Parity, compare, spread, to_compare
from .reference import Reference
from .reliability_page import write_reliability
from .rungs import VisionRung
from .targets import Choice, choose

SCREEN, PART = 60, 12  # records
SCREEN_DIFFERENCE = 0.1  # of one probability; float16 storage moves none of 500 records by more than 0.03


@dataclass(frozen=True)
class Proved:
    """One rung's bundle and what it is made of; `judged`: what it says of the records of `parity`."""

    rung: VisionRung
    parts: Parts
    bundle: Bundle
    parity: Parity
    judged: Scored


@dataclass(frozen=True, eq=False)
class Torch:
    """What the trained model said, which is by now let go of."""

    answers: Answers  # to the records of `_asked`
    reference: Reference


def export_all(order: Order, say: Say) -> Bundle:
    """Every step; the finished bundle in `order.out / "bundle"`."""
    report, choice, torch = begin(order, say)
    *firsts, last = choice.vision
    for rung in firsts:
        if not worthwhile(order, rung, torch, report, say):
            continue
        found = proved(order, rung, torch, report, say)
        if found.parity.passed:
            return finish(order, found, report, say)
    return finish(order, proved(order, last, torch, report, say), report, say)


def begin(order: Order, say: Say) -> tuple[Report, Choice, Torch]:
    """What every rung stands on: the float graph, the LoRA, torch's answers; and the rungs that the target
    asks for.
    """
    report = Report(order.out / "report.json")
    pin(order)
    say("answers in torch")  # first: what the other steps import and leave would lie beside its model
    torch = Torch(*ask_torch(order.run, _asked(order), order.photos, order.out))
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
    if order.run.explain is not None:
        write_lora(order.run.explain, find_base(NANO_BASE), order.out / EXPLAIN)
    return report, choice, torch


def worthwhile(order: Order, rung: VisionRung, torch: Torch, report: Report, say: Say) -> bool:
    """Whether static int8 is faster than float16 here, and near enough for the minutes of its proof.

    The cheapest question comes first: what each costs, a dozen records stage by stage, SCREEN records.
    """
    if rung is VisionRung.STATIC:
        forms = small_forms(order, float_vision(order, report, say), report, say)
        if not forms.int8_is_faster:
            return False
    make_graph(order, rung, report, say)
    bundle = write_bundle(_draft(order, rung), order.out / rung / "draft")
    say(f"{rung}: a first look at its slots")
    return layers_of(order, rung, bundle, torch, report).passed and screened(
        order, rung, bundle, torch, report
    )


def screened(order: Order, rung: VisionRung, bundle: Bundle, torch: Torch, report: Report) -> bool:
    """Whether a rung is near enough on SCREEN records for the whole comparison to be worth its minutes.

    PART at a time: once lost, by what no further record can mend, the others are not asked.
    """
    asked = _asked(order)
    rows = spread(len(asked), SCREEN)
    rows = [row for first in range(SCREEN // PART) for row in rows[first :: SCREEN // PART]]
    with Box(bundle.path, order.photos, order.threads) as box:
        for end in range(PART, len(rows) + PART, PART):  # each part spread over all
            look = [asked[row] for row in rows[:end]]
            answers = kept_answers(box, look, order.photos, order.out / rung)
            found = compare(bundle, look, answers, torch.answers.take(rows[:end]))
            # Thresholds are a draft's here, so few verdicts flip: a probability that moves far is what tells.
            near = found.max_difference <= SCREEN_DIFFERENCE and found.stops_lost == 0
            if not near or sum(found.flips.values()) > MAX_FLIP_LIMIT * len(rows):
                break
    report.put(f"{rung}:screen", found.as_json())
    near = near and found.mean_difference <= MAX_MEAN_DIFFERENCE  # which more records could still lower
    return near and found.flip_rate <= MAX_FLIP_LIMIT


def _asked(order: Order) -> list[Record]:
    """The records that are compared with torch."""
    records = validation_records(order.records)
    return [records[i] for i in to_compare(records, order.count)]


def proved(order: Order, rung: VisionRung, torch: Torch, report: Report, say: Say) -> Proved:
    """The bundle of one rung, calibrated on its own answers and compared with torch."""
    make_graph(order, rung, report, say)
    say(f"{rung}: answers, calibration, parity")
    records, folder = validation_records(order.records), order.out / rung
    parts = _draft(order, rung)
    bundle = write_bundle(parts, folder / "draft")
    layers = layers_of(order, rung, bundle, torch, report)
    fitted, compared = _fitted(order, records), to_compare(records, order.count)
    wanted = sorted({*fitted, *compared})
    place = {row: i for i, row in enumerate(wanted)}
    answers = box_answers(bundle.path, [records[i] for i in wanted], order.photos, folder, order.threads)
    known, of_known = [records[i] for i in fitted], answers.take([place[i] for i in fitted])
    calibrated = fit(bundle, known, of_known, order.miss)
    worth = reliability_of(bundle, calibrated.calibration, known, of_known)
    write_reliability(bundle, calibrated.calibration, worth, folder)
    parts = replace(parts, calibration=calibrated.calibration)
    bundle = write_bundle(parts, folder / "bundle")
    asked, box = [records[i] for i in compared], answers.take([place[i] for i in compared])
    parity = replace(compare(bundle, asked, box, torch.answers), layers=layers)
    tested = {"test": calibrated.calibration.test.model_dump()} if calibrated.calibration.test else {}
    said = asdict(calibrated.chosen) | {"shared": calibrated.shared}
    report.put(f"{rung}:calibration", said | {"ece": worth.errors(), "ece_of": worth.shown} | tested)
    report.put(f"{rung}:parity", parity.as_json())
    parts = replace(parts, parity=parity.as_json())
    return Proved(rung, parts, bundle, parity, score(bundle, asked, box))


def _fitted(order: Order, records: list[Record]) -> list[int]:
    """Rows that calibration is fitted to. The box sees photos: a hazard that only scenes have must not move a
    threshold that photos have to keep.
    """
    rendered = {p.image for p in read_pictures(order.records / "pictures.jsonl") if p.pair}
    return [i for i, r in enumerate(records) if r.lang in order.fit and r.image not in rendered]


def layers_of(order: Order, rung: VisionRung, bundle: Bundle, torch: Torch, report: Report) -> Layers:
    """Where the bundle of this rung differs from torch; from the report where it is there."""
    known = report.get(f"{rung}:layers")
    if known:
        return Layers.from_json(known)
    found = layer_parity(torch.reference, bundle, order.threads)
    report.put(f"{rung}:layers", found.as_json())
    return found


def _draft(order: Order, rung: VisionRung) -> Parts:
    return Parts(
        vision=graph_of(order, rung),
        lora=order.out / "lora.gguf",
        explain=order.out / EXPLAIN if order.run.explain else None,
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
