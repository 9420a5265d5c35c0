"""A box on a factory floor: a real camera, a real service, and a cable that is pulled.

How old is what is judged, how soon does a screen know of it, how soon is a lost camera seen and judged again,
and what grows meanwhile? The camera's bytes pass through a `Cable`, out for DARK seconds each time.
"""

import json
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from statistics import median

from yochi_runtime.errors import UsageError
from yochi_runtime.limits import STALE

from .cable import Cable
from .memory import Use, tree_use
from .percentiles import summary
from .progress import Progress
from .report import Column, Number, Plot, Row, Series, Table, measured
from .served import START, Heard, Served
from .timed import COLUMNS

DARK = 6.0  # seconds without cable: longer than a frame may be old, and than a reader of the screen waits
SEEN = 2.0  # seconds after which no judged verdict may come any more
GIVE_UP = 60.0  # seconds for a camera to be back
SETTLED = 3  # judgements after a cut before the next one
BEGUN, TOLD, KNOWN, DRAWN = (
    "the frame's age when judging begins",
    "the frame's age when the box tells the verdict",
    "from the log's row to a listener",
    "from the log's row to the screen",
)


@dataclass
class Run:
    """What was heard before the cuts; of each cut: seconds until it was seen, and until it was over."""

    steady: Sequence[Heard] = ()
    lost_s: list[float | None] = field(default_factory=list)
    back_s: list[float | None] = field(default_factory=list)
    missed: int = 0  # judged verdicts that came more than SEEN after a cut, or of a frame past its limit
    refused: int = 0  # cannot_judge between a cut that was over and the next
    used: list[Use] = field(default_factory=list)  # before the first cut, and after each


def follow(
    served: Served, cable: Cable, count: int, cuts: int, between: float, pause: Callable[[float], None]
) -> Run:
    """`count` judged verdicts in a row, then `cuts` cuts, `between` seconds from the end of one to the next.

    `pause` waits so many seconds. UsageError where the camera stops giving any verdicts.
    """
    _wait_for(served, 0, 1, START)
    run, first = Run(), len(served.heard)
    progress = Progress("judgements", count)
    for number in range(1, count + 1):
        _wait_for(served, first, number, GIVE_UP)
        progress.step()
    run.steady = served.heard[first:]
    run.used.append(tree_use(served.pid))
    progress = Progress("cuts", cuts)
    for _ in range(cuts):
        _cut(served, cable, run, between, pause)
        run.used.append(tree_use(served.pid))
        progress.step()
    run.missed += sum(h.judged and (h.begun_s or 0.0) > STALE.threshold for h in served.heard)
    return run


def _wait_for(served: Served, since: int, count: int, seconds: float) -> None:
    """Until `count` of what was heard after the first `since` was judged; UsageError if not in time."""
    if not served.wait(lambda heard: sum(h.judged for h in heard[since:]) >= count, seconds):
        last = served.heard[-1].why if served.heard else "no word of the service"
        raise UsageError(f"expected another verdict within {seconds:g} s, got: {last}; look at the camera")


def _cut(served: Served, cable: Cable, run: Run, between: float, pause: Callable[[float], None]) -> None:
    cable.plugged.clear()
    pulled = time.monotonic()
    run.lost_s.append(_until(served, pulled, lambda h: not h.judged, DARK))
    pause(max(0.0, pulled + DARK - time.monotonic()))
    put_in = time.monotonic()
    run.missed += sum(h.judged and pulled + SEEN < h.at < put_in for h in served.heard)
    cable.plugged.set()
    run.back_s.append(_until(served, put_in, lambda h: h.judged, GIVE_UP))
    back = len(served.heard)
    pause(between)
    _wait_for(served, len(served.heard), SETTLED, GIVE_UP)
    run.refused += sum(not h.judged for h in served.heard[back:])


def _until(served: Served, since: float, holds: Callable[[Heard], bool], seconds: float) -> float | None:
    """Seconds from `since` to the first such verdict; None where none came in time."""

    def found(heard: Sequence[Heard]) -> list[Heard]:
        return [h for h in heard if h.at > since and holds(h)]

    served.wait(lambda heard: bool(found(heard)), seconds)
    came = found(served.heard)
    return came[0].at - since if came else None


def times_table(run: Run, rows_at: Mapping[int, float], drawn: Mapping[int, float] | Number) -> Table:
    """`rows_at`: each row's time; `drawn`: when it was on a screen, or why that is unknown. `time.time()`."""
    judged = [h for h in run.steady if h.judged]
    known = {h.id: h.wall for h in judged if h.id is not None}
    cells = {
        BEGUN: summary([h.begun_s * 1e3 for h in judged if h.begun_s is not None]),
        TOLD: summary([h.told_s * 1e3 for h in judged]),
        KNOWN: summary(_since(rows_at, known)),
        DRAWN: dict.fromkeys((c.id for c in COLUMNS), drawn)
        if isinstance(drawn, Number)
        else summary(_since(rows_at, drawn)),
    }
    return Table(
        id="live",
        title="A live camera",
        columns=COLUMNS,
        rows=tuple(Row(id=name, cells=of) for name, of in cells.items()),
        caption="ms; in brackets the early-stopping estimate. A frame's age counts from when it was decoded. "
        "A row's time is from before it was durable, in whole milliseconds.",
    )


def _since(rows_at: Mapping[int, float], seen: Mapping[int, float]) -> list[float]:
    return [(at - rows_at[row]) * 1e3 for row, at in seen.items() if row in rows_at]


def cuts_table(run: Run) -> Table:
    """How soon a cut was seen and was over: the longest of all, and how many were never."""
    rows = []
    for name, of, limit in (
        ("cut to cannot_judge", run.lost_s, DARK),
        ("back to a verdict", run.back_s, GIVE_UP),
    ):
        came = [s for s in of if s is not None]
        never = f"expected it within {limit:g} s after every cut, got it after {len(came)} of {len(of)}"
        whole = bool(of) and len(came) == len(of)
        cells = {
            "median": measured(median(came), n=len(of)) if whole else measured(None, never, n=len(of)),
            "max": measured(max(came), n=len(of)) if whole else measured(None, never, n=len(of)),
        }
        rows.append(Row(id=name, cells=cells))
    counted = (
        ("verdicts that should not have been", run.missed),
        ("cannot_judge with the cable in", run.refused),
    )
    rows += [Row(id=name, cells={"count": measured(count)}) for name, count in counted]
    return Table(
        id="cuts",
        title="The camera's cable is pulled",
        columns=(
            Column(id="median", unit="s", better="lower"),
            Column(id="max", unit="s", better="lower"),
            Column(id="count", unit="count", better="lower"),
        ),
        rows=tuple(rows),
        caption=f"Out for {DARK:g} s each time, neither side told. Should not have been: judged more than "
        f"{SEEN:g} s after a cut, or of a frame older than {STALE.threshold:g} s.",
    )


def growth_table(run: Run) -> Table:
    """The service with all its processes, before the first cut and after the last."""
    before, after = run.used[0], run.used[-1]
    rows = [("before the cuts", before), ("after them", after)]
    return Table(
        id="held",
        title="What the service holds",
        columns=(
            Column(id="memory", unit="bytes", better="lower"),
            Column(id="descriptors", unit="count", better="lower"),
            Column(id="threads", unit="count", better="lower"),
        ),
        rows=tuple(
            Row(
                id=name,
                cells={
                    "memory": measured(of.memory),
                    "descriptors": measured(of.descriptors),
                    "threads": measured(of.threads),
                },
            )
            for name, of in rows
        ),
        caption="Sum over all processes of the service; pages that they share count for each.",
    )


def growth_plot(run: Run) -> Plot:
    """Memory after each cut."""
    at = tuple(float(cut) for cut in range(len(run.used)))
    return Plot(
        title="Memory of the service",
        x="cuts",
        y="MB",
        series=(Series(name="all processes", x=at, y=tuple(one.memory / 1e6 for one in run.used)),),
    )


def page_table(served: Served) -> Table:
    """What a browser loads first: the page, what it links, and what its script asks for."""
    page = served.get("/")
    linked = sorted(set(re.findall(rb'(?:src|href)="(/[^"]+\.(?:css|js|svg|png|woff2))"', page)))
    parts = len(page) + sum(len(served.get(path.decode())) for path in linked)
    rows = [
        Row(id="page, styles, scripts", cells={"bytes": measured(parts, n=1 + len(linked))}),
        Row(id="names of the slots", cells={"bytes": measured(len(served.get("/v1/slots")))}),
    ]
    return Table(
        id="page",
        title="First load of the worker's page",
        columns=(Column(id="bytes", unit="bytes", better="lower"),),
        rows=tuple(rows),
        caption="Bodies, not compressed; the camera's picture is not among them.",
    )


def times_of_rows(served: Served, run: Run) -> dict[int, float]:
    """`time.time()` of the rows that were heard, from the log."""
    found = {}
    for row in sorted({h.id for h in run.steady if h.id is not None}):
        time_of = json.loads(served.get(f"/v1/judgements/{row}"))["time"]
        found[row] = datetime.fromisoformat(time_of).timestamp()
    return found
