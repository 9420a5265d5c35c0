"""Upstream's own converter on tiny models of every family: what it writes is the checkpoint, stage by stage.

It needs the converter, which pip brings (77 MB, the first time), and the base language model (`yochi bundle
base`), whose tokenizer is one that upstream knows.
"""

from pathlib import Path

import pytest
from tokenizers import Tokenizer
from yochi_export.layers import IDS, LOGITS
from yochi_export.stock.converter import bring_converter
from yochi_export.stock.folder import Precision, make_stock
from yochi_export.stock.parity import EMBEDS, RESIZED, WHOLE, Exported, compare_stock, open_slots
from yochi_runtime.base import NANO_BASE, find_base
from yochi_train.base_model import base_tokenizer, read_base
from yochi_train.records import read_records
from yochi_train.vlm.families import FAMILIES

from tests.fixtures.tiny_vlms import write_family
from tests.train.vlm_data import write_vlm_data


@pytest.fixture(scope="module")
def bpe(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    bring_converter()
    folder = tmp_path_factory.mktemp("words")
    base_tokenizer(read_base(find_base(NANO_BASE))).save(folder)
    return Tokenizer.from_file(str(folder / "tokenizer.json"))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_vlm_data(tmp_path_factory.mktemp("stock") / "data")


@pytest.mark.parametrize("precision", Precision)
@pytest.mark.parametrize("kind", sorted(FAMILIES))
def test_what_upstream_writes_is_the_checkpoint(
    kind: str, precision: Precision, bpe: Tokenizer, data: Path, tmp_path: Path
) -> None:
    model, out = write_family(kind, tmp_path / kind, bpe, deep=True), tmp_path / "out"
    made = make_stock(model, out, precision, None, lambda _: None)
    records = read_records(data / "records" / "val.jsonl")
    slots = open_slots(model, out)
    exported = Exported.of_folder(out, slots.pack)
    found = compare_stock(slots, exported, [*records[:4], *records[8:12]], data / "photos", threads=1)
    assert (found.address, found.passed) == (None, True)
    blind = [IDS, LOGITS]
    assert [s.name for s in found.stages] == ([IDS, EMBEDS, RESIZED, LOGITS, WHOLE] if made.mmproj else blind)
    assert (made.mmproj is None) == (kind == "llava")
    worst = {stage.name: stage.worst for stage in found.stages}
    assert worst[LOGITS] < {Precision.F16: 1e-5, Precision.F32: 1e-7}[precision]
