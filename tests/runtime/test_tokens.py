"""The tokenizer file: there and back, the same bytes, and no control token in it."""

import json
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from yochi_runtime.tokens import TextTokenizer

from tests.fixtures.tokenizer import small_tokenizer

TOKENIZER = small_tokenizer()


def test_save_and_load(tmp_path: Path) -> None:
    first, second = tmp_path / "a.json", tmp_path / "b.json"
    TOKENIZER.save(first)
    loaded = TextTokenizer.load(first)
    loaded.save(second)
    assert first.read_bytes() == second.read_bytes()
    assert json.loads(first.read_text(encoding="utf-8"))["added_tokens"] == []
    text = "Oil by press 3. 床に油 <|im_end|>"
    assert loaded.encode(text) == TOKENIZER.encode(text)


@given(st.text(max_size=60))
def test_text_to_ids_and_back(text: str) -> None:
    assert TOKENIZER.decode(TOKENIZER.encode(text)) == text
