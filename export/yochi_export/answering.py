"""Answers of a bundle and of torch to the same records, kept so that a killed export goes on."""

import ctypes
import gc
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
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
from .reference import Reference, reference_of
from .reliability_page import write_reliability
from .trained import RunFolder, Trained


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
        return kept_answers(box, records, photos, folder)


def kept_answers(box: Box, records: Sequence[Record], photos: Path, folder: Path) -> Answers:
    """Of a box that is open already; kept in `folder`."""
    return kept(folder / "box.npz", engine_of(box.bundle), records, photos, box.answers)


def torch_answers(run: RunFolder, records: Sequence[Record], photos: Path, folder: Path) -> Answers:
    """Through the trained model, unquantized; kept in `folder`."""
    with _loaded(run) as trained:
        return _kept_in_torch(trained, run, records, photos, folder)


def ask_torch(
    run: RunFolder, records: Sequence[Record], photos: Path, folder: Path
) -> tuple[Answers, Reference]:
    """All that an export asks of the trained model: its answers, kept in `folder`, and its stages on RECORDS
    of the records. The model is loaded once, and gone afterwards.
    """
    with _loaded(run) as trained:
        answers = _kept_in_torch(trained, run, records, photos, folder)
        return answers, reference_of(trained(), _some(records), photos)


def _kept_in_torch(
    trained: Callable[[], Trained], run: RunFolder, records: Sequence[Record], photos: Path, folder: Path
) -> Answers:
    def ask(asked: Sequence[Record]) -> Answers:
        return from_torch(trained().reader, trained().tower, asked, photos)

    return kept(folder / "torch.npz", _engine_of(run), records, photos, ask)


@contextmanager
def _loaded(run: RunFolder) -> Iterator[Callable[[], Trained]]:
    """The trained model, loaded where it is first called for and let go of at the end."""
    made: list[Trained] = []

    def trained() -> Trained:
        if not made:
            made.append(run.load())
        return made[0]

    try:
        yield trained
    finally:
        made.clear()
        gc.collect()  # its modules refer to each other in circles, and would stay beside the box's engines
        _trim()


def _trim() -> None:
    """Gives back to the system what was freed: glibc keeps 190 MB of a nano. Others lack the call."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def _some(records: Sequence[Record]) -> list[Record]:
    return [records[i] for i in spread(len(records), RECORDS)]


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
    with _loaded(run) as trained:
        reference = reference_of(trained(), _some(asked), photos)
    return layer_parity(reference, bundle, threads)


def compare_bundle(
    run: RunFolder, bundle: Bundle, asked: Sequence[Record], photos: Path, folder: Path, threads: int
) -> Parity:
    """Parity on `asked`; answers are kept in `folder`."""
    box = box_answers(bundle.path, asked, photos, folder, threads)
    return compare(bundle, asked, box, torch_answers(run, asked, photos, folder))
