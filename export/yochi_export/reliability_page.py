"""`reliability.html`: how far a bundle's probabilities can be believed, on one page that loads nothing.

No date, no timing and no path: the same answers give the same page, byte by byte.
"""

import html
from collections.abc import Iterator, Sequence
from pathlib import Path

from yochi_bench.intervals import linked
from yochi_bench.reliability import Bin, marks_of, reliability
from yochi_bench.report import Plot, Series
from yochi_bench.report_plot import STYLE as PLOT_STYLE
from yochi_bench.report_plot import svg
from yochi_runtime.bundle import LORA, VISION, Bundle, Calibration
from yochi_train.convert.written import written
from yochi_train.html_page import table, whole_page
from yochi_train.reliability import Reliability

PAGE = "reliability.html"
STYLE = "figure{margin:1em 0}" + PLOT_STYLE
SHOWN = {
    "tested": "Shown are records of picture groups that neither probabilities nor the family of thresholds "
    "were fitted to, through the bundle's own calibration. One number was chosen on them: how far all "
    "thresholds are moved together, which changes no probability.",
    "crosswise": "The bundle's own calibration is fitted to all of these records, and would look better on "
    "them than it is. So each half of the picture groups is shown through a fit to the other half: the same "
    "procedure on half of the data, on records that the fit did not see.",
    "fitted": "**These are the records that the calibration was fitted to**: their pictures are too few "
    "groups to keep any apart. On others it is worse than shown.",
}
HOLDS = """The probabilities, and any promise of the thresholds, hold for work that is exchangeable with
these records: as if what the box will see had been drawn, in any order, from the same places, cameras,
seasons, ways of writing notes and shares of danger. Then the curves say what to expect."""
FAILS = (
    "another plant, camera, height or lens: what a hazard looks like changes, and with it every margin",
    "another share of dangerous work: of a risk that is twice as frequent, every probability is too low",
    "notes by other people, in other words, or in a language that is not proved",
    "another bundle: one other weight, rung or base model has other margins. These numbers belong to the "
    "files named here, and are never carried over",
    "a plant that has changed since: nothing here is renewed by itself",
)
THEN = """There they are numbers without a promise. Judge a few hundred frames of your own, let people who
know the work say what is true, and calibrate on those."""


def write_reliability(bundle: Bundle, calibration: Calibration, found: Reliability, folder: Path) -> None:
    """`reliability.html` into `folder`, beside the calibration of `bundle`'s engines."""
    with written(folder / PAGE) as out:
        out.write(reliability_page(bundle, calibration, found))


def reliability_page(bundle: Bundle, calibration: Calibration, found: Reliability) -> str:
    """The whole page."""
    title = f"Reliability: {bundle.manifest.name} {bundle.manifest.version}"
    pictures = len({record.image for record in found.records})
    groups = len({record.picture_group for record in found.records})
    templates = len(set(linked([record.templates for record in found.records])))
    files = "".join(f" {name} <code>{bundle.manifest.files[name].sha256}</code>" for name in (VISION, LORA))
    parts = [
        f"<h1>{html.escape(title)}</h1>",
        f"<p>When the box says 70 %, does it hold in 70 of 100 cases? {len(found.records)} validation "
        f"records, {pictures} pictures in {groups} groups of near duplicates, {templates} groups of note "
        f"templates, judged by the box's own engines:{files}.</p>",
        f"<p>{_strong(SHOWN[found.shown])}</p>",
        "<h2>When this holds, and when it does not</h2>",
        f"<p>{HOLDS}</p><p>It does not hold for</p>",
        f"<ul>{''.join(f'<li>{why}</li>' for why in FAILS)}</ul><p>{THEN}</p>",
        f"<p>{html.escape(_promise(calibration))}</p>",
        "<h2>Expected calibration error</h2>",
        _errors(found),
        *(part for name in found.after for part in _diagram(name, found)),
    ]
    return whole_page(title, STYLE, parts)


def _strong(text: str) -> str:
    """`**...**` as bold."""
    first, *rest = html.escape(text).split("**")
    return first + "".join(f"<b>{part}</b>" if i % 2 == 0 else part for i, part in enumerate(rest))


def _promise(calibration: Calibration) -> str:
    test = calibration.test
    if test is None:
        return (
            "Thresholds: the best for the verdicts of these records. Nothing is promised about misses; "
            "--miss chooses thresholds that are tested (Learn-then-Test)."
        )
    counted = f"{test.missed} of {test.pictures} dangerous pictures, one record each, were missed"
    if test.status == "uncalibrated":
        return f"Thresholds: uncalibrated. {counted}, too few or too many to promise {test.limit:.0%}."
    return (
        f"Thresholds: at most {test.limit:.0%} of dangerous work is judged proceed, with "
        f"{test.confidence:.0%} confidence, under that assumption alone (Learn-then-Test, exact binomial): "
        f"{counted}."
    )


def _errors(found: Reliability) -> str:
    rows = [
        [
            name,
            str(len(truth)),
            str(int(truth.sum())),
            *(_number(error[side]) for side in ("before", "after")),
        ]
        for (name, error), (_, truth) in zip(found.errors().items(), found.after.values(), strict=True)
    ]
    caption = (
        "15 bins of equal mass; of a cue one answer for each picture, of other slots one for each record."
    )
    return table(["", "answers", "hold", "ECE before", "ECE after"], rows, 4) + f"<p>{caption}</p>"


def _number(error: float | None) -> str:
    return "-" if error is None else f"{error:.4f}"


def _diagram(name: str, found: Reliability) -> Iterator[str]:
    before, after = (reliability(*side[name]) for side in (found.before, found.after))
    if not after:
        yield f"<h2>{html.escape(name)}</h2><p>No answer whose truth is known.</p>"
        return
    plot = Plot(
        title=name,
        x="probability said, mean of a bin",
        y="share that holds",
        series=(
            Series(name="as it should be", x=(0.0, 1.0), y=(0.0, 1.0)),
            marks_of("before calibration", before),
            marks_of("after calibration", after),
        ),
        caption="Limits: 95 %, Clopper-Pearson, as if answers were independent; of one picture they are not.",
    )
    yield svg(plot)
    yield _bins(before, after)


def _bins(before: Sequence[Bin], after: Sequence[Bin]) -> str:
    ranges = sorted({(b.low, b.high) for b in (*before, *after)})
    sides = [{b.low: b for b in side} for side in (before, after)]
    rows = [
        [f"{low:.1f} to {high:.1f}", *(cell for side in sides for cell in _cells(side.get(low)))]
        for low, high in ranges
    ]
    columns = [f"{side}: {what}" for side in ("before", "after") for what in ("answers", "said", "holds")]
    return table(["probability", *columns], rows, len(columns))


def _cells(of: Bin | None) -> list[str]:
    if of is None:
        return ["0", "", ""]
    low, high = of.limits
    return [str(of.answers), f"{of.said:.3f}", f"{of.share:.3f} [{low:.3f}, {high:.3f}]"]
