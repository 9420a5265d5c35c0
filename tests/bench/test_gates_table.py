"""The gates' table: a photo's fate in each case, and the command around it."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from yochi_bench import cli
from yochi_bench.faults import cases, covered, lit, passing, shifted, window
from yochi_bench.gates import HEAD, line, refusal
from yochi_devices.frame import Rgb
from yochi_devices.measure import Measures
from yochi_runtime.errors import Reason


def photo() -> Rgb:
    """Sharp blocks of random gray."""
    blocks = np.random.default_rng(3).integers(20, 236, (24, 32))
    return np.repeat(np.kron(blocks, np.ones((10, 10))).astype(np.uint8)[:, :, None], 3, axis=2)


FATES = {
    "as it is": "",
    "somebody before 30 %, reference": "",
    "blur 3": Reason.FRAME_BLURRED,
    "light x 0.002": Reason.FRAME_BLANK,
    "covered 60%": "",  # one frame cannot tell it from a plain wall
    "covered 60%, reference": Reason.FRAME_COVERED,
    "covered 100%": Reason.FRAME_COVERED,
    "moved 10%, reference": Reason.FRAME_MOVED,
}


@pytest.mark.parametrize("name", FATES)
def test_the_fate_of_a_structured_photo(name: str) -> None:
    (case,) = (case for case in cases() if case.name == name)
    assert refusal(case, photo(), np.random.default_rng(0)) == FATES[name]


def test_a_plain_photo_is_no_reference() -> None:
    plain = np.full((120, 160, 3), 90, dtype=np.uint8)
    (case,) = (case for case in cases() if case.name == "moved 5%, reference")
    assert refusal(case, plain, np.random.default_rng(0)) == "no reference"


def test_faults_by_hand() -> None:
    rng = np.random.default_rng(0)
    assert lit(np.full((2, 2, 3), 100, np.uint8), 2.2**0)[0, 0, 0] == 100
    assert lit(np.full((2, 2, 3), 200, np.uint8), 8.0).min() == 255
    assert Measures(covered(photo(), 0.6, rng)).covered == pytest.approx(0.6, abs=0.12)
    assert (passing(photo(), 0.25, rng) != photo()).any(axis=2).mean() == pytest.approx(0.25, abs=0.02)
    view = window(shifted(photo(), 0.1))  # 22 of 224 pixels
    assert np.array_equal(view[:, :-22], window(photo())[:, 22:])


def test_a_line_names_reasons_and_no_share_of_nothing() -> None:
    row = {"case": "blur 2", "faulty": True, "photos": 8, "refused": 2, "reasons": {"frame_blurred": 2}}
    assert line(row).split() == ["blur", "2", "refused", "8", "25.0%", "frame_blurred", "2"]
    none = line({**row, "photos": 0, "refused": 0, "reasons": {}})
    assert none.split() == ["blur", "2", "refused", "0", "-"]


def test_the_command_prints_a_table_and_one_json_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    few = [case for case in cases() if case.name in ("as it is", "light x 0.002")]
    monkeypatch.setattr("yochi_bench.gates.cases", lambda: few)
    (tmp_path / "deep").mkdir()
    for name in ("a.png", "deep/b.png"):
        Image.fromarray(photo()).save(tmp_path / name)
    (tmp_path / "labels.jsonl").write_text("{}")
    assert cli.command(["gates", str(tmp_path), "--count", "5"]) == 0
    out, err = capsys.readouterr()
    head, fine, dark, text = out.splitlines()
    assert (err, head) == ("", HEAD)
    assert fine.split()[-2:] == ["2", "0.0%"]
    assert dark.split()[-2:] == [str(Reason.FRAME_BLANK), "2"]
    assert [row["refused"] for row in json.loads(text)["rows"]] == [0, 2]


@pytest.mark.parametrize("name", ["none", ""])
def test_a_folder_without_photos_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    assert cli.command(["gates", str(tmp_path / name)]) == 2
    out, err = capsys.readouterr()
    assert (out, len(err.splitlines())) == ("", 1)
