"""The gates: blank and old frames never reach an engine."""

import time
from pathlib import Path

import numpy as np
import pytest
from yochi_devices.cameras import Camera
from yochi_devices.frame import CameraFrame
from yochi_runtime.engine_clients import VisionClient
from yochi_runtime.errors import FrameError, Reason
from yochi_runtime.gates import check_content
from yochi_runtime.image import Frame, read_frame
from yochi_runtime.inspection import Inspection, Note
from yochi_runtime.judge import Judge
from yochi_runtime.judgement import CALL_SUPERVISOR
from yochi_runtime.limits import STALE, check
from yochi_runtime.run import judge_frames
from yochi_runtime.verdict import Verdict

from .conftest import PLAIN_NOTE, noise

SAMPLE = Path(__file__).resolve().parents[2] / "docs" / "sample" / "frame.jpg"


def around(level: float, deviation: float) -> Frame:
    """Gray noise with a seed, clipped to 0..255."""
    drawn = np.random.default_rng(0).normal(level, deviation, (120, 160, 1))
    return Frame(np.repeat(np.clip(drawn.round(), 0, 255).astype(np.uint8), 3, axis=2))


BLANK = {
    "black": around(0, 0),
    "white": around(255, 0),
    "gray": around(127, 0),
    "covered": around(90, 3),
    "dark": around(8, 7),
    "dazzled": around(250, 7),
    "one colour": Frame(np.full((64, 64, 3), (0, 0, 255), dtype=np.uint8)),
}
SHOWN = {"low contrast": around(127, 6), "night": around(10, 30), "noise": noise(), "snow": around(245, 30)}


@pytest.mark.parametrize("name", BLANK)
def test_a_blank_frame_is_refused(name: str) -> None:
    with pytest.raises(FrameError, match=r"^expected .*, got .*; uncover the camera") as e:
        check_content(BLANK[name])
    assert e.value.reason is Reason.FRAME_BLANK


@pytest.mark.parametrize("frame", [*SHOWN.values(), read_frame(SAMPLE)], ids=[*SHOWN, "sample"])
def test_a_picture_passes(frame: Frame) -> None:
    assert all(gate.passed for gate in check_content(frame))


def test_gray_levels_by_hand() -> None:
    """Half 0, half 200: mean 100, deviation 100. Pure red is 0.299 * 255 = 76."""
    half = np.zeros((40, 40, 3), dtype=np.uint8)
    half[:20] = 200
    light = Frame(half).measures.light
    assert (light.mean, light.deviation, light.bright, light.dim) == (100.0, 100.0, 200.0, 0.0)
    red = Frame(np.full((40, 40, 3), (255, 0, 0), dtype=np.uint8)).measures.light
    assert (red.mean, red.deviation) == (76.0, 0.0)


def test_the_judge_asks_no_engine_about_a_blank_frame(
    tiny_judge: Judge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(VisionClient, "see", lambda *_: pytest.fail("the engines ran"))
    found = tiny_judge.judge(Inspection(BLANK["black"], Note(PLAIN_NOTE)))
    assert (found.verdict, found.reasons) == (Verdict.CANNOT_JUDGE, (Reason.FRAME_BLANK,))
    assert (found.advice, found.slots) == (CALL_SUPERVISOR, ())
    assert found.identities.frame == BLANK["black"].sha256


@pytest.mark.parametrize("seconds", [STALE.threshold + 0.01, 60.0, float("nan")])
def test_an_old_frame_is_refused(seconds: float) -> None:
    with pytest.raises(FrameError, match="at most 1 s old") as e:
        check([(STALE, seconds)])
    assert e.value.reason is Reason.FRAME_STALE


class Ages(Camera):
    """Gives one frame of noise for each age in seconds."""

    def __init__(self, *ages: float, live: bool) -> None:
        self.left, self.live = list(ages), live

    def read(self) -> CameraFrame | None:
        if not self.left:
            return None
        age = self.left.pop(0)
        return CameraFrame(noise().rgb, 0, time.monotonic() - age, "0#0", self.live)

    def close(self) -> None:
        self.left.clear()


def test_only_a_live_frame_can_be_too_old(tiny_judge: Judge) -> None:
    live = list(judge_frames(Ages(0.0, 60.0, 0.0, live=True), tiny_judge, Note(PLAIN_NOTE)))
    assert [found.judgement.reasons for found in live] == [(), (Reason.FRAME_STALE,), ()]
    (video,) = judge_frames(Ages(60.0, live=False), tiny_judge, Note(PLAIN_NOTE))
    assert video.judgement.verdict is Verdict.PROCEED
