"""The folder of a finished model, `model/` in its run: what its files are called, and how it comes to be.

adapter/                                 the LoRA, as PEFT writes it
projector.safetensors                    projector and cue heads
encoder.safetensors                      the encoder, where `tune` opened it; else it is the pretrained one
tokenizer.json, glossary.tsv, pack.toml  what its prompt is made of
positives.json                           how much each slot was trained on
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MODEL, ADAPTER, PROJECTOR = "model", "adapter", "projector.safetensors"
ENCODER = "encoder.safetensors"
ADAPTER_WEIGHTS = f"{ADAPTER}/adapter_model.safetensors"


@contextmanager
def new_model(run: Path, like: Path | None = None) -> Iterator[Path]:
    """A folder that becomes `run/model` when the block ends without an error; one that is there is replaced.

    It begins as a copy of the model folder `like`, or empty.
    """
    partial, made = run / f".partial-{MODEL}", run / MODEL
    shutil.rmtree(partial, ignore_errors=True)
    if like is None:
        partial.mkdir(parents=True)
    else:
        shutil.copytree(like, partial)
    yield partial
    shutil.rmtree(made, ignore_errors=True)
    partial.rename(made)
