"""A start, records and settings for rounds that take a second."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from yochi_runtime.record import Record
from yochi_runtime.taxonomy import Pack, Source
from yochi_train.features import encode_folder
from yochi_train.nano.slots import NanoSlots
from yochi_train.pictures import read_photos
from yochi_train.policy import Policy
from yochi_train.records import write_records
from yochi_train.rlaif.assignment import Assignments, Questions
from yochi_train.rlaif.settings import RlaifSettings

from ..made import record, tiny_nano
from ..sft_data import write_sft_data

STEPS, ROUNDS = 2, 2


@dataclass(frozen=True)
class AllTrained:
    """A pack every slot of which has examples enough."""

    pack: Pack

    def not_trained(self) -> frozenset[str]:
        return frozenset()


def write_rlaif_data(root: Path, pack: Pack) -> Path:
    """`write_sft_data`, a validation split with known verdicts, and an untrained run to start from."""
    write_sft_data(root, pack)
    images = [photo.image for photo in read_photos(root / "photos")]
    held: list[Record] = []
    for i, image in enumerate(images[:8]):
        held += [
            record(f"safe-{i}", image=image, text=f"Note {i}", verdict="proceed", group=i),
            record(
                f"stop-{i}", {"note_content:fall": 1}, image=image, text=f"Fall {i}", verdict="stop", group=i
            ),
        ]
    write_records(iter(held), root / "records" / "val.jsonl")
    settings = settings_of(root)
    features = encode_folder(root / "photos", images, root / "features")
    torch.manual_seed(1)
    policy = Policy(NanoSlots(*tiny_nano(), features), settings)
    with torch.no_grad():
        for value in policy.lora:
            value.normal_(std=0.3)  # a start that says different things of different notes
    policy.save(root / "start" / "model", {slot.id: 100 for slot in pack.slots})
    return root


def settings_of(data: Path, **changes: Any) -> RlaifSettings:
    chosen = {
        "records": data / "records",
        "photos": data / "photos",
        "features": data / "features",
        "start": data / "start",
        "rounds": ROUNDS,
        "prompts": 16,
        "answers": 4,
        "critic": "truth",
        "margin": 0.01,
        "steps": STEPS,
        "packs": 1,
        "lora_rank": 2,
        "lora_rate": 1e-2,
        "precision": "fp32",
        "checkpoint_every": 1,
        "threads": 1,
    }
    return RlaifSettings.model_validate(chosen | changes)


def questions(pack: Pack) -> Questions:
    return Questions.of(AllTrained(pack))


def answers(asked: Questions, *of_prompt: tuple[tuple[str, ...], int]) -> Assignments:
    """Answers to one prompt: the slots that are yes, and the place of the drawn verdict."""
    slots = torch.stack([asked.slots(said) for said, _ in of_prompt])
    return Assignments(slots[None], torch.tensor([[verdict for _, verdict in of_prompt]]))


def holds(asked: Questions, known: Mapping[str, int]) -> torch.Tensor:
    """(1, S): what is known of some slots."""
    return torch.tensor([[known.get(slot, -1) for slot in asked.ids]])


def signs(pack: Pack) -> list[str]:
    """The slots that nothing reads yet."""
    return [slot.id for slot in pack.risk_slots if slot.source is Source.IMAGE_TEXT]
