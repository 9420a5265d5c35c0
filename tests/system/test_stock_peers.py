"""`yochi-bench peers` on a stock bundle, beside a real llama-server."""

from pathlib import Path

import numpy as np
from PIL import Image
from yochi_bench.cli import command
from yochi_bench.report import read_report

from tests.fixtures.tiny_stock_bundle import make_stock_bundle


def test_new_frames_and_new_notes_in_turn(tmp_path: Path) -> None:
    made = make_stock_bundle(tmp_path / "stock", tiles=True)
    rgb = np.random.default_rng(0).integers(0, 256, (96, 128, 3), dtype=np.uint8)
    Image.fromarray(rgb).save(tmp_path / "0.png")
    words = ["peers", str(tmp_path / "out"), "--bundle", str(made.bundle), "--image", str(tmp_path / "0.png")]
    words += ["--note", "Sweep.", "--note", "Guide him in.", "--threads", "1"]
    assert command([*words, "--count", "11", "--warmup", "1"]) == 0
    report = read_report(tmp_path / "out" / "report.json")
    for table in ("new_frame", "new_note"):
        rows = {row.id: row.cells for row in report.table(table).rows}
        assert list(rows) == ["yochi", "server-json", "server-token"]
        assert rows["server-token"]["tokens written"].value == 1
        assert (rows["server-json"]["tokens written"].value or 0) > 10
        assert (rows["server-json"]["times yochi"].value or 0) > 0
    assert "is forced to" in report.notes[0]
