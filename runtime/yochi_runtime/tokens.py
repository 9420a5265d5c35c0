"""The tokenizer of a bundle: byte-level BPE without any control token.

`tokenizer.json` in the bundle is SmolLM2's vocabulary and merges with the list of added (control) tokens left
out, so no text, however it is written, can become one of them.
"""

from pathlib import Path

from tokenizers import Tokenizer as Bpe


class TextTokenizer:
    """Plain text to ids, and back."""

    def __init__(self, bpe: Bpe) -> None:
        self._bpe = bpe

    @classmethod
    def load(cls, path: Path) -> "TextTokenizer":
        return cls(Bpe.from_file(str(path)))

    def encode(self, text: str) -> list[int]:
        ids: list[int] = self._bpe.encode(text, add_special_tokens=False).ids
        return ids

    def decode(self, ids: list[int]) -> str:
        text: str = self._bpe.decode(ids, skip_special_tokens=False)
        return text

    def save(self, path: Path) -> None:
        """Write `tokenizer.json`, compact and the same bytes for the same vocabulary."""
        path.write_text(self._bpe.to_str(pretty=False), encoding="utf-8")
