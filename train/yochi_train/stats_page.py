"""`yochi-train records stats --html`: the data card of a records folder as one page with plots.

Counts come from the records as they are now, rights from pictures.jsonl, teacher and filters from card.json;
where a file is missing the page says so. The plots are SVG inside of the page: it needs nothing else, every
word from a file is escaped, and its own policy forbids scripts and all loading.
"""

import html
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from yochi_runtime.errors import UsageError

from .card import CARD, read_card
from .convert.written import written
from .grammar import LANGS
from .html_page import table, whole_page
from .pictures import read_pictures
from .stats import CELLS, KINDS, VERDICTS, Counts, Share
from .tables import bars_met
from .validate import PICTURES

STYLE = """td.zero{color:#bbb}
.en{fill:#4477aa;background:#4477aa}.ja{fill:#997700;background:#997700}
.met{fill:#448844}.missed{fill:#bb4444}.least{stroke:#222;stroke-width:2}.key{padding:0 6px;color:#fff}"""
NAME, LENGTH, NUMBER, ROW, THICK = 240, 560, 150, 20, 14  # pixels of a plot
MISSING = "not recorded"


def write_page(counts: Counts, folder: Path, file: Path) -> None:
    """Write the page of `folder`, whose records are `counts`, to `file`; UsageError where that cannot be."""
    if not file.parent.is_dir():
        raise UsageError(f"expected a folder for {file}, found none; make it first")
    card = read_card(folder)
    rights: Counter[tuple[str, str]] | None = None
    if (folder / PICTURES).is_file():
        rights = Counter((p.licence, p.source) for p in read_pictures(folder / PICTURES))
    with written(file) as out:
        out.write(page(counts, card, rights))


def page(
    counts: Counts, card: Mapping[str, object] | None, rights: Mapping[tuple[str, str], int] | None
) -> str:
    """The whole page; `rights` are numbers of pictures by licence and source."""
    splits = ", ".join(f"{name} {n}" for name, n in sorted(counts.splits.items()))
    title = f"{counts.records} records, pack {counts.pack.id}"
    parts = [
        f"<h1>{html.escape(title)}</h1><p>{html.escape(splits)}. Languages: {_key()}</p>",
        f"<h2>Balance</h2><p>{html.escape(bars_met(counts.balance()))}. A black line: the least share.</p>",
        _shares(counts.shares()),
        "<h2>Risks by source and category</h2>",
        *(
            f"<h3>{html.escape(source)}</h3>{_stacked(counts.by_category(source))}"
            for source in dict.fromkeys(str(s.source) for s in counts.pack.slots if s.source)
        ),
        *(
            f"<h2>{name}</h2>{_stacked({word: {lang: of[word, lang] for lang in LANGS} for word in order})}"
            for name, of, order in (
                ("Cells", counts.cells, CELLS),
                ("Kinds of notes", counts.kinds, KINDS),
                ("Verdicts", counts.verdicts, VERDICTS),
            )
        ),
        "<h2>Source x category x cell x language</h2>",
        "<p>A record counts once for every risk that is known to hold in it.</p>",
        _crossing(counts),
        f"<h2>Rights</h2>{_rights(rights)}",
        f"<h2>Teacher and filters</h2>{_made_by(card)}",
    ]
    return whole_page(title, STYLE, parts)


def _key() -> str:
    return " ".join(f'<span class="key {lang}">{lang}</span>' for lang in LANGS)


def _stacked(rows: Mapping[str, Mapping[str, int]]) -> str:
    """A line for each name: its counts by language, one after the other, on a scale that starts at 0."""
    longest = max((sum(row.values()) for row in rows.values()), default=0) or 1
    lines = []
    for place, (name, row) in enumerate(rows.items()):
        x, drawn = float(NAME), []
        for lang, count in row.items():
            width = LENGTH * count / longest
            tip = f"<title>{html.escape(name)}, {lang}: {count}</title>"
            drawn.append(_rectangle(x, place, width, lang, tip))
            x += width
        lines.append(_line(name, place, "".join(drawn), x, " + ".join(map(str, row.values()))))
    return _svg(lines)


def _shares(shares: Sequence[Share]) -> str:
    """A line for each rule: the share that is reached, and where it has to be."""
    scale = LENGTH / max([100.0 * s.records / s.of for s in shares if s.of] + [2.0 * s.least for s in shares])
    lines = []
    for place, share in enumerate(shares):
        bar = share.bar()
        width = scale * 100 * share.records / share.of if share.of else 0.0
        drawn = _rectangle(NAME, place, width, "met" if bar.met else "missed", "")
        x, y = NAME + scale * share.least, place * ROW
        drawn += f'<line class="least" x1="{x:.1f}" x2="{x:.1f}" y1="{y}" y2="{y + ROW}"/>'
        lines.append(_line(bar.name, place, drawn, max(x, NAME + width), bar.value))
    return _svg(lines)


def _rectangle(x: float, place: int, width: float, name: str, inside: str) -> str:
    y = place * ROW + (ROW - THICK) / 2
    size = f'x="{x:.1f}" y="{y:g}" width="{width:.1f}" height="{THICK}"'
    return f'<rect class="{name}" {size}>{inside}</rect>'


def _line(name: str, place: int, drawn: str, end: float, value: str) -> str:
    y = place * ROW + ROW - 6
    return (
        f'<text x="{NAME - 6}" y="{y}" text-anchor="end">{html.escape(name)}</text>{drawn}'
        f'<text x="{end + 6:.1f}" y="{y}">{html.escape(value)}</text>'
    )


def _svg(lines: Sequence[str]) -> str:
    width, height = NAME + LENGTH + NUMBER, ROW * len(lines)
    return f'<div><svg width="{width}" height="{height}" role="img">{"".join(lines)}</svg></div>'


def _crossing(counts: Counts) -> str:
    """Every risk of the pack against every cell and language, the darker the more records."""
    by_place: Counter[tuple[str, str, str, str]] = Counter()
    for risk, count in counts.risks.items():
        by_place[risk.source, risk.category, risk.cell, risk.lang] += count
    most = max(by_place.values(), default=1)
    head = "".join(f'<th colspan="{len(LANGS)}">{html.escape(cell)}</th>' for cell in CELLS)
    under = "".join(f"<th>{lang}</th>" for _ in CELLS for lang in LANGS)
    rows = [
        f'<tr><th class="name">{html.escape(source)}</th><th class="name">{html.escape(category)}</th>'
        + "".join(_shaded(by_place[source, category, cell, lang], most) for cell in CELLS for lang in LANGS)
        + "</tr>"
        for source, category in counts.risk_pairs()
    ]
    names = '<th class="name" rowspan="2">source</th><th class="name" rowspan="2">category</th>'
    return f"<div><table><tr>{names}{head}</tr><tr>{under}</tr>{''.join(rows)}</table></div>"


def _shaded(count: int, most: int) -> str:
    if not count:
        return '<td class="zero">0</td>'
    return f'<td style="background:rgba(68,119,170,{0.08 + 0.6 * count / most:.2f})">{count}</td>'


def _rights(rights: Mapping[tuple[str, str], int] | None) -> str:
    if rights is None:
        return f"<p>{MISSING}: there is no {PICTURES}</p>"
    rows = (
        (licence or MISSING, source or MISSING, str(count))
        for (licence, source), count in sorted(rights.items(), key=lambda row: (-row[1], row[0]))
    )
    return table(("licence", "source", "pictures"), rows)


def _made_by(card: Mapping[str, object] | None) -> str:
    if card is None:
        return f"<p>{MISSING}: there is no {CARD}</p>"
    teacher, filters = card.get("teacher", MISSING), card.get("filters")
    shown = f"<p>Teacher: {html.escape(str(teacher))}</p>"
    if not isinstance(filters, dict):
        return f"{shown}<p>Filters: {MISSING}</p>"
    return shown + table(("left out", "count"), ((str(why), str(n)) for why, n in filters.items()))
