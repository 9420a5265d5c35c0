"""What this machine is, as the Linux kernel tells it; nothing is run and nothing is guessed.

Every path is below a `root`, so that a recorded /proc and /sys can be read instead. The kernel's memory and
processor limits for this process's group (containers, systemd units) count like missing hardware.
"""

import math
import os
from dataclasses import dataclass
from pathlib import Path

KIB = 1024
UNLIMITED = 1 << 60  # bytes; version 1 of the kernel's groups writes a number near 2^63 for no limit


@dataclass(frozen=True)
class Machine:
    """`compatible` is what a device tree says (ARM boards), empty elsewhere; None is what is not told."""

    arch: str  # x86_64, aarch64
    model: str | None
    cpu: str | None
    compatible: tuple[str, ...]
    nvidia: bool  # NVIDIA's driver is loaded
    cores: int  # that this process may use
    memory: int  # bytes that this process's group may use at most
    available: int  # bytes that are free or can be freed now


class MachineError(Exception):
    """The kernel's own files are missing or not in their form; the message is one line."""


def read_machine(root: Path = Path("/"), *, arch: str | None = None, cores: int | None = None) -> Machine:
    """The machine below `root`; `arch` and `cores` are this process's, unless given."""
    tree = root / "proc/device-tree"
    limits = [limit for limit in (_memory_limit(root),) if limit is not None]
    return Machine(
        arch=arch or os.uname().machine,
        model=read_line(tree / "model") or read_line(root / "sys/class/dmi/id/product_name"),
        cpu=_cpu(root),
        compatible=tuple((read_line(tree / "compatible") or "").split("\0")),
        nvidia=(root / "proc/driver/nvidia/version").exists(),
        cores=_cores(root, cores or len(os.sched_getaffinity(0))),
        memory=min([_meminfo(root, "MemTotal"), *limits]),
        available=min([_meminfo(root, "MemAvailable"), *limits]),
    )


def read_line(path: Path) -> str | None:
    """A small file's text without the ends, None where it cannot be read or is empty."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip("\0\n\t ") or None
    except OSError:
        return None


def _cpu(root: Path) -> str | None:
    for line in (read_line(root / "proc/cpuinfo") or "").splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return None


def _meminfo(root: Path, name: str) -> int:
    path = root / "proc/meminfo"
    for line in (read_line(path) or "").splitlines():
        words = line.split()
        if words and words[0] == f"{name}:" and len(words) > 1 and words[1].isdecimal():
            return int(words[1]) * KIB
    raise MachineError(f"expected {name} in {path}, got none; Yochi needs Linux")


def _memory_limit(root: Path) -> int | None:
    groups = root / "sys/fs/cgroup"
    said = read_line(groups / "memory.max") or read_line(groups / "memory/memory.limit_in_bytes")
    limit = int(said) if said and said.isdecimal() else None
    return limit if limit is not None and limit < UNLIMITED else None


def _cores(root: Path, allowed: int) -> int:
    """Whole cores of the group's share, at least one."""
    groups = root / "sys/fs/cgroup"
    quota, _, period = (read_line(groups / "cpu.max") or "").partition(" ")
    if not quota:
        quota = read_line(groups / "cpu/cpu.cfs_quota_us") or ""
        period = read_line(groups / "cpu/cpu.cfs_period_us") or ""
    if not quota.isdecimal() or not period.isdecimal() or int(period) == 0:
        return allowed
    return max(1, min(allowed, math.floor(int(quota) / int(period))))
