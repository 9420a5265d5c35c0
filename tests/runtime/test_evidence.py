"""Boxes from cells and spans from clauses, on numbers that fit on a page."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from yochi_runtime.evidence import MAX_CLAUSES, clauses, cue_box, note_spans, without
from yochi_runtime.inspection import Note


def cells(**scores: float) -> np.ndarray:
    """(49,) zeros but for `r<row>c<column>=score`."""
    grid = np.zeros((7, 7), dtype=np.float32)
    for name, score in scores.items():
        grid[int(name[1]), int(name[3])] = score
    return grid.reshape(49)


BOXES = [
    (cells(r2c3=0.8), (3 / 7, 2 / 7, 4 / 7, 3 / 7)),
    (cells(r0c0=0.9, r0c1=0.45), (0, 0, 2 / 7, 1 / 7)),  # half the peak is enough
    (cells(r0c0=0.9, r0c1=0.44), (0, 0, 1 / 7, 1 / 7)),  # less is not
    (cells(r6c6=0.9, r5c6=0.6, r5c5=0.5), (5 / 7, 5 / 7, 1, 1)),  # round a corner
    (cells(r3c3=0.9, r4c4=0.9), (3 / 7, 3 / 7, 4 / 7, 4 / 7)),  # a diagonal neighbour is none
    (cells(r3c3=0.9, r0c0=0.8), (3 / 7, 3 / 7, 4 / 7, 4 / 7)),  # another patch is another thing
    (cells(r1c1=0.08, r1c2=0.05), (1 / 7, 1 / 7, 3 / 7, 2 / 7)),  # at the floor
    (cells(r1c1=0.08, r1c2=0.045), (1 / 7, 1 / 7, 2 / 7, 2 / 7)),  # above half the peak, below the floor
    (cells(r1c1=0.049), None),
    (cells(), None),
]


@pytest.mark.parametrize(("scores", "box"), BOXES)
def test_box(scores: np.ndarray, box: tuple[float, ...] | None) -> None:
    assert cue_box(scores) == (box if box is None else pytest.approx(box, abs=1e-6))


CLAUSES = [
    ("Clean the press", ["Clean the press"]),
    ("  Clean the press. ", ["Clean the press"]),
    ("Oil on the floor, mop it up.", ["Oil on the floor", "mop it up"]),
    ("Stop!! Then go: why?", ["Stop", "Then go", "why"]),
    ("Lower it 2.5 m at 10:30, 1,000 kg", ["Lower it 2.5 m at 10:30", "1,000 kg"]),
    ("open the guard and reach in", ["open the guard", "reach in"]),
    (
        "climb up while he holds it but hurry up THEN come down",
        ["climb up", "he holds it", "hurry up", "come down"],
    ),
    ("wear gloves and goggles", ["wear gloves and goggles"]),  # one word is no clause
    ("the standing thenar butter", ["the standing thenar butter"]),
    ("床に油、滑る。拭いて", ["床に油", "滑る", "拭いて"]),
    ("ﾌｫｰｸ停止､荷下ろし｡", ["ﾌｫｰｸ停止", "荷下ろし"]),
    ("止めて,手を入れる", ["止めて", "手を入れる"]),
    ("高さ２．５ｍで作業", ["高さ２．５ｍで作業"]),
    ("first line\nsecond line", ["first line", "second line"]),
    ("🔥🔥, run!", ["run"]),
]


@pytest.mark.parametrize(("raw", "expected"), CLAUSES)
def test_clauses(raw: str, expected: list[str]) -> None:
    assert [raw[c.start : c.end] for c in clauses(raw)] == expected


def test_many_clauses_are_taken_together_the_shortest_first() -> None:
    raw = (
        "one long clause, a, b, another long clause, third clause here, fourth clause here, fifth clause, six"
    )
    found = [raw[c.start : c.end] for c in clauses(raw)]
    assert found == [
        "one long clause",
        "a, b",
        "another long clause",
        "third clause here",
        "fourth clause here",
        "fifth clause, six",
    ]


WITHOUT = [
    ("a one, b two, c three.", ["b two, c three.", "a one, c three.", "a one, b two."]),
    ("open the guard and reach in", ["reach in", "open the guard"]),
]


@pytest.mark.parametrize(("raw", "expected"), WITHOUT)
def test_the_rest_reads_on_without_the_clause(raw: str, expected: list[str]) -> None:
    parts = clauses(raw)
    assert [without(raw, parts, i) for i in range(len(parts))] == expected


@given(st.text(max_size=200))
def test_clauses_are_few_in_order_apart_and_say_something(raw: str) -> None:
    found = clauses(raw)
    assert len(found) <= MAX_CLAUSES
    assert all(any(map(str.isalnum, raw[c.start : c.end])) for c in found)
    edges = [edge for clause in found for edge in clause]
    assert edges == sorted(edges)


@given(st.text(alphabet="ab ,.、and\n", max_size=60))
def test_what_is_left_of_two_clauses_is_a_note(raw: str) -> None:
    parts = clauses(raw)
    for i in range(len(parts) if len(parts) > 1 else 0):
        assert Note(without(raw, parts, i)).text


MARGINS = {
    "mop it, reach in, go home": [3.0, 1.0],
    "reach in, go home": [2.5, 1.0],
    "mop it, go home": [-1.0, 1.5],
    "mop it, reach in": [2.0, 1.0],
}


def read(text: str) -> np.ndarray:
    return np.array(MARGINS[text])


def test_the_span_is_the_clause_whose_removal_lowers_the_slot_most() -> None:
    raw = "mop it, reach in, go home"
    spans = note_spans(raw, [0, 1], read(raw), read)
    assert (spans[0].text, spans[0].start, spans[0].end) == ("reach in", 8, 16)  # 4.0 against 0.5 and 1.0
    assert spans[1].text == raw  # no removal lowers it: the whole note


def test_each_clause_is_read_once_for_all_slots() -> None:
    asked: list[str] = []
    raw = "mop it, reach in, go home"

    def counted(text: str) -> np.ndarray:
        asked.append(text)
        return read(text)

    note_spans(raw, [0, 1], read(raw), counted)
    assert asked == list(MARGINS)[1:]
    note_spans(raw, [], read(raw), counted)
    assert len(asked) == 3


def test_one_clause_is_the_whole_note_and_costs_no_reading() -> None:
    def never(text: str) -> None:
        raise AssertionError(text)

    spans = note_spans("  reach in! ", [4], np.zeros(9), never)
    assert (spans[4].start, spans[4].end, spans[4].text) == (2, 11, "reach in!")


def test_a_rest_that_cannot_be_read_lowers_nothing() -> None:
    raw = "mop it, reach in, go home"
    spans = note_spans(raw, [0], read(raw), lambda text: None if "reach" not in text else read(text))
    assert spans[0].text == "go home"  # 1.0 against 0.5


def test_spans_count_the_characters_that_were_given() -> None:
    raw = "ｶﾞｽ漏れ､ ﾊﾞﾙﾌﾞ閉"  # NFKC makes this shorter
    spans = note_spans(raw, [0], np.array([1.0]), lambda text: np.array([0.0 if "ｶﾞｽ" not in text else 1.0]))
    assert raw[spans[0].start : spans[0].end] == spans[0].text == "ｶﾞｽ漏れ"


def test_a_lone_surrogate_can_still_be_written() -> None:
    span = note_spans("oil \udcff here", [0], np.zeros(1), lambda _: None)[0]
    assert span.text == "oil ? here"
    assert span.model_dump_json()
