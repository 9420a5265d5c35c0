"""Cameras: real files, a real video, and every way in which one of them can fail."""

import io
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from yochi_devices.camera import AddressError
from yochi_devices.cameras import Camera, CameraError, open_camera
from yochi_devices.frame import CameraFrame

SIZE = (64, 48)  # width, height
COLOURS = ((220, 30, 30), (30, 200, 40), (40, 40, 210), (200, 200, 30), (30, 200, 200))
ORIENTATION = 0x0112  # EXIF tag


def picture(colour: tuple[int, int, int], fmt: str = "PNG") -> bytes:
    out = io.BytesIO()
    Image.new("RGB", SIZE, colour).save(out, fmt)
    return out.getvalue()


@pytest.fixture
def video(tmp_path: Path) -> Path:
    """A five-frame Motion-JPEG AVI, one colour a frame."""
    path = tmp_path / "clip01.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 5.0, SIZE)
    assert writer.isOpened()
    for red, green, blue in COLOURS:
        writer.write(np.full((SIZE[1], SIZE[0], 3), (blue, green, red), dtype=np.uint8))
    writer.release()
    return path


def drain(camera: Camera) -> list[CameraFrame | str]:
    """Every frame, and in its place the message of every frame that could not be read."""
    got: list[CameraFrame | str] = []
    while True:
        try:
            got.append(next(camera))
        except CameraError as e:
            got.append(str(e))
        except StopIteration:
            return got


def test_a_video_gives_its_frames_in_rgb_and_in_order(video: Path) -> None:
    before = time.monotonic()
    with open_camera(str(video)) as camera:
        frames = list(camera)
        assert camera.read() is None
    assert [f.sequence for f in frames] == [0, 1, 2, 3, 4]
    assert [f.name for f in frames] == [f"{video}#{i}" for i in range(5)]
    assert before <= frames[0].monotonic <= frames[-1].monotonic <= time.monotonic()
    for frame, colour in zip(frames, COLOURS, strict=True):
        assert frame.rgb.dtype == np.uint8
        assert frame.rgb.shape == (SIZE[1], SIZE[0], 3)
        assert (
            np.abs(frame.rgb.astype(int) - colour).max() <= 12
        )  # JPEG's loss; swapped channels are 170 apart


def test_a_closed_camera_has_no_more_frames(video: Path, tmp_path: Path) -> None:
    (tmp_path / "stills").mkdir()
    (tmp_path / "stills" / "a.png").write_bytes(picture(COLOURS[0]))
    for uri in (video, tmp_path / "stills"):
        camera = open_camera(str(uri))
        camera.close()
        camera.close()
        assert camera.read() is None


def test_a_video_that_ends_too_early_says_so_once(video: Path, tmp_path: Path) -> None:
    data = video.read_bytes()
    cut = tmp_path / "cut.avi"
    third = data.index(b"\xff\xd8", data.index(b"\xff\xd8", data.index(b"\xff\xd8") + 2) + 2)
    cut.write_bytes(data[:third])
    with open_camera(str(cut)) as camera:
        *frames, error = drain(camera)
        assert camera.read() is None
    assert all(isinstance(f, CameraFrame) for f in frames)
    assert len(frames) < len(COLOURS)
    assert isinstance(error, str)
    assert "frames in" in error
    assert "the video is broken" in error


def test_a_folder_is_read_by_name_and_goes_on_after_a_bad_file(tmp_path: Path) -> None:
    (tmp_path / "c.png").write_bytes(picture(COLOURS[2]))
    (tmp_path / "a.jpg").write_bytes(picture(COLOURS[0], "JPEG"))
    (tmp_path / "b.jpg").write_bytes(picture(COLOURS[1], "JPEG")[:-80])
    (tmp_path / "d.txt").write_text("not a picture", encoding="utf-8")
    (tmp_path / "e.png").write_bytes(b"")
    (tmp_path / "f").mkdir()
    with open_camera(str(tmp_path)) as camera:
        a, b, c, *others = drain(camera)
    assert isinstance(a, CameraFrame)
    assert isinstance(c, CameraFrame)
    assert (a.sequence, a.name) == (0, str(tmp_path / "a.jpg"))
    assert (c.sequence, c.name) == (2, str(tmp_path / "c.png"))  # the gap is b.jpg
    assert np.array_equal(c.rgb[0, 0], COLOURS[2])
    for name, message in zip(("b.jpg", "d.txt", "e.png", "f"), (b, *others), strict=True):
        assert isinstance(message, str)
        assert message.startswith("expected ")
        assert str(tmp_path / name) in message
        assert "\n" not in message


def test_pictures_come_upright(tmp_path: Path) -> None:
    """A picture with its upper half red, stored lying on its side (EXIF 6: turn clockwise to see it)."""
    lying = np.zeros((48, 64, 3), dtype=np.uint8)
    lying[:, :32] = 255, 0, 0
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    path = tmp_path / "lying.png"
    Image.fromarray(lying).save(path, exif=exif)
    for uri in (path, tmp_path):  # a single picture is a camera with one frame
        with open_camera(str(uri)) as camera:
            (frame,) = camera
        assert frame.rgb.shape == (64, 48, 3)
        assert frame.rgb[:32, :, 0].min() == 255
        assert frame.rgb[32:].max() == 0


def test_a_file_over_the_limit_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "big.png").write_bytes(picture(COLOURS[0]))
    monkeypatch.setattr("yochi_devices.cameras.MAX_FILE_BYTES", 10)
    with open_camera(str(tmp_path)) as camera, pytest.raises(CameraError, match=r"big\.png"):
        camera.read()


def test_a_picture_that_vanishes_is_an_error_at_its_turn(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(picture(COLOURS[0]))
    with open_camera(str(tmp_path)) as camera:
        (tmp_path / "a.png").unlink()
        with pytest.raises(CameraError, match=r"a\.png"):
            camera.read()
        frame = camera.read()
    assert frame is not None
    assert frame.sequence == 1


def test_what_cannot_be_opened(tmp_path: Path) -> None:
    broken = tmp_path / "broken.avi"
    broken.write_bytes(b"RIFF\x00\x00\x00\x00AVI no video at all")
    empty = tmp_path / "empty"
    empty.mkdir()
    missing = tmp_path / "nowhere.avi"
    for uri, word in (
        (str(broken), "broken.avi"),
        (str(empty), "empty folder"),
        (str(missing), "nowhere.avi"),
        ("x" * 300, "xxx"),
        ("", "expected a camera index"),
    ):
        with pytest.raises(CameraError, match=word) as raised:
            open_camera(uri)
        assert "\n" not in str(raised.value)


@pytest.mark.parametrize("uri", ["rtsp://", "rtsp://:554/live", "rtsp://yard:port/live", "rtsp://yard/a b"])
def test_an_address_that_is_none(uri: str) -> None:
    with pytest.raises(AddressError, match=r"expected rtsp://HOST\[:PORT\]/PATH, got another address"):
        open_camera(uri)


def test_a_scheme_that_nobody_knows() -> None:
    with pytest.raises(AddressError, match=r"a known kind \(rtsp://\), got another; check it"):
        open_camera("rtps://yard/live")


def test_a_camera_that_is_not_there_may_still_come() -> None:
    with open_camera("97") as camera:
        for _ in range(2):
            with pytest.raises(CameraError, match="index 97, could not open it; check the cable"):
                camera.read()
    assert camera.read() is None
