"""The explanation in an answer: drawn after the slots for the verdict that is shown, and what it is worth.

It counts beside GS and OS, which stay what they are: `told` is 1 where the text is of its form, quotes the
note and names only what the critic holds to be there. Its length costs, because who learns from preferences
learns to write long (the weakness that DREAM, arXiv 2504.18053, names of itself): the longer of two equally
good answers is the worse one, and one that is cut off at the limit tells nothing.
"""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from yochi_runtime.explanation import END, Explanation, given, parse
from yochi_runtime.prompt import single
from yochi_runtime.record import Record
from yochi_runtime.taxonomy import Pack
from yochi_runtime.tokens import TextTokenizer
from yochi_runtime.verdict import JUDGED, Verdict

from ..policy import Policy
from ..speech import Drawn, Draws, Text
from .assignment import Questions
from .critic import Scores
from .preference import Explained

TOLD_OF = 32  # held-out records whose explanations are looked at after a round


@dataclass(frozen=True)
class Telling:
    """How a policy that learned to explain is asked to: `limit` tokens at most."""

    pack: Pack
    words: TextTokenizer
    limit: int

    def text(self, record: Record, shown: Verdict, said: tuple[int, ...]) -> Text:
        """`said` after what is given before an explanation of the verdict that is `shown`."""
        return Text(given(shown, record.lang, self.words), said)

    def draw(
        self,
        policy: Policy,
        pack: Sequence[Record],
        shown: Tensor,
        temperature: float,
        generator: torch.Generator,
    ) -> list[list[Drawn]]:
        """A text after every note of one picture for each of its `shown` (N, K)."""
        before = [
            [given(JUDGED[verdict], record.lang, self.words) for verdict in verdicts]
            for record, verdicts in zip(pack, shown.tolist(), strict=True)
        ]
        draws = Draws(before, self.limit, single(self.words, END), temperature, generator)
        with torch.no_grad():
            images = policy.images([pack])
        return policy.draw([pack], images, draws)

    def read(self, record: Record, text: str) -> Explanation | None:
        return parse(text, record.lang, self.pack, record.note)

    def explained(
        self,
        pack: Sequence[Record],
        drawn: Sequence[Sequence[Drawn]],
        scores: Scores,
        questions: Questions,
    ) -> Explained:
        """The texts of N prompts with what they are worth."""
        texts = [[self.words.decode(list(one.said)) for one in row] for row in drawn]
        length = [[len(one.said) / self.limit for one in row] for row in drawn]
        told = self.worth(pack, texts, scores, questions)
        return Explained(drawn, texts, told, torch.tensor(length, dtype=torch.float64))

    def worth(
        self,
        pack: Sequence[Record],
        texts: Sequence[Sequence[str]],
        scores: Scores,
        questions: Questions,
    ) -> Tensor:
        """(N, K) float64 0..1: share of the named slots that hold, of those that the critic knows.

        0 for a text without form, and for "nothing" where a risk holds; 1/2 where nothing named is known.
        """
        rows = []
        for record, said, holds in zip(pack, texts, scores.holds, strict=True):
            known = dict(zip(questions.ids, holds.tolist(), strict=True))
            risk = any(
                value == 1 and is_risk
                for value, is_risk in zip(holds.tolist(), questions.risk.tolist(), strict=True)
            )
            rows.append([_share(self.read(record, text), known, risk=risk) for text in said])
        return torch.tensor(rows, dtype=torch.float64)

    def look(self, policy: Policy, records: Sequence[Record]) -> dict[str, float]:
        """What it says of held-out records, greedily and of their true verdicts, as the report has it.

        `true`: share whose every named slot is known and holds, or that rightly name nothing.
        """
        some = records[:: max(1, len(records) // TOLD_OF)][:TOLD_OF]
        before = [[given(Verdict(record.verdict or "stop"), record.lang, self.words)] for record in some]
        draws = Draws(before, self.limit, single(self.words, END), 0.0, torch.Generator())
        packs = [[record] for record in some]
        with torch.no_grad():
            images = policy.images(packs)
        lengths, formed, true = [], 0, 0
        for record, (drawn,) in zip(some, policy.draw(packs, images, draws), strict=True):
            said = self.read(record, self.words.decode(list(drawn.said)))
            lengths.append(len(drawn.said))
            formed += said is not None
            true += said is not None and _true(said, record)
        of = len(lengths)
        return {"of": of, "median_tokens": statistics.median(lengths), "formed": formed, "true": true}


def _share(said: Explanation | None, known: dict[str, int], *, risk: bool) -> float:
    if said is None:
        return 0.0
    named = [known.get(slot, -1) for slot in said.slots()]
    if not said.observed:
        return 0.0 if risk else 1.0
    sure = [value for value in named if value >= 0]
    return sum(sure) / len(sure) if sure else 0.5


def _true(said: Explanation, record: Record) -> bool:
    if not said.observed:
        return record.verdict == "proceed"
    return all(record.slots.get(slot) == 1 for slot in said.slots())
