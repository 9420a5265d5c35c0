"""The plant's rulebook: explicit rules beside the model, a TOML file that the plant writes and versions.

A rule has a clause id, its wording, a condition (`when`), and an effect: `at_least` raises the verdict,
`advice` is added to what the worker is told. Nothing in the file can lower a verdict, and there is no
"unless": whoever writes the note could talk a rule away. `rules/example.toml` explains every key.
"""

import tomllib
import unicodedata
from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, Field, StringConstraints, ValidationError, model_validator

from .errors import UsageError
from .note_words import fold
from .ruling import Effect
from .spelling import did_you_mean
from .taxonomy import Frozen, Identifier, Text
from .time_windows import Day, moment, window

ClauseId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]


def _line(text: str) -> str:
    if not text.strip() or any(unicodedata.category(c)[0] == "C" or c in "\u2028\u2029" for c in text):
        raise ValueError(f"expected one line of visible text, got {text!r}")
    return text


def _lines(text: Text) -> Text:
    _line(text.en)
    _line(text.ja)
    return text


def _word(text: str) -> str:
    if not any(c.isalnum() for c in fold(text)):
        raise ValueError(f"expected a word with a letter or a digit, got {text!r}")
    return _line(text)


def _read_by(parse: Callable[[str], object]) -> AfterValidator:
    def check(text: str) -> str:
        parse(text)
        return text

    return AfterValidator(check)


Line = Annotated[str, AfterValidator(_line)]
LineText = Annotated[Text, AfterValidator(_lines)]
Word = Annotated[str, AfterValidator(_word)]
Hours = Annotated[str, _read_by(window)]  # "22:00-06:00"
Moment = Annotated[str, _read_by(moment)]  # "sat 23:30"


def _any_of() -> Any:
    """A list that may be left out, and is not empty where it stands."""
    return Field(default=(), min_length=1)


class When(Frozen):
    """A condition: every key that is given must hold, and a key holds when one of its entries does."""

    factors: tuple[str, ...] = _any_of()  # "source:category" of a flagged risk; * stands for any
    cues: tuple[str, ...] = _any_of()
    and_cues: tuple[str, ...] = _any_of()
    words: tuple[Word, ...] = _any_of()  # in the note
    and_words: tuple[Word, ...] = _any_of()
    zones: tuple[str, ...] = _any_of()
    days: tuple[Day, ...] = _any_of()
    hours: tuple[Hours, ...] = _any_of()

    @model_validator(mode="after")
    def _says_something(self) -> "When":
        if not self.model_fields_set:
            raise ValueError("expected a condition, got none; a rule that always applies says nothing")
        return self


class Rule(Frozen):
    """One clause of the plant's rules."""

    id: ClauseId
    wording: LineText
    at_least: Literal["caution", "stop"] | None = None
    advice: LineText | None = None
    when: When

    @model_validator(mode="after")
    def _does_something(self) -> "Rule":
        if self.at_least is None and self.advice is None:
            raise ValueError("expected an effect, got none; give at_least, advice, or both")
        return self

    @property
    def effect(self) -> Effect:
        return self.at_least or "advice"


class Example(Frozen):
    """A situation and what the whole rulebook says to it. Slots not named are judged and not flagged."""

    name: Line
    factors: tuple[str, ...] = ()  # flagged slots, "source:category"
    cues: tuple[str, ...] = ()  # seen in the picture
    not_judged: tuple[str, ...] = ()  # slot ids
    note: str = ""
    zone: str | None = None
    time: Moment = "wed 10:00"
    expect: Literal["none", "advice", "caution", "stop"]  # the strongest effect
    clauses: tuple[str, ...] = ()  # exactly those that apply
    open: tuple[str, ...] = ()  # exactly those that cannot be answered


class Rulebook(Frozen):
    """The file. Raise `version` with every change: judgements name it."""

    format: Literal[1]
    id: Identifier
    version: Line
    zones: dict[Identifier, LineText] = Field(default_factory=dict)
    rule: tuple[Rule, ...] = Field(min_length=1)
    example: tuple[Example, ...] = ()

    @model_validator(mode="after")
    def _ids_are_unique(self) -> "Rulebook":
        for what, ids in (("rule", [r.id for r in self.rule]), ("example", [e.name for e in self.example])):
            doubled = sorted({i for i in ids if ids.count(i) > 1})
            if doubled:
                raise ValueError(f"expected every {what} once, {', '.join(doubled)} comes twice")
        return self


_TABLES: dict[str, type[BaseModel]] = {"": Rulebook, "rule": Rule, "rule.when": When, "example": Example}


def parse_rulebook(text: str, name: str) -> Rulebook:
    """Read a rulebook from TOML text; UsageError names the first thing that is wrong."""
    try:
        data: dict[str, Any] = tomllib.loads(text)
    except (ValueError, RecursionError) as e:  # bad TOML, a number too long, nesting too deep
        raise UsageError(f"{name}: expected TOML, got: {e}") from e
    try:
        return Rulebook.model_validate(data)
    except ValidationError as e:
        raise UsageError(f"{name}: {_first_fault(e, data)}") from e


def _first_fault(error: ValidationError, data: dict[str, Any]) -> str:
    """An unknown key first: a mistyped key also makes the right one missing."""
    faults = error.errors()
    first = next((fault for fault in faults if fault["type"] == "extra_forbidden"), faults[0])
    loc = first["loc"]
    if first["type"] != "extra_forbidden":
        return _where(loc, data) + first["msg"].removeprefix("Value error, ")
    table = _TABLES.get(".".join(part for part in loc[:-1] if isinstance(part, str)), Text)
    return f"{_where(loc[:-1], data)}unknown key {loc[-1]!r}{did_you_mean(str(loc[-1]), table.model_fields)}"


def _where(loc: tuple[int | str, ...], data: dict[str, Any]) -> str:
    """`rule HOT-1: when.hours.1: ` for ("rule", 0, "when", "hours", 1)."""
    head, rest = "", loc
    if len(loc) > 1 and loc[0] in ("rule", "example") and isinstance(loc[1], int):
        entry = data[loc[0]][loc[1]]
        named = entry.get("id", entry.get("name")) if isinstance(entry, dict) else None
        head, rest = f"{loc[0]} {named or loc[1] + 1}: ", loc[2:]
    return head + (f"{'.'.join(map(str, rest))}: " if rest else "")
