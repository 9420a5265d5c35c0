"""The tokenizer file: there and back, the same bytes, and no control token in it."""

import json
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from yochi_runtime.bundle import GLOSSARY
from yochi_runtime.bundle import TOKENIZER as TOKENIZER_FILE
from yochi_runtime.gloss import Glossary
from yochi_runtime.tokens import TextTokenizer

from tests.fixtures.tokenizer import small_bpe, small_tokenizer

TOKENIZER = small_tokenizer()


def test_save_and_load(tmp_path: Path) -> None:
    saved = TextTokenizer(small_bpe(), Glossary({"油": "oil", "床": "floor", "に": ""}))
    files = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        saved.save(tmp_path / name)
        files.append([(tmp_path / name / file).read_bytes() for file in (TOKENIZER_FILE, GLOSSARY)])
        loaded = TextTokenizer.load(tmp_path / name)
        text = "Oil by press 3. 床に油 <|im_end|>"
        assert loaded.encode(text) == saved.encode(text)
        assert loaded.decode(loaded.encode(text)) == "Oil by press 3. floor oil <|im_end|>"
        saved = loaded
    assert files[0] == files[1]
    assert json.loads(files[0][0])["added_tokens"] == []


@given(st.text(max_size=60))
def test_text_to_ids_and_back(text: str) -> None:
    assert TOKENIZER.decode(TOKENIZER.encode(text)) == text
