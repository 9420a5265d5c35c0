"""A local vision-language model as teacher: loaded, shown the picture, asked, counted; junk is no truth."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from yochi_runtime.errors import UsageError
from yochi_runtime.taxonomy import load_pack
from yochi_train.data_url import data_url
from yochi_train.observe import local_vlm
from yochi_train.observe.local_vlm import LocalVlm
from yochi_train.observe.pairs import Pair
from yochi_train.observe.prompts import messages, schema
from yochi_train.observe.run import choose_teacher, observe
from yochi_train.observe.teacher import Question, TeacherError, TeacherRefused, Topic, View

from tests.fixtures.tiny_vlm import write_tiny_vlm

from .observed import NOTE, write_pairs

PACK = load_pack()


@pytest.fixture(autouse=True)
def few_tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local_vlm, "MAX_TOKENS", 8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_vlm(tmp_path_factory.mktemp("vlm") / "tiny")


@pytest.fixture(scope="module")
def teacher(folder: Path) -> LocalVlm:
    return LocalVlm(str(folder))


def question(tmp_path: Path, view: View, colour: tuple[int, int, int] = (200, 10, 10)) -> Question:
    Image.new("RGB", (90, 60), colour).save(tmp_path / "a.png")
    pair, topic = Pair(id="a", image="a.png", note=NOTE), Topic(view)
    chat = messages(pair, topic, PACK, data_url(tmp_path / "a.png", 64))
    return Question(pair, topic, chat, schema(topic, PACK))


def test_the_model_reads_the_very_words_that_are_asked(teacher: LocalVlm, tmp_path: Path) -> None:
    asked = question(tmp_path, "note")
    system, user = asked.messages
    said = f"system: {system['content']}<end_of_utterance>\nuser: {user['content'][0]['text']}"
    words = teacher._processor.tokenizer(f"{said}<end_of_utterance>\nassistant:", add_special_tokens=False)
    answer = teacher.ask(asked)
    assert answer.prompt_tokens == len(words["input_ids"])
    assert answer.completion_tokens == 8
    assert answer.text
    assert answer == teacher.ask(asked), "greedy: the same question has the same answer"


def test_the_model_sees_the_picture(
    teacher: LocalVlm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: dict[str, torch.Tensor] = {}
    generate = teacher._vlm.generate

    def watched(**inputs: Any) -> torch.Tensor:
        given.update({k: v for k, v in inputs.items() if isinstance(v, torch.Tensor)})
        said: torch.Tensor = generate(**inputs)
        return said

    monkeypatch.setattr(teacher._vlm, "generate", watched)
    teacher.ask(question(tmp_path, "image", (200, 10, 10)))
    shown = given["pixel_values"][0, 0]
    assert shown.shape == (3, 64, 64)
    red, green, blue = (float(channel[32, 32]) for channel in shown)
    assert red > 0.4
    assert max(green, blue) < -0.8
    places = int((given["input_ids"] == teacher._vlm.config.image_token_id).sum())
    assert places == 4, "one tile of 4 x 4 patches, two by two of them a token"


def test_its_name_says_which_weights_answered(teacher: LocalVlm, tmp_path: Path) -> None:
    name, _, pin = teacher.model.partition("@")
    assert (name, len(pin)) == ("tiny", 16)
    other = write_tiny_vlm(tmp_path / "tiny")
    data = bytearray((other / "model.safetensors").read_bytes())
    data[-1] ^= 1
    (other / "model.safetensors").write_bytes(data)
    assert LocalVlm(str(other)).model != teacher.model


def test_a_question_longer_than_the_context_is_refused(tmp_path: Path) -> None:
    short = LocalVlm(str(write_tiny_vlm(tmp_path / "short", context=256)))
    with pytest.raises(TeacherRefused, match="expected at most 248 tokens"):
        short.ask(question(tmp_path, "note"))


def test_a_model_that_is_none_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(TeacherError, match="expected a vision-language model") as failed:
        choose_teacher("hf", str(tmp_path), None, None)()
    assert "\n" not in str(failed.value)
    with pytest.raises(UsageError, match="expected --model NAME beside --teacher, got none"):
        choose_teacher("hf", None, None, None)


def test_what_a_random_model_says_is_kept_and_never_becomes_truth(teacher: LocalVlm, tmp_path: Path) -> None:
    pairs = write_pairs(tmp_path, ["a"])
    observe(pairs, tmp_path / "out", teacher)
    rows = [json.loads(line) for line in (tmp_path / "out" / "observations.jsonl").read_text().splitlines()]
    assert {row["model"] for row in rows} == {teacher.model}
    assert {row["ask"] for row in rows} == {"image", "note", "both"}
    seen = json.loads((tmp_path / "out" / "observed.jsonl").read_text())
    assert not seen["observations"]
    assert len(seen["defects"]) == len(rows)
