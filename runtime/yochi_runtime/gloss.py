"""Japanese notes word for word in English, so that a language model that learned English can read them.

SmolLM2 reads Japanese byte by byte: three times as many tokens, and none of them means anything to it. A
glossary gives each word the English words for it (足場から落ち is "scaffold from fall"): no translation and
no grammar, but words whose meaning the model already knows. What the glossary does not have stays as it is
written. The longest entry wins, from left to right.
"""

import unicodedata
from collections.abc import Iterator, Mapping
from pathlib import Path

from .errors import UsageError

_NO_SPACE_AFTER = ("", " ", '"', "(")


class Glossary:
    """Surface forms (NFKC) and the English for each; an empty gloss means a word that is not read."""

    def __init__(self, entries: Mapping[str, str] | None = None) -> None:
        self._entries = dict(entries or {})
        self._longest = max(map(len, self._entries), default=0)

    @classmethod
    def load(cls, path: Path) -> "Glossary":
        """From lines of `surface<TAB>english`; UsageError with the line that is none."""
        return cls(_parse(path.read_text(encoding="utf-8"), path.name))

    def text(self) -> str:
        """As `load` reads it, sorted."""
        return "".join(f"{surface}\t{english}\n" for surface, english in sorted(self._entries.items()))

    def __len__(self) -> int:
        return len(self._entries)

    def read(self, text: str) -> str:
        """`text` (NFKC) with every known word replaced; words are set apart by spaces where they meet."""
        if not self._entries:
            return text
        found = ""
        after_gloss = False
        for piece, is_gloss in self._pieces(text):
            if (is_gloss or after_gloss) and piece[:1].isalnum() and found[-1:] not in _NO_SPACE_AFTER:
                found += " "
            found += piece
            after_gloss = is_gloss
        return found

    def _pieces(self, text: str) -> Iterator[tuple[str, bool]]:
        at = 0
        while at < len(text):
            lengths = range(min(self._longest, len(text) - at), 0, -1)
            length = next((n for n in lengths if text[at : at + n] in self._entries), 0)
            yield (self._entries[text[at : at + length]], True) if length else (text[at], False)
            at += length or 1


def _parse(text: str, name: str) -> dict[str, str]:
    entries: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        surface, tab, english = line.partition("\t")
        # A surface form in ASCII would change English notes; one that is not NFKC would never be met.
        fit = tab and not surface.isascii() and unicodedata.is_normalized("NFKC", surface)
        if not (fit and english.isascii() and "\t" not in english) or surface in entries:
            raise UsageError(
                f"{name}:{number}: expected a new Japanese word (NFKC), a tab and its English, got {line!r}"
            )
        entries[surface] = english
    return entries
