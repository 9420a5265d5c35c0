"""Slots in the opposite order: every answer finds its slot again."""

import numpy as np
from yochi_bench.answers import Answers
from yochi_bench.scored import score
from yochi_runtime.taxonomy import Pack, Slot
from yochi_train.tables_order import order_table, turned, turned_back

from .made import plain_bundle, record


def told(slots: tuple[Slot, ...]) -> np.ndarray:
    """(1, slots, 2): "no" is 0 and "yes" a number that only this slot has."""
    number = [sum(slot.id.encode()) + len(slot.id) / 100 for slot in slots]
    assert len(set(number)) == len(number)
    return np.array([[[0.0, n] for n in number]], dtype=np.float32)


def answers_to(pack: Pack) -> Answers:
    return Answers(told(pack.cue_slots), told(pack.risk_slots), np.zeros((1, 3), np.float32))


def test_turned_twice_is_as_before(pack: Pack) -> None:
    assert turned(pack).slots != pack.slots
    assert set(turned(pack).slots) == set(pack.slots)
    assert turned(turned(pack)).slots == pack.slots


def test_every_answer_goes_back_to_its_slot(pack: Pack) -> None:
    back = turned_back(answers_to(turned(pack)), pack)
    np.testing.assert_array_equal(back.cues, answers_to(pack).cues)
    np.testing.assert_array_equal(back.risks, answers_to(pack).risks)


def test_the_table_by_hand(pack: Pack) -> None:
    """One of two records changes one slot from 0.5 to all but 1 and with it its verdict."""
    bundle, rows = plain_bundle(pack), [record("a"), record("b")]
    cues = np.zeros((2, len(pack.cue_slots), 2), np.float32)
    risks = np.full((2, len(pack.risk_slots), 2), (9.0, 0.0), np.float32)
    calm = np.tile(np.array([9.0, 0.0, 0.0], np.float32), (2, 1))
    cues[..., 0] = 9.0
    other = risks.copy()
    other[1, 0] = (0.0, 9.0)
    was, now = (score(bundle, rows, Answers(cues, r, calm)) for r in (risks, other))
    table, bars = order_table(was, now)
    judged = int((~np.isnan(was.probability[0])).sum())
    change = (1 - 2 / (1 + np.exp(9.0))) / (2 * judged)
    assert bars == []
    assert table.rows == [["2", f"{change:.3f}", "1.000", "1"]]
