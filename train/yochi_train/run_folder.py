"""The folder of a training run: what it is made of, its newest checkpoint, its log."""

import errno
import hashlib
import json
import os
import platform
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import peft
import torch
import transformers
from yochi_runtime.errors import UsageError

from .convert.written import written
from .model_folder import ADAPTER_WEIGHTS, ENCODER, MODEL, PROJECTOR
from .policy import precision_of
from .settings import PATHS, PolicySettings, SftSettings
from .slot_model import SlotModel

# Where things lie and how often they are saved does not change what is learned.
UNPINNED = {"model", *PATHS, "threads", "checkpoint_every"}
UNPINNED |= {"critic_url", "critic_timeout", "critic_tries", "critic_workers", "critic_failures"}
LOG, CHECKPOINT = "log.jsonl", "checkpoint.pt"


def pin_run(settings: PolicySettings, model: SlotModel, out: Path, record_files: tuple[str, ...]) -> None:
    """Write what the run is made of to `run.json`; a folder with another run in it is refused."""
    data: dict[str, str] = dict(model.identity())
    data |= {
        name: hashlib.sha256((settings.records / name).read_bytes()).hexdigest() for name in record_files
    }
    if isinstance(settings, SftSettings) and settings.anchors is not None:
        data["anchors"] = hashlib.sha256(settings.anchors.read_bytes()).hexdigest()
    if settings.start is not None:
        weights = (settings.start / MODEL / name for name in (ADAPTER_WEIGHTS, PROJECTOR, ENCODER))
        data |= {
            f"start/{f.name}": hashlib.sha256(f.read_bytes()).hexdigest() for f in weights if f.is_file()
        }
    run = {
        "settings": settings.model_dump(mode="json", exclude=UNPINNED),
        "precision": str(precision_of(settings.precision, model.device)),
        "data": data,
        "versions": {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "transformers": transformers.__version__,
            "peft": peft.__version__,
        },
    }
    text = json.dumps(run, indent=1, sort_keys=True) + "\n"
    pin(text, out)


def pin(text: str, out: Path) -> None:
    """`text` is what the run in `out` is made of. UsageError where another run is there."""
    file = out / "run.json"
    if file.exists() and file.read_text(encoding="utf-8") != text:
        raise UsageError(
            f"expected {out} to be empty or to hold this very run, it holds another; choose a new folder"
        )
    file.write_text(text, encoding="utf-8")


def save_checkpoint(state: Mapping[str, object], out: Path) -> None:
    """Written beside and moved into place."""
    partial = out / "checkpoint.partial"
    try:
        with partial.open("wb") as file:
            torch.save(dict(state), file)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(out / CHECKPOINT)
    finally:
        partial.unlink(missing_ok=True)  # on a full disk half a checkpoint is in the way


@contextmanager
def room_on_disk(out: Path) -> Iterator[None]:
    """UsageError where the disk is full, whoever says so; the newest checkpoint is still there."""
    try:
        yield
    except Exception as e:
        if not _is_full(e):
            raise
        raise UsageError(
            f"expected room on the disk of {out}, got none; free some and give the same command again: it "
            "goes on from its last checkpoint"
        ) from e


def _is_full(error: BaseException) -> bool:
    """torch and safetensors say it in errors of their own: in what they came from, or in words."""
    full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
    cause = error.__cause__ or error.__context__
    return full or f"os error {errno.ENOSPC}" in str(error) or (cause is not None and _is_full(cause))


def cut_log(out: Path, step: int) -> None:
    """Steps after the checkpoint will be made again; the last line may be torn. The log has a line a step."""
    file = out / LOG
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    with written(file) as log:
        log.write("".join(f"{line}\n" for line in lines[:step]))
