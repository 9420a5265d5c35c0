"""What a reader of signs makes of printed words: case as printed, lines, and its own slips.

Characters that look alike, lost ones, lost or wrong spaces, one sign on more lines than it has. More than
half of the texts are read without a slip, because most signs are printed large.
"""

import random
import re
from collections.abc import Callable, Mapping, Sequence

from .grammar import Lang

CLEAN = 0.55  # texts that are read without a slip
RATE = (0.02, 0.09)  # of the characters of the others
GLUED = 0.12  # texts whose spaces are lost
SPLIT = 0.35  # long lines that are printed on two
LONG: Mapping[Lang, int] = {"en": 16, "ja": 9}  # characters
CASES: tuple[Callable[[str], str], ...] = (str.upper, str.upper, str, str, str.title, str.lower)
# What each may be taken for.
_ALIKE = """
O 0Q  0 O  I 1l  1 Il  l 1I  S 5  5 S  B 8  8 B  G 6C  Z 2  E F  F P  D O  U V  V Y  N M  T I  R P  C G
a o  e c  c e  n r  i l  t f  h b  u v  g q  o 0
ー 一  一 ー  カ 力  力 カ  ロ 口  口 ロ  エ 工  工 エ  ニ 二
ト 卜  ハ 八  タ 夕  未 末  大 犬太  険 検除  検 険  日 目曰
判 半  定 走  止 正  禁 楚  無 舞  視 規  済 剤  意 急  注 往
し レ  シ ツ  ツ シ  ソ ン  ン ソ  ば は  が か  で て  ス ヌ
ヤ ャ  ッ ツ  ョ ヨ  。 .  、 ,  ： :  ！ !  「 [  」 ]
"""
ALIKE: Mapping[str, str] = dict(pair.split(" ") for pair in re.split(r"  |\n", _ALIKE.strip()))


def as_read(lines: Sequence[str], lang: Lang, rng: random.Random) -> list[str]:
    """The lines of one sign as they are printed and read; never fewer characters than one."""
    printed = rng.choice(CASES) if lang == "en" else str
    rows = [part for line in lines for part in _printed(printed(line), lang, rng)]
    if rng.random() < CLEAN:
        return rows
    glued, rate = rng.random() < GLUED / (1 - CLEAN), rng.uniform(*RATE)
    read = [_slip(row.replace(" ", "") if glued else row, rate, rng) for row in rows]
    return [row for row in read if row] or rows


def _printed(line: str, lang: Lang, rng: random.Random) -> list[str]:
    """A long line may stand on two: English between words, Japanese anywhere."""
    if len(line) < LONG[lang] or rng.random() >= SPLIT:
        return [line]
    places = [i for i, c in enumerate(line) if c == " "] if lang == "en" else range(3, len(line) - 2)
    if not places:
        return [line]
    at = rng.choice(list(places))
    return [part for part in (line[:at].strip(), line[at:].strip()) if part]


def _slip(row: str, rate: float, rng: random.Random) -> str:
    read = []
    for c in row:
        if rng.random() >= rate:
            read.append(c)
        elif c in ALIKE and rng.random() < 0.7:
            read.append(rng.choice(ALIKE[c]))
        elif rng.random() < 0.2:
            read.append(c + " ")
        # else it is lost
    return " ".join("".join(read).split())
