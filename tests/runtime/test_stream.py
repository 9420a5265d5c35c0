"""The gates of a camera, through `watch`: frozen recordings, moved and covered views, another resolution."""

import itertools
import time
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from yochi_devices.cameras import Camera
from yochi_devices.frame import CameraFrame, Rgb
from yochi_runtime.errors import Reason
from yochi_runtime.inspection import Note
from yochi_runtime.judge import Judge
from yochi_runtime.judgement import Judgement
from yochi_runtime.limits import FROZEN, REPEATED
from yochi_runtime.run import judge_frames
from yochi_runtime.stream import StreamGates, stream_gates
from yochi_runtime.verdict import Verdict

from .conftest import PLAIN_NOTE as NOTE
from .conftest import Yochi

WIDTH, HEIGHT = 240, 160
MOVED, FROZE = (Reason.FRAME_MOVED,), (Reason.FRAME_FROZEN,)
COVERED, RESIZED = (Reason.FRAME_COVERED,), (Reason.FRAME_RESIZED,)


def hall() -> Rgb:
    """A scene wider than any view of it: sharp blocks of random gray."""
    blocks = np.random.default_rng(3).integers(20, 236, (HEIGHT // 10, 2 * WIDTH // 10))
    return np.repeat(np.kron(blocks, np.ones((10, 10))).astype(np.uint8)[:, :, None], 3, axis=2)


def view(x: int = 0, seed: int = 0, sigma: float = 3.0) -> Rgb:
    """What a camera at `x` pixels sends, with its noise."""
    scene = hall()[:, x : x + WIDTH]
    drawn = scene + np.random.default_rng(seed).normal(0, sigma, scene.shape)
    return np.clip(drawn.round(), 0, 255).astype(np.uint8)


def hand(share: float) -> Rgb:
    rgb = view()
    rgb[:, : round(share * WIDTH)] = (190, 140, 110)
    return rgb


def folder_of(folder: Path, pictures: Sequence[Rgb]) -> Path:
    folder.mkdir()
    for i, rgb in enumerate(pictures):
        Image.fromarray(rgb).save(folder / f"{i:03}.png")
    return folder


def video_of(path: Path, pictures: Sequence[Rgb]) -> Path:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10.0, (WIDTH, HEIGHT))
    assert writer.isOpened()
    for rgb in pictures:
        writer.write(np.ascontiguousarray(rgb[:, :, ::-1]))
    writer.release()
    return path


def reasons(result: tuple[int, str, str]) -> list[tuple[Reason, ...]]:
    _, out, err = result
    assert err == ""
    found = [Judgement.model_validate_json(line) for line in out.splitlines()]
    for judgement in found:
        refused = {gate.reason for gate in judgement.gates if not gate.passed}
        assert set(judgement.reasons) == refused or judgement.reasons[0] in refused
        assert (judgement.verdict is Verdict.CANNOT_JUDGE) == bool(refused)
    return [judgement.reasons for judgement in found]


def test_a_recording_with_a_frozen_tail(yochi: Yochi, tmp_path: Path) -> None:
    alive = [view(seed=i) for i in range(8)]
    repeats = int(REPEATED.threshold)
    tail = [alive[-1]] * (repeats + 2)
    path = video_of(tmp_path / "clip.avi", [*alive, *tail, view(seed=99)])
    found = reasons(yochi("watch", path, "--note", NOTE))
    assert found == [()] * (8 + repeats) + [FROZE] * 2 + [()]


def test_a_slide_show_and_a_folder_of_one_picture_are_not_frozen(yochi: Yochi, tmp_path: Path) -> None:
    slides = [hall()[:, x : x + WIDTH] for x in (0, 100, 200) for _ in range(14)]
    assert set(reasons(yochi("watch", video_of(tmp_path / "slides.avi", slides), "--note", NOTE))) == {()}
    noisy_then_same = [view(seed=i) for i in range(8)] + [view()] * 14
    folder = folder_of(tmp_path / "stills", noisy_then_same)
    assert set(reasons(yochi("watch", folder, "--note", NOTE))) == {()}


@pytest.mark.parametrize("kind", ["video", "folder"])
def test_a_view_that_moved_against_the_first_frame(yochi: Yochi, tmp_path: Path, kind: str) -> None:
    pictures = [view(seed=1), view(2, seed=2), view(24, seed=3), view(120, seed=4), view(seed=5)]
    path = (
        video_of(tmp_path / "clip.avi", pictures)
        if kind == "video"
        else folder_of(tmp_path / "clip", pictures)
    )
    assert reasons(yochi("watch", path, "--note", NOTE, "--reference", "first")) == [(), (), MOVED, MOVED, ()]
    assert set(reasons(yochi("watch", path, "--note", NOTE))) == {()}  # files may be of many places
    code, out, _ = yochi("watch", path, "--note", NOTE, "--reference", "first", "--count", 3)
    moved = Judgement.model_validate_json(out.splitlines()[2])
    assert code == 0
    assert moved.gates[-1].reason is Reason.FRAME_MOVED
    assert moved.gates[-1].value == pytest.approx(10, abs=1)  # 24 of 240 pixels


def test_a_reference_from_a_file(yochi: Yochi, tmp_path: Path) -> None:
    Image.fromarray(view()).save(tmp_path / "reference.png")
    large = np.asarray(Image.fromarray(view()).resize((2 * WIDTH, 2 * HEIGHT)))
    pictures = [view(30), view(seed=1), large, hand(0.35), hand(0.9), view(seed=2, sigma=6)]
    folder = folder_of(tmp_path / "frames", pictures)
    found = reasons(yochi("watch", folder, "--note", NOTE, "--reference", tmp_path / "reference.png"))
    assert found == [MOVED, (), RESIZED, COVERED, COVERED, ()]


def test_the_first_frame_that_passes_is_the_reference(yochi: Yochi, tmp_path: Path) -> None:
    black, plain = np.zeros_like(view()), view().copy()
    plain[:] = 128
    plain[60:90, 100:130] = hall()[60:90, 100:130]  # too few corners to be known again
    folder = folder_of(tmp_path / "frames", [black, view(60), view(60, seed=1), view()])
    found = reasons(yochi("watch", folder, "--note", NOTE, "--reference", "first"))
    assert found == [(Reason.FRAME_BLANK,), (), (), MOVED]


@pytest.mark.parametrize(
    ("name", "content"),
    [("none.png", None), ("text.png", "text"), ("black.png", np.zeros((99, 99, 3), np.uint8)), ("", None)],
)
def test_what_cannot_be_a_reference_is_one_line(
    yochi: Yochi, tmp_path: Path, name: str, content: Rgb | str | None
) -> None:
    path = tmp_path / name
    if isinstance(content, str):
        path.write_text(content)
    elif content is not None:
        Image.fromarray(content).save(path)
    folder = folder_of(tmp_path / "frames", [view()])
    code, out, err = yochi("watch", folder, "--note", NOTE, "--reference", path)
    assert (code, out, len(err.splitlines())) == (2, "", 1)
    assert err.startswith("yochi: ")


class Sent(Camera):
    """A live camera that sends these pictures, `period` seconds apart."""

    def __init__(self, pictures: Sequence[Rgb], *, period: float) -> None:
        self.left, self.period, self.sequence = list(pictures), period, 0
        self.arrived = time.monotonic() + 1000  # never too old, however slow this machine is

    def read(self) -> CameraFrame | None:
        if not self.left:
            return None
        self.sequence += 1
        rgb = self.left.pop(0)
        return CameraFrame(rgb, self.sequence, self.arrived + self.sequence * self.period, "0#", live=True)

    def close(self) -> None:
        self.left.clear()


def judged(judge: Judge, pictures: Sequence[Rgb], gates: StreamGates, *, period: float) -> list[Judgement]:
    found = judge_frames(Sent(pictures, period=period), judge, Note(NOTE), gates=gates)
    return [judged.judgement for judged in found]


def test_a_live_camera_that_repeats_itself_is_frozen_from_its_start(tiny_judge: Judge) -> None:
    still = [view()] * 5
    found = judged(tiny_judge, still, StreamGates(), period=0.7 * FROZEN.threshold)
    assert [j.reasons for j in found] == [(), (), FROZE, FROZE, FROZE]
    frozen = next(gate for gate in found[2].gates if gate.reason is Reason.FRAME_FROZEN)
    assert frozen.value == pytest.approx(2.8)
    assert frozen.unit == "s"
    alive = [view(seed=i, sigma=0.6) for i in range(5)]  # nothing moves
    assert {j.reasons for j in judged(tiny_judge, alive, StreamGates(), period=10.0)} == {()}


def test_a_live_camera_learns_its_view_and_a_file_does_not(tiny_judge: Judge) -> None:
    pictures = [view(), view(seed=1), view(40)]
    live = judged(tiny_judge, pictures, stream_gates(None, live=True), period=0.1)
    assert [j.reasons for j in live] == [(), (), MOVED]
    by_hand = judged(tiny_judge, pictures, stream_gates("none", live=True), period=0.1)
    assert {j.reasons for j in by_hand} == {()}


def test_people_who_pass_do_not_move_the_view(tiny_judge: Judge) -> None:
    passing = []
    for x in range(0, WIDTH - 60, 30):
        rgb = view(seed=x)
        rgb[40:, x : x + 60] = view(200, seed=x)[40:, :60]
        passing.append(rgb)
    found = judged(tiny_judge, [view(), *passing], StreamGates(learn=True), period=0.1)
    assert {j.reasons for j in found} == {()}


def test_gates_never_change_a_verdict_they_only_take_it(tiny_judge: Judge) -> None:
    """Each frame with gates: what it is without them, or cannot_judge."""
    pictures = [view(), view(seed=1), view(40), hand(0.5), view(seed=1), np.zeros_like(view())]
    without = judged(tiny_judge, pictures, StreamGates(), period=0.1)
    gated = judged(tiny_judge, pictures, StreamGates(learn=True), period=0.1)
    for plain, with_gates in itertools.zip_longest(without, gated):
        same = (with_gates.verdict, with_gates.slots) == (plain.verdict, plain.slots)
        assert same or with_gates.verdict is Verdict.CANNOT_JUDGE
    assert [j.verdict for j in gated[2:4]] == [Verdict.CANNOT_JUDGE] * 2
