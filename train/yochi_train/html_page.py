"""A page in one file that loads nothing: its frame and its tables."""

import html
from collections.abc import Iterable, Sequence

POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
STYLE = """body{font:14px sans-serif;margin:1em auto;max-width:1000px;color:#222}
table{border-collapse:collapse}th,td{padding:2px 6px;border:1px solid #ccc;text-align:right}
th{background:#f4f4f4;font-weight:normal}th.name{text-align:left}
svg text{font:12px sans-serif;fill:#222}div{overflow-x:auto}
"""


def whole_page(title: str, style: str, parts: Sequence[str]) -> str:
    """`parts` are HTML already; `style` follows what all pages have."""
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        f"<title>{html.escape(title)}</title><style>{STYLE}{style}</style>\n"
        + "\n".join(parts)
        + "\n</html>\n"
    )


def table(columns: Sequence[str], rows: Iterable[Sequence[str]], numbers: int = 1) -> str:
    """A row begins with its names; the last `numbers` cells are what is told of them."""
    head = "".join(f"<th>{html.escape(column)}</th>" for column in columns)
    lines = (
        "".join(f'<th class="name">{html.escape(word)}</th>' for word in row[:-numbers])
        + "".join(f"<td>{html.escape(cell)}</td>" for cell in row[-numbers:])
        for row in rows
    )
    return f"<div><table><tr>{head}</tr>{''.join(f'<tr>{line}</tr>' for line in lines)}</table></div>"
