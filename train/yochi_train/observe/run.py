"""`yochi-train records observe`: every pair through the procedure; may be killed at any time.

OUT holds `observations.jsonl` (every answer, append-only), `run.json` (what the answers are answers to),
and, when all is done, `observed.jsonl` (one line a pair) and `report.json`.
"""

import hashlib
import json
import os
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache, partial
from pathlib import Path
from typing import NamedTuple

from yochi_runtime.errors import UsageError
from yochi_runtime.taxonomy import Pack, load_pack, pack_text, sha256_text

from ..data_url import data_url
from ..progress import Progress
from .crew import crew
from .endpoint import KEY_VARIABLE, Endpoint
from .log import AnswerLog, LoggedAnswer, open_log
from .pairs import Pair, read_pairs
from .procedure import Failed, ObservedPair, disentangle
from .prompts import PROMPT_VERSION, messages, schema
from .report import Price, Tally, report
from .teacher import Question, Teacher, TeacherRefused, Topic
from .truth_teacher import TruthTeacher

PICTURE_SIDE = 1024  # pixels of the longer side that a teacher is shown; more costs tokens
REFUSED_IN_A_ROW = 3  # refusals after which it is not the questions that are wrong

Clock = Callable[[], float]  # seconds since 1970


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
        asker = _Asker(teacher, pack, root, log, clock, workers)
        tally = _observe_all(pairs, asker, out / "observed.jsonl", workers)
        _write_json(out / "report.json", report(tally, log.rows.values(), identity, price))
    line = f"{tally.pairs} pairs observed, {len(tally.unanswered)} refused by the teacher: {out}"
    return line + ("; the same command asks for those again" if tally.unanswered else "")


class _Outcome(NamedTuple):
    """What became of a pair: its observations or a refusal, and how many questions it took in this run."""

    seen: ObservedPair | TeacherRefused
    asked: int


def _observe_all(pairs: list[Pair], asker: "_Asker", file: Path, workers: int) -> Tally:
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


class _Asker:
    """Answers from the log where they are there, from the teacher otherwise. For several threads at once."""

    def __init__(
        self, teacher: Teacher, pack: Pack, root: Path, log: AnswerLog, clock: Clock, workers: int
    ) -> None:
        self._teacher, self._pack, self._log, self._clock = teacher, pack, log, clock
        # records come in packs that share a picture
        self._data_url = lru_cache(workers)(lambda image: data_url(root / image, PICTURE_SIDE))
        self._counting = threading.Lock()
        self.tokens = 0  # of the answers that this run asked for

    def observe(self, pair: Pair) -> _Outcome:
        """Raises TeacherError where nothing more can be asked."""
        asked = 0

        def ask(topic: Topic, failed: Failed) -> str:
            nonlocal asked
            row = self._log.get(pair.id, topic.name, len(failed))
            if row is None:
                asked += 1
                row = self._ask(pair, topic, failed)
            return row.text

        try:
            return _Outcome(disentangle(pair, self._pack, ask), asked)
        except TeacherRefused as e:
            return _Outcome(e, asked)

    def _ask(self, pair: Pair, topic: Topic, failed: Failed) -> LoggedAnswer:
        picture = "" if topic.view == "note" else self._data_url(pair.image)
        chat = messages(pair, topic, self._pack, picture, failed)
        start = self._clock()
        answer = self._teacher.ask(Question(pair, topic, chat, schema(topic, self._pack)))
        row = LoggedAnswer(
            pair=pair.id,
            ask=topic.name,
            attempt=len(failed),
            text=answer.text,
            model=answer.model,
            prompt_version=PROMPT_VERSION,
            started=datetime.fromtimestamp(start, UTC).isoformat(timespec="milliseconds"),
            seconds=round(self._clock() - start, 3),
            prompt_tokens=answer.prompt_tokens,
            completion_tokens=answer.completion_tokens,
        )
        self._log.add(row)
        with self._counting:
            self.tokens += (answer.prompt_tokens or 0) + (answer.completion_tokens or 0)
        return row


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
