"""One pair taken apart: three views, filters, confirmation, and what follows for its slots and verdict.

Everything follows from the answers alone: the same answers give the same result, which is what makes an
interrupted run go on as if nothing had happened.
"""

from collections.abc import Callable
from typing import Literal

from pydantic import Field
from yochi_runtime.inspection import Language, Note
from yochi_runtime.record import MARKED, Truth
from yochi_runtime.taxonomy import Frozen, Pack, Source, Text
from yochi_runtime.verdict import Verdict, highest, of_severity

from ..response import Factor, respond
from .answers import (
    AnswerModel,
    BadAnswer,
    Confirmation,
    Defect,
    Observation,
    Observations,
    read_answer,
)
from .filters import Filter, Span, fault, find_span
from .pairs import Pair
from .teacher import SHOWN, VIEWS, Topic, View

ATTEMPTS = 2  # a question whose answer cannot be used is asked once more, with what was wrong
Failed = tuple[tuple[str, str], ...]  # earlier answers to the same question, and what was wrong with each
Ask = Callable[[Topic, Failed], str]
Reason = Filter | Literal["unconfirmed", "explained_apart", "repeated"]
_KEEPS_TRUTH: tuple[Reason, ...] = ("explained_apart", "repeated")  # dropped without leaving anything open


class Kept(Frozen):
    """An observation that stays; `span` is where the note says it, None where it is in the picture."""

    observation: Observation
    span: Span | None


class Dropped(Frozen):
    """An observation that does not stay, and why."""

    observation: Observation
    view: View
    why: Reason


class ObservedPair(Frozen):
    """One line of observed.jsonl. `slots` and `verdict` as in a Record: what is open is no key, or None.

    `response` is what to tell a worker, to train a model on; None where the verdict is unknown.
    """

    id: str
    image: str
    note: str
    lang: Language
    observations: tuple[Kept, ...]
    dropped: tuple[Dropped, ...]
    defects: tuple[Defect, ...] = Field(description="answers that could not be used")
    slots: dict[str, Literal[0, 1]]
    verdict: Truth | None
    response: Text | None


def combination_stays(image: bool, note: bool, both: bool) -> bool:
    """Whether a combination is one: seen with `both`, and neither `image` nor `note` alone explains it."""
    return both and not image and not note


def disentangle(pair: Pair, pack: Pack, ask: Ask) -> ObservedPair:
    """Ask about picture, note and both, then confirm what passed the filters. Raises what `ask` does."""
    taking = _Taking(pair, pack, ask)
    for view in VIEWS:
        taking.observe(view)
    taking.confirm()
    return taking.result()


class _Taking:
    """What is known of one pair so far."""

    def __init__(self, pair: Pair, pack: Pack, ask: Ask) -> None:
        self._pair, self._pack, self._ask = pair, pack, ask
        self._found: dict[str, tuple[Observation, View]] = {}  # by key, in the order in which they were named
        self._kept: list[Observation] = []
        self._dropped: list[Dropped] = []
        self._defects: list[Defect] = []
        self._answered: set[View] = set()

    def observe(self, view: View) -> None:
        answer = self._read(Topic(view), Observations)
        if answer is None:
            return
        self._answered.add(view)
        for seen in answer.observations:
            why: Reason | None = fault(seen, view, self._pair.note, self._pack)
            if why is None and seen.key in self._found:
                why = "repeated"
            if why is None:
                self._found[seen.key] = (seen, view)
            else:
                self._dropped.append(Dropped(observation=seen, view=view, why=why))

    def confirm(self) -> None:
        """One side's claims first, each with that side alone; a combination only where none explains it."""
        apart = [(seen, view) for seen, view in self._found.values() if seen.source is not Source.COMBINATION]
        together = [(seen, view) for seen, view in self._found.values() if seen.source is Source.COMBINATION]
        for seen, view in apart:
            self._settle(seen, view, "image" if seen.source in SHOWN["image"] else "note")
        for seen, view in together:
            image, note = self._explains("image", seen.category), self._explains("note", seen.category)
            if combination_stays(image, note, both=True):
                self._settle(seen, view, "both")
            else:
                self._dropped.append(Dropped(observation=seen, view=view, why="explained_apart"))

    def _settle(self, seen: Observation, view: View, side: View) -> None:
        answer = self._read(Topic(side, seen), Confirmation)
        if answer is not None and answer.confirmed == "yes":
            self._kept.append(seen)
        else:
            self._dropped.append(Dropped(observation=seen, view=view, why="unconfirmed"))

    def _explains(self, side: View, category: str) -> bool:
        return any(seen.source in SHOWN[side] and seen.category == category for seen in self._kept)

    def _read(self, topic: Topic, model: type[AnswerModel]) -> AnswerModel | None:
        failed: Failed = ()
        for _ in range(ATTEMPTS):
            text = self._ask(topic, failed)
            try:
                return read_answer(text, model)
            except BadAnswer as e:
                failed = (*failed, (text, str(e)))
                self._defects.append(Defect(ask=topic.name, why=e.kind))
        return None

    def result(self) -> ObservedPair:
        pair = self._pair
        slots = self._slots()
        verdict = self._verdict(slots)
        factors = [Factor(seen.source, seen.category, seen.cue or None) for seen in self._kept]
        return ObservedPair(
            id=pair.id,
            image=pair.image,
            note=pair.note,
            lang=Note(pair.note).language,
            observations=tuple(
                Kept(
                    observation=seen,
                    span=find_span(pair.note, seen.quote) if seen.source in MARKED else None,
                )
                for seen in self._kept
            ),
            dropped=tuple(self._dropped),
            defects=tuple(self._defects),
            slots=slots,
            verdict=verdict,
            response=respond(verdict, factors, self._pack),
        )

    def _slots(self) -> dict[str, Literal[0, 1]]:
        """1 kept; 0 not named by any view that shows it; open where it was dropped or a view has no answer.

        A combination that one side explains is 0. Neutral cues are open: nobody was asked about them.
        """
        kept = {seen.key for seen in self._kept}
        unsure = {
            slot
            for drop in self._dropped
            if drop.why not in _KEEPS_TRUTH
            for slot in self._touched(drop.observation)
        }
        for seen in self._kept:  # a risk without a cue of the pack may still be one of its cues
            if seen.key not in self._pack.slot_index:
                unsure |= self._touched(seen)
        slots: dict[str, Literal[0, 1]] = {}
        for slot in self._pack.slots:
            if slot.source is None:
                continue
            views = {view for view in VIEWS if slot.source in SHOWN[view]}
            if slot.id in kept:
                slots[slot.id] = 1
            elif views <= self._answered and slot.id not in unsure:
                slots[slot.id] = 0
        return slots

    def _touched(self, seen: Observation) -> set[str]:
        """The slots that `seen` may be about."""
        if seen.key in self._pack.slot_index or seen.source is not Source.IMAGE_CONTENT:
            return {seen.key}
        return {f"cue:{c.id}" for c in self._pack.cue if c.risk == seen.category}

    def _verdict(self, slots: dict[str, Literal[0, 1]]) -> Truth | None:
        """Known where an S2 risk is confirmed, or nothing is open."""
        worst = highest(of_severity(self._pack.category_of(seen.category).severity) for seen in self._kept)
        if worst is Verdict.STOP:
            return "stop"
        is_open = len(self._answered) < len(VIEWS) or any(d.why not in _KEEPS_TRUTH for d in self._dropped)
        if is_open or any(s.source is not None and s.id not in slots for s in self._pack.slots):
            return None
        return "caution" if worst is Verdict.CAUTION else "proceed"
