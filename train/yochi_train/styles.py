"""The styles of a note: chat, radio, polite, hasty with typos. Clauses in, one text out.

Every style also says where each clause stands in the finished text, as [start, end) in Unicode code points: a
note is put together from parts of which the clauses are known, so that nothing has to be searched for again.
"""

import random
from collections.abc import Sequence
from itertools import accumulate

Clause = tuple[int, int]  # [start, end)
_RAW = ("",) * 5  # most notes begin and end without a formula
_EN_OPEN = (*_RAW, "Hi, ", "FYI ", "Morning. ", "Note: ", "Heads up: ", "Radio check, ", "Update: ", "Team, ")
_EN_CLOSE = (*_RAW, " Thanks.", " Cheers.", " Over.", " Before the shift ends.", " ASAP.", " Ok?")
_JA_OPEN = (*_RAW, "お疲れ様です。", "連絡:", "こちら現場、", "了解。", "至急 ", "メモ:", "引き継ぎ。")
# What an input method offers first for the same sounds, of the same length as what was meant.
# fmt: off
_JA_SAME_SOUND = (
    ("機械", "機会"), ("使用", "仕様"), ("回転", "開店"), ("交換", "好感"),
    ("固定", "湖底"), ("移動", "異動"), ("清掃", "正装"), ("感電", "乾田"),
    ("換気", "寒気"), ("火気", "下記"), ("配線", "廃線"), ("廃液", "排液"),
    ("離れて", "放れて"), ("止めて", "留めて"), ("開けて", "空けて"), ("上げて", "挙げて"),
    ("下ろして", "降ろして"), ("熱い", "暑い"), ("履いて", "吐いて"), ("測って", "計って"),
    ("代わり", "変わり"),
)
# fmt: on
TYPOS = 0.1  # share of the notes, of either language
_JA_CLOSE = (*_RAW, "以上。", "よろしく", "よろしくお願いします。", "どうぞ", "お願いします")


def english(clauses: Sequence[str], rng: random.Random) -> tuple[str, list[Clause]]:
    """The note, and the place of each of `clauses` (at least one, none empty) in it."""
    joint = rng.choice((". ", ". ", "; ", ", then ", " - ", ". Also, ", ", and "))
    inner = [clauses[0], *(c if joint.startswith(".") else c[:1].lower() + c[1:] for c in clauses[1:])]
    opening = rng.choice(_EN_OPEN)
    tail = rng.choice((".", ".", ".", "", "!"))
    tail += rng.choice(_EN_CLOSE) if (inner[-1] + tail)[-1] in ".!" else ""
    parts = _parts(opening, inner, joint, tail)
    if rng.random() < 0.15:
        parts = [part.lower() for part in parts]
    text, places = _placed(parts)
    return typo(text, places, rng) if rng.random() < TYPOS else (text, places)


def japanese(clauses: Sequence[str], rng: random.Random) -> tuple[str, list[Clause]]:
    """As `english`; a word of the wrong characters is as likely as a slip of the thumb."""
    opening = rng.choice(_JA_OPEN)
    joint = rng.choice(("。", "。", "、", " ", "。あと、", "。それと"))
    tail = rng.choice(("。", "。", "", "！"))
    tail += rng.choice(_JA_CLOSE) if (clauses[-1] + tail)[-1] in "。！" else ""
    text, places = _placed(_parts(opening, clauses, joint, tail))
    if rng.random() >= TYPOS:
        return text, places
    misread = [pair for pair in _JA_SAME_SOUND if pair[0] in text]
    if misread and rng.random() < 0.5:
        meant, got = rng.choice(misread)
        return text.replace(meant, got, 1), places
    return typo(text, places, rng)


def typo(text: str, places: Sequence[Clause], rng: random.Random) -> tuple[str, list[Clause]]:
    """One swap, drop or doubling inside the text (3 characters or more), as hasty thumbs make.

    Every clause keeps all of its characters that are left: a doubled one counts twice, and where one is
    swapped with a neighbour outside, the neighbour is taken in.
    """
    at = rng.randrange(1, len(text) - 1)
    swapped = [(start - (start == at), end + (end == at)) for start, end in places]
    return rng.choice(
        (
            (text[: at - 1] + text[at] + text[at - 1] + text[at + 1 :], swapped),
            (text[:at] + text[at + 1 :], _moved(places, at, -1)),
            (text[: at + 1] + text[at:], _moved(places, at, 1)),
        )
    )


def _moved(places: Sequence[Clause], at: int, by: int) -> list[Clause]:
    """Places after the character `at` was dropped (`by` -1) or doubled (1)."""
    return [(start + by * (start > at), end + by * (end > at)) for start, end in places]


def _parts(opening: str, clauses: Sequence[str], joint: str, tail: str) -> list[str]:
    """Opening, clause, joint, clause ... tail: the clauses stand at the odd indices."""
    parts = [opening]
    for clause in clauses:
        parts += [clause, joint]
    return [*parts[:-1], tail]


def _placed(parts: Sequence[str]) -> tuple[str, list[Clause]]:
    ends = list(accumulate(map(len, parts)))
    return "".join(parts), [(ends[i - 1], ends[i]) for i in range(1, len(parts), 2)]
