"""Pictures, notes, records, models and bundles for the trainer's tests: small, and made by hand."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from yochi_runtime.base import NANO_BASE
from yochi_runtime.bundle import (
    Bundle,
    Calibration,
    Manifest,
    PromptEntry,
    Proof,
    SlotCalibration,
    VerdictCalibration,
)
from yochi_runtime.command_line import run_app
from yochi_runtime.image import PREPARATION
from yochi_runtime.prompt import PROMPT_VERSION
from yochi_runtime.record import Record, Truth
from yochi_runtime.taxonomy import Pack, load_pack, pack_text
from yochi_train import lite0
from yochi_train.cli import app
from yochi_train.features import FOLDED, POOLED, TOKENS
from yochi_train.grammar import ComposedNote, Lang
from yochi_train.nano import YochiNanoConfig, YochiNanoForConditionalGeneration, YochiNanoProcessor
from yochi_train.nano.slots import NanoSlots
from yochi_train.pictures import Picture, Split

from tests.fixtures.tokenizer import small_bpe, small_tokenizer

Box = tuple[str, tuple[float, float, float, float]]
HIDDEN, LAYERS = 32, 2


def picture(
    cues: Mapping[str, int] | None = None,
    *,
    image: str = "images/a.png",
    group: int = 1,
    split: Split = "train",
    checked: Literal["safe", "not_safe", "unsure", ""] = "",
    boxes: Sequence[Box] = (),
    boxed: Sequence[str] = (),
    by_eye: Mapping[str, int] | None = None,
    texts: Mapping[str, int] | None = None,
    pair: str = "",
    switched: str = "",
    unsaid: Sequence[str] = (),
) -> Picture:
    """A picture of which nothing is known but what is said here."""
    return Picture(
        image=image,
        set="industrial",
        group=group,
        split=split,
        cues=dict(cues or {}),
        by_eye=dict(by_eye or {}),
        boxes=tuple(boxes),
        boxed=tuple(boxed),
        checked=checked,
        source="made by hand",
        licence="Apache-2.0",
        texts=dict(texts or {}),
        pair=pair,
        switched=switched,
        unsaid=tuple(unsaid),
    )


def note(
    *risks: str, maybe: Sequence[str] = (), combination: str | None = None, lang: Lang = "en"
) -> ComposedNote:
    """A note whose words do not matter."""
    return ComposedNote("A note.", lang, ("made:1",), frozenset(risks), frozenset(maybe), combination)


def record(
    identity: str,
    slots: Mapping[str, Literal[0, 1]] | None = None,
    *,
    image: str = "images/a.png",
    text: str = "A note.",
    lang: Lang = "en",
    verdict: Truth | None = None,
    group: int = 1,
) -> Record:
    """A record whose note is a template of its own."""
    return Record(
        id=identity,
        image=image,
        note=text,
        lang=lang,
        kind="harmless",
        slots=dict(slots or {}),
        verdict=verdict,
        picture_group=group,
        templates=(f"made:{identity}",),
        split="test",
    )


def tiny_config() -> YochiNanoConfig:
    """A llama of two layers for the small tokenizer, beside a Lite0 (which has one size only)."""
    text: dict[str, Any] = {
        "vocab_size": small_bpe().get_vocab_size(),
        "hidden_size": HIDDEN,
        "intermediate_size": 2 * HIDDEN,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 512,
        "tie_word_embeddings": True,
    }
    return YochiNanoConfig(text_config=text, cues=[cue.id for cue in load_pack().cue], projector_size=16)


def tiny_nano(seed: int = 0) -> tuple[YochiNanoForConditionalGeneration, YochiNanoProcessor]:
    """Random weights, the same for the same seed, but for the encoder; in evaluation mode. And its processor.

    The encoder is the pretrained one: in a random one all pictures look the same.
    """
    torch.manual_seed(seed)
    model = YochiNanoForConditionalGeneration(tiny_config())
    model.vision.encoder.load_state_dict(lite0.pretrained().state_dict())
    model.eval()  # type: ignore[no-untyped-call]
    return model, YochiNanoProcessor(small_tokenizer(), pack_text(), model.config.image_token_id)


def tiny_slots(seed: int = 0) -> NanoSlots:
    """`tiny_nano` as a policy takes it."""
    return NanoSlots(*tiny_nano(seed))


def unlike(count: int) -> NDArray[np.float32]:
    """(count, 2560) pooled features of pictures that have nothing in common."""
    return np.random.default_rng(5).normal(size=(count, POOLED)).astype(np.float32)


def fake_cache(folder: Path, images: Sequence[str], seed: int = 0) -> Path:
    """A feature cache that looks finished, with noise in it: no picture is encoded."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    rng.standard_normal((len(images), TOKENS, FOLDED), dtype=np.float32).astype(np.float16).tofile(
        folder / "tokens.f16"
    )
    rng.standard_normal((len(images), POOLED), dtype=np.float32).tofile(folder / "pooled.f32")
    index = {"preparation": PREPARATION, "images": list(images)}
    (folder / "index.json").write_text(json.dumps(index), encoding="utf-8")
    (folder / "done").write_text(str(len(images)), encoding="utf-8")
    return folder


def command(words: Sequence[str]) -> int:
    """`yochi-train` with these words; its exit code."""
    return run_app(app, "yochi-train", list(words))


def plain_bundle(
    pack: Pack, *, untrained: Sequence[str] = (), verdict: tuple[float, float] = (0.5, 0.5)
) -> Bundle:
    """Everything of a bundle but its files: no temperature, no bias, every threshold 0.5."""
    slots = tuple(slot.id for slot in pack.slots)
    manifest = Manifest(
        format=1,
        name="plain",
        version="1",
        files={},
        base=NANO_BASE,
        prompt=PromptEntry(version=PROMPT_VERSION, sha256="0" * 64),
        preparation=PREPARATION,
        pack_id=pack.id,
        slots=slots,
        positives={slot: 0 if slot in untrained else 100 for slot in slots},
        languages=("en", "ja"),
        proof=Proof(passed=True, report="parity.json"),
    )
    own = SlotCalibration(temperature=1.0, threshold=0.5)
    caution, stop = verdict
    calibration = Calibration(
        slots={slot: own for slot in slots if slot != "verdict"},
        verdict=VerdictCalibration(temperature=1.0, threshold_caution=caution, threshold_stop=stop),
    )
    return Bundle(Path("plain"), "0" * 64, manifest, pack, calibration)
