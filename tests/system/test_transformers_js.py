"""An export in Transformers.js, under Node: the same prompt, the same logits, a cache to read on from."""

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from yochi_export.cli import command
from yochi_runtime.image import read_frame
from yochi_runtime.taxonomy import pack_text
from yochi_train.vlm.family import Inputs
from yochi_train.vlm.hub import Hub, open_vlm
from yochi_train.vlm.slots import VlmSlots

from tests.fixtures.tiny_vlms import write_family

HERE = Path(__file__).with_name("transformers_js")
INSTALL = "make test-system installs it; it needs Node 20.9 or newer (tests/system/apt.txt)"
CLASSES = {
    "idefics3": ("Idefics3ForConditionalGeneration", "Idefics3Processor"),
    "smolvlm": ("SmolVLMForConditionalGeneration", "Idefics3Processor"),  # there one is the other
    "llava": ("LlavaForConditionalGeneration", "LlavaProcessor"),
    "qwen2_5_vl": ("Qwen2_5_VLForConditionalGeneration", "Qwen2_5_VLProcessor"),
}
# Height and width that no processor changes: two programs resize each in its own way.
SIZES = {"qwen2_5_vl": (84, 56)}
TEXT = "Oil on the floor by press 3."
LAST = 7  # any id


@dataclass(frozen=True, eq=False)
class Exported:
    """`folder` holds the export under its `kind`; `hub` is what it was made of."""

    kind: str
    hub: Hub
    slots: VlmSlots
    folder: Path
    picture: Path

    @property
    def inputs(self) -> Inputs:
        return self.slots.inputs(read_frame(self.picture))

    def prompt(self) -> list[int]:
        """The chat template with picture and text, by this side's tokenizer."""
        words: Any = self.hub.tokenizer
        content = [{"type": "image"}, {"type": "text", "text": TEXT}]
        said = words.apply_chat_template(
            [{"role": "user", "content": content}],
            chat_template=self.hub.template,
            tokenize=False,
            add_generation_prompt=True,
        )
        config = self.hub.vlm.config
        image = words.convert_ids_to_tokens(config.image_token_id)
        names = self.hub.family.picture(config, self.inputs, image)
        ids: list[int] = words(said.replace(image, "".join(names)))["input_ids"]
        return ids

    def logits(self, ids: list[int]) -> NDArray[np.float32]:
        """(T, V) of the model's own code in torch, without a cache."""
        row, inputs = torch.tensor([ids]), self.inputs
        more = {"mm_token_type_ids": (row == self.hub.vlm.config.image_token_id).int()}
        with torch.inference_mode():
            out = self.hub.vlm(
                input_ids=row,
                attention_mask=torch.ones_like(row),
                **inputs,
                **(more if "image_grid_thw" in inputs else {}),
            )
        found: NDArray[np.float32] = out.logits[0].numpy()
        return found


@pytest.fixture(scope="module", params=sorted(CLASSES))
def exported(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Exported:
    kind, folder = request.param, tmp_path_factory.mktemp(request.param)
    model = write_family(kind, folder / "hub")
    assert command(["onnx", str(model), str(folder / kind), "--half"]) == 0
    height, width = SIZES.get(kind, (64, 64))
    blocks = np.random.default_rng(1).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    pixels = np.kron(blocks, np.ones((height // 4, width // 4, 1), np.uint8))
    Image.fromarray(pixels).save(folder / "picture.png")
    hub = open_vlm(str(model))
    return Exported(kind, hub, VlmSlots(hub, pack_text()), folder, folder / "picture.png")


def in_node(exported: Exported, dtype: str, more: dict[str, Any]) -> dict[str, Any]:
    node = shutil.which("node")
    assert node, f"expected node, found none; {INSTALL}"
    assert (HERE / "node_modules").is_dir(), f"expected Transformers.js in {HERE}, found none; {INSTALL}"
    asked = {
        "folder": str(exported.folder),
        "model": exported.kind,
        "dtype": dtype,
        "picture": str(exported.picture),
        "text": TEXT,
        **more,
    }
    file = exported.folder / f"{dtype}.json"
    file.write_text(json.dumps(asked), encoding="utf-8")
    done = subprocess.run([node, "run.mjs", str(file)], cwd=HERE, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def asked_of(exported: Exported, ids: list[int]) -> dict[str, Any]:
    """Two branches after the prompt `ids`, and one token more after the first."""
    prompt, chat = exported.slots.chat.prompt, exported.slots.chat
    branches = [[*chat.note(TEXT), *prompt.slots], list(prompt.look)]
    place = exported.hub.family.positions(exported.hub.vlm.model, torch.tensor([ids]), exported.inputs)
    start = int(place.max()) + 1

    def places(first: int, count: int) -> Any:
        return torch.arange(first, first + count).expand(*place.shape[:-1], -1).tolist()

    return {
        "branches": branches,
        "places": [places(start, len(branch)) for branch in branches],
        "last": {"id": LAST, "places": places(start + len(branches[0]), 1)},
    }


def test_it_reads_as_torch_does(exported: Exported) -> None:
    ids = exported.prompt()
    asked = asked_of(exported, ids)
    answer = in_node(exported, "fp32", asked)
    assert (answer["model"], answer["processor"]) == CLASSES[exported.kind]
    assert answer["ids"] == ids
    wanted = exported.logits(ids)[-1]
    assert np.ptp(wanted) > 0.5, "logits that tell something"
    assert np.abs(wanted - answer["prompt"]).max() <= 1e-3
    for branch, got in zip(asked["branches"], answer["branches"], strict=True):
        after = exported.logits(ids + branch)[len(ids) :]
        assert np.abs(after - np.array(got)).max() <= 1e-3
    last = exported.logits([*ids, *asked["branches"][0], LAST])[-1]
    assert np.abs(last - answer["last"]).max() <= 1e-3
    said = list(ids)
    for token in answer["generated"]:
        assert token == exported.logits(said)[-1].argmax()
        said.append(token)
    assert answer["generated"]


def test_float16_is_found_by_its_name(exported: Exported) -> None:
    ids = exported.prompt()
    answer = in_node(exported, "fp16", asked_of(exported, ids))
    far = np.abs(exported.logits(ids)[-1] - answer["prompt"]).max()
    assert 1e-5 < far < 0.02, "other weights than float32, and near"
