"""`yochi-train records stats`: what a folder of records is made of, and whether it is balanced.

A record counts once for every risk that is known to hold in it: a slot with a category, at 1. Cells are
HoliSafe's five (`yochi_bench.cells`); a record is in one only where slots and verdict decide it. Shares: of a
cell among the records whose cell is known, of a category or a source among all records.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from yochi_bench.cells import Cell, cell_of
from yochi_runtime.bundle import MIN_POSITIVES
from yochi_runtime.errors import UsageError
from yochi_runtime.record import MARKED, Record
from yochi_runtime.taxonomy import Pack, load_pack

from .grammar import LANGS
from .pictures import Picture, read_pictures
from .records import iterate_records
from .tables import Bar, bars_met
from .validate import PICTURES, shards

KINDS = ("risk", "harmless", "combination", "narrative")
UNKNOWN = "unknown"
CELLS = (*(c.value for c in Cell), UNKNOWN)
VERDICTS = ("stop", "caution", "proceed", UNKNOWN)
LEAST_PERCENT = {"cell": 12, "trained category": 2, "source": 8}


class Risk(NamedTuple):
    """What the records with a risk are counted by."""

    source: str
    category: str
    kind: str
    cell: str
    lang: str


class Share(NamedTuple):
    """A share of records and the least that it has to be, in percent."""

    rule: str
    name: str
    records: int
    of: int

    @property
    def least(self) -> int:
        return LEAST_PERCENT[self.rule]

    def bar(self) -> Bar:
        share = f"{100 * self.records / self.of:.1f} % ({self.records}/{self.of})" if self.of else "- (0/0)"
        met = self.of > 0 and 100 * self.records >= self.least * self.of
        return Bar(f"{self.rule} {self.name}", share, f">= {self.least} %", met)


@dataclass
class Counts:
    """Numbers of records, `spans` apart; `positives` by slot id. `safe`: pictures that were checked so."""

    pack: Pack
    safe: frozenset[str] = frozenset()
    records: int = 0
    splits: Counter[str] = field(default_factory=Counter)
    verdicts: Counter[tuple[str, str]] = field(default_factory=Counter)  # verdict, language
    kinds: Counter[tuple[str, str]] = field(default_factory=Counter)  # kind, language
    cells: Counter[tuple[str, str]] = field(default_factory=Counter)  # cell, language
    risks: Counter[Risk] = field(default_factory=Counter)
    positives: Counter[str] = field(default_factory=Counter)
    categories: Counter[str] = field(default_factory=Counter)
    sources: Counter[str] = field(default_factory=Counter)
    spans: Counter[tuple[str, str]] = field(default_factory=Counter)  # source, language; numbers of spans

    def add(self, record: Record) -> None:
        where = record_cell(record, self.pack, self.safe)
        held = [s for s in self.pack.slots if s.source and s.category and record.slots.get(s.id) == 1]
        pairs = {(str(s.source), str(s.category)) for s in held}  # two cues may be the same risk
        self.records += 1
        self.splits[record.split] += 1
        self.verdicts[record.verdict or UNKNOWN, record.lang] += 1
        self.kinds[record.kind, record.lang] += 1
        self.cells[where, record.lang] += 1
        self.positives.update(s.id for s in held)
        self.risks.update(Risk(*pair, record.kind, where, record.lang) for pair in pairs)
        self.categories.update({category for _, category in pairs})
        self.sources.update({source for source, _ in pairs})
        self.spans.update((span.slot.partition(":")[0], record.lang) for span in record.spans)

    def counted(self, records: Iterable[Record]) -> Iterator[Record]:
        """The same records, each counted as it passes."""
        for record in records:
            self.add(record)
            yield record

    def trained(self) -> list[str]:
        """Categories with a slot that a bundle would judge, in the pack's order."""
        enough = {s.category for s in self.pack.slots if self.positives[s.id] >= MIN_POSITIVES}
        return [c.id for c in self.pack.category if c.id in enough]

    def balance(self) -> list[Bar]:
        """Whether each share is large enough."""
        return [share.bar() for share in self.shares()]

    def shares(self) -> list[Share]:
        """What is asked for: each cell, trained category, and source that the pack has slots for."""
        of_cells = {c: sum(self.cells[c, lang] for lang in LANGS) for c in CELLS if c != UNKNOWN}
        known = sum(of_cells.values())
        sources = dict.fromkeys(str(s.source) for s in self.pack.slots if s.source)
        return [
            *(Share("cell", c, count, known) for c, count in of_cells.items()),
            *(Share("trained category", c, self.categories[c], self.records) for c in self.trained()),
            *(Share("source", s, self.sources[s], self.records) for s in sources),
        ]

    def risk_pairs(self) -> list[tuple[str, str]]:
        """Source and category of every risk of the pack, also one that no record has."""
        return list(dict.fromkeys((str(s.source), str(s.category)) for s in self.pack.slots if s.source))

    def by_category(self, source: str) -> dict[str, dict[str, int]]:
        """Records by category of the pack's risks from `source`, and language."""
        found = {c: dict.fromkeys(map(str, LANGS), 0) for of, c in self.risk_pairs() if of == source}
        for risk, count in self.risks.items():
            if risk.source == source:
                found[risk.category][risk.lang] += count
        return found

    def as_json(self) -> dict[str, object]:
        """Everything that was counted; `risks` has a row for each combination that occurs."""

        def by_lang(of: Counter[tuple[str, str]]) -> list[dict[str, object]]:
            return [{"name": name, "lang": lang, "records": n} for (name, lang), n in sorted(of.items())]

        return {
            "pack": self.pack.id,
            "records": self.records,
            "splits": dict(sorted(self.splits.items())),
            "kinds": by_lang(self.kinds),
            "verdicts": by_lang(self.verdicts),
            "cells": by_lang(self.cells),
            "risks": [{**risk._asdict(), "records": n} for risk, n in sorted(self.risks.items())],
            "spans": [{"source": s, "lang": lang, "spans": n} for (s, lang), n in sorted(self.spans.items())],
            "not_trained": [c.id for c in self.pack.category if c.id not in self.trained()],
            "balance": [vars(bar) for bar in self.balance()],
        }

    def text(self) -> str:
        """Tables for a terminal."""
        bars = self.balance()
        splits = ", ".join(f"{name} {count}" for name, count in sorted(self.splits.items()))
        parts = [f"{self.records} records ({splits}), pack {self.pack.id}"]
        for name, of, order in (
            ("kind", self.kinds, KINDS),
            ("cell", self.cells, CELLS),
            ("verdict", self.verdicts, VERDICTS),
        ):
            rows = [[word, *(str(of[word, lang]) for lang in LANGS)] for word in order]
            parts.append(aligned([name, *LANGS], rows))
        kinds = [f"{kind} {lang}" for kind in KINDS for lang in LANGS]
        parts.append(aligned(["source", "category", *kinds, "all"], list(self._risk_rows())))
        rows = [[source, *(str(self.spans[source, lang]) for lang in LANGS)] for source in MARKED]
        parts.append(aligned(["spans of notes", *LANGS], rows))
        untrained = [c.id for c in self.pack.category if c.id not in self.trained()]
        if untrained:
            parts.append(f"not trained, fewer than {MIN_POSITIVES} records a slot: {', '.join(untrained)}")
        rows = [[bar.name, bar.value, bar.bar, "yes" if bar.met else "no"] for bar in bars]
        return "\n\n".join([*parts, aligned(["balance", "share", "bar", "met"], rows), bars_met(bars)])

    def _risk_rows(self) -> Iterator[list[str]]:
        """Every risk of the pack, also one that no record has: that is what one looks for."""
        by_column: Counter[tuple[str, ...]] = Counter()
        for risk, count in self.risks.items():
            by_column[risk.source, risk.category, risk.kind, risk.lang] += count
        for source, category in self.risk_pairs():
            row = [by_column[source, category, kind, lang] for kind in KINDS for lang in LANGS]
            yield [source, category, *map(str, [*row, sum(row)])]


def record_cell(record: Record, pack: Pack, safe: Collection[str] = ()) -> str:
    """The record's HoliSafe cell, or "unknown"; `safe` as in `cell_of`."""
    found = cell_of(record, pack, safe)
    return found.value if found else UNKNOWN


def count_records(records: Iterable[Record], pack: Pack, safe: Iterable[str] = ()) -> Counts:
    counts = Counts(pack, frozenset(safe))
    for record in records:
        counts.add(record)
    return counts


def count_folder(folder: Path) -> Counts:
    """Counts of every record in `folder`; UsageError names the line of a bad one."""
    if not folder.is_dir():
        raise UsageError(f"expected a records folder at {folder}, found none; check the path")
    files = [file for file in shards(folder) if file.name != PICTURES]
    pictures = read_pictures(folder / PICTURES) if (folder / PICTURES).is_file() else []
    return count_records(_good(files), load_pack(folder / "pack.toml"), checked_safe(pictures))


def checked_safe(pictures: Iterable[Picture]) -> frozenset[str]:
    return frozenset(p.image for p in pictures if p.checked == "safe")


def _good(files: Sequence[Path]) -> Iterator[Record]:
    for file in files:
        try:
            yield from iterate_records(file)
        except UsageError as e:
            raise UsageError(f"{e}; run: yochi-train records validate") from e


def aligned(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in columns of equal width."""
    widths = [max(map(len, column)) for column in zip(columns, *rows, strict=True)]
    lines = ([*columns], ["-" * width for width in widths], *rows)
    return "\n".join(
        "  ".join(word.ljust(width) for word, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )
