"""A rulebook that was read: its clauses over the slots of a pack, and its examples held against them."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from .bundle import PACK
from .errors import UsageError
from .installed import default_bundle
from .rule_conditions import Clause, Facts, answer, clauses_of, facts_of
from .rulebook import Example, Rulebook, parse_rulebook
from .ruling import Effect
from .taxonomy import Pack, load_pack, sha256_text

MAX_BYTES = 1_000_000  # of a rulebook; it is read again before every judgement
STRENGTH: dict[str, int] = {"none": 0, "advice": 1, "caution": 2, "stop": 3}


@dataclass(frozen=True)
class Outcome:
    """What the whole rulebook says to one situation."""

    applied: tuple[Clause, ...]  # the strongest effect first, then in the file's order
    open: tuple[tuple[Clause, tuple[str, ...]], ...]  # with what is missing


@dataclass(frozen=True)
class ExampleRun:
    """An example, and what came of it."""

    example: Example
    outcome: Outcome

    @property
    def expected(self) -> str:
        return _line(self.example.expect, self.example.clauses, self.example.open)

    @property
    def came(self) -> str:
        effects: list[Effect] = [clause.rule.effect for clause in self.outcome.applied]
        return _line(
            effects[0] if effects else "none",
            [clause.rule.id for clause in self.outcome.applied],
            [clause.rule.id for clause, _ in self.outcome.open],
        )

    @property
    def holds(self) -> bool:
        return self.expected == self.came


def _line(effect: str, applied: Sequence[str], left_open: Sequence[str]) -> str:
    by = f" by {', '.join(sorted(applied))}" if applied else ""
    return f"{effect}{by}" + (f", open {', '.join(sorted(left_open))}" if left_open else "")


@dataclass(frozen=True)
class RuleFile:
    """A rulebook with its text and the pack that it was read for. `sha256` is of its text."""

    name: str
    book: Rulebook
    pack: Pack
    clauses: tuple[Clause, ...]
    sha256: str
    text: str

    def outcome(self, facts: Facts) -> Outcome:
        """Every clause asked; none is left out, whatever the others say."""
        answers = [(clause, *answer(clause.condition, facts)) for clause in self.clauses]
        applied = [clause for clause, truth, _ in answers if truth]
        return Outcome(
            tuple(sorted(applied, key=lambda clause: -STRENGTH[clause.rule.effect])),
            tuple((clause, missing) for clause, truth, missing in answers if truth is None),
        )

    @cached_property
    def runs(self) -> tuple[ExampleRun, ...]:
        """The examples in the file's order."""
        return tuple(
            ExampleRun(example, self.outcome(facts_of(example, self.book, self.pack, self.name)))
            for example in self.book.example
        )


def read_rules(path: Path, pack: Pack) -> RuleFile:
    """Read a rulebook for `pack`; UsageError names what cannot be read. Its examples may still fail."""
    return rules_of(rules_text(path), str(path), pack)


def rules_of(text: str, name: str, pack: Pack) -> RuleFile:
    """As `read_rules`, from its text."""
    book = parse_rulebook(text, name)
    rules = RuleFile(name, book, pack, clauses_of(book, pack, name), sha256_text(text), text)
    _ = rules.runs  # the examples' names are checked, too
    return rules


def rules_text(path: Path) -> str:
    """A rulebook's text, read once; UsageError where it is none."""
    try:
        if not path.is_file():
            raise UsageError(f"expected a rulebook (TOML) at {path}, found none; check the path")
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise UsageError(
                f"expected at most {MAX_BYTES:,} bytes of rulebook in {path}, got more; shorten it"
            )
        return data.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    except (OSError, UnicodeDecodeError) as e:
        raise UsageError(f"expected a rulebook (UTF-8 TOML) in {path}, got: {e}; check the file") from e


def pack_of(bundle: Path | None) -> Pack:
    """The pack whose slots the rules speak of: that of `bundle` (default: this box's).

    A bundle without one cannot judge anyway, and the default pack serves to read the rules.
    """
    file = (bundle or default_bundle()) / PACK
    return load_pack(file if file.is_file() else None)
