"""`yochi-train records observe`: every pair through the procedure; may be killed at any time.

OUT holds `observations.jsonl` (every answer, append-only), `run.json` (what the answers are answers to),
and, when all is done, `observed.jsonl` (one line a pair) and `report.json`.
"""

import hashlib
import json
import os
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from yochi_runtime.errors import UsageError
from yochi_runtime.taxonomy import load_pack, pack_text, sha256_text

from ..progress import Progress
from .asker import Asker, Clock
from .crew import crew
from .endpoint import KEY_VARIABLE, Endpoint
from .log import open_log
from .pairs import Pair, read_pairs
from .prompts import PROMPT_VERSION
from .report import Price, Tally, report
from .teacher import Teacher, TeacherRefused
from .truth_teacher import TruthTeacher

REFUSED_IN_A_ROW = 3  # refusals after which it is not the questions that are wrong


def choose_teacher(
    name: str, model: str | None, per_minute: float | None, pack_file: Path | None
) -> Callable[[], Teacher]:
    """What makes the teacher, here or elsewhere: `truth`, `hf`, or the model at the base URL `name`.

    An endpoint's key comes from the environment of this process.
    """
    if name == "truth":
        return partial(TruthTeacher, load_pack(pack_file))
    if model is None:
        raise UsageError("expected --model NAME beside --teacher, got none; name the model to ask")
    if name == "hf":
        return partial(_local_vlm, model)
    return partial(Endpoint, name, model, os.environ.get(KEY_VARIABLE), per_minute=per_minute)


def _local_vlm(model: str) -> Teacher:
    from .local_vlm import LocalVlm  # torch: seconds that no other teacher needs

    return LocalVlm(model)


def observe(
    pairs_file: Path,
    out: Path,
    teacher: Teacher,
    *,
    pictures: Path | None = None,
    pack_file: Path | None = None,
    price: Price | None = None,
    workers: int = 1,
    clock: Clock = time.time,
) -> str:
    """Observe every pair of `pairs_file` into `out`, `workers` pairs at a time; a line for the screen.

    `pictures` is the folder of the pictures (that of `pairs_file`). TeacherError where the teacher stays
    away: what was answered is kept, and the same call goes on.
    """
    pack = load_pack(pack_file)
    root = pictures or pairs_file.parent
    pairs = read_pairs(pairs_file, root)
    out.mkdir(parents=True, exist_ok=True)
    identity = {
        "teacher": teacher.model,
        "prompt_version": PROMPT_VERSION,
        "pack_sha256": sha256_text(pack_text(pack_file)),
        "pairs_sha256": hashlib.sha256(pairs_file.read_bytes()).hexdigest(),
    }
    with open_log(out / "observations.jsonl") as log:
        _pin(out / "run.json", identity)
        asker = Asker(teacher, pack, root, log, clock, workers)
        tally = _observe_all(pairs, asker, out / "observed.jsonl", workers)
        _write_json(out / "report.json", report(tally, log.rows.values(), identity, price))
    line = f"{tally.pairs} pairs observed, {len(tally.unanswered)} refused by the teacher: {out}"
    return line + ("; the same command asks for those again" if tally.unanswered else "")


def _observe_all(pairs: list[Pair], asker: Asker, file: Path, workers: int) -> Tally:
    tally, refused = Tally(), 0
    progress: Progress | None = None
    partial = file.with_suffix(".partial")
    with partial.open("w", encoding="utf-8") as out, crew(asker.observe, pairs, workers) as outcomes:
        for number, (pair, (seen, asked)) in enumerate(zip(pairs, outcomes, strict=True)):
            if isinstance(seen, TeacherRefused):
                refused += 1
                tally.unanswered.append(pair.id)
                if refused == REFUSED_IN_A_ROW:
                    raise seen
            else:
                refused = 0
                tally.add(seen)
                out.write(seen.model_dump_json() + "\n")
            if progress is None and asked:
                # pairs of an earlier run took no time: they must not make the time left look short
                progress = Progress("pairs", len(pairs), done=number)
            if progress is not None:
                progress.step(note=f"{asker.tokens} tokens")
    partial.replace(file)
    return tally


def _pin(file: Path, identity: dict[str, str]) -> None:
    """Refuse to mix answers to other questions into one folder."""
    if not file.exists():
        _write_json(file, identity)
        return
    try:
        held = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as e:
        raise UsageError(f"expected JSON in {file}, got: {e}; give a new folder") from e
    other = [name for name, value in identity.items() if dict(held).get(name) != value]
    if other:
        raise UsageError(
            f"expected {file.parent} to be a run of the same {', '.join(other)}, it is of another; "
            "give a new folder"
        )


def _write_json(file: Path, data: object) -> None:
    partial = file.with_suffix(".partial")
    partial.write_text(json.dumps(data, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    partial.replace(file)
