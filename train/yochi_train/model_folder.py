"""The folder of a finished model, `model/` in its run: what its files are called, and how it comes to be.

adapter/                                 the LoRA, as PEFT writes it
projector.safetensors                    projector and cue heads
encoder.safetensors                      the encoder, where `tune` opened it; else it is the pretrained one
tokenizer.json, glossary.tsv, pack.toml  what its prompt is made of
positives.json                           how much each slot was trained on
explains.json                            that the LoRA learned to explain: in which form, in how many tokens
explain/                                 a second LoRA, where one learned to explain and nothing else
"""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from yochi_runtime.errors import UsageError
from yochi_runtime.explanation import FORM

MODEL, ADAPTER, PROJECTOR = "model", "adapter", "projector.safetensors"
ENCODER = "encoder.safetensors"
ADAPTER_WEIGHTS = f"{ADAPTER}/adapter_model.safetensors"
EXPLAIN = "explain"
EXPLAINS = "explains.json"


@contextmanager
def new_model(run: Path, like: Path | None = None) -> Iterator[Path]:
    """A folder that becomes `run/model` when the block ends without an error; one that is there is replaced.

    It begins as a copy of the model folder `like`, or empty. Explanations by a LoRA of their own are of the
    weights that they were taught on, and not copied.
    """
    partial, made = run / f".partial-{MODEL}", run / MODEL
    shutil.rmtree(partial, ignore_errors=True)
    if like is None:
        partial.mkdir(parents=True)
    else:
        shutil.copytree(like, partial, ignore=shutil.ignore_patterns(EXPLAIN))
    yield partial
    shutil.rmtree(made, ignore_errors=True)
    partial.rename(made)


def write_explains(model: Path, tokens: int) -> None:
    """`tokens`: of an explanation, at most."""
    (model / EXPLAINS).write_text(json.dumps({"form": FORM, "tokens": tokens}) + "\n", encoding="utf-8")


def explains(model: Path) -> bool:
    """Whether the LoRA of its slots learned to. UsageError where it learned another form than ours."""
    file = model / EXPLAINS
    if not file.is_file():
        return False
    form = json.loads(file.read_text(encoding="utf-8"))["form"]
    if form != FORM:
        raise UsageError(f"expected explanations of the form {FORM}, got {form} in {file}; train it anew")
    return True
