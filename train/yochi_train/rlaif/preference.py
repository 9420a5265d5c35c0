"""From scores to pairs: the best answer to a prompt against its worst."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from pydantic import Field
from torch import Tensor
from yochi_runtime.taxonomy import Frozen
from yochi_runtime.verdict import JUDGED, Verdict

from ..speech import Drawn
from .assignment import Assignments, Questions
from .critic import MOST, Scores


class Answer(Frozen):
    """One drawn answer. `said`: slots that are yes; `drawn`: of the verdict slot; `shown`: what follows.

    `gs` 0..10 and `os` 0..1, None where the critic knew nothing; `score` 0..1 of both and of `told`, below
    for its length; `reference`: log-probability under the policy that drew it, slots and text together.
    `tokens` and their `text`: the explanation, None in a run without; `told` 0..1: what it is worth.
    """

    said: tuple[str, ...]
    drawn: Verdict
    shown: Verdict
    gs: float | None
    os: float | None
    score: float
    reference: float
    tokens: tuple[int, ...] | None = None
    text: str | None = None
    told: float | None = None


class Preference(Frozen):
    """`record`: the place of the prompt in train.jsonl, from 0; `id`: its name there."""

    record: int
    id: str
    best: Answer
    worst: Answer


class Tally(Frozen):
    """What became of a round's prompts: `paired`, or why not. `close`: best and worst within the margin."""

    prompts: int = 0
    paired: int = 0
    close: int = 0
    unknown: int = 0  # the critic does not know the truth
    failed: int = 0  # the critic gave no scores
    given: int = 0  # pairs of people's feedback, of no prompt

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(**{name: getattr(self, name) + getattr(other, name) for name in Tally.model_fields})

    def words(self) -> str:
        return (
            f"{self.prompts} prompts: {self.close} with answers closer than the margin, {self.unknown} that "
            f"the critic does not know, {self.failed} on which it failed"
        )


class Preferences(Frozen):
    """A round's pairs, and the count of all its prompts."""

    tally: Tally = Field(default_factory=Tally)
    pairs: tuple[Preference, ...] = ()

    def save(self, file: Path) -> None:
        """Written beside and moved into place: a file that is there is whole. Floats come back exactly."""
        partial = file.with_suffix(".partial")
        partial.write_text(json.dumps(self.model_dump(mode="json"), ensure_ascii=False, indent=1), "utf-8")
        partial.replace(file)

    @classmethod
    def load(cls, file: Path) -> "Preferences":
        return cls.model_validate_json(file.read_text(encoding="utf-8"))


def observation_share(scores: Scores) -> Tensor:
    """(N, K) 0..1, NaN without observations: the mean of two shares, or the one there is.

    Of the observations that a risk or cue is there, how many the answer has; of those that it is not, how
    many it leaves out. Apart, because few slots hold: in a plain mean a miss would weigh next to nothing.
    """
    parts = []
    for wanted in (1, 0):
        asked = (scores.holds == wanted)[:, None].to(torch.float64)  # (N, 1, S)
        parts.append(((scores.os == 1) * asked).sum(-1) / asked.sum(-1))  # NaN of nothing
    return torch.stack(parts).nanmean(0)


@dataclass(frozen=True, eq=False)
class Explained:
    """Of K answers to each of N prompts: `drawn` and, decoded, `texts`; `told` and `length` (N, K) 0..1."""

    drawn: Sequence[Sequence[Drawn]]
    texts: Sequence[Sequence[str]]
    told: Tensor
    length: Tensor

    def of(self, n: int, k: int) -> dict[str, Any]:
        """The fields of an answer."""
        said, told = self.drawn[n][k].said, float(self.told[n, k])
        return {"tokens": said, "text": self.texts[n][k], "told": told}

    def reference(self) -> Tensor:
        """(N, K): log-probability of the texts."""
        return torch.tensor([[one.log_probability for one in row] for row in self.drawn])


def with_text(
    score: Tensor, told: Tensor, length: Tensor, told_weight: float, length_weight: float
) -> Tensor:
    """(N, K): (1 - told_weight) score + told_weight told - length_weight length."""
    return (1 - told_weight) * score + told_weight * told - length_weight * length


def combine(scores: Scores, global_weight: float) -> Tensor:
    """(N, K) 0..1: global_weight GS / 10 + (1 - global_weight) OS; NaN where what has weight is unknown."""
    parts = ((global_weight, scores.gs / MOST), (1 - global_weight, observation_share(scores)))
    return torch.stack([weight * part for weight, part in parts if weight > 0]).sum(0)


def pair_up(
    places: Sequence[int],
    names: Sequence[str],
    answers: Assignments,
    scores: Scores,
    reference: Tensor,
    questions: Questions,
    global_weight: float,
    margin: float,
    explained: Explained | None = None,
    told_weight: float = 0.0,
    length_weight: float = 0.0,
) -> Preferences:
    """The pairs of N prompts, `places` and `names` of their records.

    `reference` (N, K) log-probabilities of the slots, to which those of the texts are added.
    The first of equally good answers is the best, the first of equally bad ones the worst.
    """
    total = combine(scores, global_weight)
    if explained is not None:
        total = with_text(total, explained.told, explained.length, told_weight, length_weight)
        reference = reference + explained.reference()
    observed, shown = observation_share(scores), answers.shown(questions)

    def answer(n: int, k: int) -> Answer:
        return Answer(
            said=questions.said(answers.slots[n, k]),
            drawn=JUDGED[int(answers.verdict[n, k])],
            shown=JUDGED[int(shown[n, k])],
            gs=_known(scores.gs[n, k]),
            os=_known(observed[n, k]),
            score=float(total[n, k]),
            reference=float(reference[n, k]),
            **({} if explained is None else explained.of(n, k)),
        )

    pairs = []
    unknown = total.isnan().any(1).tolist()
    unscored = set(scores.failed) | {n for n, is_open in enumerate(unknown) if is_open}
    for n, (place, name) in enumerate(zip(places, names, strict=True)):
        if n not in unscored:
            best, worst = int(total[n].argmax()), int(total[n].argmin())
            if float(total[n, best] - total[n, worst]) >= margin:
                pairs.append(Preference(record=place, id=name, best=answer(n, best), worst=answer(n, worst)))
    tally = Tally(
        prompts=len(places),
        paired=len(pairs),
        close=len(places) - len(unscored) - len(pairs),
        unknown=len(unscored) - len(scores.failed),
        failed=len(scores.failed),
    )
    return Preferences(tally=tally, pairs=tuple(pairs))


def _known(value: Tensor) -> float | None:
    return None if bool(value.isnan()) else float(value)


def as_assignments(pairs: Sequence[Preference], questions: Questions) -> tuple[Assignments, Tensor]:
    """Best and worst of P pairs as two answers each (P, 2), and their reference log-probabilities (P, 2)."""
    both = [(pair.best, pair.worst) for pair in pairs]
    slots = torch.stack([torch.stack([questions.slots(a.said) for a in two]) for two in both])
    verdict = torch.tensor([[JUDGED.index(a.drawn) for a in two] for two in both])
    return Assignments(slots, verdict), torch.tensor([[a.reference for a in two] for two in both])
