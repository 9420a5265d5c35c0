"""Which engines' processes there are, and what a judge with them says."""

import os
import re
from pathlib import Path

from yochi_runtime.errors import Reason
from yochi_runtime.inspection import Inspection, Note
from yochi_runtime.judge import Judge
from yochi_runtime.judgement import CALL_SUPERVISOR, Judgement
from yochi_runtime.verdict import Verdict

from .conftest import PLAIN_NOTE, noise

KINDS = ("vision", "language")  # of yochi-nano; a stock bundle has one
_EVERY = (*KINDS, "multimodal")


def engines(parent: int) -> dict[int, str]:
    """Kind of every engine whose parent is `parent`, by process id; "?" for a zombie."""
    found = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rpartition(")")[2].split()
            words = status.with_name("cmdline").read_bytes().split(b"\0")
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(fields[1]) == parent:
            found[int(status.parent.name)] = next((kind for kind in _EVERY if kind.encode() in words), "?")
    return found


def pid_of(kind: str) -> int:
    """The one engine of this kind that runs for this process."""
    (pid,) = (pid for pid, of in engines(os.getpid()).items() if of == kind)
    return pid


def held() -> tuple[list[str], int]:
    """Kinds of the engines that run for this process, and number of its open descriptors."""
    return sorted(engines(os.getpid()).values()), len(list(Path("/proc/self/fd").iterdir()))


def gone(pid: int) -> bool:
    """Whether no such process runs (one that died and that its new parent has not noticed yet does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return True


def judged(judge: Judge, seed: int = 0) -> Judgement:
    return judge.judge(Inspection(noise(seed), Note(PLAIN_NOTE)))


def numbers(judgement: Judgement) -> str:
    return judgement.model_dump_json(include={"slots", "factors", "verdict"})


def refused(found: Judgement, reason: Reason, said: str) -> None:
    assert (found.verdict, found.reasons) == (Verdict.CANNOT_JUDGE, (reason,))
    assert (found.advice, found.slots, found.factors) == (CALL_SUPERVISOR, (), ())
    assert found.message is not None
    assert re.match(r"expected [^\n]*; [^\n]*\Z", found.message)
    assert said in found.message
