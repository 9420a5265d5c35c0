"""`yochi audit report`: what `enforce` would have done, by hand."""

import csv
import math
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yochi_runtime.audit import log as log_module
from yochi_runtime.audit.chain import Broken
from yochi_runtime.audit.feedback import Feedback
from yochi_runtime.audit.log import AuditLog
from yochi_runtime.audit.report import FIRST, LAST, Key, Report, Span, Tally, by_hour, make_report, parse_time
from yochi_runtime.audit.report_table import HEADER, lines, write_report
from yochi_runtime.errors import Reason, UsageError
from yochi_runtime.judgement import Judgement, cannot_judge
from yochi_runtime.mode import Mode
from yochi_runtime.ruling import AppliedClause, Effect, Ruling
from yochi_runtime.run import of_camera
from yochi_runtime.taxonomy import Text
from yochi_runtime.verdict import Verdict

from tests.runtime.conftest import Yochi
from tests.runtime.rulebooks import judged
from tests.runtime.test_judgement import factor

from .conftest import forge

START = datetime(2026, 11, 28, 6, 0, tzinfo=UTC)
ALWAYS = Span(FIRST, LAST)
TEXT = Text(en="the clause", ja="条文")
Clock = Callable[[float], None]


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    """Sets what rows are written at: seconds after START. The box's clock on the wall shows UTC."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()

    def at(seconds: float) -> None:
        text = (START + timedelta(seconds=seconds)).isoformat(timespec="milliseconds")
        monkeypatch.setattr(log_module, "now", lambda: text.replace("+00:00", "Z"))

    yield at
    monkeypatch.undo()
    time.tzset()


def ruling(zone: str | None = None, **clauses: Effect) -> Ruling:
    applied = tuple(AppliedClause(clause=c, effect=e, wording=TEXT) for c, e in clauses.items())
    return Ruling(
        rulebook="plant",
        version="1",
        zone=zone,
        time=START,
        model_verdict=Verdict.PROCEED,
        applied=applied,
    )


def seen(
    verdict: Verdict, rules: Ruling | None = None, camera: str = "0", mode: Mode = Mode.SHADOW
) -> Judgement:
    found = judged(verdict=verdict).model_copy(update={"rules": rules})
    return of_camera(found, camera, mode)


PROCEED, CAUTION, BLANK = (seen(v) for v in (Verdict.PROCEED, Verdict.CAUTION, Verdict.CANNOT_JUDGE))
CLAUSE = seen(Verdict.STOP, ruling(HOT="stop", LOW="caution", SAY="advice"))
FACTORS = seen(Verdict.STOP).model_copy(update={"factors": (factor(), factor(slot="cue:b", severity="S1"))})
WORD = seen(Verdict.STOP)  # by the verdict slot alone


def tally(report: Report, by: str, value: str = "", zone: str = "") -> tuple[float, ...]:
    """judgements, held, holds, seconds, marked_wrong, should_hold; zeros where there is no such line."""
    found = report.tallies.get(Key(by, value, zone), Tally())
    seconds = round(found.seconds, 3)
    return (found.judgements, found.held, found.holds, seconds, found.marked_wrong, found.should_hold)


def test_a_shift_by_hand(tmp_path: Path, clock: Clock) -> None:
    """One camera, a judgement every 4 s but for one gap; valid for 10 s.

    row     1        2       3       4        5       (gap)    6        7        8
    s       0        4       8       12       16      26..46   46       50       54..64
            proceed  STOP    STOP    caution  BLANK   expired  proceed  STOP     STOP
                     HOT     fire             10 s    20 s              verdict  HOT, until 64
    """
    db = tmp_path / "audit.db"
    given = [PROCEED, CLAUSE, FACTORS, CAUTION, BLANK]
    with AuditLog(db) as log:
        for i, judgement in enumerate(given):
            clock(4 * i)
            log.record(judgement, "x")
        for second, judgement in ((46, PROCEED), (50, WORD), (54, CLAUSE)):
            clock(second)
            log.record(judgement, "x")
        log.add_feedback(2, Feedback(says="wrong"))
        log.add_feedback(2, Feedback(says="right"))  # the last one counts
        log.add_feedback(3, Feedback(says="correction", verdict="caution"))  # would be released
        log.add_feedback(5, Feedback(says="correction", verdict="stop"))  # held either way
        log.add_feedback(7, Feedback(says="wrong"))
        log.add_feedback(4, Feedback(says="wrong"))  # released: nobody knows what it should have been
        log.add_feedback(6, Feedback(says="correction", verdict="stop"))
    report = make_report(db, ALWAYS, 10.0)
    # Held: 4 + 4 (rows 2, 3), 10 (row 5), 20 (expired), 4 (row 7), 10 (row 8) = 52 s.
    # Stretches: rows 2 and 3; row 5 and the gap; rows 7 and 8.
    assert tally(report, "total") == (8, 5, 3, 52, 2, 1)
    assert tally(report, "camera", "0") == (8, 5, 3, 52, 2, 1)
    assert tally(report, "hour", "2026-11-28T06:00+00:00") == (8, 5, 3, 52, 2, 1)
    assert tally(report, "verdict", "proceed") == (2, 0, 0, 0, 0, 1)
    assert tally(report, "verdict", "caution") == (1, 0, 0, 0, 0, 0)
    assert tally(report, "verdict", "stop") == (4, 4, 2, 22, 2, 0)
    assert tally(report, "verdict", "cannot_judge") == (1, 1, 1, 10, 0, 0)
    assert tally(report, "reason", "frame_blank") == (1, 1, 1, 10, 0, 0)
    assert tally(report, "reason", Reason.EXPIRED) == (0, 0, 1, 20, 0, 0)
    assert tally(report, "clause", "HOT") == (2, 2, 2, 14, 0, 0)  # 4 + 10; marked wrong, then right
    assert tally(report, "factor", "cue:fire") == (1, 1, 1, 4, 1, 0)
    assert tally(report, "factor", "verdict") == (1, 1, 1, 4, 1, 0)
    assert {key.by + ":" + key.value for key in report.tallies} & {"clause:LOW", "factor:cue:b"} == set()
    assert (report.modes, report.missed, report.clock_back) == ({"shadow": 8}, 0, 0)


def test_places_are_apart_and_single_pictures_take_no_time(tmp_path: Path, clock: Clock) -> None:
    db = tmp_path / "audit.db"
    press, yard = (seen(Verdict.STOP, ruling(zone, HOT="stop"), "1") for zone in ("press", "yard"))
    with AuditLog(db) as log:
        for second, judgement in enumerate([press, BLANK, yard, press, judged(verdict=Verdict.STOP), BLANK]):
            clock(second)
            log.record(judgement, "x")
        clock(60)
        log.record(judged(verdict=Verdict.STOP), "x")
    report = make_report(db, ALWAYS, 5.0)
    assert tally(report, "camera", "1", "press") == (2, 2, 1, 3 + 5, 0, 0)
    assert tally(report, "camera", "1", "yard") == (1, 1, 1, 5, 0, 0)
    assert tally(report, "camera", "0") == (2, 2, 1, 4 + 5, 0, 0)
    assert tally(report, "camera", "single pictures") == (2, 2, 2, 0, 0, 0)
    assert tally(report, "total") == (7, 7, 5, 22, 0, 0)
    assert tally(report, "clause", "HOT") == (3, 3, 2, 13, 0, 0)
    assert tally(report, "reason", Reason.EXPIRED) == (0, 0, 0, 0, 0, 0)
    assert report.modes == {"shadow": 5, "none": 2}


def test_a_hold_over_the_hour_is_in_both(tmp_path: Path, clock: Clock) -> None:
    db = tmp_path / "audit.db"
    with AuditLog(db) as log:
        clock(3597)
        log.record(CLAUSE, "x")
        clock(2 * 3600 + 1)
        log.record(PROCEED, "x")
    report = make_report(db, ALWAYS, 10.0)
    assert tally(report, "hour", "2026-11-28T06:00+00:00") == (1, 1, 1, 3, 0, 0)
    assert tally(report, "hour", "2026-11-28T07:00+00:00") == (0, 0, 0, 3600, 0, 0)
    assert tally(report, "hour", "2026-11-28T08:00+00:00") == (1, 0, 0, 1, 0, 0)
    assert tally(report, "total") == (2, 1, 1, 10 + 3594, 0, 0)


def test_only_the_span_counts_and_what_was_said_counts_later(tmp_path: Path, clock: Clock) -> None:
    db = tmp_path / "audit.db"
    with AuditLog(db) as log:
        for second in (0, 5, 10, 15):
            clock(second)
            log.record(CLAUSE, "x")
        clock(100)
        for number in (1, 2, 3, 4):
            log.add_feedback(number, Feedback(says="wrong"))
    span = Span(START + timedelta(seconds=5), START + timedelta(seconds=13))
    assert tally(make_report(db, span, 10.0), "total") == (2, 2, 1, 8, 2, 0)
    nothing = make_report(db, Span(LAST - timedelta(1), LAST), 10.0)
    assert (nothing.tallies, next(lines(nothing))) == (
        {},
        "What enforce would have done with 0 judgements.",
    )


def test_what_the_log_lacks_is_said(tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    db = tmp_path / "audit.db"
    with AuditLog(db) as log:
        clock(100)
        log.record(CLAUSE, "x")
        with monkeypatch.context() as patch:
            patch.setattr(log, "_append", lambda *_: 1 / 0)
            assert log.record(CLAUSE, "x").verdict is Verdict.CANNOT_JUDGE
        clock(40)  # the clock was set back
        log.record(CLAUSE, "x")
    report = make_report(db, ALWAYS, 10.0)
    assert (report.missed, report.clock_back) == (1, 1)
    assert tally(report, "total") == (2, 2, 1, 10, 0, 0)
    said = list(lines(report))
    assert "1 more could not be recorded: each would be held, and is in no line below." in said
    assert "1 times the clock went back; no time is counted there." in said


MADE = st.tuples(
    st.integers(0, 40),  # seconds since the one before
    st.sampled_from([PROCEED, CAUTION, BLANK, CLAUSE, FACTORS, WORD]),
    st.sampled_from(["0", "1"]),
)


@given(st.lists(MADE, max_size=12))
def test_the_parts_make_the_whole(made: list[tuple[int, Judgement, str]]) -> None:
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        db, moment = Path(folder) / "audit.db", START
        with AuditLog(db) as log:
            for wait, judgement, camera in made:
                moment += timedelta(seconds=wait)
                patch.setattr(log_module, "now", partial(datetime.isoformat, moment))
                log.record(of_camera(judgement, camera, Mode.SHADOW), "x")
        report = make_report(db, ALWAYS, 10.0) if made else Report(ALWAYS, 10.0)
    sums = {by: Tally() for by in ("verdict", "camera", "hour", "reason")}
    for key, found in report.tallies.items():
        if key.by in sums and (key.by != "reason" or key.value == Reason.EXPIRED):
            sums[key.by].judgements += found.judgements
            sums[key.by].held += found.held
            sums[key.by].holds += found.holds
            sums[key.by].seconds += found.seconds
    total = report.of(Key("total", ""))
    expired = sums["reason"].seconds
    for by, missing in (("verdict", expired), ("camera", 0.0), ("hour", 0.0)):
        assert (
            (sums[by].judgements, sums[by].held)
            == (total.judgements, total.held)
            == (
                len(made),
                sum(judgement.verdict in ("stop", "cannot_judge") for _, judgement, _ in made),
            )
        )
        assert math.isclose(sums[by].seconds + missing, total.seconds, abs_tol=1e-6)
    assert sums["camera"].holds == sums["hour"].holds  # each begins at one place, in one hour


@given(st.integers(0, 10_000_000), st.integers(0, 500_000))
def test_hours_share_a_time_without_rest(start: int, seconds: int) -> None:
    since = START + timedelta(milliseconds=start)
    parts = list(by_hour(since, since + timedelta(seconds=seconds)))
    assert math.isclose(sum(part for _, part in parts), seconds, abs_tol=1e-6)
    assert all(0 < part <= 3600 and (hour.minute, hour.second) == (0, 0) for hour, part in parts)
    hours = [hour for hour, _ in parts]
    assert hours == sorted(set(hours))


def test_the_command_and_its_table(yochi: Yochi, tmp_path: Path, clock: Clock) -> None:
    db, table = tmp_path / "audit.db", tmp_path / "report.csv"
    with AuditLog(db) as log:
        clock(0)
        log.record(seen(Verdict.STOP, ruling(HOT="stop"), "=1+1\n\x1b[31m"), "x")
    code, out, err = yochi("audit", "report", db, "--valid", 3, "--csv", table)
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        "What enforce would have done with 1 judgements (1 in mode shadow).",
        "Each counts for at most 3 s; one may be held for several reasons.",
        "by       value                   zone  judgements  held  holds  seconds  marked_wrong  should_hold",
        "total                                           1     1      1      3.0             0            0",
        "verdict  stop                                   1     1      1      3.0             0            0",
        "clause   HOT                                    1     1      1      3.0             0            0",
        "camera   =1+1 [31m                              1     1      1      3.0             0            0",
        "hour     2026-11-28T06:00+00:00                 1     1      1      3.0             0            0",
        f"{table}: 5 rows",
    ]
    with table.open(encoding="utf-8-sig", newline="") as file:
        header, *found = csv.reader(file)
    assert header == [*HEADER]
    assert found[1] == ["verdict", "stop", "", "1", "1", "1", "3.0", "0", "0"]
    assert found[3][1].startswith("'=1+1")  # no spreadsheet runs it
    assert yochi("audit", "report", db, "--since", "2026-11-28", "--until", "2026-11-29")[0] == 0


def test_what_cannot_be_reported_is_one_line(yochi: Yochi, log_file: Path, tmp_path: Path) -> None:
    wrong: list[tuple[tuple[object, ...], str]] = [
        (("--since", "yesterday"), "expected a time such as 2026-11-28T06:00, got 'yesterday'"),
        (("--since", "2026-11-29", "--until", "2026-11-28"), "expected --since before --until"),
        (("--valid", "0"), ""),
        (("--csv", log_file), "expected another file to write"),
        (("--csv", tmp_path / "none" / "x.csv"), "expected to write"),
    ]
    for words, said in wrong:
        code, _, err = yochi("audit", "report", log_file, *words)
        assert (code, len(err.splitlines()), said in err) == (2, 1, True)
    forge(log_file, "UPDATE judgements SET note = 'x' WHERE sequence = 3")
    code, out, err = yochi("audit", "report", log_file)
    assert (code, out, "row 3 was changed" in err) == (1, "", True)


def test_a_time_without_an_offset_is_the_boxs() -> None:
    assert parse_time("2026-11-28T06:00", FIRST) == START
    assert parse_time("2026-11-28T15:00+09:00", FIRST) == START
    assert parse_time(None, LAST) == LAST
    with pytest.raises(UsageError):
        parse_time("0001-01-01T00:00+14:00", FIRST)


def test_a_row_that_holds_no_judgement_is_broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Well chained, and still nothing that this Yochi can count."""
    db = tmp_path / "audit.db"
    monkeypatch.setattr(log_module, "canonical", lambda _: '{"verdict":"perhaps"}')
    with AuditLog(db) as log:
        log.record(cannot_judge(Reason.FRAME_BLANK, "expected a picture, got none; take one"), None)
    with pytest.raises(Broken, match="row 1 holds no judgement that can be read"):
        make_report(db, ALWAYS, 10.0)


def test_a_report_can_be_written_and_holds_every_line(tmp_path: Path, log_file: Path) -> None:
    report = make_report(log_file, ALWAYS, 10.0)
    assert write_report(report, tmp_path / "x.csv") == len(report.tallies)
