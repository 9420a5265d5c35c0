"""A taxonomy pack as a folder: its factors, and the words that teach them.

    pack.toml                  categories, cues, combinations, advice: yochi_runtime/taxonomy.py
    phrases.<lang>.txt         notes to train on: grammar.py
    validation.<lang>.txt      notes by other authors, for thresholds: grammar.py
    test_notes.<lang>.jsonl    notes by yet others, for `evaluate`: testset.py

`None` stands for the factory pack, whose factors ship with the box and whose words lie in `data/`.
"""

from importlib import resources
from pathlib import Path

from yochi_runtime.bundle import PACK
from yochi_runtime.errors import UsageError
from yochi_runtime.taxonomy import Pack, load_pack


def factors_file(folder: Path | None) -> Path | None:
    """`pack.toml` of a pack's folder, for what asks the runtime for a pack; None for the factory pack."""
    if folder is None:
        return None
    if not (folder / PACK).is_file():
        raise UsageError(f"expected the folder of a pack, with {PACK}, got {folder}; see train/packs")
    return folder / PACK


def load_factors(folder: Path | None) -> Pack:
    """The pack of a folder; UsageError names the first thing that is wrong."""
    return load_pack(factors_file(folder))


def words(folder: Path | None, name: str) -> str:
    """The text of one of a pack's files, such as phrases.en.txt; UsageError where there is none."""
    if folder is None:
        return (resources.files("yochi_train") / "data" / name).read_text(encoding="utf-8")
    try:
        return (folder / name).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as e:
        raise UsageError(f"expected {name} (UTF-8) in the pack's folder {folder}, got: {e}") from e
