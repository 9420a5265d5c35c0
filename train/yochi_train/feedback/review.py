"""What a person signs: a table to fill in, and a page that shows the pictures beside the same rows."""

import html
from collections.abc import Sequence
from pathlib import Path

from yochi_runtime.audit.pictures import PictureStore
from yochi_runtime.audit.table import write_table
from yochi_runtime.taxonomy import Pack

from ..convert.sample_page import SIDE, STYLE
from ..convert.written import written
from ..data_url import data_url
from ..html_page import POLICY
from .collect import Case, Collected

CSV, PAGE = "review.csv", "review.html"
# Filled in by a person; the others are there to be read.
FILLED = ("take", "verdict", "holds", "holds_not", "by")
SHOWN = ("row", "given", "time", "judged", "flagged", "said", "comment", "note", "hash")
HOW = (
    "Fill in review.csv and save it as CSV (UTF-8). take: yes or no; what is empty is not signed. verdict: "
    "stop, caution or proceed, empty where you cannot tell. holds, holds_not: ids of slots that you know to "
    "hold or not, with spaces between them; what you leave out stays unknown, but for proceed, which says "
    "that no risk holds. by: who signs."
)


def write_review(found: Collected, log: Path, pack: Pack, out: Path) -> str:
    """`review.csv` and `review.html` in `out`; a line for the screen."""
    out.mkdir(parents=True, exist_ok=True)
    write_table(out / CSV, (*FILLED, *SHOWN), (_cells(case) for case in found.cases))
    with written(out / PAGE) as page:
        page.write(review_page(found.cases, PictureStore(log), pack))
    return f"{found.words()}: {out / CSV}, {out / PAGE}"


def _cells(case: Case) -> list[str | int]:
    given = case.feedback
    words = f"{given.says} {given.verdict or ''}".strip()
    judged = (case.judgement.verdict, " ".join(case.flagged))
    shown = (case.row, case.given, case.time, *judged, words, given.comment or "", case.note, case.hash)
    return ["", proposed(case), "", "", "", *shown]


def proposed(case: Case) -> str:
    """The verdict that the feedback means; "wrong" alone does not say what would have been right."""
    if case.feedback.says == "right":
        return case.judgement.verdict
    return case.feedback.verdict or ""


def review_page(cases: Sequence[Case], store: PictureStore, pack: Pack) -> str:
    """One file that loads nothing; every word from the log is escaped."""
    articles = "\n".join(_article(case, store) for case in cases)
    slots = ", ".join(f"<code>{html.escape(slot.id)}</code>" for slot in pack.slots)
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        f"<title>Feedback to sign</title><style>{STYLE}</style>"
        f"<h1>{len(cases)} judgements to sign</h1><p>{html.escape(HOW)}</p>"
        f"<details><summary>Slots</summary>{slots}</details>\n<main>{articles}</main>\n</html>\n"
    )


def _article(case: Case, store: PictureStore) -> str:
    given, judged = case.feedback, case.judgement
    risks = "".join(
        f"<li class=risk>{html.escape(f.slot)} {f.probability:.2f} (threshold {f.threshold:.2f})</li>"
        for f in judged.factors
    )
    should = f", should be {given.verdict}" if given.verdict else ""
    comment = f"<p>{html.escape(given.comment)}</p>" if given.comment else ""
    return (
        f'<article><img src="{data_url(store.path(case.picture), SIDE)}" alt="row {case.row}">'
        f'<p class="note">{html.escape(case.note)}</p>'
        f'<p class="{judged.verdict}">judged {judged.verdict}</p><ul>{risks}</ul>'
        f"<p><b>{given.says}</b>{should}</p>{comment}"
        f"<small>row {case.row}, {html.escape(case.time)}</small></article>"
    )
