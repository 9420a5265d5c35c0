"""`yochi-train records sample`: a page to look records over by eye, in one file that needs nothing else.

As many records of each language as there are, drawn evenly from the whole folder (reservoir sampling, Vitter
1985): picture, note, verdict, and every slot that is known, in English and Japanese. What is not listed is
unknown. Every word from a file is escaped, and the page's own policy forbids scripts and all loading.
"""

import html
import random
from collections.abc import Iterable, Sequence
from pathlib import Path

from yochi_runtime.errors import UsageError
from yochi_runtime.record import Record
from yochi_runtime.taxonomy import Pack, Slot, Source, Text
from yochi_runtime.verdict import Verdict
from yochi_runtime.wording import ENGLISH, JAPANESE

from ..data_url import data_url
from ..grammar import LANGS
from ..html_page import POLICY
from .folder import Folder
from .written import written

SIDE = 320  # pixels of a picture's longer side
STYLE = """body{font:14px sans-serif;margin:1em;background:#eee;color:#222}
main{display:grid;grid-template-columns:repeat(auto-fill,minmax(300px,1fr));gap:.6em;align-items:start}
article{padding:.5em;background:#fff}
img{max-width:100%}.note{font-size:16px;border-left:3px solid #888;padding-left:.5em;white-space:pre-wrap}
.stop{color:#b00}.caution{color:#850}.proceed{color:#060}.risk{color:#b00}ul{padding-left:1.2em}
summary{color:#555}small{color:#555;overflow-wrap:anywhere}"""
_ABSENT = Text(en="known to be absent", ja="ないと分かっている")
_UNKNOWN = Text(en="verdict unknown", ja="判定不明")


def sample_page(path: Path, file: Path, photos: Path, count: int, seed: int) -> str:
    """Write `count` records of `path` into the HTML `file`; a line for the screen."""
    if not file.parent.is_dir():
        raise UsageError(f"expected a folder for {file}, found none; make it first")
    folder = Folder(path)
    chosen = draw(folder.records("records read"), count, random.Random(seed))
    with written(file) as out:
        out.write(page(chosen, folder.pack, photos))
    return f"{len(chosen)} records: {file}"


def draw(records: Iterable[Record], count: int, rng: random.Random) -> list[Record]:
    """`count` records, half of them in each language where there are so many; in file order."""
    kept: dict[str, list[tuple[int, Record]]] = {lang: [] for lang in LANGS}
    seen = dict.fromkeys(LANGS, 0)
    for number, record in enumerate(records):
        pile = kept[record.lang]
        seen[record.lang] += 1
        if len(pile) < count:
            pile.append((number, record))
        elif (place := rng.randrange(seen[record.lang])) < count:
            pile[place] = (number, record)
    for pile in kept.values():
        rng.shuffle(pile)
    half = [len(kept[lang]) for lang in LANGS]
    first = min(half[0], max(count - count // 2, count - half[1]))
    chosen = kept[LANGS[0]][:first] + kept[LANGS[1]][: count - first]
    return [record for _, record in sorted(chosen, key=lambda numbered: numbered[0])]


def page(records: Sequence[Record], pack: Pack, photos: Path) -> str:
    """The whole page."""
    articles = "\n".join(_article(record, pack, photos) for record in records)
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        f"<title>Records</title><style>{STYLE}</style>"
        f"<h1>{len(records)} records / 記録 {len(records)} 件</h1>\n<main>{articles}</main>\n</html>\n"
    )


def _article(record: Record, pack: Pack, photos: Path) -> str:
    known = [slot for slot in pack.slots if slot.id in record.slots]
    holds = [
        f"<li{' class=risk' if slot.category else ''}>{_both(slot_name(slot, pack))}</li>"
        for slot in known
        if record.slots[slot.id] == 1
    ]
    absent = [_both(slot_name(slot, pack)) for slot in known if record.slots[slot.id] == 0]
    about = ", ".join((record.id, record.split, record.kind, record.lang))
    verdict = _UNKNOWN
    if record.verdict is not None:
        word = Verdict(record.verdict)
        verdict = Text(en=ENGLISH.verdicts[word], ja=JAPANESE.verdicts[word])
    return (
        f'<article><img src="{data_url(photos / record.image, SIDE)}" alt="{html.escape(record.image)}">'
        f'<p class="note" lang="{record.lang}">{html.escape(record.note)}</p>'
        f'<p class="{record.verdict or ""}"><b>{_both(verdict)}</b></p>'
        f"<ul>{''.join(holds)}</ul>"
        f"<details><summary>{_both(_ABSENT)}: {len(absent)}</summary>{'<br>'.join(absent)}</details>"
        f"<small>{html.escape(about)}</small></article>"
    )


def slot_name(slot: Slot, pack: Pack) -> Text:
    """The cue's name, or the category's with its source."""
    if slot.cue is not None:
        return next(cue.name for cue in pack.cue if cue.id == slot.cue)
    name, source = pack.category_of(slot.category or "").name, slot.source or Source.IMAGE_CONTENT
    return Text(en=f"{name.en} [{ENGLISH.sources[source]}]", ja=f"{name.ja}［{JAPANESE.sources[source]}］")


def _both(text: Text) -> str:
    return f'{html.escape(text.en)} / <span lang="ja">{html.escape(text.ja)}</span>'
