"""The tokenizer of a bundle: Japanese through the glossary, then byte-level BPE without any control token.

`tokenizer.json` in the bundle is SmolLM2's vocabulary and merges with the list of added (control) tokens left
out, so no text, however it is written, can become one of them. `glossary.tsv` is for `gloss`.
"""

from pathlib import Path

from tokenizers import Tokenizer as Bpe

from .bundle import GLOSSARY, TOKENIZER
from .gloss import Glossary


class TextTokenizer:
    """Plain text to ids, and back to what was read: a glossed word comes back in English."""

    def __init__(self, bpe: Bpe, glossary: Glossary | None = None) -> None:
        self._bpe, self._glossary = bpe, glossary or Glossary()

    @classmethod
    def load(cls, folder: Path) -> "TextTokenizer":
        """From `tokenizer.json` and `glossary.tsv` in a bundle's or a model's folder."""
        return cls(Bpe.from_file(str(folder / TOKENIZER)), Glossary.load(folder / GLOSSARY))

    def encode(self, text: str) -> list[int]:
        ids: list[int] = self._bpe.encode(self._glossary.read(text), add_special_tokens=False).ids
        return ids

    def as_written(self) -> "TextTokenizer":
        """Without the glossary: for what is said, which is in the reader's own language."""
        return TextTokenizer(self._bpe)

    def decode(self, ids: list[int]) -> str:
        text: str = self._bpe.decode(ids, skip_special_tokens=False)
        return text

    def save(self, folder: Path) -> None:
        """Write both files, the same bytes for the same vocabulary and glossary."""
        (folder / TOKENIZER).write_text(self._bpe.to_str(pretty=False), encoding="utf-8")
        (folder / GLOSSARY).write_text(self._glossary.text(), encoding="utf-8", newline="\n")
