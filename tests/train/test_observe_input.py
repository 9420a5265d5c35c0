"""What a run reads and keeps: pairs, pictures, prices, and the log of answers."""

import base64
import io
from pathlib import Path

import pytest
from PIL import Image
from yochi_runtime.errors import UsageError
from yochi_train.data_url import data_url
from yochi_train.observe.log import LoggedAnswer, open_log
from yochi_train.observe.pairs import read_pairs
from yochi_train.observe.report import read_price
from yochi_train.observe.run import observe

from .observed import TableTeacher, write_pairs


def row(pair: str = "a") -> LoggedAnswer:
    return LoggedAnswer(
        pair=pair,
        ask="note",
        attempt=0,
        text="行\n\u2028",
        model="m",
        prompt_version="1",
        started="",
        seconds=0.5,
        prompt_tokens=None,
        completion_tokens=None,
    )


def test_what_was_added_is_read_again(tmp_path: Path) -> None:
    file = tmp_path / "log"
    for _ in range(2):
        with open_log(file) as log:
            if not log.rows:
                log.add(row())
            assert log.get("a", "note", 0) == row()
            assert log.get("a", "note", 1) is None


def test_two_runs_do_not_write_one_log(tmp_path: Path) -> None:
    with (
        open_log(tmp_path / "log"),
        pytest.raises(UsageError, match="another run writes it"),
        open_log(tmp_path / "log"),
    ):
        pytest.fail("opened twice")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "log:2: expected an answer, got: Invalid JSON.*delete the line"),
        ('{"pair": "b"}', "log:2: expected an answer, got: Field required"),
        (row().model_dump_json(), "log:2: expected each answer once"),
    ],
)
def test_a_line_that_is_no_answer_is_named(line: str, said: str, tmp_path: Path) -> None:
    file = tmp_path / "log"
    file.write_text(f"{row().model_dump_json()}\n{line}\n", encoding="utf-8")
    with pytest.raises(UsageError, match=said), open_log(file):
        pytest.fail("opened")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"{", "pairs.jsonl:2: Invalid JSON"),
        (b"", "pairs.jsonl:2: Invalid JSON"),
        (b'{"id": "b", "image": "a.png"}', "pairs.jsonl:2: note: Field required"),
        (b'{"id": "b", "image": "a.png", "note": " "}', "pairs.jsonl:2: expected a note, got an empty one"),
        (b'{"id": "b", "image": "b.png", "note": "x"}', ":2: expected a picture at .*b.png, found none"),
        (b'{"id": "a", "image": "a.png", "note": "x"}', "pairs.jsonl:2: expected a new id, 'a' came before"),
        ('{"id": "b", "image": "a.png", "note": "é"}'.encode("latin-1"), "pairs.jsonl:2: Invalid JSON"),
        (b'{"id": "b", "image": "a.png", "note": "x", "slots": {"cue:fire": 2}}', ":2: slots.cue:fire: "),
    ],
)  # fmt: skip
def test_a_bad_pair_is_named_before_anything_is_asked(line: bytes, said: str, tmp_path: Path) -> None:
    file = write_pairs(tmp_path, ["a"])
    file.write_bytes(file.read_bytes() + line + b"\n")
    teacher = TableTeacher({})
    with pytest.raises(UsageError, match=said):
        observe(file, tmp_path / "out", teacher)
    assert teacher.asked == []
    assert not (tmp_path / "out").exists()


def test_no_pairs_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"expected pairs .* found none; write them"):
        read_pairs(tmp_path / "none.jsonl", tmp_path)
    (tmp_path / "none.jsonl").touch()
    with pytest.raises(UsageError, match="at least one pair"):
        read_pairs(tmp_path / "none.jsonl", tmp_path)


def test_a_teacher_is_shown_a_picture_that_is_not_too_large(tmp_path: Path) -> None:
    Image.new("RGB", (3000, 1500), (200, 10, 10)).save(tmp_path / "big.png")
    head, _, data = data_url(tmp_path / "big.png", 1024).partition(",")
    assert head == "data:image/jpeg;base64"
    with Image.open(io.BytesIO(base64.b64decode(data))) as shown:
        assert (shown.format, shown.size) == ("JPEG", (1024, 512))


def test_a_broken_picture_is_named(tmp_path: Path) -> None:
    file = write_pairs(tmp_path, ["a"])
    (tmp_path / "a.png").write_bytes(b"no picture")
    with pytest.raises(UsageError, match=r"a\.png: expected a picture"):
        observe(file, tmp_path / "out", TableTeacher({}))


@pytest.mark.parametrize("words", ["", "2.5", "1,2,3", "a,b", "-1,2", "nan,1", "inf,1"])
def test_a_price_is_two_numbers(words: str) -> None:
    with pytest.raises(UsageError, match="expected --price as two numbers"):
        read_price(words)
