"""What a checkpoint is and what can be made of it, said before the long work and not after it."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from yochi_runtime.errors import UsageError

from .families import MODEL_TYPES, TABLE, Cell, Family, Form
from .stock.traps import trap

MODEL, CONFIG, ADAPTER = "model", "config.json", "adapter_config.json"
_WEIGHTS = ("*.safetensors", "*.bin")


@dataclass(frozen=True)
class Examined:
    """`facts` by name, in the order to be shown; `lacks` are files without which nothing is made.

    `traps`: forms that the family may become and this checkpoint may not, and why.
    """

    path: Path
    family: Family
    facts: dict[str, str]
    lacks: tuple[str, ...]
    traps: dict[Form, str] = field(default_factory=dict)

    def cell(self, form: Form) -> Cell:
        """The family's, or why this checkpoint has another."""
        return Cell(self.traps[form]) if form in self.traps else TABLE[self.family][form]


def examine(path: Path, llama_cpp: Path | None = None) -> Examined:
    """UsageError where `path` is no checkpoint, or one of a family that nobody here can export.

    `llama_cpp`: the checkout that a GGUF would be converted with.
    """
    if not path.is_dir():
        raise UsageError(
            f"expected the folder of a checkpoint at {path}, found none; give a run of `yochi-train sft` or "
            "a folder in Hugging Face's form"
        )
    return _run(path) if (path / MODEL).is_dir() else _hub(path, llama_cpp)


def require(path: Path, form: Form | None, llama_cpp: Path | None = None) -> None:
    """UsageError, with the reason, where `form` cannot be made of `path`; where any form will do, of none."""
    found = examine(path, llama_cpp)
    if found.lacks:
        raise UsageError(
            f"expected a whole checkpoint in {path}, it lacks {', '.join(found.lacks)}; finish it"
        )
    asked = [form] if form else list(Form)
    cells = {each: found.cell(each) for each in asked}
    if not any(cell.made_by for cell in cells.values()):
        reasons = "; ".join(f"{each}: {cell.why}" for each, cell in cells.items())
        raise UsageError(f"expected a checkpoint that can be exported so, got {found.family} ({reasons})")


def render(found: Examined) -> str:
    """Facts, then a row for every form."""
    facts = {"checkpoint": str(found.path), "family": str(found.family), **found.facts}
    facts["complete"] = f"no, it lacks {', '.join(found.lacks)}" if found.lacks else "yes"
    lines = [f"{name + ':':<12} {value}" for name, value in facts.items()]
    for form in Form:
        cell = found.cell(form)
        lines.append(f"{form:<16} {'yes' if cell.made_by else 'no':<4} {_said(cell)}")
    return "\n".join(lines)


def _said(cell: Cell) -> str:
    return f"{cell.made_by} ({cell.why})" if cell.made_by else cell.why


def _run(path: Path) -> Examined:
    """A run folder of `yochi-train sft`."""
    from yochi_train.vlm.slots import base_of

    from .trained import RunFolder

    base = base_of(path / MODEL)
    if base is not None:
        raise UsageError(
            f"expected a run of yochi-nano or a whole model, got a LoRA on {base} in {path}; put it into the "
            "model's weights first: yochi-train merge"
        )
    run = RunFolder(path)
    config = _json(run.adapter / ADAPTER)
    facts = {
        "LoRA": f"rank {config.get('r')} on {', '.join(sorted(config.get('target_modules') or ()))}",
        "slots": f"{sum(count > 0 for count in run.positives().values())} with positive training examples",
    }
    lacks = [] if (run.adapter / "adapter_model.safetensors").is_file() else ["the adapter's weights"]
    return Examined(path, Family.NANO, facts, tuple(lacks))


def _hub(path: Path, llama_cpp: Path | None) -> Examined:
    """A folder in Hugging Face's form."""
    if not (path / CONFIG).is_file():
        what = (
            "an adapter alone; give the run it belongs to" if (path / ADAPTER).is_file() else "no config.json"
        )
        raise UsageError(
            f"expected a checkpoint in {path}, got {what}; give the run of `yochi-train sft` or a whole model"
        )
    config = _json(path / CONFIG)
    kind = config.get("model_type")
    family = MODEL_TYPES.get(str(kind))
    if family is None:
        raise UsageError(
            f"expected a model of {', '.join(Family)}, got model_type {kind!r} in {path / CONFIG}; "
            "no form is known for it"
        )
    text = config.get("text_config") or config
    sizes = [f"{text[key]} {name}" for key, name in _SIZES.items() if key in text]
    facts = {"model_type": str(kind), "language": ", ".join(sizes) or "not said"}
    lacks = tuple(_lacking(path))
    why = trap(config) or (None if lacks else _foreign_tokenizer(path, family, llama_cpp))
    return Examined(path, family, facts, lacks, {Form.GGUF: why} if why else {})


def _foreign_tokenizer(path: Path, family: Family, llama_cpp: Path | None) -> str | None:
    """Asked only where upstream's converter is here already: it is not brought for a question."""
    from transformers import AutoTokenizer

    from .stock.converter import UNKNOWN_TOKENIZER, find_converter, knows_tokenizer

    if TABLE[family][Form.GGUF].made_by is None:
        return None
    converter = find_converter(llama_cpp)
    if converter is None or knows_tokenizer(converter, AutoTokenizer.from_pretrained(path)):
        return None
    return f"its tokenizer is {UNKNOWN_TOKENIZER}"


_SIZES = {"num_hidden_layers": "layers", "hidden_size": "wide", "vocab_size": "tokens"}


def _lacking(path: Path) -> list[str]:
    lacks = []
    index = path / "model.safetensors.index.json"
    if index.is_file():
        shards = sorted(set(_json(index).get("weight_map", {}).values()))
        lacks += [str(shard) for shard in shards if not (path / str(shard)).is_file()]
    elif not any(found for pattern in _WEIGHTS for found in path.glob(pattern)):
        lacks.append("weights (*.safetensors)")
    if not (path / "tokenizer.json").is_file():
        lacks.append("tokenizer.json")
    return lacks


def _json(file: Path) -> dict[str, Any]:
    try:
        value = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as e:
        raise UsageError(f"expected JSON in {file}, got: {e}; get the checkpoint again") from e
    if not isinstance(value, dict):
        raise UsageError(f"expected a JSON object in {file}, got {type(value).__name__}; get it again")
    return value
