"""The llama.cpp engine on a tiny random model: parity, rewinding, and everything that must be refused."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gguf
import llama_cpp
import numpy as np
import pytest
from yochi_runtime.errors import EngineError, Reason
from yochi_runtime.language import CONTEXT, MAX_ASKED, Language

from tests.fixtures.tiny_bundle import WIDTH, write_base, write_lora

VOCABULARY = 200
IDS = [1, 50, 60, 70, 80, 90, 100, 110]
EVERY = list(range(VOCABULARY))


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("language") / "base.gguf"
    write_base(path, VOCABULARY)
    return path


@pytest.fixture
def language(base: Path) -> Iterator[Language]:
    with Language(base, threads=1) as opened:
        yield opened


def embeddings_of(path: Path, ids: list[int]) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    table = next(t for t in gguf.GGUFReader(str(path)).tensors if t.name == "token_embd.weight")
    return np.ascontiguousarray(np.asarray(table.data, dtype=np.float32)[ids])


def test_it_knows_its_shape(language: Language) -> None:
    assert (language.width, language.vocabulary, language.position) == (WIDTH, VOCABULARY, 0)


def test_embeddings_read_like_the_tokens_they_stand_for(language: Language, base: Path) -> None:
    as_tokens = language.tokens(IDS, [len(IDS) - 1], EVERY)
    language.rewind(0)
    language.tokens(IDS[:2])
    language.embeddings(embeddings_of(base, IDS[2:6]))
    as_embeddings = language.tokens(IDS[6:], [1], EVERY)
    assert np.abs(as_tokens - as_embeddings).max() <= 1e-4
    assert as_tokens.std() > 0.1  # the model says something at all


def test_segments_read_like_the_whole(language: Language) -> None:
    whole = language.tokens(IDS, [3, 7], EVERY)
    language.rewind(0)
    parts = [language.tokens(IDS[:4], [3], EVERY), language.tokens(IDS[4:], [3], EVERY)]
    assert np.abs(whole - np.concatenate(parts)).max() <= 1e-4


def test_only_the_asked_answers_come_back(language: Language) -> None:
    every = language.tokens(IDS, [2, 5], EVERY)
    language.rewind(0)
    few = language.tokens(IDS, [2, 5], [7, 3])
    assert few.dtype == np.float32
    np.testing.assert_array_equal(few, every[:, [7, 3]])


def test_after_rewinding_the_numbers_are_the_very_same(language: Language) -> None:
    language.tokens(IDS[:3])
    first = language.tokens(IDS[3:], [0, 4], EVERY)
    language.rewind(3)
    language.tokens([5, 6, 7, 8, 9, 10, 11])
    language.rewind(3)
    again = language.tokens(IDS[3:], [0, 4], EVERY)
    assert first.tobytes() == again.tobytes()
    assert language.position == len(IDS)


def test_a_second_lora_is_for_explaining_alone(base: Path, tmp_path: Path) -> None:
    write_lora(tmp_path / "lora.gguf")
    write_lora(tmp_path / "explain.gguf", seed=5)
    with Language(base, tmp_path / "lora.gguf", threads=1) as alone:
        wanted = alone.tokens(IDS, [3, 7], EVERY)
        same = alone.tokens(IDS[:3], [2], EVERY, explaining=True)
    with Language(base, tmp_path / "lora.gguf", tmp_path / "explain.gguf", threads=1) as both:
        first = both.tokens(IDS, [3, 7], EVERY)
        said = both.tokens(IDS[:3], [2], EVERY, explaining=True)
        both.rewind(0)
        again = both.tokens(IDS, [3, 7], EVERY)
        both.rewind(0)
        both.tokens(IDS[:2], explaining=True)
        both.rewind(0)
        both.embeddings(embeddings_of(base, IDS[:4]))  # right after an explanation
        after = both.tokens(IDS[4:], [3], EVERY)
    assert first.tobytes() == again.tobytes() == wanted.tobytes()
    assert np.abs(after - wanted[1:]).max() <= 1e-4
    assert np.abs(said - same).max() >= 0.01
    with pytest.raises(EngineError, match=r"load nothing.gguf"):
        Language(base, tmp_path / "lora.gguf", tmp_path / "nothing.gguf", threads=1)


def test_a_lora_changes_the_answer(base: Path, tmp_path: Path, language: Language) -> None:
    write_lora(tmp_path / "lora.gguf")
    plain = language.tokens(IDS, [7], EVERY)
    with Language(base, tmp_path / "lora.gguf", threads=1) as adapted:
        changed = adapted.tokens(IDS, [7], EVERY)
    assert np.abs(plain - changed).max() > 1e-3


@pytest.mark.parametrize("ids", [[VOCABULARY], [-1], []])
def test_foreign_ids_are_refused_before_llama_sees_them(language: Language, ids: list[int]) -> None:
    with pytest.raises(EngineError, match="expected"):
        language.tokens(ids)
    assert language.position == 0


@pytest.mark.parametrize("asked", [[len(IDS)], [-1], [0] * (MAX_ASKED + 1)])
def test_foreign_positions_are_refused(language: Language, asked: list[int]) -> None:
    with pytest.raises(EngineError, match="asked positions"):
        language.tokens(IDS, asked, [1])


def test_a_full_context_is_refused(language: Language) -> None:
    language.tokens([5] * (CONTEXT - 1))
    language.tokens([5])
    with pytest.raises(EngineError, match="segment"):
        language.tokens([5])


@pytest.mark.parametrize("rows", [np.zeros((2, WIDTH + 1)), np.zeros(WIDTH), np.full((1, WIDTH), np.nan)])
def test_foreign_embeddings_are_refused(language: Language, rows: np.ndarray) -> None:
    with pytest.raises(EngineError, match="finite embeddings"):
        language.embeddings(rows.astype(np.float32))


def test_rewinding_forward_is_refused(language: Language) -> None:
    with pytest.raises(EngineError, match="position"):
        language.rewind(1)


def test_nan_logits_are_an_error(tmp_path: Path) -> None:
    write_base(tmp_path / "nan.gguf", VOCABULARY, nan=True)
    with (
        Language(tmp_path / "nan.gguf", threads=1) as broken,
        pytest.raises(EngineError, match="finite") as e,
    ):
        broken.tokens(IDS, [7], [1, 2])
    assert e.value.reason is Reason.ENGINE_OUTPUT


def test_a_broken_file_is_an_error_with_llamas_own_words(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "base.gguf").write_bytes(b"GGUF and nothing else")
    with pytest.raises(EngineError, match=r"load base\.gguf.*\((?!no word)") as e:
        Language(tmp_path / "base.gguf", threads=1)
    assert e.value.reason is Reason.ENGINE_FAILED
    assert capfd.readouterr() == ("", "")  # llama.cpp's log goes nowhere else


def test_a_lora_of_another_model_is_an_error(base: Path, tmp_path: Path) -> None:
    write_lora(tmp_path / "lora.gguf", width=2 * WIDTH)
    with pytest.raises(EngineError, match=r"load lora\.gguf"):
        Language(base, tmp_path / "lora.gguf", threads=1)


def test_every_batch_is_freed_even_after_a_failure(
    language: Language, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []

    def counted(name: str) -> Callable[..., Any]:
        real = getattr(llama_cpp, name)

        def call(*arguments: Any) -> Any:
            calls.append(name)
            return real(*arguments)

        return call

    for name in ("llama_batch_init", "llama_batch_free"):
        monkeypatch.setattr(llama_cpp, name, counted(name))
    monkeypatch.setattr(llama_cpp, "llama_decode", lambda *_: -1)
    with pytest.raises(EngineError, match="status -1"):
        language.tokens(IDS)
    with pytest.raises(EngineError, match="status -1"):
        language.embeddings(np.zeros((2, WIDTH), dtype=np.float32))
    assert calls == 2 * ["llama_batch_init", "llama_batch_free"]
    assert language.position == 0


def test_a_closed_model_refuses_to_read_and_closes_twice(base: Path) -> None:
    language = Language(base, threads=1)
    language.close()
    language.close()
    with pytest.raises(EngineError, match="closed"):
        language.tokens(IDS)
