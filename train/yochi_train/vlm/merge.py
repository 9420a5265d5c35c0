"""A finished run as one ordinary model: the LoRA is added to the weights that it was learned beside."""

import shutil
from pathlib import Path

import torch
from peft import PeftModel
from transformers.utils.hub import cached_file
from yochi_runtime.bundle import PACK
from yochi_runtime.errors import UsageError

from ..model_folder import ADAPTER, ADAPTER_WEIGHTS, MODEL
from ..positives import POSITIVES
from .hub import open_vlm, pinned
from .slots import base_of

# What a processor is made of beside tokenizer and image processor; not every model has all.
PROCESSOR_FILES = (
    "processor_config.json",
    "preprocessor_config.json",
    "video_preprocessor_config.json",
    "chat_template.jinja",
    "chat_template.json",
)


def merge(run: Path, name: str, out: Path) -> Path:
    """A folder of the hub's kind, pack and counts beside it. UsageError where `name` is another model."""
    made = run / MODEL
    if not (made / ADAPTER_WEIGHTS).is_file():
        raise UsageError(f"expected a finished run in {run}, found no {made / ADAPTER_WEIGHTS}")
    if out.exists() and any(out.iterdir()):
        raise UsageError(f"expected {out} to be new or empty, it is not; choose another folder")
    hub = open_vlm(name)
    found, wanted = pinned(name, hub.vlm), base_of(made)
    if found != wanted:
        raise UsageError(f"expected {wanted or 'yochi-nano'}, which {run} was trained on, got {found}")
    with torch.no_grad():
        whole = PeftModel.from_pretrained(hub.vlm, made / ADAPTER).merge_and_unload()
    for part in (whole, hub.tokenizer, hub.pictures):
        part.save_pretrained(out)
    for file in PROCESSOR_FILES:
        found_file = cached_file(name, file, _raise_exceptions_for_missing_entries=False)
        if found_file is not None:
            shutil.copyfile(found_file, out / file)
    for name in (PACK, POSITIVES):
        shutil.copyfile(made / name, out / name)
    return out
