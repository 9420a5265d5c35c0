"""A folder of `yochi-export gguf` becomes a bundle that the box judges with, not proved yet."""

from pathlib import Path

from yochi_runtime.bundle import GLOSSARY, LAYOUT, PACK, TOKENIZER
from yochi_runtime.errors import UsageError
from yochi_runtime.taxonomy import pack_text, parse_pack
from yochi_train.calibrate import draft
from yochi_train.positives import POSITIVES, read_positives

from ..pack import StockParts
from .folder import open_stock


def parts_of_stock(folder: Path, version: str) -> StockParts:
    """Uncalibrated. UsageError for a folder that lacks eyes, slots, or what an older `gguf` left out."""
    stock = open_stock(folder)
    if stock.mmproj is None:
        raise UsageError(f"expected a model that llama.cpp sees with, got one without: {stock.blind}")
    for name in (LAYOUT, TOKENIZER, GLOSSARY):
        if name not in stock.files:
            raise UsageError(f"expected {name} in {folder}, found none; run `yochi-export gguf` on it again")
    for name in (PACK, POSITIVES):
        if name not in stock.files:
            raise UsageError(
                f"expected a model that was trained on slots, {folder} has no {name}; make the checkpoint by "
                "`yochi-train merge`, then its GGUF"
            )
    return StockParts(
        name=f"{stock.model_type}-gguf-{stock.precision}",
        text=folder / stock.text,
        mmproj=folder / stock.mmproj,
        layout=folder / LAYOUT,
        tokenizer=folder / TOKENIZER,
        glossary=folder / GLOSSARY,
        pack=folder / PACK,
        positives=read_positives(folder),
        calibration=draft(parse_pack(pack_text(folder / PACK))),
        version=version,
    )
