"""Where a stock GGUF and its mmproj differ from the checkpoint in torch, stage by stage.

    words          -> prompt ids         by the GGUF's own vocabulary, template's control tokens included
    decoded pixels -> image embeddings   by llama.cpp's own eyes, on pictures of the size that the model sees
    decoded pixels -> own resize         the same on the picture as it is: how far llama.cpp resizes otherwise
    embeddings     -> slot logits        the language half on torch's embeddings
    decoded pixels -> whole              eyes and language half together, the picture of the size that it sees

A stage gets torch's input, so that a fault shows in its own and in none after it; the last has all of them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from yochi_runtime.bundle import PACK
from yochi_runtime.errors import CannotJudge, EngineError, Reason
from yochi_runtime.image import Frame, read_frame
from yochi_runtime.inspection import Note
from yochi_runtime.language import Language
from yochi_runtime.engines import Rgb
from yochi_runtime.multimodal import Multimodal
from yochi_runtime.prompt import TASK, Prompt, build_prompt, first_tokens
from yochi_runtime.record import Record
from yochi_runtime.taxonomy import pack_text
from yochi_train.readout import Logits
from yochi_train.vlm.family import Inputs
from yochi_train.vlm.hub import open_vlm
from yochi_train.vlm.slots import VlmSlots

from ..layers import IDS, LOGITS, MAX_KL, RECORDS, Layers, Stage, divergence, stage_of
from ..measure import relative_error
from .folder import Precision, Stock, open_stock

EMBEDS, RESIZED, WHOLE = "image embeddings", "own resize", "whole"
# Root mean square over spread. llama.cpp's convolution takes pixels in half precision, whatever the weights.
MAX_EMBEDS = {Precision.F32: 2e-3, Precision.F16: 1e-2}
MAX_RESIZED = (
    0.05  # llama.cpp rounds as Pillow does, 8.5e-4 were seen; another filter moves noise by far more
)
CONTEXT = 2048  # positions: a picture of 256 tokens (576 of LLaVA), slots, a note of at most 512
Rows = NDArray[np.float32]  # (tokens, seen_width)


@dataclass(frozen=True, eq=False)
class Case:
    """One record as torch has it. `rgb`: the picture as large as it is seen; `rows`: its embeddings."""

    frame: Rgb
    rgb: Rgb
    note: str
    ids: list[int]  # all before the note, with a picture's tokens
    rows: Rows
    resized: Rows  # of the picture as it is
    logits: Logits


def open_slots(checkpoint: Path, folder: Path) -> VlmSlots:
    """The checkpoint in torch, asked for the slots of the pack in `folder`, or of the factory's."""
    pack = folder / PACK
    return VlmSlots(open_vlm(str(checkpoint)), pack_text(pack if pack.is_file() else None))


def compare_stock(
    slots: VlmSlots, folder: Path, records: Sequence[Record], photos: Path, threads: int
) -> Layers:
    """`folder` against `slots` on a dozen of `records`. BundleError where a file was changed."""
    stock, asked = open_stock(folder), records[:RECORDS]
    cases = [_case(slots, record, photos) for record in asked]
    text = folder / stock.text
    if stock.mmproj is None:
        with Language(text, threads=threads, context=CONTEXT) as half:
            return Layers(len(cases), (_ids(slots, half, cases), _logits(slots, half, cases)))
    with Multimodal(
        text, folder / stock.mmproj, threads=threads, context=CONTEXT, tokens=stock.picture_tokens
    ) as engine:
        seen = tuple(_seen(engine, stock, cases))
        stages = (
            _ids(slots, engine, cases),
            *seen,
            _logits(slots, engine, cases),
            _whole(slots, engine, cases),
        )
    return Layers(len(cases), stages)


def _case(slots: VlmSlots, record: Record, photos: Path) -> Case:
    frame = read_frame(photos / record.image).rgb
    inputs = slots.inputs(Frame(frame))
    width, height = _size(slots, inputs)
    rgb = np.asarray(Image.fromarray(frame).resize((width, height), Image.Resampling.BICUBIC))
    note = Note(record.note).text
    shown = slots.inputs(Frame(rgb))
    if _size(slots, shown) != (width, height):
        raise EngineError(
            Reason.ENGINE_OUTPUT, f"expected a picture of {width} x {height} to stay as it is; report it"
        )
    with torch.inference_mode():
        logits = slots.read([shown], [[note]], [[None]])
        rows, resized = _embeddings(slots, shown), _embeddings(slots, inputs)
    return Case(frame, rgb, note, slots.reader.shown(shown), rows, resized, logits)


def _size(slots: VlmSlots, inputs: Inputs) -> tuple[int, int]:
    """(width, height) in pixels of what an image processor made."""
    if "image_grid_thw" in inputs:
        _, high, wide = inputs["image_grid_thw"][0].tolist()
        patch = slots.language.config.vision_config.patch_size
        return wide * patch, high * patch
    *_, height, width = inputs["pixel_values"].shape
    return width, height


def _embeddings(slots: VlmSlots, inputs: Inputs) -> Rows:
    """As llama.cpp gives them: Qwen3-VL's features for lower language layers stand behind each row."""
    found: Any = slots.language.model.get_image_features(**inputs)
    parts = [found.pooler_output, *found.get("deepstack_features", ())]
    rows = [part if torch.is_tensor(part) else torch.cat(list(part)) for part in parts]
    together: Rows = torch.cat([r.reshape(-1, r.shape[-1]) for r in rows], dim=1).float().numpy()
    return together


class _Words:
    """A tokenizer as the prompt wants it: the GGUF's own."""

    def __init__(self, engine: Language) -> None:
        self._engine = engine

    def encode(self, text: str) -> list[int]:
        return self._engine.encode(text)


def _ids(slots: VlmSlots, engine: Language, cases: Sequence[Case]) -> Stage:
    """Everything that is written, by the vocabulary in the GGUF. A picture's own tokens are llama.cpp's."""
    chat, words = slots.chat, _Words(engine)
    fault, found = None, []
    try:
        prompt = build_prompt(slots.pack, words, first_tokens(words))
        for ids in (chat.before, chat.turn):
            found.append(_unlike(engine.encode(slots.said(ids), control=True), ids))
        found.append(_unlike(words.encode(TASK), chat.task))
        for name in ("look", "look_at", "slots", "slots_at", "sign_head", "sign_unread", "note_head"):
            found.append(_unlike(getattr(prompt, name), getattr(chat.prompt, name)))
        found.append(float(prompt.answers != chat.prompt.answers))
        for case in cases:
            found.append(_unlike([*prompt.note_head, *words.encode(" " + case.note)], chat.note(case.note)))
    except CannotJudge as e:
        fault = str(e)
    return stage_of(IDS, "ids, places and answers that differ, of one segment", found, 0.0, fault)


def _unlike(ours: Sequence[int], theirs: Sequence[int]) -> float:
    longer = abs(len(ours) - len(theirs))
    return float(longer + sum(a != b for a, b in zip(ours, theirs, strict=False)))


def _seen(engine: Multimodal, stock: Stock, cases: Sequence[Case]) -> Iterator[Stage]:
    bar = MAX_EMBEDS[stock.precision]
    for name, most, pairs in (
        (EMBEDS, bar, [(case.rgb, case.rows) for case in cases]),
        (RESIZED, MAX_RESIZED, [(case.frame, case.resized) for case in cases]),
    ):
        found: list[float] = []
        fault = None
        try:
            for rgb, rows in pairs:
                seen = engine.see(rgb)
                if seen.shape != rows.shape:
                    raise EngineError(
                        Reason.ENGINE_OUTPUT,
                        f"expected {rows.shape} from the eyes, got {seen.shape}; export again",
                    )
                found.append(relative_error(seen, rows))
        except CannotJudge as e:
            fault = str(e)
        yield stage_of(name, f"root mean square over spread, {stock.precision}", found, most, fault)


def _logits(slots: VlmSlots, engine: Language, cases: Sequence[Case]) -> Stage:
    return _read(LOGITS, slots, engine, cases, [case.rows for case in cases])


def _whole(slots: VlmSlots, engine: Multimodal, cases: Sequence[Case]) -> Stage:
    try:
        seen = [engine.see(case.rgb) for case in cases]
    except CannotJudge as e:
        return stage_of(WHOLE, _KL, [], MAX_KL, str(e))
    return _read(WHOLE, slots, engine, cases, seen)


_KL = "KL to torch, mean of the answers"


def _read(name: str, slots: VlmSlots, engine: Language, cases: Sequence[Case], rows: Sequence[Rows]) -> Stage:
    """The language half on the trained ids, with `rows` where the picture stands."""
    found: list[float] = []
    fault = None
    try:
        for case, embeds in zip(cases, rows, strict=True):
            ours = _answers(slots, engine, case, embeds)
            theirs = [v.numpy()[0] for v in (case.logits.cues, case.logits.risks, case.logits.verdict)]
            nats = [np.atleast_1d(divergence(*pair)) for pair in zip(theirs, ours, strict=True)]
            found.append(float(np.concatenate(nats).mean()))
    except CannotJudge as e:
        fault = str(e)
    return stage_of(name, _KL, found, MAX_KL, fault)


def _answers(slots: VlmSlots, engine: Language, case: Case, embeds: Rows) -> tuple[Rows, Rows, Rows]:
    """Cues (C, 2), risks (R, 2), verdict (3,), read in torch's segments."""
    image = slots.language.config.image_token_id
    first = case.ids.index(image)
    after = len(case.ids) - case.ids[::-1].index(image)
    p: Prompt = slots.chat.prompt
    answers = (p.answers.no, p.answers.yes, *p.answers.verdict)
    engine.rewind(0)
    engine.tokens(case.ids[:first])
    if isinstance(engine, Multimodal):
        engine.show(case.rgb.shape[:2], embeds)
    else:
        engine.embeddings(embeds)
    look = case.ids[after:]
    cues = engine.tokens(look, [len(look) - len(p.look) + at for at in p.look_at], answers[:2])
    rest = [*p.sign(), *slots.chat.note(case.note), *slots.chat.turn, *p.slots]
    asked = engine.tokens(rest, [len(rest) - len(p.slots) + at for at in p.slots_at], answers)
    return cues, asked[:-1, :2], asked[-1, 2:]
