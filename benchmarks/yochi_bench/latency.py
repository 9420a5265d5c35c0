"""How long a judgement takes on this device, stage by stage, and how much memory it took.

Three cases, because they cost differently: a new frame (everything runs), a new note on the same frame (what
the frame showed is kept), and the same frame and note again (a still scene under watch). Every case is warmed
up first. Judging ends when the answer is there, so no synchronisation is needed. What could not be measured
is null, with its reason.
"""

import os
import platform
import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import count, cycle
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from yochi_runtime.errors import CannotJudge, Reason
from yochi_runtime.image import Frame
from yochi_runtime.inspection import Inspection
from yochi_runtime.judgement import Judgement

WALL = "wall"  # the whole call, by the caller's clock; the stages are the judge's own
STATUS = Path("/proc/self/status")
_COUNTERS = 2**24  # what fits into one pixel

Report = dict[str, Any]  # JSON values only


class Judging(Protocol):
    """What is measured: `yochi_runtime.judge.Judge`, or a stand-in."""

    def judge(self, inspection: Inspection) -> Judgement: ...


def measure(judge: Judging, inspections: Sequence[Inspection], warmup: int = 3, n: int = 20) -> Report:
    """p50 and p90 in ms a stage over `n` judgements a case, after `warmup` that do not count; peak memory.

    `inspections` are walked in turn. New frames are theirs with one pixel changed, so that none is known
    already. CannotJudge where a judgement failed (an unproved bundle still does all the work and may be
    timed).
    """
    if not inspections or warmup < 0 or n < 1:
        raise ValueError(f"expected inspections, warmup >= 0, n >= 1, got {len(inspections)}, {warmup}, {n}")
    load_before = os.getloadavg()
    cold = _timed(judge, inspections[0])
    cases = {
        "new_frame": _case(judge, _new_frames(inspections), warmup, n),
        "new_note": _new_note(judge, inspections, warmup, n),
        "same_again": _case(judge, cycle(inspections[:1]), warmup + 1, n),  # + 1: then its frame is known
    }
    memory, why = peak_rss_bytes_of_all()
    return {
        "warmup": warmup,
        "count": n,
        "first_ms": {stage: round(ms, 3) for stage, ms in cold[0].items()},
        "cases": cases,
        "peak_rss_bytes": memory,
        "peak_rss_reason": why,
        "device": device(load_before),
        "identities": cold[1].identities.model_dump(),
    }


def _new_note(judge: Judging, inspections: Sequence[Inspection], warmup: int, n: int) -> Report:
    frame = inspections[0].frame
    notes = list(dict.fromkeys(i.note for i in inspections))
    if len(notes) < 2:
        return {
            "stages": None,
            "reason": "expected at least two different notes, got one; give another --note",
        }
    return _case(judge, cycle(Inspection(frame, note) for note in notes), warmup + 1, n)


def _case(judge: Judging, inspections: Iterator[Inspection], warmup: int, n: int) -> Report:
    timings = [_timed(judge, next(inspections))[0] for _ in range(warmup + n)][warmup:]
    return {"stages": percentiles(timings), "reason": None}


def _timed(judge: Judging, inspection: Inspection) -> tuple[dict[str, float], Judgement]:
    """Milliseconds by stage, the whole call among them."""
    start = time.perf_counter()
    judgement = judge.judge(inspection)
    wall = (time.perf_counter() - start) * 1e3
    failures = [reason for reason in judgement.reasons if reason is not Reason.UNPROVED]
    if failures:
        raise CannotJudge(failures[0], judgement.message or f"expected a judgement, got {failures[0]}")
    return {**judgement.timings_ms, WALL: wall}, judgement


def _new_frames(inspections: Sequence[Inspection]) -> Iterator[Inspection]:
    """The inspections in turn, each frame with a number of its own in its first pixel."""
    for number, inspection in zip(count(1), cycle(inspections), strict=False):
        rgb = inspection.frame.rgb.copy()
        old = int.from_bytes(rgb[0, 0].tobytes(), "big")
        rgb[0, 0] = list(((old + number) % _COUNTERS).to_bytes(3, "big"))
        yield Inspection(Frame(rgb), inspection.note)


def percentiles(timings: Sequence[Mapping[str, float]]) -> dict[str, dict[str, float | int]]:
    """p50, p90 (ms) and n by stage, over the judgements in which the stage ran.

    Linear between order statistics: Hyndman and Fan, Am. Stat. 50 (1996) 361-365, definition 7.
    """
    stages = list(dict.fromkeys(stage for one in timings for stage in one))
    values = {stage: [one[stage] for one in timings if stage in one] for stage in stages}
    return {stage: _percentiles(of_stage) for stage, of_stage in values.items()}


def _percentiles(values: Sequence[float]) -> dict[str, float | int]:
    p50, p90 = np.percentile(values, (50, 90))
    return {"p50": round(float(p50), 3), "p90": round(float(p90), 3), "n": len(values)}


def peak_rss_bytes_of_all() -> tuple[int | None, str | None]:
    """Sum of the peaks of this process and of its children, which the engines are, or None and why not.

    Pages that several of them share (libraries) count for each, and the peaks need not fall together.
    """
    mine = f"PPid:\t{os.getpid()}\n"
    children = [s for s in Path("/proc").glob("[0-9]*/status") if mine in _text(s)]
    found = [peak_rss_bytes(status) for status in (STATUS, *children)]
    missing = [why for held, why in found if held is None]
    return (None, missing[0]) if missing else (sum(held or 0 for held, _ in found), None)


def _text(status: Path) -> str:
    try:
        return status.read_text(encoding="utf-8", errors="replace")
    except OSError:  # it has ended meanwhile
        return ""


def peak_rss_bytes(status: Path = STATUS) -> tuple[int | None, str | None]:
    """Highest resident memory of one process so far (VmHWM, proc(5)), or None and why not."""
    try:
        lines = status.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError as e:
        return None, f"expected to read {status}, got: {e.strerror or e}; only Linux has it"
    found = [line.split() for line in lines if line.startswith("VmHWM:")]
    if not found:
        return None, f"expected a VmHWM line in {status}, got none; this kernel does not count it"
    return int(found[0][1]) * 1024, None


def device(load: tuple[float, float, float]) -> Report:
    """What was measured on; `load` is the load average before: above 0 somebody else had a share."""
    return {
        "machine": platform.machine(),
        "cpu": _cpu_name(),
        "cores": len(os.sched_getaffinity(0)),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "load_average_before": [round(x, 2) for x in load],
    }


def _cpu_name(info: Path = Path("/proc/cpuinfo")) -> str | None:
    """As the kernel names it; None where it does not (ARM boards often)."""
    if not info.is_file():
        return None
    lines = info.read_text(encoding="utf-8", errors="replace").splitlines()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else None


def render(report: Report) -> str:
    """The report as a table: p50 / p90 in ms, a row a stage, a column a case."""
    cases: dict[str, Report] = report["cases"]
    stages = list(dict.fromkeys(stage for case in cases.values() for stage in case["stages"] or ()))
    lines = [f"{'ms, p50 / p90':<16}" + "".join(f"{name:>20}" for name in cases)]
    lines += [f"{stage:<16}" + "".join(_cell(case, stage) for case in cases.values()) for stage in stages]
    lines += [f"{name}: not measured: {case['reason']}" for name, case in cases.items() if case["reason"]]
    return "\n".join(
        [*lines, f"{report['count']} judgements a case after {report['warmup']}", _memory(report)]
    )


def _cell(case: Report, stage: str) -> str:
    numbers = (case["stages"] or {}).get(stage)
    shown = f"{numbers['p50']:.1f} / {numbers['p90']:.1f}" if numbers else "-"
    return f"{shown:>20}"


def _memory(report: Report) -> str:
    held: int | None = report["peak_rss_bytes"]
    return f"peak memory: {report['peak_rss_reason'] if held is None else f'{held / 1e6:.0f} MB'}"
