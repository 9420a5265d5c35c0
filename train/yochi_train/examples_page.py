"""The part of a run's page that shows pictures: the worst mistakes and some answers that were drawn."""

import html
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from yochi_runtime.errors import UsageError

from .data_url import data_url

SIDE = 240  # pixels of a picture's longer side
STYLE = """main{display:grid;gap:.8em;align-items:start;
grid-template-columns:repeat(auto-fill,minmax(240px,1fr))}
article{padding:.5em;background:#f4f4f4;overflow-wrap:anywhere}article img{max-width:100%}
.note{border-left:3px solid #888;padding-left:.5em;white-space:pre-wrap}"""


def mistakes_part(mistakes: Sequence[Mapping[str, Any]], photos: Path) -> list[str]:
    """Of the weights that stand, on the records that decide whether a round is kept."""
    parts = []
    for kind, title in (("miss", "Worst misses"), ("false alarm", "Worst false alarms")):
        shown = [_mistake(one, photos) for one in mistakes if one["kind"] == kind]
        parts.append(f"<h2>{title}</h2>" + (_grid(shown) if shown else "<p>None.</p>"))
    return parts


def _mistake(one: Mapping[str, Any], photos: Path) -> str:
    told = (
        f"truth {one['truth']}, shown {one['shown']}; {one['slot']} {one['probability']:.2f} "
        f"(threshold {one['threshold']:.2f})"
    )
    return _article(one, told, photos, f"<small>{html.escape(one['id'])}</small>")


def answers_part(rounds: Sequence[Mapping[str, Any]], photos: Path) -> list[str]:
    """The best and the worst answer to a few prompts of every round that drew any."""
    parts = []
    for number, of_round in enumerate(rounds, 1):
        if sampled := of_round.get("sampled"):
            shown = [
                _article(
                    one,
                    f"truth {one['truth'] or 'unknown'}",
                    photos,
                    _answer("best", one["best"]) + _answer("worst", one["worst"]),
                )
                for one in sampled
            ]
            parts.append(f"<h2>Answers drawn in round {number}</h2>{_grid(shown)}")
    return parts


def _answer(name: str, answer: Mapping[str, Any]) -> str:
    scores = ", ".join(
        f"{said} {answer[key]:.2f}"
        for key, said in (("score", "score"), ("gs", "GS"), ("os", "OS"), ("told", "told"))
        if answer[key] is not None
    )
    named = ", ".join(answer["said"]) or "no slot"
    text = f"<br><q>{html.escape(answer['text'].strip())}</q>" if answer["text"] else ""
    return f"<p><b>{name}: {html.escape(answer['shown'])}</b> ({scores})<br>{html.escape(named)}{text}</p>"


def _article(one: Mapping[str, Any], told: str, photos: Path, rest: str) -> str:
    try:
        source = data_url(photos / one["image"], SIDE)
        picture = f'<img src="{source}" alt="{html.escape(one["image"])}">'
    except UsageError:  # moved since: the page still says what it was
        picture = f"<p>{html.escape(one['image'])}: not there any more</p>"
    return (
        f'<article>{picture}<p class="note" lang="{one["lang"]}">{html.escape(one["note"])}</p>'
        f"<p>{html.escape(told)}</p>{rest}</article>"
    )


def _grid(articles: Sequence[str]) -> str:
    return f"<main>{''.join(articles)}</main>"
