"""What the engineer's routes answer with."""

from typing import Any

from ..judgement import Judgement
from ..taxonomy import Frozen
from .given import Readiness


class Engine(Frozen):
    """One of the judge's processes; `restarts` since the service began."""

    name: str
    restarts: int


class BundleInUse(Frozen):
    """The open bundle. `trusted` says who answers for it."""

    name: str
    version: str
    sha256: str
    base: str
    pack: str
    languages: tuple[str, ...]
    proof_passed: bool
    trusted: bool
    standing: str


class Earlier(Frozen):
    """What a roll-back goes back to."""

    name: str
    version: str
    sha256: str


class RulebookInForce(Frozen):
    """`not_taken`: what its file holds by now, and why that does not judge. `before`: None: none is kept."""

    id: str
    version: str
    sha256: str
    clauses: int
    zone: str | None
    not_taken: str | None
    before: Earlier | None


class SignalState(Frozen):
    """A sink or an output of the plant; `waiting` and `missed` are None where nothing is kept for it."""

    name: str
    taken: int
    fault: str | None
    waiting: int | None
    missed: int | None


class State(Frozen):
    """The service now. `newest` is the camera's judgement, or without a camera the log's last.

    `changes`: whether a second token is set, so that there is one to change anything with.
    """

    mode: str
    changes: bool
    camera: str | None
    readiness: Readiness
    seats_taken: int
    engines: tuple[Engine, ...]
    engine_versions: str | None
    bundle: BundleInUse | None
    bundle_before: Earlier | None  # None where none is installed, or the bundle was named
    rulebook: RulebookInForce | None
    signals: tuple[SignalState, ...]
    newest: Judgement | None
    newest_id: int | None
    age_s: float | None  # of a camera's


class ReportLine(Frozen):
    """The columns of `yochi audit report`."""

    by: str
    value: str
    zone: str
    numbers: dict[str, Any]


class ShadowReport(Frozen):
    """What `enforce` would have done; each judgement counts for at most `valid_s` seconds."""

    judgements: int
    modes: dict[str, int]
    missed: int
    clock_back: int
    valid_s: float
    lines: tuple[ReportLine, ...]
