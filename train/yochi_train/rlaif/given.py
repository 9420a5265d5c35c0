"""Pairs that nobody drew: what people said of a box's judgements (`records from-feedback`)."""

from collections.abc import Sequence
from pathlib import Path

import torch
from yochi_runtime.errors import UsageError
from yochi_runtime.record import Record
from yochi_runtime.verdict import JUDGED

from ..feedback.pairs import PAIRS, read_pairs
from ..policy import Policy
from .assignment import Assignments, Questions, log_probability, of_prompts
from .preference import Answer, Preference


def given_pairs(
    folder: Path, records: Sequence[Record], policy: Policy, questions: Questions
) -> list[Preference]:
    """Those of `folder`, whose train.jsonl `records` are; the reference is `policy` as it stands.

    UsageError where a pair is of no such record.
    """
    place = {record.id: number for number, record in enumerate(records)}
    made = []
    for pair in read_pairs(folder):
        if pair.id not in place:
            raise UsageError(f"expected a record {pair.id} in train.jsonl for {folder / PAIRS}, found none")
        at = place[pair.id]
        both = (pair.best, pair.worst)
        answers = Assignments(
            torch.stack([questions.slots(one.said) for one in both])[None],
            torch.tensor([[JUDGED.index(one.verdict) for one in both]]),
        )
        pack = [[records[at]]]
        with torch.no_grad():
            read = of_prompts(policy.read(pack, policy.images(pack)), pack)
        reference = log_probability(*read, questions, answers)[0].tolist()
        shown = answers.shown(questions)[0].tolist()
        best, worst = (
            Answer(
                said=one.said,
                drawn=one.verdict,
                shown=JUDGED[shown[k]],
                gs=None,
                os=None,
                score=1.0 - k,
                reference=reference[k],
            )
            for k, one in enumerate(both)
        )
        made.append(Preference(record=at, id=pair.id, best=best, worst=worst))
    return made
