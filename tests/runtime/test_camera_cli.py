"""`yochi camera`, and `yochi watch` on a network camera: what is wrong is told, and no password."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from yochi_devices.login import LOGIN
from yochi_devices.uvc import UvcCamera, list_uvc
from yochi_runtime.errors import Reason

from tests.fixtures.rtsp_server import RtspServer, State

from .conftest import PLAIN_NOTE, Yochi, noise, the_judgement

SECRET = "swordfish"


def edges(number: int) -> Image.Image:
    """What every gate lets pass: hard edges, and noise that is another one in each frame."""
    pixels = np.random.default_rng(number).integers(0, 30, (96, 128, 3), dtype=np.uint8)
    pixels[::16] += 200
    pixels[:, ::16] += 20
    return Image.fromarray(pixels)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[RtspServer]:
    monkeypatch.setenv(LOGIN, f"admin:{SECRET}")
    with RtspServer(state=State(draw=edges, login=("admin", SECRET))) as running:
        yield running


def test_a_camera_that_works(yochi: Yochi, server: RtspServer, tmp_path: Path) -> None:
    code, out, err = yochi("camera", "test", server.uri, "--seconds", 0.5)
    assert (code, err) == (0, "")
    assert "size:     128 x 96 pixels" in out
    assert "the camera gives" in out
    assert out.endswith("every gate of a single frame passes\n")
    assert SECRET not in out
    kept = tmp_path / "view.png"
    code, out, _ = yochi("camera", "preview", server.uri, "--out", kept)
    assert code == 0
    with Image.open(kept) as picture:
        assert picture.size == (128, 96)


def test_what_is_wrong_ends_with_3_and_a_line(yochi: Yochi, server: RtspServer) -> None:
    def refused(uri: str, words: str) -> None:
        code, out, err = yochi("camera", "test", uri)
        assert (code, out, len(err.splitlines())) == (3, "", 1)
        assert words in err
        assert SECRET not in err

    refused(server.uri.replace("live", "other"), "the camera has no such stream (404)")
    server.state.login = ("admin", "another")
    refused(server.uri, "wrong user or password")
    server.cut()
    refused(server.uri, "refused: nothing listens there")


def test_a_frame_that_a_gate_refuses_is_told(yochi: Yochi, tmp_path: Path) -> None:
    Image.new("RGB", (64, 48), (90, 90, 90)).save(tmp_path / "gray.png")
    code, out, err = yochi("camera", "test", tmp_path)
    assert code == 3
    assert "size:     64 x 48 pixels" in out
    assert "uncover the camera" in err
    assert Reason.FRAME_BLANK in err


def test_passwords_on_the_command_line_are_wrong_usage(yochi: Yochi) -> None:
    for command in (("camera", "test"), ("watch", "--note", PLAIN_NOTE)):
        for scheme in ("rtsp", "rtps"):
            code, out, err = yochi(*command, f"{scheme}://admin:{SECRET}@127.0.0.1/live")
            assert (code, out) == (2, "")
            assert LOGIN in err
            assert SECRET not in err


def test_preview_s_own_mistakes(yochi: Yochi, tmp_path: Path) -> None:
    Image.fromarray(noise().rgb).save(tmp_path / "a.png")
    assert yochi("camera", "preview", tmp_path, "--out", tmp_path / "view.txt")[0] == 2
    assert yochi("camera", "preview", tmp_path, "--out", tmp_path / "no" / "view.png")[0] == 2


def test_watch_goes_on_when_the_camera_is_cut_and_names_it(
    yochi: Yochi, server: RtspServer, tmp_path: Path
) -> None:
    log = tmp_path / "audit.db"
    code, out, _ = yochi("watch", server.uri, "--note", PLAIN_NOTE, "--count", 1, "--audit", log)
    assert the_judgement(out).reasons == ()
    server.cut()
    code, out, _ = yochi("watch", server.uri, "--note", PLAIN_NOTE, "--count", 2, "--audit", log)
    assert code == 3
    for line in out.splitlines():
        judgement = the_judgement(line)
        assert judgement.reasons == (Reason.FRAME_UNREADABLE,)
        assert judgement.message is not None
        assert "refused: nothing listens there" in judgement.message
    assert SECRET.encode() not in log.read_bytes()


def test_usb_cameras_are_listed_by_the_kernel_s_names(tmp_path: Path) -> None:
    for number, index, name in ((10, "0", "Dock Camera"), (2, "0", "HD Webcam"), (3, "1", "HD Webcam")):
        node = tmp_path / f"sys/class/video4linux/video{number}"
        node.mkdir(parents=True)
        (node / "index").write_text(index + "\n")
        (node / "name").write_text(name + "\n")
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev/video2").touch()
    assert list_uvc(tmp_path) == [UvcCamera(2, "HD Webcam", True), UvcCamera(10, "Dock Camera", False)]
    assert list_uvc(tmp_path / "nothing") == []


def test_list_says_when_there_is_none(yochi: Yochi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("yochi_devices.uvc.list_uvc", lambda: [UvcCamera(0, "HD Webcam", False)])
    assert yochi("camera", "list")[1].startswith("0  HD Webcam (no rights: add the user to the group video")
    monkeypatch.setattr("yochi_devices.uvc.list_uvc", list)
    assert yochi("camera", "list")[1] == "no camera on USB; check the cable, or give rtsp://HOST/PATH\n"
