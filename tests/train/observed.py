"""Pairs and teachers for the tests of `records observe`."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image
from yochi_runtime.taxonomy import Pack
from yochi_train.observe.pairs import Pair
from yochi_train.observe.procedure import Failed
from yochi_train.observe.teacher import Answer, Question, Topic

NOTE = "Line is running. Wipe the rollers by hand, then sign."
YES, NO = '{"confirmed": "yes"}', '{"confirmed": "no"}'


def seen(
    source: str, category: str, quote: str = "Wipe the rollers by hand", cue: str = ""
) -> dict[str, str]:
    return {"source": source, "category": category, "cue": cue, "quote": quote}


def listed(*observations: Mapping[str, str]) -> str:
    return json.dumps({"observations": observations}, ensure_ascii=False)


GUARD = seen("image_content", "mechanical", "rollers without a guard", "guard_missing")
WIPE = seen("note_instruction", "mechanical")
TOGETHER = seen("combination", "mechanical")

# What a teacher says of six pairs: each filter finds something, and the last is safe.
NAMES = ["a", "b", "c", "d", "e", "f"]
ANSWERS = {
    "a": {"image": listed(GUARD), "note": listed(WIPE), "both": listed(TOGETHER)},
    "b": {"both": listed(TOGETHER, {**WIPE, "quote": NOTE})},
    "c": {"image": "The picture is fine.", "note": listed({**WIPE, "category": "health"})},
    "d": {
        "image": listed(seen("image_content", "ppe", "人の頭", "no_hard_hat")),
        "note": listed({**WIPE, "quote": "sing"}),
        "both": "[",
        "confirm cue:no_hard_hat": NO,
    },
    "e": {"note": listed({**WIPE, "quote": "one JSON object and nothing else"}, GUARD)},
}


def noon() -> float:
    """A clock that stands still."""
    return 1_700_000_000.0


class Answers:
    """Answers by the question's name, a list where it is asked again; `names` are the questions asked."""

    def __init__(self, answers: Mapping[str, str | Sequence[str]]) -> None:
        self._answers = answers
        self.names: list[str] = []

    def __call__(self, topic: Topic, failed: Failed) -> str:
        self.names.append(topic.name)
        said = self._answers.get(topic.name, YES if topic.claim else listed())
        return said if isinstance(said, str) else said[len(failed)]


class TableTeacher:
    """A teacher with `answers` for every pair, who counts what it is asked. Tokens are letters."""

    model = "table"

    def __init__(self, answers: Mapping[str, Mapping[str, str]]) -> None:
        self._answers = answers
        self.asked: list[tuple[str, str]] = []

    def ask(self, question: Question) -> Answer:
        name = question.topic.name
        self.asked.append((question.pair.id, name))
        said = self._answers.get(question.pair.id, {}).get(name, YES if question.topic.claim else listed())
        return Answer(said, "table-1", len(json.dumps(question.messages[1:])) % 1000, len(said))


def pair(note: str = NOTE, **more: Any) -> Pair:
    return Pair(id="a", image="a.png", note=note, **more)


def all_known(pack: Pack, *held: str) -> dict[str, int]:
    """Every slot but the verdict: 1 for those that are `held`, 0 for all others."""
    return {slot.id: int(slot.id in held) for slot in pack.slots if slot.id != "verdict"}


def write_pairs(folder: Path, names: Sequence[str], **more: Any) -> Path:
    """`pairs.jsonl` in `folder`, with a picture a pair."""
    rows = []
    for number, name in enumerate(names):
        Image.new("RGB", (48, 40), (40 * number % 256, 90, 120)).save(folder / f"{name}.png")
        rows.append({"id": name, "image": f"{name}.png", "note": NOTE, **more})
    file = folder / "pairs.jsonl"
    file.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")
    return file
