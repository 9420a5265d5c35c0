"""When a camera is judged: one frame a period, a live one that fails at once, and never with an old frame."""

import time
from collections.abc import Sequence

from yochi_devices.camera import Camera, CameraError, CameraLost
from yochi_devices.frame import CameraFrame
from yochi_runtime.run import Judged, Shot, failure, paced, renewed
from yochi_runtime.scene import Stages

from .conftest import noise

HOUR = 3600.0


class Scripted(Camera):
    """Gives a fresh frame for each True and fails for each False."""

    def __init__(self, script: Sequence[bool], *, live: bool) -> None:
        self.left, self.live, self.reads = list(script), live, 0

    def read(self) -> CameraFrame | None:
        if not self.left:
            return None
        self.reads += 1
        if not self.left.pop(0):
            raise CameraLost("gone")
        return CameraFrame(noise().rgb, self.reads, time.monotonic(), "0", live=self.live)

    def close(self) -> None:
        self.left.clear()


def shots(camera: Camera, every: float, count: int) -> list[int | None]:
    """The numbers of the frames that are judged; None for a failure."""
    found: list[int | None] = []

    def judged(shot: Shot) -> Judged:
        found.append(shot.picture.sequence if isinstance(shot.picture, CameraFrame) else None)
        return Judged(failure(CameraError("not looked at here")))

    assert len(list(paced(camera, judged, every, count))) == len(found)
    return found


def test_a_live_camera_that_fails_does_not_wait_for_its_turn() -> None:
    camera = Scripted([True, True, True, False, False, True, True], live=True)
    assert shots(camera, HOUR, count=4) == [1, None, None, 6]  # two were looked at only
    assert camera.reads == 6  # the last one is not waited for


def test_no_frame_of_a_file_is_looked_at_between() -> None:
    assert shots(Scripted([True, False, True], live=False), every=0.6, count=5) == [1, None, 3]


def test_who_waits_no_more_is_not_kept() -> None:
    camera = Scripted([True] * 9, live=True)
    judgements = paced(camera, lambda _: Judged(failure(CameraError("x"))), HOUR, None, lambda _: True)
    assert next(judgements).due is not None
    assert [next(judgements) for _ in range(8)]  # a closed loop asks no more; what it asks is answered
    assert camera.reads == 9


def test_only_a_live_frame_that_waited_is_taken_anew() -> None:
    now = time.monotonic()
    for age, live, kept in ((60.0, True, False), (60.0, False, True), (-HOUR, True, True)):
        camera = Scripted([True], live=live)
        waited = Shot(CameraFrame(noise().rgb, 7, now - age, "0", live=live), Stages())
        assert (renewed(waited, camera) is waited) is kept
        assert camera.reads == (0 if kept else 1)
    lost = renewed(
        Shot(CameraFrame(noise().rgb, 7, now - 60, "0", live=True), Stages()), Scripted([False], live=True)
    )
    assert isinstance(lost.picture, CameraLost)
    failed = Shot(CameraLost("before"), Stages())
    assert renewed(failed, Scripted([True], live=True)) is failed
