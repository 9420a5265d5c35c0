"""Questions of one run: what was answered before comes from the log, the rest from the teacher."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from yochi_runtime.taxonomy import Pack

from ..data_url import data_url
from .log import AnswerLog, LoggedAnswer
from .pairs import Pair
from .procedure import Failed, ObservedPair, disentangle
from .prompts import PROMPT_VERSION, messages, schema
from .teacher import Question, Teacher, TeacherRefused, Topic

PICTURE_SIDE = 1024  # pixels of the longer side that a teacher is shown; more costs tokens

Clock = Callable[[], float]  # seconds since 1970


class Outcome(NamedTuple):
    """What became of a pair: its observations or a refusal, and how many questions it took in this run."""

    seen: ObservedPair | TeacherRefused
    asked: int


class Asker:
    """Answers from the log where they are there, from the teacher otherwise. For several threads at once."""

    def __init__(
        self, teacher: Teacher, pack: Pack, root: Path, log: AnswerLog, clock: Clock, workers: int
    ) -> None:
        self._teacher, self._pack, self._log, self._clock = teacher, pack, log, clock
        # records come in packs that share a picture
        self._data_url = lru_cache(workers)(lambda image: data_url(root / image, PICTURE_SIDE))
        self._counting = threading.Lock()
        self.tokens = 0  # of the answers that this run asked for

    def observe(self, pair: Pair) -> Outcome:
        """Raises TeacherError where nothing more can be asked."""
        asked = 0

        def ask(topic: Topic, failed: Failed) -> str:
            nonlocal asked

            def question() -> Question:
                picture = "" if topic.view == "note" else self.picture(pair)
                chat = messages(pair, topic, self._pack, picture, failed)
                return Question(pair, topic, chat, schema(topic, self._pack))

            text, new = self.answer(pair, topic.name, len(failed), question)
            asked += new
            return text

        try:
            return Outcome(disentangle(pair, self._pack, ask), asked)
        except TeacherRefused as e:
            return Outcome(e, asked)

    def picture(self, pair: Pair) -> str:
        """The pair's picture as a data URL."""
        return self._data_url(pair.image)

    def answer(
        self, pair: Pair, name: str, attempt: int, question: Callable[[], Question]
    ) -> tuple[str, bool]:
        """The text that the log has under pair, name and attempt, or a new answer's; whether it is new.

        `question` is called for a new one alone. Raises TeacherError.
        """
        row = self._log.get(pair.id, name, attempt)
        if row is not None:
            return row.text, False
        return self._ask(question(), name, attempt).text, True

    def _ask(self, question: Question, name: str, attempt: int) -> LoggedAnswer:
        start = self._clock()
        answer = self._teacher.ask(question)
        row = LoggedAnswer(
            pair=question.pair.id,
            ask=name,
            attempt=attempt,
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
