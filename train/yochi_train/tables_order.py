"""What changes when the slots stand in another order. No slot sees another's answer, but it sees its name."""

import numpy as np
from yochi_bench.answers import Answers
from yochi_bench.scored import Scored
from yochi_runtime.taxonomy import Pack

from .tables import Section, Table, number


def turned(pack: Pack) -> Pack:
    """The same pack with every list of slots the other way round."""
    lists = ("cue", "category", "combination", "image_text")
    return Pack.model_validate(pack.model_dump() | {name: getattr(pack, name)[::-1] for name in lists})


def turned_back(answers: Answers, pack: Pack) -> Answers:
    """Answers that were asked in the order of `turned(pack)`, in the order of `pack`."""
    asked = turned(pack)
    cues = [slot.id for slot in asked.cue_slots]
    risks = [slot.id for slot in asked.risk_slots]
    return Answers(
        answers.cues[:, [cues.index(slot.id) for slot in pack.cue_slots]],
        answers.risks[:, [risks.index(slot.id) for slot in pack.risk_slots]],
        answers.verdict,
    )


def order_table(as_trained: Scored, as_turned: Scored) -> Section:
    """The same records asked in both orders; a report, without a bar."""
    difference = np.abs(as_trained.probability - as_turned.probability)
    judged = difference[:, ~np.isnan(difference).all(axis=0)]
    verdicts = zip(as_trained.verdicts, as_turned.verdicts, strict=True)
    table = Table(
        "Slots asked in the opposite order",
        ["records", "mean difference of a probability", "largest", "verdicts that differ"],
        caption="The order is part of the prompt that was trained; this says how much hangs on it.",
    )
    mean, largest = (float(f(judged)) if judged.size else np.nan for f in (np.nanmean, np.nanmax))
    differing = sum(was is not now for was, now in verdicts)
    table.rows.append([str(len(difference)), number(mean), number(largest), str(differing)])
    return table, []
