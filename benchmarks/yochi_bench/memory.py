"""What this process and each of its children hold: memory (VmHWM, VmRSS) and descriptors, proc(5)."""

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from .report import Column, Number, Row, Table, measured

STATUS = Path("/proc/self/status")


def memory_table() -> Table:
    """A row for each process, the engines by their name, and their sum."""
    found = {"yochi-bench": peak_rss(STATUS)}
    for status in _children():
        name = _name(status.parent)
        place = 2
        while name in found:
            name, place = f"{_name(status.parent)} ({place})", place + 1
        found[name] = peak_rss(status)
    unread = [number.reason for number in found.values() if number.value is None]
    total = sum(number.value or 0.0 for number in found.values())
    found["all"] = measured(None, unread[0]) if unread else measured(total)
    return Table(
        id="memory",
        title="Peak memory (VmHWM)",
        columns=(Column(id="peak", unit="bytes", better="lower"),),
        rows=tuple(Row(id=name, cells={"peak": number}) for name, number in found.items()),
        caption="Pages that several processes share (libraries) count for each, and peaks need not coincide.",
    )


def process_use() -> dict[str, tuple[int, int]]:
    """Resident bytes and open descriptors now, by process, and of all. OSError off Linux."""
    found: dict[str, tuple[int, int]] = {}
    for name, status in {"yochi-bench": STATUS, **{_name(s.parent): s for s in _children()}}.items():
        of = _use(status)
        found[name] = of.memory, of.descriptors
    found["all"] = sum(m for m, _ in found.values()), sum(d for _, d in found.values())
    return found


@dataclass(frozen=True)
class Use:
    """Resident bytes, open descriptors and threads."""

    memory: int
    descriptors: int
    threads: int


def tree_use(pid: int) -> Use:
    """Of a process and all that descend from it, now. OSError where it has ended."""
    own = _use(Path(f"/proc/{pid}/status"))
    below = []
    for status in _children(pid):
        with suppress(OSError, ValueError):  # it has ended meanwhile
            below.append(tree_use(int(status.parent.name)))
    return Use(
        memory=own.memory + sum(one.memory for one in below),
        descriptors=own.descriptors + sum(one.descriptors for one in below),
        threads=own.threads + sum(one.threads for one in below),
    )


def _use(status: Path) -> Use:
    lines = status.read_text(encoding="ascii", errors="replace").splitlines()
    told = {
        name: int(line.split()[1]) for line in lines for name in ("VmRSS", "Threads") if line.startswith(name)
    }
    return Use(
        told.get("VmRSS", 0) * 1024, len(list((status.parent / "fd").iterdir())), told.get("Threads", 0)
    )


def _children(pid: int | None = None) -> list[Path]:
    """Of this process, unless another is given."""
    mine = f"PPid:\t{pid or os.getpid()}\n"
    return [status for status in sorted(Path("/proc").glob("[0-9]*/status")) if mine in _text(status)]


def _name(process: Path) -> str:
    """What an engine is started as, else the program's name."""
    words = _text(process / "cmdline").split("\0")
    if "yochi_runtime.engine_child" in words:
        return f"{words[words.index('yochi_runtime.engine_child') + 1]} engine"
    return _text(process / "comm").strip() or process.name


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except OSError:  # it has ended meanwhile
        return ""


def peak_rss(status: Path) -> Number:
    """Highest resident memory of one process so far, in bytes, or None and why not."""
    try:
        lines = status.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError as e:
        return measured(None, f"expected to read {status}, got: {e.strerror or e}; only Linux has it")
    found = [line.split() for line in lines if line.startswith("VmHWM:")]
    if not found:
        return measured(None, f"expected a VmHWM line in {status}, got none; this kernel does not count it")
    return measured(int(found[0][1]) * 1024)
