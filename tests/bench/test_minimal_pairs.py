"""Minimal pairs: counted by hand, and against every pair walked one by one."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from yochi_bench.minimal_pairs import minimal_pairs_table, pairs_of
from yochi_bench.report import Number, Table
from yochi_bench.scored import Scored
from yochi_runtime.record import Record
from yochi_runtime.taxonomy import Pack
from yochi_runtime.verdict import Verdict

from tests.train.made import record

GO, CAUTION, STOP, NO = Verdict.PROCEED, Verdict.CAUTION, Verdict.STOP, Verdict.CANNOT_JUDGE
FIRE = "cue:fire"
NOTE, PICTURE, CUE = "another note, same picture", "another picture, same note", "a cue more, same scene"


def scored(pack: Pack, records: list[Record], verdicts: list[Verdict], fire: list[float]) -> Scored:
    slots = (*pack.cue_slots, *pack.risk_slots)
    probability = np.full((len(records), len(slots)), np.nan)
    probability[:, [s.id for s in slots].index(FIRE)] = fire
    truth = np.array([[r.slots.get(slot.id, -1) for slot in slots] for r in records], dtype=np.int8)
    return Scored(tuple(records), slots, probability, np.full(len(slots), 0.5), truth, tuple(verdicts))


def cells(table: Table, row: str) -> dict[str, Number]:
    (found,) = (r.cells for r in table.rows if r.id == row)
    return found


def test_pairs_by_hand(pack: Pack) -> None:
    """Picture a has one dangerous note and two safe ones, b has the first note and is safe with it.

    With a: 1 x 2 pairs, both right in one of them, both ordered. With the note: a dangerous and b safe, the
    verdict of b is wrong and both stand at the same height: half an order.
    """
    records = [
        record("0", {FIRE: 1}, image="a.png", text="Reach in.", verdict="stop", group=1),
        record("1", {FIRE: 1}, image="a.png", text="Sweep.", verdict="proceed", group=1),
        record("2", {FIRE: 1}, image="a.png", text="Look.", verdict="proceed", group=1),
        record("3", {FIRE: 0}, image="b.png", text="Reach in.", verdict="proceed", group=1),
        record("4", image="c.png", text="Unknown."),
    ]
    part = scored(pack, records, [STOP, GO, STOP, CAUTION, GO], [0.9, 0.9, 0.9, 0.4, 0.1])
    table = minimal_pairs_table(part, np.array([2.0, -1.0, 1.0, 2.0, 0.0]), seed=0, count=100)
    notes, pictures, cues = (cells(table, name) for name in (NOTE, PICTURE, CUE))
    assert (notes["both right"].value, notes["order right"].value, notes["pairs"].value) == (0.5, 1.0, 2)
    assert (pictures["both right"].value, pictures["order right"].value) == (0.0, 0.5)
    assert pictures["pairs"].value == 1
    assert (cues["both right"].value, cues["order right"].value, cues["pairs"].value) == (1.0, 1.0, 1)
    assert notes["both right"].n == 2
    assert notes["both right"].low is not None


def test_a_judge_that_reads_one_half_has_no_pair_right(pack: Pack) -> None:
    records = [
        record("0", image="a.png", text="Reach in.", verdict="stop"),
        record("1", image="a.png", text="Sweep.", verdict="proceed"),
    ]
    for verdict in (STOP, GO, NO):
        table = minimal_pairs_table(scored(pack, records, [verdict] * 2, [0, 0]), np.zeros(2), 0, 100)
        found = cells(table, NOTE)
        assert (found["both right"].value, found["order right"].value) == (0.0, 0.5)


def test_words_read_in_the_picture_make_it_another(pack: Pack) -> None:
    one = record("0", image="a.png", text="Reach in.", verdict="stop")
    other = record("1", image="a.png", text="Sweep.", verdict="proceed").model_copy(update={"sign": "EXIT"})
    table = minimal_pairs_table(scored(pack, [one, other], [STOP, GO], [0, 0]), np.zeros(2), 0, 100)
    assert cells(table, NOTE)["both right"].reason
    assert cells(table, NOTE)["pairs"].value == 0


answers = st.lists(st.tuples(st.integers(0, 4), st.booleans()), max_size=6)


@given(answers, answers)
def test_counts_are_those_of_all_pairs(yes: list[tuple[int, bool]], no: list[tuple[int, bool]]) -> None:
    high, low = (np.array([s for s, _ in side], dtype=np.float64) for side in (yes, no))
    high_right, low_right = (np.array([r for _, r in side], dtype=bool) for side in (yes, no))
    found = pairs_of("x", high, low, high_right, low_right)
    each = list(product(yes, no))
    assert found.count == len(each)
    assert found.both == sum(a[1] and b[1] for a, b in each)
    assert found.ordered == pytest.approx(sum(1.0 * (a[0] > b[0]) + 0.5 * (a[0] == b[0]) for a, b in each))
