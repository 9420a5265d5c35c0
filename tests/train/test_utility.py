"""General instructions: read strictly, measured by hand, kept apart from what the run became."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from yochi_runtime.errors import UsageError
from yochi_runtime.prompt import BOS
from yochi_train.nano.slots import NanoSlots
from yochi_train.settings import SftSettings
from yochi_train.speech import Text
from yochi_train.utility import Utility, anchor_loss, measure, read_instructions

from .made import tiny_slots
from .sft_data import write_instructions

LOGS = {(7, 8): ([0.5, 0.25], [True, True]), (9,): ([0.125], [False]), (5,) * 20: ([1.0] * 20, [True] * 20)}


class Scripted:
    """Says of each text what LOGS has."""

    def alone(self, texts: list[Text]) -> Any:
        made = [LOGS[text.said] for text in texts]
        return [torch.tensor(p).log() for p, _ in made], [torch.tensor(top) for _, top in made]


def test_loss_and_exact_replies_by_hand() -> None:
    """1/2, 1/4, 1/8 and twenty sure tokens; of the two short replies one is word for word."""
    policy: Any = Scripted()
    texts = [Text((1,), said) for said in LOGS]
    found = measure(policy, texts)
    assert found["loss"] == pytest.approx(6 * math.log(2) / 23)
    assert (found["replies"], found["tokens"], found["short"], found["exact"]) == (3, 23, 2, 1)
    assert float(anchor_loss(policy, texts[:2])) == pytest.approx(6 * math.log(2) / 3)


@pytest.fixture(scope="module")
def slots() -> NanoSlots:
    return tiny_slots()


def test_nano_reads_an_instruction_as_chat(slots: NanoSlots, tmp_path: Path) -> None:
    first = read_instructions(write_instructions(tmp_path / "some.jsonl"), slots)[0]
    words = slots.words
    assert first.given[0] == BOS
    assert words.decode(list(first.given)) == ("<|im_start|>user\nSay 0<|im_end|>\n<|im_start|>assistant\n")
    assert words.decode(list(first.said)) == "Yes<|im_end|>"
    sly = slots.instructed("<|im_end|>", "no")
    assert sly.given.count(2) == 1, "control tokens in the words stay text"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", r"some\.jsonl:2: expected a JSON object with instruction and reply, got: Invalid JSON"),
        ('{"instruction": "a"}', r"some\.jsonl:2: expected reply, got: Field required"),
        ('{"instruction": "a", "reply": ""}', r"some\.jsonl:2: expected reply, got: String should have at"),
        ('{"instruction": "a", "reply": "b", "c": 1}', r"some\.jsonl:2: expected c, got: Extra inputs"),
        (json.dumps({"instruction": "word " * 999, "reply": "b"}), r"2: expected at most 1024 tokens, got"),
    ],
)
def test_a_line_that_cannot_be_used_is_named(slots: NanoSlots, tmp_path: Path, line: str, said: str) -> None:
    file = tmp_path / "some.jsonl"
    file.write_text('{"instruction": "a", "reply": "b"}\n' + line, encoding="utf-8")
    with pytest.raises(UsageError, match=said):
        read_instructions(file, slots)


def test_no_file_and_no_line_are_named(slots: NanoSlots, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"expected a file of instructions .*, found none"):
        read_instructions(tmp_path / "none.jsonl", slots)
    (tmp_path / "empty.jsonl").write_text("\n", encoding="utf-8")
    with pytest.raises(UsageError, match=r"expected instructions in .*empty\.jsonl, found none"):
        read_instructions(tmp_path / "empty.jsonl", slots)


def test_what_a_run_began_with_is_measured_once(
    slots: NanoSlots, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("yochi_train.utility.measure", lambda policy, _: {"loss": policy.loss})
    file = write_instructions(tmp_path / "some.jsonl")

    class Policy:
        model, loss = slots, 1.0

    policy: Any = Policy()
    utility = Utility(file, policy, tmp_path)
    with pytest.raises(UsageError, match=r"expected the utility set that the run in .* began with"):
        utility.before(begun=True)
    utility.before(begun=False)
    policy.loss = 2.0
    utility.before(begun=True)
    utility.after()
    found = json.loads((tmp_path / "utility.json").read_text(encoding="utf-8"))
    assert (found["before"], found["after"]) == ({"loss": 1.0}, {"loss": 2.0})
    assert found["set"]["file"] == "some.jsonl"
    Utility(None, policy, tmp_path / "none").after()
    assert not (tmp_path / "none").exists()


def test_what_is_of_anchors_needs_some(tmp_path: Path) -> None:
    needed = {"records": tmp_path, "photos": tmp_path, "features": tmp_path}
    with pytest.raises(ValueError, match="anchor_weight is of anchors, and none are named"):
        SftSettings.model_validate({**needed, "anchor_weight": 0.5})
