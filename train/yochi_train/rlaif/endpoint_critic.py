"""A critic behind any OpenAI-compatible endpoint: GS as it grades the answers, OS from what it observes.

The model there takes the pair apart as a teacher of `records observe` does (`observe.procedure`): picture,
note, both, then each claim confirmed. Its observations are what holds, and OS compares the answers with them.
GS is its own grade of each answer (`grading`). What a run's weights do not need is not asked: no observations
where GS has all the weight, no grades where OS has.

Every answer is kept in `critic.jsonl` of the run folder: observations of a record are asked for once a run,
and a run that was stopped asks nothing twice.
"""

import hashlib
import json
import os
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import torch
from yochi_runtime.record import Record
from yochi_runtime.taxonomy import Pack
from yochi_runtime.verdict import JUDGED

from ..observe.answers import BadAnswer
from ..observe.asker import Asker
from ..observe.crew import crew
from ..observe.endpoint import KEY_VARIABLE, Endpoint, Names
from ..observe.log import open_log
from ..observe.pairs import Pair
from ..observe.procedure import ATTEMPTS, Failed, ObservedPair
from ..observe.teacher import VIEWS, Question, Teacher, TeacherAway, TeacherRefused, Topic
from .assignment import Assignments, Questions
from .critic import CriticError, Opinions, Scores, score_by
from .grading import GRADE_VERSION, answer_words, grade_messages, grade_schema, read_grades
from .settings import RlaifSettings

LOG = "critic.jsonl"
NAMES = Names("critic_url", "as", "critic_model")


def endpoint_of(settings: RlaifSettings) -> Endpoint:
    """The endpoint that the settings name; UsageError where its URL or key cannot be meant."""
    return Endpoint(
        settings.critic_url or "",
        settings.critic_model or "",
        os.environ.get(KEY_VARIABLE),
        timeout=settings.critic_timeout,
        tries=settings.critic_tries,
        names=NAMES,
    )


class _Prompt(NamedTuple):
    """One record with the lines of its K answers."""

    pair: Pair
    words: list[str]


class _Found(NamedTuple):
    """`known`: slots, 1 or 0; `grades`: one an answer, none where nobody asked; `fault`: why neither."""

    known: dict[str, int]
    grades: list[float]
    fault: str = ""


class EndpointCritic:
    """`photos`: folder of the pictures; `out`: run folder. TeacherError where nothing can be asked."""

    def __init__(
        self,
        teacher: Teacher,
        pack: Pack,
        questions: Questions,
        photos: Path,
        out: Path,
        *,
        global_weight: float,
        workers: int,
    ) -> None:
        self._teacher, self._pack, self._questions = teacher, pack, questions
        self._photos, self._out = photos, out
        self._global_weight, self._workers = global_weight, workers

    def score(self, pack: Sequence[Record], answers: Assignments) -> Scores:
        """A prompt whose replies are of no use, or that has none, is in `failed`, and unknown elsewhere."""
        with open_log(self._out / LOG) as log:
            asker = Asker(self._teacher, self._pack, self._photos, log, time.time, self._workers)
            prompts = [
                _Prompt(Pair(id=r.id, image=r.image, note=r.note), self._words(answers, n))
                for n, r in enumerate(pack)
            ]
            with crew(lambda prompt: self._ask(asker, prompt), prompts, self._workers) as results:
                found = list(results)
        count = answers.slots.shape[1]
        holds = torch.tensor([[one.known.get(slot, -1) for slot in self._questions.ids] for one in found])
        unknown = torch.full((len(pack),), -1)
        graded = [one.grades or [float("nan")] * count for one in found]
        return replace(
            score_by(Opinions(holds, unknown), answers, self._questions),
            gs=torch.tensor(graded, dtype=torch.float64),
            failed={n: one.fault for n, one in enumerate(found) if one.fault},
        )

    def _words(self, answers: Assignments, n: int) -> list[str]:
        shown = answers.shown(self._questions)[n].tolist()
        return [
            answer_words(self._questions.said(slots), JUDGED[place].value, self._pack)
            for slots, place in zip(answers.slots[n], shown, strict=True)
        ]

    def _ask(self, asker: Asker, prompt: _Prompt) -> _Found:
        try:
            known = self._observe(asker, prompt.pair) if self._global_weight < 1 else {}
            grades = self._grade(asker, prompt) if self._global_weight > 0 else []
        except (CriticError, TeacherAway, TeacherRefused) as e:
            return _Found({}, [], str(e))
        return _Found(known, grades)

    def _observe(self, asker: Asker, pair: Pair) -> dict[str, int]:
        seen = asker.observe(pair).seen
        if not isinstance(seen, ObservedPair):
            raise seen
        defects = Counter(defect.ask for defect in seen.defects)
        unread = [view for view in VIEWS if defects[view] == ATTEMPTS]
        if unread:
            raise CriticError(
                f"expected observations of {pair.id}, got no answer of use on: {', '.join(unread)}"
            )
        return dict(seen.slots)

    def _grade(self, asker: Asker, prompt: _Prompt) -> list[float]:
        """Of each answer; those that are alike are graded once."""
        lines = list(dict.fromkeys(prompt.words))
        digest = hashlib.sha256(json.dumps([GRADE_VERSION, lines]).encode()).hexdigest()[:16]
        failed: Failed = ()
        for _ in range(ATTEMPTS):
            question = partial(_question, asker, prompt.pair, lines, failed)
            text, _ = asker.answer(prompt.pair, f"grade {digest}", len(failed), question)
            try:
                grade = dict(zip(lines, read_grades(text, len(lines)), strict=True))
                return [grade[words] for words in prompt.words]
            except BadAnswer as e:
                failed = (*failed, (text, str(e)))
        raise CriticError(
            f"expected grades of {len(lines)} answers to {prompt.pair.id}, got: {failed[-1][1]}"
        )


def _question(asker: Asker, pair: Pair, lines: Sequence[str], failed: Failed) -> Question:
    chat = grade_messages(pair, lines, asker.picture(pair), failed)
    return Question(pair, Topic("both"), chat, grade_schema(len(lines)))
