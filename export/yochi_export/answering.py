"""Answers of a bundle and of torch to the same records, kept so that a killed export goes on."""

import json
from collections.abc import Sequence
from pathlib import Path

from yochi_bench.answers import Answers, Box
from yochi_runtime.bundle import Bundle
from yochi_runtime.errors import UsageError
from yochi_runtime.image import PREPARATION
from yochi_runtime.prompt import PROMPT_VERSION
from yochi_runtime.record import Record
from yochi_runtime.taxonomy import sha256_text
from yochi_train.answers import from_torch
from yochi_train.calibrate import Calibrated, calibrate
from yochi_train.kept import engine_of, kept
from yochi_train.learn_then_test import calibrate_tested
from yochi_train.records import read_records
from yochi_train.reliability import reliability_of

from .layers import RECORDS, Layers, layer_parity
from .parity import Parity, compare, spread
from .reliability_page import write_reliability
from .trained import RunFolder


def validation_records(folder: Path) -> list[Record]:
    """The validation split of a records folder. UsageError where there is none."""
    file = folder / "val.jsonl"
    if not file.is_file():
        raise UsageError(
            f"expected validation records in {file}, found none; run: yochi-train records photos"
        )
    return read_records(file)


def box_answers(bundle: Path, records: Sequence[Record], photos: Path, folder: Path, threads: int) -> Answers:
    """Through ONNX Runtime and llama.cpp; kept in `folder`."""
    with Box(bundle, photos, threads) as box:
        return kept(folder / "box.npz", engine_of(box.bundle), records, photos, box.answers)


def torch_answers(run: RunFolder, records: Sequence[Record], photos: Path, folder: Path) -> Answers:
    """Through the trained model, unquantized; kept in `folder`."""

    def ask(asked: Sequence[Record]) -> Answers:
        trained = run.load()
        return from_torch(trained.reader, trained.tower, asked, photos)

    return kept(folder / "torch.npz", _engine_of(run), records, photos, ask)


def _engine_of(run: RunFolder) -> str:
    return sha256_text(json.dumps([run.hashes(), PREPARATION, PROMPT_VERSION], sort_keys=True))


def fit(bundle: Bundle, records: Sequence[Record], answers: Answers, miss: float | None) -> Calibrated:
    """`miss`: thresholds are tested for at most this share of misses (`learn_then_test`)."""
    if miss is None:
        return calibrate(bundle, records, answers)
    return calibrate_tested(bundle, records, answers, miss)


def calibrate_bundle(
    bundle: Bundle, records: Path, photos: Path, folder: Path, threads: int, miss: float | None = None
) -> Calibrated:
    """Ask `bundle` every validation record of the folder `records`, then `fit`; answers stay in `folder`, and
    beside them what the probabilities are worth (`reliability_page`).
    """
    asked = validation_records(records)
    answers = box_answers(bundle.path, asked, photos, folder, threads)
    found = fit(bundle, asked, answers, miss)
    worth = reliability_of(bundle, found.calibration, asked, answers)
    write_reliability(bundle, found.calibration, worth, folder)
    return found


def compare_layers(
    run: RunFolder, bundle: Bundle, asked: Sequence[Record], photos: Path, threads: int
) -> Layers:
    """Where the bundle differs from torch, on RECORDS of the records."""
    some = [asked[i] for i in spread(len(asked), RECORDS)]
    return layer_parity(run.load(), bundle, some, photos, threads)


def compare_bundle(
    run: RunFolder, bundle: Bundle, asked: Sequence[Record], photos: Path, folder: Path, threads: int
) -> Parity:
    """Parity on `asked`; answers are kept in `folder`."""
    box = box_answers(bundle.path, asked, photos, folder, threads)
    return compare(bundle, asked, box, torch_answers(run, asked, photos, folder))
