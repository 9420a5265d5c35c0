"""Where a stock GGUF and its mmproj differ from the checkpoint in torch, stage by stage.

    words          -> prompt ids         by the GGUF's own vocabulary, and as the box lays them out
    decoded pixels -> image embeddings   by llama.cpp's own eyes, on the picture as the box makes it ready
    decoded pixels -> own resize         the same on the picture as it is: how far llama.cpp resizes otherwise
    embeddings     -> slot logits        the language half on torch's embeddings
    decoded pixels -> whole              the box's scene and reader, eyes and language half together

A stage gets torch's input, so that a fault shows in its own and in none after it; the last has all of them.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from yochi_runtime.bundle import LAYOUT, MMPROJ, PACK, TEXT, Bundle, Kind
from yochi_runtime.errors import CannotJudge, EngineError, Reason, UsageError
from yochi_runtime.image import Frame, read_frame
from yochi_runtime.inspection import Note
from yochi_runtime.language import Language
from yochi_runtime.layout import Layout, read_layout
from yochi_runtime.multimodal import Multimodal
from yochi_runtime.opening import prompt_in, prompt_of
from yochi_runtime.prompt import TASK, Prompt, build_prompt, first_tokens
from yochi_runtime.record import Record
from yochi_runtime.scene import Scene, Stages
from yochi_runtime.taxonomy import Pack, pack_text
from yochi_train.readout import Logits
from yochi_train.vlm.family import Inputs
from yochi_train.vlm.hub import open_vlm
from yochi_train.vlm.slots import VlmSlots

from ..layers import IDS, LOGITS, MAX_KL, RECORDS, Layers, Stage, divergence, stage_of
from ..measure import relative_error
from .folder import Precision, open_stock

EMBEDS, RESIZED, WHOLE = "image embeddings", "own resize", "whole"
# Root mean square over spread. llama.cpp's convolution takes pixels in half precision, whatever the weights.
MAX_EMBEDS = {Precision.F32: 2e-3, Precision.F16: 1e-2}
MAX_RESIZED = (
    0.05  # llama.cpp rounds as Pillow does, 8.5e-4 were seen; another filter moves noise by far more
)
CONTEXT = 2048  # positions: a picture of 256 tokens (576 of LLaVA), slots, a note of at most 512
Rows = NDArray[np.float32]  # (tokens, seen_width)


@dataclass(frozen=True, eq=False)
class Exported:
    """What is compared. `tokens`: least and most of a picture whose size is free.

    `prompt` and `layout` are the box's, None of a language half alone.
    """

    text: Path
    mmproj: Path | None
    precision: Precision
    tokens: tuple[int, int] | None
    prompt: Prompt | None
    layout: Layout | None

    @classmethod
    def of_folder(cls, folder: Path, pack: Pack) -> "Exported":
        """Of `yochi-export gguf`. BundleError where a file was changed, UsageError where one is missing."""
        stock = open_stock(folder)
        text = folder / stock.text
        if stock.mmproj is None:
            return cls(text, None, stock.precision, None, None, None)
        if LAYOUT not in stock.files:
            raise UsageError(f"expected {LAYOUT} in {folder}, found none; run `yochi-export gguf` again")
        mmproj, prompt = folder / stock.mmproj, prompt_in(folder, Kind.STOCK, pack)
        return cls(text, mmproj, stock.precision, stock.picture_tokens, prompt, read_layout(folder))

    @classmethod
    def of_bundle(cls, bundle: Bundle) -> "Exported":
        """One of kind `stock`, opened."""
        path, layout = bundle.path, read_layout(bundle.path)
        precision = Precision.F32 if bundle.manifest.name.endswith(Precision.F32) else Precision.F16
        prompt = prompt_of(bundle)
        return cls(path / TEXT, path / MMPROJ, precision, layout.free_tokens, prompt, layout)


@dataclass(frozen=True, eq=False)
class Case:
    """One record as torch has it; `rows`: the picture's embeddings."""

    frame: Frame
    note: str
    ids: list[int]  # all before the note, with a picture's tokens
    rows: Rows
    logits: Logits


def open_slots(checkpoint: Path, folder: Path) -> VlmSlots:
    """The checkpoint in torch, asked for the slots of the pack in `folder`, or of the factory's."""
    pack = folder / PACK
    return VlmSlots(open_vlm(str(checkpoint)), pack_text(pack if pack.is_file() else None))


def compare_stock(
    slots: VlmSlots, exported: Exported, records: Sequence[Record], photos: Path, threads: int
) -> Layers:
    """`exported` against `slots` on a dozen of `records`."""
    cases = [_case(slots, record, photos) for record in records[:RECORDS]]
    prompt, layout = exported.prompt, exported.layout
    if exported.mmproj is None or prompt is None or layout is None:
        with Language(exported.text, threads=threads, context=CONTEXT) as half:
            return Layers(len(cases), (_ids(slots, half, cases, None), _logits(slots, half, cases)))
    with Multimodal(
        exported.text, exported.mmproj, threads=threads, context=CONTEXT, tokens=exported.tokens
    ) as engine:
        seen = tuple(_seen(engine, layout, exported.precision, cases))
        stages = (
            _ids(slots, engine, cases, prompt),
            *seen,
            _logits(slots, engine, cases),
            _whole(engine, layout, prompt, cases),
        )
    return Layers(len(cases), stages)


def _case(slots: VlmSlots, record: Record, photos: Path) -> Case:
    frame, note = read_frame(photos / record.image), Note(record.note).text
    inputs = slots.inputs(frame)
    with torch.inference_mode():
        logits, rows = slots.read([inputs], [[note]], [[None]]), _embeddings(slots, inputs)
    return Case(frame, note, slots.reader.shown(inputs), rows, logits)


def _size(slots: VlmSlots, inputs: Inputs) -> tuple[int, int]:
    """(height, width) in pixels of what an image processor made."""
    if "image_grid_thw" in inputs:
        _, high, wide = inputs["image_grid_thw"][0].tolist()
        patch = slots.language.config.vision_config.patch_size
        return high * patch, wide * patch
    *_, height, width = inputs["pixel_values"].shape
    return height, width


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


def _ids(slots: VlmSlots, engine: Language, cases: Sequence[Case], box: Prompt | None) -> Stage:
    """Everything that is written, by the vocabulary in the GGUF, and what the `box` feeds for it.

    A picture's own tokens are llama.cpp's.
    """
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
            if box is not None:
                found += _fed(slots, box, case)
    except CannotJudge as e:
        fault = str(e)
    return stage_of(IDS, "ids, places and answers that differ, of one segment", found, 0.0, fault)


def _fed(slots: VlmSlots, box: Prompt, case: Case) -> list[float]:
    """The box's segments, and the places in them that it asks at, against torch's."""
    image, trained, turn = slots.language.config.image_token_id, slots.chat.prompt, slots.chat.turn
    shown = [*box.prefix, *[image] * case.ids.count(image), *box.look]
    read = [*box.sign(), *box.note(case.note), *box.slots]
    wanted = [*trained.sign(), *slots.chat.note(case.note), *turn, *trained.slots]
    look, slots_at = len(box.look) - len(trained.look), len(turn)
    return [
        _unlike(shown, case.ids),
        _unlike(read, wanted),
        _unlike(box.look_at, [look + at for at in trained.look_at]),
        _unlike(box.slots_at, [slots_at + at for at in trained.slots_at]),
        float(box.answers != trained.answers),
    ]


def _unlike(ours: Sequence[int], theirs: Sequence[int]) -> float:
    longer = abs(len(ours) - len(theirs))
    return float(longer + sum(a != b for a, b in zip(ours, theirs, strict=False)))


def _seen(engine: Multimodal, layout: Layout, precision: Precision, cases: Sequence[Case]) -> Iterator[Stage]:
    for name, most, pairs in (
        (EMBEDS, MAX_EMBEDS[precision], [(layout.prepare(case.frame), case.rows) for case in cases]),
        (RESIZED, MAX_RESIZED, [(case.frame.rgb, case.rows) for case in cases]),
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
        yield stage_of(name, f"root mean square over spread, {precision}", found, most, fault)


_KL = "KL to torch, mean of the answers"


def _logits(slots: VlmSlots, engine: Language, cases: Sequence[Case]) -> Stage:
    """The language half on the trained ids, with torch's embeddings where the picture stands."""
    return _diverging(LOGITS, cases, lambda case: _answers(slots, engine, case))


def _whole(engine: Multimodal, layout: Layout, prompt: Prompt, cases: Sequence[Case]) -> Stage:
    """As the box judges."""
    scene = Scene.together(engine, layout, prompt)

    def judged(case: Case) -> tuple[Rows, Rows, Rows]:
        seen = scene.look(case.frame, Stages())
        after = scene.read(prompt.note(case.note), Stages())
        return seen.look, after.risks, after.verdict

    return _diverging(WHOLE, cases, judged)


def _diverging(name: str, cases: Sequence[Case], answers: Callable[[Case], tuple[Rows, Rows, Rows]]) -> Stage:
    """`answers`: cues (C, 2), risks (R, 2), verdict (3,)."""
    found: list[float] = []
    fault = None
    try:
        for case in cases:
            theirs = [v.numpy()[0] for v in (case.logits.cues, case.logits.risks, case.logits.verdict)]
            nats = [np.atleast_1d(divergence(*pair)) for pair in zip(theirs, answers(case), strict=True)]
            found.append(float(np.concatenate(nats).mean()))
    except CannotJudge as e:
        fault = str(e)
    return stage_of(name, _KL, found, MAX_KL, fault)


def _answers(slots: VlmSlots, engine: Language, case: Case) -> tuple[Rows, Rows, Rows]:
    """Read in torch's segments."""
    image = slots.language.config.image_token_id
    first = case.ids.index(image)
    after = len(case.ids) - case.ids[::-1].index(image)
    p: Prompt = slots.chat.prompt
    answers = (p.answers.no, p.answers.yes, *p.answers.verdict)
    engine.rewind(0)
    engine.tokens(case.ids[:first])
    if isinstance(engine, Multimodal):
        ready = slots.inputs(case.frame)
        engine.show(_size(slots, ready), case.rows)
    else:
        engine.embeddings(case.rows)
    look = case.ids[after:]
    cues = engine.tokens(look, [len(look) - len(p.look) + at for at in p.look_at], answers[:2])
    rest = [*p.sign(), *slots.chat.note(case.note), *slots.chat.turn, *p.slots]
    asked = engine.tokens(rest, [len(rest) - len(p.slots) + at for at in p.slots_at], answers)
    return cues, asked[:-1, :2], asked[-1, 2:]
