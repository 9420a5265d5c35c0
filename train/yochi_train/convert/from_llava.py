"""`yochi-train records from-llava`: DREAM's published form in, pairs for `records observe` out.

The file is read item by item. OUT holds `pairs.jsonl` (one line a question; the slots that the file's
observations make known), `quarantine.jsonl` (items and turns that cannot be used, as they came),
`defects.jsonl` (every defect by file, line and turn) and `report.json`. Killed before its end, it leaves
nothing but *.partial files and is run again.
"""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO, Any

from pydantic import ValidationError
from yochi_runtime.errors import NoteError, UsageError
from yochi_runtime.inspection import Note
from yochi_runtime.taxonomy import Pack, Source, load_pack, pack_text, sha256_text

from ..progress import Progress
from ..rows import RowFault, read_object
from .json_items import Item, read_items
from .llava_defects import THEN, DefectName, Reading, read_turn
from .llava_form import SOURCES, Conversation, Turn, words_of
from .written import write_json, written

SHOWN = 200  # characters of what showed a defect


@dataclass
class Tally:
    """Counts of a file; a defect that was not found is there with 0."""

    items: int = 0
    turns: int = 0
    pairs: int = 0
    found: Counter[str] = field(default_factory=lambda: Counter(dict.fromkeys(THEN, 0)))
    in_turns: Counter[str] = field(default_factory=lambda: Counter(dict.fromkeys(THEN, 0)))
    sources: Counter[str] = field(default_factory=lambda: Counter({str(s): 0 for s in Source}))
    categories: Counter[str] = field(default_factory=Counter)

    def defects(self) -> dict[str, dict[str, Any]]:
        return {
            name: {"found": self.found[name], "turns": self.in_turns[name], "then": then}
            for name, then in THEN.items()
        }

    def line(self, out: Path) -> str:
        found = ", ".join(f"{name} {count}" for name, count in self.found.items() if count) or "none"
        silent = ", ".join(name for name, count in self.sources.items() if not count)
        never = f"; never observed: {silent}" if silent else ""
        return (
            f"{self.turns} turns of {self.items} items: {self.pairs} pairs; defects: {found}{never}: "
            f"{out / 'report.json'}"
        )


def from_llava(file: Path, out: Path, photos: Path | None, pack_file: Path | None) -> str:
    """Read `file`, find its defects, write OUT; a line for the screen. `photos`: where pictures must be."""
    if not file.is_file():
        raise UsageError(f"expected a JSON file at {file}, found none; check the path")
    if photos and not photos.is_dir():
        raise UsageError(f"expected a folder of pictures at {photos}, found none; check --photos")
    pack = load_pack(pack_file)
    out.mkdir(parents=True, exist_ok=True)
    with (
        written(out / "quarantine.jsonl") as bad,
        written(out / "defects.jsonl") as defects,
        written(out / "pairs.jsonl") as pairs,
    ):
        conversion = _Conversion(file, photos, pack, pairs, bad, defects)
        for item in read_items(file):
            conversion.take(item)
    tally = conversion.tally
    report = {
        "file": file.name,
        "pack_sha256": sha256_text(pack_text(pack_file)),
        "items": tally.items,
        "turns": tally.turns,
        "pairs": tally.pairs,
        "defects": tally.defects(),
        "sources": dict(tally.sources),
        "categories": dict(sorted(tally.categories.items())),
    }
    write_json(out / "report.json", report)
    return tally.line(out)


class _Conversion:
    """What is remembered from item to item: ids, and counts."""

    def __init__(
        self, file: Path, photos: Path | None, pack: Pack, pairs: IO[str], bad: IO[str], defects: IO[str]
    ) -> None:
        self._file, self._photos, self._pack = file, photos, pack
        self._pairs, self._bad, self._defects = pairs, bad, defects
        self._ids: dict[str, int] = {}  # the line each was first seen on
        self._progress = Progress(f"kB of {file.name}", file.stat().st_size // 1000)
        self.tally = Tally()

    def take(self, item: Item) -> None:
        self.tally.items += 1
        self._progress.step(len(item.text) // 1000)
        try:
            talk = _conversation(item)
        except RowFault as e:
            self._quarantine(item, "broken_item", str(e), item.text.decode("utf-8", "backslashreplace"))
            return
        self.tally.turns += len(talk.conversations) // 2
        fault = self._fault(talk)
        if fault:
            self._quarantine(item, *fault, talk.model_dump(by_alias=True, exclude_unset=True))
            return
        self._ids[talk.id] = item.line
        for number, (human, gpt) in enumerate(_turns(talk), 1):
            self._turn(item, talk, number, human, gpt)

    def _fault(self, talk: Conversation) -> tuple[DefectName, str] | None:
        path = PurePosixPath(talk.image)
        if talk.id in self._ids:
            return (
                "repeated_id",
                f"expected an id of its own, got {talk.id!r} of line {self._ids[talk.id]} again",
            )
        if path.is_absolute() or ".." in path.parts:
            return "image", f"expected an image path below the pictures, got {talk.image!r}"
        if self._photos and not (self._photos / talk.image).is_file():
            return "image", f"expected a picture at {self._photos / talk.image}, found none"
        return None

    def _turn(self, item: Item, talk: Conversation, number: int, human: Turn, gpt: Turn) -> None:
        note = words_of(human.value)
        turn = {"id": talk.id, "image": talk.image, "turn": number, "human": human.value, "gpt": gpt.value}
        try:
            Note(note)
        except NoteError as e:
            self._quarantine(item, "note", str(e), turn, number)
            return
        self._count(gpt)
        reading = read_turn(note, human, gpt, self._pack)
        if any(name == "prompt_leakage" for name, _ in reading.defects):
            self._quarantine(item, "prompt_leakage", gpt.value, turn, number)
            return
        self._tell(item, reading.defects, number)
        self.tally.pairs += 1
        several = len(talk.conversations) > 2
        pair = {"id": f"{talk.id}:{number}" if several else talk.id, "image": talk.image, "note": note}
        _write(self._pairs, pair | _known(reading, gpt))

    def _count(self, gpt: Turn) -> None:
        """Sources and categories as the file names them, defective or not."""
        for entry in gpt.observe or []:
            if isinstance(entry, dict):
                source = SOURCES.get(str(entry.get("source")).strip().casefold())
                self.tally.sources[str(source or entry.get("source"))] += 1
                self.tally.categories[str(entry.get("risk_category"))] += 1

    def _quarantine(
        self, item: Item, name: DefectName, why: str, what: object, number: int | None = None
    ) -> None:
        self._tell(item, ((name, why),), number)
        _write(self._bad, {"where": f"{self._file}:{item.line}", "defect": name, "why": why, "item": what})

    def _tell(self, item: Item, defects: tuple[tuple[DefectName, str], ...], number: int | None) -> None:
        for name, shown in defects:
            self.tally.found[name] += 1
            row = {
                "where": f"{self._file}:{item.line}",
                "turn": number,
                "defect": name,
                "shown": shown[:SHOWN],
            }
            _write(self._defects, row)
        self.tally.in_turns.update({name for name, _ in defects})


def _conversation(item: Item) -> Conversation:
    """RowFault where it is none, or where question and reply do not take turns."""
    if not item.text:
        raise RowFault("expected the array's closing bracket, got the end of the file")
    data = read_object(item.text)
    try:
        talk = Conversation.model_validate(data)
    except ValidationError as e:
        first = e.errors()[0]
        raise RowFault(f"expected {'.'.join(map(str, first['loc']))}: {first['msg']}") from e
    speakers = [turn.speaker for turn in talk.conversations]
    if speakers != ["human", "gpt"] * (len(speakers) // 2):
        raise RowFault(f"expected human and gpt in turn, got {', '.join(speakers)[:SHOWN]}")
    return talk


def _turns(talk: Conversation) -> Iterator[tuple[Turn, Turn]]:
    return zip(talk.conversations[::2], talk.conversations[1::2], strict=True)


def _known(reading: Reading, gpt: Turn) -> dict[str, Any]:
    """What a pair's line says beyond picture and note."""
    spans = [(*seen.span, seen.slot) for seen in reading.kept if seen.span is not None]
    known: dict[str, Any] = {"slots": reading.slots, "spans": spans}
    if gpt.verdict is not None:
        known["verdict"] = gpt.verdict
    return known


def _write(out: IO[str], row: dict[str, Any]) -> None:
    out.write(json.dumps(row, ensure_ascii=False) + "\n")
