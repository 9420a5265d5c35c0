"""What `enforce` would have done with the judgements of a log, whichever mode they were made in.

A judgement of a camera counts until the next one of the same camera and zone, at most `valid` seconds; then
nothing valid is there until the next one, which `enforce` holds, too (`expired`; a box that was switched off
counts as well). After the last one nothing is counted but its own time. A single picture counts for no time.
"""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import Reason, UsageError
from ..mode import Output, enforced
from ..verdict import Verdict
from .chain import Broken, Row, row_at, rows
from .feedback import FEEDBACK

HOUR = timedelta(hours=1)
FIRST, LAST = (time.replace(tzinfo=UTC) for time in (datetime.min, datetime.max))
SINGLE = "single pictures"  # where a camera's name would stand


class Span(NamedTuple):
    """From `since` on, before `until`; both aware."""

    since: datetime
    until: datetime


class Key(NamedTuple):
    """What is counted together: `by` is total, verdict, reason, clause, factor, camera or hour."""

    by: str
    value: str
    zone: str = ""  # of a camera


@dataclass
class Tally:
    """Of one key. A hold begins where the camera's judgement before did not hold for the same key."""

    judgements: int = 0
    held: int = 0  # judgements
    holds: int = 0  # stretches of held judgements and of times without a valid one
    seconds: float = 0.0  # held
    marked_wrong: int = 0  # held ones of which a person last said "wrong", or what would have been released
    should_hold: int = 0  # released ones of which a person last said "stop"


@dataclass
class Report:
    """`valid` in seconds."""

    span: Span
    valid: float
    tallies: dict[Key, Tally] = field(default_factory=dict)
    modes: Counter[str] = field(default_factory=Counter)
    missed: int = 0  # judgements whose row could not be written: each a hold, in no tally
    clock_back: int = 0  # judgements that are older than the one before; no time is counted between them

    def of(self, key: Key) -> Tally:
        return self.tallies.setdefault(key, Tally())


class _Made(NamedTuple):
    """A judgement, as far as it matters here."""

    time: datetime
    verdict: Verdict
    place: Key
    live: bool  # of a camera
    causes: tuple[Key, ...]  # what it is held for; none where it is released
    mode: str

    @property
    def hour(self) -> datetime:
        return _hour(self.time)

    def held_keys(self) -> tuple[Key, ...]:
        """What its hold counts for, but for the hour. Empty where it is released."""
        return (TOTAL, Key("verdict", self.verdict), self.place, *self.causes) if self.causes else ()


TOTAL = Key("total", "")


def make_report(log: Path, span: Span, valid: float) -> Report:
    """One pass over `log`; Broken where a row is wrong. What people said counts whenever they said it."""
    report, said = Report(span, valid), dict[int, dict[str, Any]]()
    reader = _Reader(report)
    for row in rows(log):
        held = json.loads(row.judgement)
        if FEEDBACK in held:
            said[held[FEEDBACK]["row"]] = held[FEEDBACK]  # the last one counts
        elif "verdict" in held and (made := _made(row, held, span)) is not None:
            report.missed += row.missed
            reader.see(made)
    reader.end()
    for number, words in said.items():
        row = row_at(log, number)
        if (made := _made(row, json.loads(row.judgement), span)) is not None:
            _mark(report, made, words)
    return report


def parse_time(text: str | None, otherwise: datetime) -> datetime:
    """ISO 8601, a date or a time; without an offset by the box's clock. UsageError where it is none."""
    if text is None:
        return otherwise
    try:
        return datetime.fromisoformat(text).astimezone()
    except (ValueError, OverflowError) as e:
        raise UsageError(f"expected a time such as 2026-11-28T06:00, got {text!r}; mend it") from e


class _Reader:
    """The judgements in the log's order."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._last: dict[Key, _Made] = {}  # of each place
        self._holding: dict[Key, tuple[Key, ...]] = {}  # what each place is held for

    def see(self, made: _Made) -> None:
        report, place = self._report, made.place
        before = self._last.get(place)
        if made.live and before is not None:
            if made.time < before.time:
                report.clock_back += 1
            self._lasted(before, made.time)
            if (made.time - before.time).total_seconds() > report.valid:
                self._expired(place, before.time + timedelta(seconds=report.valid), made.time)
        report.modes[made.mode] += 1
        for key in (TOTAL, Key("verdict", made.verdict), place, _hour_key(made.hour), *made.causes):
            report.of(key).judgements += 1
            report.of(key).held += bool(made.causes)
        self._hold(place, made.held_keys(), made.hour)
        if made.live:
            self._last[place] = made
        else:
            self._holding[place] = ()  # the next picture is another matter

    def end(self) -> None:
        """No judgement follows."""
        for made in self._last.values():
            self._lasted(made, self._report.span.until)

    def _lasted(self, made: _Made, until: datetime) -> None:
        end = min(until, made.time + timedelta(seconds=self._report.valid))
        self._time(made.held_keys(), made.time, end)

    def _expired(self, place: Key, since: datetime, until: datetime) -> None:
        keys = (TOTAL, Key("reason", Reason.EXPIRED), place)
        self._hold(place, keys, _hour(since))
        self._time(keys, since, until)

    def _hold(self, place: Key, keys: tuple[Key, ...], hour: datetime) -> None:
        before = self._holding.get(place, ())
        for key in keys:
            self._report.of(key).holds += key not in before
        if keys and not before:
            self._report.of(_hour_key(hour)).holds += 1
        self._holding[place] = keys

    def _time(self, keys: tuple[Key, ...], since: datetime, until: datetime) -> None:
        if not keys or until <= since:
            return
        for key in keys:
            self._report.of(key).seconds += (until - since).total_seconds()
        for hour, seconds in by_hour(since, until):
            self._report.of(_hour_key(hour)).seconds += seconds


def by_hour(since: datetime, until: datetime) -> Iterator[tuple[datetime, float]]:
    """The hours that the time between reaches into, and the seconds in each."""
    while since < until:
        hour = _hour(since)
        end = min(until, hour + HOUR)
        yield hour, (end - since).total_seconds()
        since = end


def _hour(time: datetime) -> datetime:
    return time.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def _hour_key(hour: datetime) -> Key:
    return Key("hour", hour.astimezone().isoformat(timespec="minutes"))  # by the box's clock


def _made(row: Row, held: dict[str, Any], span: Span) -> _Made | None:
    """None where it is not in the span; Broken where the row holds no judgement that can be read."""
    try:
        time, verdict = datetime.fromisoformat(row.time), Verdict(held["verdict"])
        if not span.since <= time < span.until:
            return None
        ruling, camera = held.get("rules") or {}, held.get("camera")
        place = Key("camera", SINGLE if camera is None else camera, ruling.get("zone") or "")
        hold = enforced(verdict) is Output.HOLD
        causes = tuple(_causes(verdict, held, ruling)) if hold else ()
        return _Made(time, verdict, place, camera is not None, causes, held.get("mode") or "none")
    except (AttributeError, KeyError, TypeError, ValueError) as e:
        raise Broken(f"row {row.sequence} holds no judgement that can be read: {e}") from e


def _causes(verdict: Verdict, held: dict[str, Any], ruling: dict[str, Any]) -> Iterator[Key]:
    """Each of them alone would hold; at least one for every held judgement."""
    clauses = [clause["clause"] for clause in ruling.get("applied", ()) if clause["effect"] == Verdict.STOP]
    slots = [factor["slot"] for factor in held["factors"] if factor["severity"] == "S2"]
    for clause in clauses:
        yield Key("clause", clause)
    for reason in held["reasons"]:
        yield Key("reason", reason)
    if verdict is Verdict.STOP:
        for slot in slots or ([] if clauses else ["verdict"]):  # the verdict slot alone
            yield Key("factor", slot)


def _mark(report: Report, made: _Made, said: dict[str, Any]) -> None:
    """What a person said of it, where that contradicts what `enforce` would have done."""
    should = enforced(Verdict(said["verdict"])) if "verdict" in said else None
    keys = (TOTAL, Key("verdict", made.verdict), made.place, _hour_key(made.hour), *made.causes)
    if made.causes and (said["says"] == "wrong" or should is Output.RELEASE):
        for key in keys:
            report.of(key).marked_wrong += 1
    elif not made.causes and should is Output.HOLD:
        for key in keys:
            report.of(key).should_hold += 1
