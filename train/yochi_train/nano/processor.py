"""The processor: a picture and a note to `input_ids` and `pixel_values`, by the runtime's own code."""

from pathlib import Path
from typing import Any

import torch
from transformers.feature_extraction_utils import BatchFeature
from yochi_runtime.bundle import PACK
from yochi_runtime.image import Frame, prepare
from yochi_runtime.inspection import Note
from yochi_runtime.prompt import BOS, IMAGE_TOKENS, Prompt, build_prompt
from yochi_runtime.taxonomy import Pack, pack_text, parse_pack
from yochi_runtime.tokens import TextTokenizer


class YochiNanoProcessor:
    """Holds the control-free tokenizer and the pack; `save_pretrained` and `from_pretrained` as usual."""

    def __init__(self, tokenizer: TextTokenizer, pack: str, image_token_id: int = 7) -> None:
        self.text_tokenizer = tokenizer
        self.pack_toml = pack
        self.pack: Pack = parse_pack(pack)
        self.prompt: Prompt = build_prompt(self.pack, self.text_tokenizer)
        self.image_token_id = image_token_id

    def __call__(self, frame: Frame, note: str, sign: str | None = None) -> BatchFeature:
        """The whole slot prompt: input_ids (1, T), attention_mask (1, T), pixel_values (1, 3, 448, 448)."""
        ids = self.slot_prompt(note, sign)
        return BatchFeature(
            {
                "input_ids": torch.tensor([ids]),
                "attention_mask": torch.ones(1, len(ids), dtype=torch.long),
                "pixel_values": torch.from_numpy(prepare(frame)),
            }
        )

    def slot_prompt(self, note: str, sign: str | None = None) -> list[int]:
        """Every segment in order, the image as 49 image tokens; `sign` as for `Prompt.sign`."""
        p = self.prompt
        image = [self.image_token_id] * IMAGE_TOKENS
        words = (*p.sign(sign), *p.note(Note(note).text, sign))
        return [*p.prefix, *image, *p.look, *words, *p.slots]

    def text(self, text: str) -> BatchFeature:
        """Plain text without a picture: input_ids (1, T), attention_mask (1, T)."""
        ids = [BOS, *self.text_tokenizer.encode(text)]
        return BatchFeature(
            {"input_ids": torch.tensor([ids]), "attention_mask": torch.ones(1, len(ids), dtype=torch.long)}
        )

    def decode(self, ids: Any) -> str:
        return self.text_tokenizer.decode([int(i) for i in ids])

    def save_pretrained(self, folder: Path | str) -> None:
        path = Path(folder)
        path.mkdir(parents=True, exist_ok=True)
        self.text_tokenizer.save(path)
        (path / PACK).write_text(self.pack_toml, encoding="utf-8")

    @classmethod
    def from_pretrained(cls, folder: Path | str, **_: Any) -> "YochiNanoProcessor":
        path = Path(folder)
        return cls(TextTokenizer.load(path), pack_text(path / PACK))
