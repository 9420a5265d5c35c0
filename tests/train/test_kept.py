"""Answers that are kept: each under its own question, whatever happens to records and pictures."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from yochi_bench.answers import Answers, joined
from yochi_runtime.record import Record
from yochi_train.kept import kept

from .made import record


class Asked:
    """Answers with a number that follows from the picture's bytes and the note; counts what it is asked."""

    def __init__(self, photos: Path) -> None:
        self.photos = photos
        self.asked: list[str] = []

    def __call__(self, records: Sequence[Record]) -> Answers:
        self.asked += [r.id for r in records]
        numbers = np.array([self.number(r) for r in records], np.float32)
        pairs = numbers[:, None, None] + np.array([1, 2], np.float32)
        return Answers(pairs - 1, pairs, numbers[:, None] + np.array([0, 1, 2], np.float32))

    def number(self, one: Record) -> float:
        picture = self.photos / one.image
        return float(sum((picture.read_bytes() if picture.exists() else b"") + one.note.encode()))


@pytest.fixture
def ask(tmp_path: Path) -> Asked:
    (tmp_path / "images").mkdir()
    for name in "ab":
        (tmp_path / "images" / f"{name}.png").write_text(name)
    return Asked(tmp_path)


def test_what_was_read_in_the_picture_is_part_of_the_question(ask: Asked) -> None:
    one = question("a", "Note")
    read = [one.model_copy(update={"id": sign or "none", "sign": sign}) for sign in (None, "", "Exit")]
    numbers(ask, [one, *read[1:]])
    assert len(ask.asked) == 3
    numbers(ask, read)
    assert len(ask.asked) == 3


def question(identity: str, note: str, image: str = "a") -> Record:
    return record(identity, image=f"images/{image}.png", text=note)


def numbers(ask: Asked, records: Sequence[Record], engine: str = "one") -> list[float]:
    found = kept(ask.photos / "answers" / "box.npz", engine, records, ask.photos, ask)
    assert found.risks[:, 0, 0].tolist() == (found.verdict[:, 0] + 1).tolist()
    values: list[float] = found.cues[:, 0, 0].tolist()
    return values


def test_a_record_gets_its_own_answer_wherever_it_stands(ask: Asked) -> None:
    records = [question("r0", "Dust."), question("r1", "Oil."), question("r2", "Dust.", "b")]
    first = numbers(ask, records)
    assert first == [ask.number(r) for r in records]
    assert len(set(first)) == 3
    changed = [records[2], question("r1", "Oil on the floor."), records[0], question("again", "Oil.")]
    ask.asked.clear()
    assert numbers(ask, changed) == [ask.number(r) for r in changed]
    assert ask.asked == ["r1"]
    ask.asked.clear()
    assert numbers(ask, records) == first, "nothing is forgotten"
    assert ask.asked == []


def test_one_question_is_asked_once(ask: Asked) -> None:
    twice = [question("r0", "Dust."), question("r1", "Dust.")]
    assert len(set(numbers(ask, twice))) == 1
    assert len(ask.asked) == 1


def test_another_picture_under_the_same_name_is_asked_anew(ask: Asked) -> None:
    records = [question("r0", "Dust."), question("r1", "Dust.", "b"), question("r2", "Dust.", "none")]
    numbers(ask, records)
    ask.asked.clear()
    (ask.photos / "images" / "a.png").write_text("c")
    assert numbers(ask, records) == [ask.number(r) for r in records]
    assert ask.asked == ["r0"]


def test_nothing_of_another_engine_is_kept(ask: Asked) -> None:
    records = [question("r0", "Dust."), question("r1", "Oil.")]
    numbers(ask, records)
    numbers(ask, records[:1], "another")
    assert ask.asked == ["r0", "r1", "r0"]
    ask.asked.clear()
    numbers(ask, records)
    assert ask.asked == ["r0", "r1"]


def test_cells_are_kept_and_never_joined_with_answers_that_have_none(ask: Asked) -> None:
    records = [question("r0", "Dust."), question("r1", "Oil.")]
    plain = ask(records)
    cells = np.arange(2 * 49 * 3, dtype=np.float32).reshape(2, 49, 3)
    seen = Answers(plain.cues, plain.risks, plain.verdict, cells)
    file = ask.photos / "answers" / "scenes.npz"
    first = kept(file, "one", records, ask.photos, lambda _: seen)
    again = kept(file, "one", records[::-1], ask.photos, ask)
    assert first.cells is not None
    assert again.cells is not None
    assert np.array_equal(first.cells, again.cells[::-1])
    with pytest.raises(ValueError, match="expected answers alike"):
        joined(seen, plain)
