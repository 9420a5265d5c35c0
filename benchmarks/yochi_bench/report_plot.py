"""One plot as SVG: lines and marks, with limits, over two axes, linear or logarithmic, and a legend.

In a page (`svg`), or as a file of its own that anything can show (`svg_file`).
"""

import html
import math
import re
from collections.abc import Callable, Sequence
from itertools import chain

from .report import Plot, Series

WIDTH, HEIGHT = 620, 300  # pixels of the axes' frame
LEFT, TOP, RIGHT, BOTTOM = 70, 14, 270, 44  # what is around it
ACROSS, DOWN = LEFT + WIDTH + RIGHT, TOP + HEIGHT + BOTTOM
TICKS = 5
COLOURS = ("#4477aa", "#ee6677", "#228833", "#aa7700", "#66ccee", "#aa3377", "#777777")  # Paul Tol, bright
STYLE = """svg text{font:12px sans-serif;fill:#222}svg .frame{fill:none;stroke:#999}
svg .grid{stroke:#e4e4e4}svg polyline{fill:none;stroke-width:2}svg path{fill:none}"""

Scale = Callable[[float], float]


def svg(plot: Plot) -> str:
    """A figure with its title and caption."""
    size = f'width="{ACROSS}" height="{DOWN}"'
    caption = f"<p>{html.escape(plot.caption)}</p>" if plot.caption else ""
    return (
        f'<figure><h2>{html.escape(plot.title)}</h2><div><svg {size} role="img">{_drawn(plot)}</svg></div>'
        f"<figcaption>{caption}</figcaption></figure>"
    )


def svg_file(plot: Plot) -> str:
    """The same drawing as a document, on white: whoever shows it may have a dark page."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {ACROSS} {DOWN}" width="{ACROSS}" '
        f'height="{DOWN}" role="img"><title>{html.escape(plot.title)}</title><style>{STYLE}</style>'
        f'<rect width="{ACROSS}" height="{DOWN}" fill="#fff"/>{_drawn(plot)}</svg>\n'
    )


def file_name(plot: Plot) -> str:
    """Of its drawing, from its title."""
    return "-".join(re.findall(r"[a-z0-9]+", plot.title.casefold())) + ".svg"


def _drawn(plot: Plot) -> str:
    xs = [v for s in plot.series for v in s.x]
    ys = [v for s in plot.series for v in (*s.y, *chain(*s.limits))]
    x_ticks, y_ticks = _ticks(xs, plot.log, plot.x_from_zero), _ticks(ys, plot.log, True)
    across = _scale(x_ticks, LEFT, LEFT + WIDTH, plot.log)
    up = _scale(y_ticks, TOP + HEIGHT, TOP, plot.log)
    drawn = [
        *(_x_tick(tick, across(tick)) for tick in x_ticks),
        *(_y_tick(tick, up(tick)) for tick in y_ticks),
        f'<rect class="frame" x="{LEFT}" y="{TOP}" width="{WIDTH}" height="{HEIGHT}"/>',
        f'<text x="{LEFT + WIDTH / 2:g}" y="{TOP + HEIGHT + 36}" text-anchor="middle">'
        f"{html.escape(plot.x)}</text>",
        f'<text transform="translate(14 {TOP + HEIGHT / 2:g}) rotate(-90)" text-anchor="middle">'
        f"{html.escape(plot.y)}</text>",
    ]
    for place, series in enumerate(plot.series):
        drawn += _series(series, COLOURS[place % len(COLOURS)], place, across, up)
    return "".join(drawn)


def _series(series: Series, colour: str, place: int, across: Scale, up: Scale) -> list[str]:
    points = [(across(x), up(y)) for x, y in zip(series.x, series.y, strict=True)]
    shown = (
        [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{colour}"/>' for x, y in points]
        if series.marks
        else [f'<polyline stroke="{colour}" points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in points)}"/>']
    )
    for (x, _), (low, high) in zip(points, series.limits, strict=False):
        shown.append(f'<path stroke="{colour}" d="M{x - 4:.1f},{up(low):.1f}h8m-4,0V{up(high):.1f}m-4,0h8"/>')
    x, y = LEFT + WIDTH + 14, TOP + 14 + 18 * place
    key = f'<rect x="{x}" y="{y - 9}" width="10" height="10" fill="{colour}"/>'
    return [*shown, key, f'<text x="{x + 16}" y="{y}">{html.escape(series.name)}</text>']


def _ticks(values: Sequence[float], log: bool, from_zero: bool) -> list[float]:
    """Round numbers that hold all `values` between the first and the last of them."""
    low, high = min(values, default=0.0), max(values, default=1.0)
    if log:
        first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
        return [10.0**power for power in range(first, max(last, first + 1) + 1)]
    low = min(low, 0.0) if from_zero else low
    high = max(high, low + (0.0 if from_zero else abs(low) / 10) + 1e-9)
    step = _round_step((high - low) / TICKS)
    first = math.floor(low / step)
    return [step * i for i in range(first, max(math.ceil(high / step - 1e-9), first + 1) + 1)]


def _round_step(rough: float) -> float:
    """The next of 1, 2, 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(rough))
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough * (1 - 1e-9))


def _scale(ticks: Sequence[float], start: float, end: float, log: bool) -> Scale:
    """From a value to a pixel."""

    def place(value: float) -> float:
        return math.log10(value) if log else value

    low, high = place(ticks[0]), place(ticks[-1])
    return lambda value: start + (place(value) - low) / (high - low) * (end - start)


def _x_tick(tick: float, x: float) -> str:
    return (
        f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{TOP + HEIGHT}"/>'
        f'<text x="{x:.1f}" y="{TOP + HEIGHT + 16}" text-anchor="middle">{tick:.6g}</text>'
    )


def _y_tick(tick: float, y: float) -> str:
    return (
        f'<line class="grid" x1="{LEFT}" x2="{LEFT + WIDTH}" y1="{y:.1f}" y2="{y:.1f}"/>'
        f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{tick:.6g}</text>'
    )
