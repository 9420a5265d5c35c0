"""What was found on this machine, what will be used, what is missing, and the command that mends it."""

import importlib.metadata
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from yochi_devices import sensors
from yochi_devices.uvc import list_uvc

from .audit.log import default_log
from .errors import CannotJudge, UsageError
from .fitting import Place, check_fits, find_place, needed
from .opening import admitted, base_of, prompt_of

PACKAGES = ("onnxruntime", "llama-cpp-python", "opencv-python-headless", "tokenizers", "cryptography")
LOG_BYTES = 10**9  # free for the log of judgements; a row takes about 10 kB
PROVIDER = "CPUExecutionProvider"


@dataclass(frozen=True)
class Row:
    """One line of the table. `mend` is what to do, None where nothing is missing."""

    what: str
    found: str
    mend: str | None = None


def examine(bundle: Path | None) -> list[Row]:
    """Every row; what is missing is a row and no error. UsageError for a wrong path or override."""
    place = find_place()
    rows = [*_machine(place), *_measures(place), *map(_package, PACKAGES), _provider()]
    rows += _bundle(bundle, place)
    return [*rows, *_cameras(), _log_space(default_log().parent)]


def table(rows: list[Row]) -> str:
    """For a person: aligned, with what is missing once more at the end."""
    wide = max(len(row.what) for row in rows)
    lines = [f"{'ok     ' if row.mend is None else 'MISSING'} {row.what:{wide}}  {row.found}" for row in rows]
    missing = [row for row in rows if row.mend is not None]
    if missing:
        lines += ["", "To mend:", *(f"- {row.what}: {row.mend}" for row in missing)]
    return "\n".join(lines)


def _machine(place: Place) -> list[Row]:
    machine, board = place.machine, place.board
    model = ", ".join(said for said in (machine.model, machine.cpu) if said) or "unknown model"
    rows = [
        Row("machine", f"{model}, {machine.arch}, {machine.cores} cores for Yochi"),
        Row("board", f"{board.id}: {board.name} ({place.found})"),
        Row("threads", f"{place.threads} for each engine"),
    ]
    if machine.nvidia:
        rows.append(Row("gpu", "NVIDIA, not used: bundles are proved on the processor"))
    return rows


def _measures(place: Place) -> list[Row]:
    """Shown, never missing: a judgement does not stand on them."""
    board = place.board
    watts = sensors.power(board.power, board.no_power)
    degrees = sensors.temperature(board.temperature)
    slowed = sensors.throttling()
    mend = "improve cooling or supply" if slowed else None
    return [
        Row("power", watts.text()),
        Row("temperature", degrees.text()),
        Row("throttling", slowed or "none seen", mend),
    ]


def _package(name: str) -> Row:
    try:
        return Row(name, importlib.metadata.version(name))
    except importlib.metadata.PackageNotFoundError:
        return Row(name, "not installed", "pip install -r requirements/edge.lock")


def _provider() -> Row:
    try:
        import onnxruntime
    except ImportError as e:
        return Row("provider", f"onnxruntime cannot be loaded: {e}", "pip install -r requirements/edge.lock")
    offered = onnxruntime.get_available_providers()
    mend = None if PROVIDER in offered else "pip install -r requirements/edge.lock"
    return Row("provider", f"{PROVIDER}, onnxruntime offers {', '.join(offered)}", mend)


def _bundle(path: Path | None, place: Place) -> list[Row]:
    """Bundle, base model and memory, as far as the one before is there."""
    try:
        bundle, standing = admitted(path)
        prompt_of(bundle)
    except CannotJudge as e:
        return [Row("bundle", str(e), "install Yochi again, or get the bundle again")]
    proved = standing.trusted and bundle.manifest.proof.passed
    rows = [
        Row(
            "bundle",
            f"{bundle.manifest.name} {bundle.manifest.version}, {standing.said}, "
            f"proof {'passed' if bundle.manifest.proof.passed else 'failed'}",
            None if proved else "every judgement will be cannot_judge; take the shipped bundle",
        ),
        _checked("base model", lambda: str(base_of(bundle)), "yochi bundle base"),
    ]
    need, machine = needed(bundle), place.machine
    ours = place.board.budget(machine)
    said = (
        f"{need / 1e6:.0f} MB needed, {ours / 1e6:.0f} of {machine.memory / 1e6:.0f} MB are Yochi's, "
        f"{machine.available / 1e6:.0f} free now"
    )

    def fits() -> str:
        check_fits(bundle, place)
        return said

    row = _checked("memory", fits, "take a smaller bundle or more memory")
    if row.mend is None and machine.available < need:
        row = Row("memory", said, "close other programs")
    return [*rows, row]


def _checked(what: str, work: Callable[[], str], mend: str) -> Row:
    try:
        return Row(what, work())
    except (CannotJudge, UsageError) as e:
        return Row(what, str(e), mend)


def _cameras() -> list[Row]:
    found = list_uvc()
    if not found:
        return [Row("cameras", "none on USB; a network camera is looked at by: yochi camera test rtsp://...")]
    mend = "sudo usermod -aG video $USER, then log in again"
    return [Row(f"camera {c.index}", c.name, None if c.usable else mend) for c in found]


def _log_space(folder: Path) -> Row:
    """On the file system where the log is, or will be made."""
    there = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(there).free
    mend = None if free >= LOG_BYTES else f"free {LOG_BYTES / 1e9:.0f} GB on the disk of {there}"
    return Row("log", f"{folder}, {free / 1e9:.1f} GB free", mend)
