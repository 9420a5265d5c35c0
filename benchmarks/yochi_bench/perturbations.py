"""What a real camera and a real keyboard do to an inspection, made on purpose, each a little.

A perturbation changes the picture or the note and never the truth, so every verdict that changes is a fault.
Strengths are such that a person still sees and reads the same. Each is seeded by what it changes, so the same
picture is changed the same way in every record.
"""

import unicodedata
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from yochi_devices.frame import Rgb
from yochi_runtime.image import Frame
from yochi_runtime.record import Record
from yochi_runtime.taxonomy import sha256_text

from .faults import Rng, blurred, jpeg, lit, noisy, turned

TYPO_EVERY = 12  # letters a typo
_FULL_WIDTH = {code: code + 0xFEE0 for code in range(0x21, 0x7F)} | {0x20: 0x3000}
_HIRAGANA = range(0x3041, 0x3097)
_KATAKANA_ABOVE = 0x60  # code points from a hiragana to its katakana
_HALF = {unicodedata.normalize("NFKC", chr(c)): chr(c) for c in range(0xFF66, 0xFF9E)}


@dataclass(frozen=True)
class Perturbation:
    """Exactly one of `frame` and `note` is there. `lang` is the only language whose notes it can change."""

    name: str
    frame: Callable[[Rgb, Rng], Rgb] | None = None
    note: Callable[[str, Rng], str] | None = None
    lang: str | None = None

    def shown(self, frame: Frame) -> Frame:
        """The picture as the judge gets it."""
        if self.frame is None:
            return frame
        return Frame(np.ascontiguousarray(self.frame(frame.rgb, _rng(frame.sha256))))

    def asked(self, record: Record) -> Record:
        """The record with the note as the judge gets it."""
        if self.note is None:
            return record
        note = self.note(record.note, _rng(sha256_text(record.note)))
        return record.model_copy(update={"note": note, "spans": ()})


def _rng(sha256: str) -> Rng:
    return np.random.default_rng(int(sha256[:16], 16))


def perturbations() -> list[Perturbation]:
    """Pictures first."""
    return [
        Perturbation("blur, 1.5 px", frame=lambda rgb, _: blurred(rgb, 1.5)),
        Perturbation("dark, a quarter of the light", frame=lambda rgb, _: lit(rgb, 0.25)),
        Perturbation("JPEG, quality 20", frame=lambda rgb, _: jpeg(rgb, 20)),
        Perturbation("noise, 10 levels", frame=lambda rgb, rng: noisy(rgb, 10, rng)),
        Perturbation("turned by 5 degrees", frame=lambda rgb, _: turned(rgb, 5)),
        Perturbation("typos, one in 12 letters", note=typos),
        Perturbation("full-width letters", note=lambda text, _: text.translate(_FULL_WIDTH)),
        Perturbation("half-width katakana", note=lambda text, _: half_width(text), lang="ja"),
        Perturbation("katakana for hiragana", note=lambda text, _: katakana(text), lang="ja"),
    ]


def typos(text: str, rng: Rng) -> str:
    """Two neighbouring letters of a word change places, about once in TYPO_EVERY letters, at least once."""
    places = [i for i in range(len(text) - 1) if text[i].isalpha() and text[i + 1].isalpha()]
    if not places:
        return text
    wanted = min(len(places), max(1, len(places) // TYPO_EVERY))
    letters = list(text)
    for i in sorted(rng.choice(places, size=wanted, replace=False)):
        letters[i], letters[i + 1] = letters[i + 1], letters[i]
    return "".join(letters)


def half_width(text: str) -> str:
    """Katakana as old terminals send them; voiced ones become two characters."""
    parts = unicodedata.normalize("NFD", text)
    marks = {"\u3099": "\uff9e", "\u309a": "\uff9f"}  # voiced and half-voiced
    halved = "".join(_HALF.get(c, c) for c in parts)
    voiced = "".join(
        marks[c] if c in marks and i and "\uff66" <= halved[i - 1] <= "\uff9d" else c
        for i, c in enumerate(halved)
    )
    return unicodedata.normalize("NFC", voiced)  # the hiragana together again


def katakana(text: str) -> str:
    """As a form that knows no hiragana."""
    return "".join(chr(ord(c) + _KATAKANA_ABOVE) if ord(c) in _HIRAGANA else c for c in text)
