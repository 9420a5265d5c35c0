"""What every peer that writes is asked, and how what it wrote is read."""

import json
import math
from collections.abc import Callable, Mapping
from typing import Any

from yochi_runtime.inspection import Note
from yochi_runtime.prompt import BOS
from yochi_runtime.taxonomy import Pack, Source
from yochi_runtime.verdict import JUDGED

CONTEXT, MOST_TOKENS = 512, 64
LIKELIEST = 1000  # tokens whose log-probability is asked for
TASK = "Factory safety. Read the inspection note and judge it."
Answer = dict[str, Any]  # verdict or None, tokens that were written


def prompt_ids(words: Callable[[str], list[int]], note: Note, end: str) -> list[int]:
    """It begins with what does not change, so that a cache can keep it."""
    return [BOS, *words(f"{TASK}\nNote:"), *words(" " + note.text), *words(end)]


def answer_schema(pack: Pack) -> dict[str, Any]:
    """One verdict, one source, one category: the least that says what a factor of Yochi's says."""
    words = {
        "verdict": [verdict.value for verdict in JUDGED],
        "source": [source.value for source in Source],
        "category": [category.id for category in pack.category],
    }
    return {
        "type": "object",
        "properties": {name: {"enum": of} for name, of in words.items()},
        "required": list(words),
        "additionalProperties": False,
    }


def verdict_of(text: str) -> str | None:
    """None for what is no whole answer: it was cut off."""
    try:
        return str(json.loads(text)["verdict"])
    except (ValueError, KeyError, TypeError):
        return None


def likeliest(scores: Mapping[str, float]) -> str | None:
    """None where no verdict is among the likeliest tokens."""
    best = max(scores, key=scores.__getitem__)
    return best if scores[best] > -math.inf else None
