"""The one form of every benchmark's report: what was measured, on what, of what, with which command.

    report.json     this form; its JSON schema is published in `report.schema.json`
    report.html     the same on one page with its plots (`report_page`)
    *.svg           each plot as a file of its own (`report_plot`)

What each kind holds stands in `report_kinds`. A number that was not measured is null and says why. Only
reports of one kind, workload, bundle and number of threads can be compared (`compare`), so their hashes stand
in every report.
"""

import json
from datetime import UTC, datetime
from importlib.metadata import version
from importlib.resources import files
from itertools import chain
from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import Field, ValidationError, model_validator
from yochi_runtime.errors import UsageError
from yochi_runtime.taxonomy import Frozen

from .report_kinds import missing, schema_rules

FORMAT: Final = 1
JSON_FILE, PAGE_FILE, TABLE_FILE = "report.json", "report.html", "report.txt"
SCHEMA_FILE = "report.schema.json"

Kind = Literal[
    "latency",
    "quality",
    "roofline",
    "peers",
    "seeing-peers",
    "suite",
    "sweep",
    "quantization",
    "endurance",
    "live",
]
Better = Literal["lower", "higher"]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Setting = str | int | float | bool | None


class Number(Frozen):
    """One measured number, or None and why not. `low` and `high` limit it, `n` is what it was taken of.

    What kind of limits they are stands in the table's caption.
    """

    value: Finite | None
    reason: str | None = None
    low: Finite | None = None
    high: Finite | None = None
    n: int | None = Field(default=None, ge=0)

    @model_validator(mode="after")
    def _null_says_why(self) -> Self:
        if (self.value is None) != (self.reason is not None):
            raise ValueError("a number that was not measured needs a reason, and no other may have one")
        return self


class Column(Frozen):
    """What the numbers below it are. `unit`: ms, bytes, joules, 1 (a share or a score) ...

    `better` is None where neither direction is.
    """

    id: str = Field(min_length=1)
    unit: str = Field(min_length=1)
    better: Better | None = None


class Row(Frozen):
    """Numbers by column id; a column that says nothing about this row is left out."""

    id: str = Field(min_length=1)
    cells: dict[str, Number]


class Table(Frozen):
    """`id` is stable from report to report, `title` and `caption` are for people."""

    id: str = Field(min_length=1)
    title: str
    columns: tuple[Column, ...] = Field(min_length=1)
    rows: tuple[Row, ...]
    caption: str = ""

    @model_validator(mode="after")
    def _ids_fit(self) -> Self:
        columns, rows = [c.id for c in self.columns], [r.id for r in self.rows]
        doubled = [i for ids in (columns, rows) for i in ids if ids.count(i) > 1]
        unknown = sorted({i for row in self.rows for i in row.cells} - set(columns))
        if doubled or unknown:
            raise ValueError(f"{self.id}: expected unique ids and known columns, got {doubled or unknown}")
        return self


class Series(Frozen):
    """Points of one line, or alone as marks. `limits`: low and high of every y, or none at all."""

    name: str
    x: tuple[Finite, ...]
    y: tuple[Finite, ...]
    marks: bool = False
    limits: tuple[tuple[Finite, Finite], ...] = ()

    @model_validator(mode="after")
    def _as_long(self) -> Self:
        if len(self.x) != len(self.y):
            raise ValueError(f"{self.name}: expected as many y as x, got {len(self.y)} and {len(self.x)}")
        if self.limits and len(self.limits) != len(self.y):
            raise ValueError(f"{self.name}: expected limits of every y, got {len(self.limits)}")
        return self


class Plot(Frozen):
    """`log`: both axes in powers of ten, then every number is above 0.

    `x_from_zero`: the x axis holds 0; otherwise it begins at the lowest.
    """

    title: str
    x: str
    y: str
    series: tuple[Series, ...] = Field(min_length=1)
    log: bool = False
    x_from_zero: bool = True
    caption: str = ""

    @model_validator(mode="after")
    def _has_logarithms(self) -> Self:
        if self.log and any(v <= 0 for s in self.series for v in (*s.x, *s.y, *chain(*s.limits))):
            raise ValueError(f"{self.title}: expected numbers above 0 on logarithmic axes")
        return self


class Machine(Frozen):
    """What was measured on; None where the system does not say. `sha256` of all the other fields."""

    architecture: str
    cpu: str | None
    cores: int  # that this process may use
    memory_bytes: int | None
    system: str
    python: str
    engines: dict[str, str]  # versions of the libraries that compute
    governor: str | None  # of the processor's frequency
    power_mode: str | None = None  # how much it may use
    sha256: Sha256


class BundleIdentity(Frozen):
    """`sha256` is that of the manifest, which names every other file's."""

    name: str
    version: str
    sha256: Sha256
    base: Sha256


class Workload(Frozen):
    """What was asked. `sha256` of the decoded frames, the notes and their order."""

    name: str
    frames: int = Field(ge=0)
    notes: int = Field(ge=0)
    sha256: Sha256


class Report(Frozen):
    """One run of one benchmark."""

    format: Literal[1] = FORMAT
    kind: Kind
    command: str
    date: datetime
    yochi: str
    machine: Machine
    bundle: BundleIdentity
    workload: Workload
    threads: int = Field(ge=1)  # of each engine
    settings: dict[str, Setting]
    tables: tuple[Table, ...] = Field(min_length=1)
    plots: tuple[Plot, ...] = ()
    notes: tuple[str, ...] = ()  # what a reader has to know to read the numbers rightly

    def lacks(self) -> list[str]:
        """What its kind has and it has not, in words."""
        return list(missing(self.kind, {t.id: {c.id for c in t.columns} for t in self.tables}))

    def table(self, table: str) -> Table:
        """KeyError where there is none."""
        found = {t.id: t for t in self.tables}
        return found[table]


def measured(value: float | None, reason: str | None = None, *, n: int | None = None) -> Number:
    """A number without limits."""
    return Number(value=value, reason=reason, n=n)


def today() -> datetime:
    """UTC, whole seconds."""
    return datetime.now(UTC).replace(microsecond=0)


def yochi_version() -> str:
    return version("yochi")


def schema_text() -> str:
    """The JSON schema (draft 2020-12) of `Report` and of what each kind holds, as it is published."""
    schema = Report.model_json_schema()
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": f"urn:yochi:report:{FORMAT}"}
    return json.dumps({**head, **schema, "allOf": schema_rules()}, indent=1, ensure_ascii=False) + "\n"


def published_schema() -> str:
    """The text of `report.schema.json`, beside this file."""
    return (files(__package__) / SCHEMA_FILE).read_text(encoding="utf-8")


def read_report(path: Path) -> Report:
    """UsageError where `path` is no report of this format."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as e:
        raise UsageError(f"expected a report at {path}, got: {e}; give the {JSON_FILE} of a run") from e
    try:
        return Report.model_validate_json(text)
    except ValidationError as e:
        first = e.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise UsageError(
            f"expected a report of format {FORMAT} in {path}, got in {where}: {first['msg']}; run the "
            "benchmark again with this Yochi"
        ) from e
