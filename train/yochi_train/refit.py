"""A finished run whose cue heads are fitted anew: to other pictures, and to a pack that has gained cues.

What reads a cue's scores stays: a cue keeps the vector that the language model learned to read, a new one
starts as its word, as in a first training. Only the heads, which turn pictures into scores, begin again.
"""

import shutil
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from yochi_runtime.bundle import PACK
from yochi_runtime.errors import UsageError
from yochi_runtime.taxonomy import Pack, pack_text, parse_pack

from .align import align, speak_words
from .features import encode_folder
from .model_folder import MODEL, PROJECTOR, new_model
from .nano import YochiNanoForConditionalGeneration, YochiNanoProcessor
from .nano.vision import CueProjector
from .pictures import read_photos, read_pictures

BY_CUE = ("cell_words", "picture_words")  # (cues, H)


def refit(
    model: YochiNanoForConditionalGeneration,
    processor: YochiNanoProcessor,
    run: Path,
    records: Path,
    photos: Path,
    features: Path,
    out: Path,
    seed: int,
) -> Path:
    """Write `out/model`: `run`'s weights, the pack of `records` and heads fitted to their training pictures.

    `model` is an untrained one of that pack; its projector is overwritten. Written beside and moved into
    place. UsageError where `run` is not finished, or its pack is not the one of `records` with fewer cues.
    """
    before = run / MODEL
    if not (before / PROJECTOR).is_file():
        raise UsageError(f"expected a finished run in {run}, found no {before / PROJECTOR}")
    old, new = parse_pack(pack_text(before / PACK), str(before / PACK)), processor.pack
    _check(old, new, run)
    projector = model.vision.projector
    speak_words(projector, model.language.model.embed_tokens.weight, new, processor.text_tokenizer)
    _carry_over(projector, load_file(before / PROJECTOR), old, new)
    pictures = [p for p in read_pictures(records / "pictures.jsonl") if p.split == "train"]
    encoded = encode_folder(photos, [p.image for p in read_photos(photos)], features, before)
    align(projector, encoded, pictures, new, seed)
    with new_model(out, before) as model_folder:
        save_file(projector.state_dict(), model_folder / PROJECTOR, metadata={"format": "pt"})
        shutil.copyfile(records / PACK, model_folder / PACK)
    return out / MODEL


def _check(old: Pack, new: Pack, run: Path) -> None:
    lost = {c.id for c in old.cue} - {c.id for c in new.cue}
    before, now = ([s.id for s in pack.risk_slots] for pack in (old, new))
    if old.id != new.id or lost or before != now:
        said = f"the pack {new.id}, " + (f"without the cue {min(lost)}" if lost else "with other risks")
        raise UsageError(
            f"expected records of the pack {old.id} of {run} or of one with more cues, got {said}; "
            "make the records anew"
        )


def _carry_over(projector: CueProjector, state: dict[str, torch.Tensor], old: Pack, new: Pack) -> None:
    """Everything but the heads; of what there is a row a cue, the rows of the old pack's cues."""
    index = {cue.id: i for i, cue in enumerate(new.cue)}
    places = [index[cue.id] for cue in old.cue]
    with torch.no_grad():
        for name in BY_CUE:
            getattr(projector, name)[places] = state[name]
        for module in ("norm", "fc1", "fc2"):
            part = {n.partition(".")[2]: v for n, v in state.items() if n.startswith(f"{module}.")}
            getattr(projector, module).load_state_dict(part)
