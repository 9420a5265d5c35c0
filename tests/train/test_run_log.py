"""TensorBoard's files, read back as records of the format that TensorBoard reads; and a disk that is full."""

import errno
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
from tensorboardX.crc32c import crc32c
from tensorboardX.proto.event_pb2 import Event
from yochi_runtime.errors import UsageError
from yochi_train.run_folder import room_on_disk, save_checkpoint
from yochi_train.run_log import RunLog


def events(file: Path) -> Iterator[Event]:
    """TFRecord: length (u64), its masked CRC-32C, the data, its masked CRC-32C."""
    data = file.read_bytes()
    while data:
        (length,) = struct.unpack("<Q", data[:8])
        for part, stored in (
            (data[:8], data[8:12]),
            (data[12 : 12 + length], data[12 + length : 16 + length]),
        ):
            crc = crc32c(part)
            assert struct.unpack("<I", stored)[0] == ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF
        yield Event.FromString(data[12 : 12 + length])
        data = data[16 + length :]


def scalars(folder: Path) -> dict[str, list[tuple[int, float]]]:
    found: dict[str, list[tuple[int, float]]] = {}
    for file in sorted(folder.iterdir(), key=lambda path: int(path.suffix[1:])):
        for event in events(file):
            for value in event.summary.value:
                found.setdefault(value.tag, []).append((event.step, value.simple_value))
    return found


def test_every_number_of_a_line_is_a_scalar_at_its_step(tmp_path: Path) -> None:
    with RunLog(tmp_path, 0) as log:
        log.add({"round": 1, "step": 1, "loss": 0.5, "reward": None})
        log.add({"round": 1, "step": 2, "loss": 0.25, "reward": 1.0})
        log.scalars({"round/miss": 0.125}, 2)
    assert scalars(tmp_path / "tensorboard") == {
        "loss": [(1, 0.5), (2, 0.25)],
        "reward": [(2, 1.0)],
        "round/miss": [(2, 0.125)],
    }
    [file] = (tmp_path / "tensorboard").iterdir()
    assert next(events(file)).file_version == "brain.Event:2"
    assert len((tmp_path / "log.jsonl").read_text("utf-8").splitlines()) == 2


def test_a_run_that_goes_on_tells_tensorboard_what_to_forget(tmp_path: Path) -> None:
    for done in (0, 3):
        with RunLog(tmp_path, done) as log:
            log.add({"step": done + 1, "loss": 1.0})
    assert [step for step, _ in scalars(tmp_path / "tensorboard")["loss"]] == [1, 4]
    last = max((tmp_path / "tensorboard").iterdir(), key=lambda path: int(path.suffix[1:]))
    assert [event.step for event in events(last) if event.HasField("session_log")] == [4]


def test_a_checkpoint_that_does_not_fit_leaves_the_last_one(tmp_path: Path) -> None:
    save_checkpoint({"step": 1}, tmp_path)
    whole = (tmp_path / "checkpoint.pt").read_bytes()
    (tmp_path / "checkpoint.partial").symlink_to("/dev/full")
    with (
        pytest.raises(UsageError, match=r"expected room on the disk .*: it goes on from"),
        room_on_disk(tmp_path),
    ):
        save_checkpoint({"step": 2}, tmp_path)
    assert (tmp_path / "checkpoint.pt").read_bytes() == whole
    assert not (tmp_path / "checkpoint.partial").is_symlink()


@pytest.mark.parametrize(
    "error",
    [OSError(errno.EACCES, "no"), ValueError("expected"), UsageError("a loss that is no number")],
)
def test_other_faults_stay_what_they_are(tmp_path: Path, error: Exception) -> None:
    with pytest.raises(type(error)) as caught, room_on_disk(tmp_path):
        raise error
    assert caught.value is error
