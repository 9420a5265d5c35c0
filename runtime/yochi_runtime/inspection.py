"""One inspection: a frame and a note, checked where they come in.

The note is data. It is normalized for the model (NFKC: full-width and half-width forms become one), kept as
it was given for the record, and refused with a reason when it is empty, too long, or unreadable.
"""

import hashlib
import unicodedata
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

from .errors import NoteError, Reason, UsageError
from .image import Frame

MAX_NOTE_CHARACTERS = 2_000  # before tokenization; the token budget in `prompt` is what usually binds
Language = Literal["en", "ja", "other"]

_VISIBLE = "LNPS"  # letters, numbers, punctuation, symbols; joiners and marks alone say nothing
_JAPANESE = ((0x3040, 0x30FF), (0x31F0, 0x31FF), (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xFF66, 0xFF9F))


@dataclass(frozen=True)
class Note:
    """A note as given (`raw`) and as the model reads it (`text`)."""

    raw: str

    def __post_init__(self) -> None:
        if len(self.raw) > MAX_NOTE_CHARACTERS:
            raise NoteError(
                Reason.NOTE_TOO_LONG,
                f"expected a note of at most {MAX_NOTE_CHARACTERS:,} characters, got {len(self.raw):,}; "
                "shorten it to what is to be done and what was seen",
            )
        if not any(unicodedata.category(c)[0] in _VISIBLE for c in self.text):
            raise NoteError(
                Reason.NOTE_EMPTY, "expected a note, got an empty one; write what is to be done here"
            )

    @cached_property
    def text(self) -> str:
        """NFKC, controls and line breaks as single spaces, trimmed. Same reading for ﾌｫｰｸ and フォーク."""
        return plain_text(self.raw)

    @cached_property
    def language(self) -> Language:
        """By script: Japanese where kana or kanji occur, English where most letters are basic Latin."""
        letters = [c for c in self.text if c.isalpha()]
        if any(low <= ord(c) <= high for c in letters for low, high in _JAPANESE):
            return "ja"
        latin = sum(c.isascii() for c in letters)
        return "en" if not letters or latin / len(letters) >= 0.8 else "other"

    @cached_property
    def sha256(self) -> str:
        return hashlib.sha256(self.raw.encode("utf-8", "surrogatepass")).hexdigest()


def plain_text(raw: str) -> str:
    """What the model reads of outside words: NFKC, controls and line breaks as single spaces, trimmed."""
    known = "".join(c for c in raw if unicodedata.category(c) not in ("Cs", "Cn"))
    wide = unicodedata.normalize("NFKC", known)
    plain = (" " if unicodedata.category(c) in ("Cc", "Zl", "Zp", "Zs") else c for c in wide)
    return " ".join("".join(plain).split())


def read_note_file(path: Path) -> Note:
    """A note from a UTF-8 text file (a byte-order mark is allowed)."""
    try:
        if not path.is_file():
            raise UsageError(f"expected a note file at {path}, found none; give a UTF-8 text file")
        return Note(path.read_text(encoding="utf-8-sig"))
    except OSError as e:
        raise NoteError(
            Reason.NOTE_UNREADABLE,
            f"expected to read {path}, got: {e.strerror or e}; check the file and its rights",
        ) from e
    except UnicodeDecodeError as e:
        raise NoteError(
            Reason.NOTE_UNREADABLE,
            f"expected UTF-8 text in {path}, got other bytes at {e.start}; save it as UTF-8",
        ) from e


@dataclass(frozen=True)
class Inspection:
    """What is judged: one frame, one note."""

    frame: Frame
    note: Note
