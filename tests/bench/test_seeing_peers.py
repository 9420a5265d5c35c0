"""Peers that see: what they are asked, how long an answer they are forced to, and the tables by hand."""

import json

import numpy as np
import pytest
from jsonschema import validate
from yochi_bench.peer_process import ASK, NOTE
from yochi_bench.peer_seeing import seeing_schema, shortest_answer, shown
from yochi_bench.peer_settings import PeerName
from yochi_bench.peers import Answers
from yochi_bench.report import Number
from yochi_bench.seeing_peers import SEEING, check_asked, seeing_tables
from yochi_bench.workload import Asked
from yochi_runtime.errors import UsageError
from yochi_runtime.inspection import Note
from yochi_runtime.layout import Layout, Square
from yochi_runtime.taxonomy import Pack

from tests.runtime.conftest import noise


def test_the_shortest_answer_is_one_of_the_schemas_but_for_its_length(pack: Pack) -> None:
    """Nothing that the schema allows ends before it: a longer list is asked for."""
    schema = seeing_schema(pack)
    least = schema["properties"]["factors"]["minItems"]
    answer = json.loads(shortest_answer(pack))
    assert len(answer["factors"]) == 1 < least
    validate({**answer, "factors": answer["factors"] * least}, schema)


def test_a_new_frame_is_new_to_the_server_too() -> None:
    """Shrunk to a sixteenth, the number in one pixel would be lost."""
    layout = Layout(before=(1,), after=(2,), turn=(3,), picture=Square(side=64), picture_tokens=4)
    new = Asked("one", (noise(0, 1024, 1024),), (Note("a"),)).new_frames()
    first, second = (next(new).frame for _ in range(2))
    assert np.array_equal(layout.prepare(first), layout.prepare(second))
    assert not np.array_equal(shown(layout, first), shown(layout, second))


def test_the_tables_by_hand() -> None:
    said: list[str | None] = [None] * 11
    answers = {
        state: {
            "yochi": Answers([40.0 * by] * 11, [0] * 11, said, to_verdict=[20.0 * by] * 11),
            "server-json": Answers([90.0] * 11, [16] * 11, said),
        }
        for state, by in ((ASK, 1.0), (NOTE, 0.5))
    }
    peaks = dict.fromkeys(answers[ASK], Number(value=1e6))
    new_frame, new_note = seeing_tables(answers, peaks, {"server-token": "expected xllamacpp"})
    assert (new_frame.id, new_note.id) == ("new_frame", "new_note")
    yochi, writes, absent = new_frame.rows
    assert (yochi.cells["p50"].value, yochi.cells["to the verdict"].value) == (40.0, 20.0)
    assert (writes.cells["times yochi"].value, writes.cells["tokens written"].value) == (4.5, 16)
    assert new_note.rows[1].cells["times yochi"].value == 9.0
    assert absent.cells["p50"].reason == "expected xllamacpp"


def test_too_few_for_a_median_are_no_ratio() -> None:
    few = Answers([40.0] * 3, [0] * 3, [None] * 3, to_verdict=[20.0] * 3)
    peaks = {"yochi": Number(value=1e6)}
    cells = seeing_tables({ASK: {"yochi": few}}, peaks, {})[0].rows[0].cells
    assert cells["times yochi"].value is None
    assert "larger --count" in str(cells["times yochi"].reason)


def test_who_cannot_see_and_one_note_alone_are_refused() -> None:
    two = Asked("two", (noise(),), (Note("a"), Note("b")))
    check_asked(SEEING, two)
    with pytest.raises(UsageError, match=r"that can see a stock model's picture .*, got chat"):
        check_asked([PeerName.YOCHI, PeerName.CHAT], two)
    with pytest.raises(UsageError, match="two different notes"):
        check_asked(SEEING, Asked("one", (noise(),), (Note("a"),)))
