"""Answers of a bundle and of torch to the same records, kept as files so that a killed export goes on."""

from collections.abc import Callable, Sequence
from pathlib import Path

from yochi_runtime.bundle import Bundle
from yochi_runtime.errors import UsageError
from yochi_runtime.record import Record
from yochi_train.answers import Answers, from_bundle, from_torch
from yochi_train.calibrate import Calibrated, calibrate
from yochi_train.records import read_records

from .layers import RECORDS, Layers, layer_parity
from .parity import Parity, compare, spread
from .trained import RunFolder


def once(path: Path, make: Callable[[Path], object]) -> Path:
    """`path`, made by `make(beside)` and moved into place unless it is there already."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(f".partial-{path.name}")  # the same ending: NumPy would append another
        make(beside)
        beside.replace(path)
    return path


def validation_records(folder: Path) -> list[Record]:
    """The validation split of a records folder. UsageError where there is none."""
    file = folder / "val.jsonl"
    if not file.is_file():
        raise UsageError(
            f"expected validation records in {file}, found none; run: yochi-train records photos"
        )
    return read_records(file)


def box_answers(bundle: Path, records: Sequence[Record], photos: Path, file: Path, threads: int) -> Answers:
    """Through ONNX Runtime and llama.cpp."""
    return Answers.load(
        once(file, lambda beside: _save(from_bundle(bundle, records, photos, threads), beside))
    )


def torch_answers(run: RunFolder, records: Sequence[Record], photos: Path, file: Path) -> Answers:
    """Through the trained model, unquantized."""

    def answer(beside: Path) -> None:
        trained = run.load()
        _save(from_torch(trained.reader, trained.tower, records, photos), beside)

    return Answers.load(once(file, answer))


def _save(answers: Answers, beside: Path) -> None:
    answers.save(beside)


def calibrate_bundle(bundle: Bundle, records: Path, photos: Path, answers: Path, threads: int) -> Calibrated:
    """Ask `bundle` every validation record of the folder `records`, then fit."""
    asked = validation_records(records)
    return calibrate(bundle, asked, box_answers(bundle.path, asked, photos, answers, threads))


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
    box = box_answers(bundle.path, asked, photos, folder / "box.npz", threads)
    return compare(bundle, asked, box, torch_answers(run, asked, photos, folder / "torch.npz"))
