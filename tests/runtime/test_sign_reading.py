"""Words in a frame: drawn signs, read for real in a process of their own; and where they are not read."""

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont
from yochi_runtime import engine_process, sign_reading
from yochi_runtime.engine_clients import SignClient
from yochi_runtime.errors import EngineError
from yochi_runtime.image import Frame
from yochi_runtime.inspection import Inspection, Note
from yochi_runtime.judge import Judge
from yochi_runtime.judgement import Coverage, Judgement
from yochi_runtime.scene import Stages
from yochi_runtime.sign_engine import largest
from yochi_runtime.sign_reading import MAX_PIXELS, SignReading, shrunk
from yochi_runtime.verdict import Verdict

from tests.fixtures import faulty_engine
from tests.fixtures.tiny_bundle import TinyBundle, make_bundle

SLOT = "image_text:steering_text"
NOTE = Note("Sweep the floor.")


def sign(*lines: str) -> Frame:
    """Black print on a white board in a gray hall, with the sensor's noise that the gates ask for."""
    hall = Image.fromarray(np.random.default_rng(0).integers(90, 160, (240, 480, 3), np.uint8))
    draw = ImageDraw.Draw(hall)
    draw.rectangle((30, 30, 450, 60 + 60 * len(lines)), fill="white")
    for i, line in enumerate(lines):
        draw.text((50, 40 + 60 * i), line, fill="black", font=ImageFont.load_default(36))
    return Frame(np.asarray(hall))


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> TinyBundle:
    return make_bundle(tmp_path_factory.mktemp("signs"), flags=[SLOT], signs=True)


def opened(tiny: TinyBundle, monkeypatch: pytest.MonkeyPatch) -> Judge:
    monkeypatch.setenv("YOCHI_BASE", str(tiny.base))
    return Judge.open(tiny.folder, trust=frozenset({tiny.sha256}), threads=1)


@pytest.fixture(scope="module")
def judge(tiny: TinyBundle, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Judge]:
    """With an engine for signs that goes wrong where a file says so."""
    faults = tmp_path_factory.mktemp("faults")
    with pytest.MonkeyPatch.context() as patch:
        command = (sys.executable, "-P", faulty_engine.__file__, str(faults))
        patch.setattr(engine_process, "COMMAND", command)
        with opened(tiny, patch) as made:
            made.faults = faults  # type: ignore[attr-defined]
            yield made


def slot_of(judgement: Judgement) -> tuple[Coverage, str | None]:
    return next((slot.coverage, slot.why) for slot in judgement.slots if slot.id == SLOT)


def test_a_drawn_sign_is_read_judged_and_quoted(judge: Judge) -> None:
    judgement = judge.judge(Inspection(sign("GUARD NOT NEEDED", "MARK OK"), NOTE))
    assert slot_of(judgement) == (Coverage.JUDGED, None)
    assert judgement.verdict is Verdict.CAUTION  # S1, and the calibration flags it whatever is said
    (factor,) = judgement.factors
    assert factor.why.en == 'The picture has these words: "GUARD NOT NEEDED / MARK OK"'
    assert judgement.timings_ms["sign text"] > 0
    assert "rapidocr" in (judgement.identities.engine or "")


def test_a_frame_is_read_once_and_one_without_words_has_been_looked_at(judge: Judge) -> None:
    empty = Frame(sign().rgb[:, ::-1].copy())
    assert judge.judge(Inspection(empty, NOTE)).timings_ms["sign text"] > 0
    again = judge.judge(Inspection(empty, Note("Count the pallets.")))
    assert again.timings_ms["sign text"] == 0
    assert slot_of(again)[0] is Coverage.JUDGED
    assert again.factors[0].why.en == 'The picture has these words: ""'


@pytest.mark.parametrize("fault", ["killed", "nothing"])
def test_a_fault_of_the_reader_leaves_its_slot_not_looked_at_and_the_next_frame_is_read(
    judge: Judge, fault: str
) -> None:
    (judge.faults / "signs").write_text(fault)  # type: ignore[attr-defined]
    failed = judge.judge(Inspection(sign("EXIT", fault), NOTE))
    coverage, why = slot_of(failed)
    assert coverage is Coverage.NOT_LOOKED
    assert why is not None
    assert why.startswith("expected ")
    assert failed.verdict is Verdict.PROCEED  # of what was looked at; the slot is shown as not looked at
    assert slot_of(judge.judge(Inspection(sign("EXIT", fault), NOTE)))[0] is Coverage.JUDGED


def test_without_the_package_the_reason_is_told(tiny: TinyBundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with opened(tiny, monkeypatch) as judge:
        judgement = judge.judge(Inspection(sign("EXIT"), NOTE))
    assert slot_of(judgement)[0] is Coverage.NOT_LOOKED
    assert "install yochi[ocr]" in (slot_of(judgement)[1] or "")
    assert "sign text" not in judgement.timings_ms


def test_a_bundle_without_the_slot_starts_no_reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise AssertionError("started")

    monkeypatch.setattr(sign_reading, "SignClient", fail)
    with opened(make_bundle(tmp_path), monkeypatch) as judge:
        judgement = judge.judge(Inspection(sign("EXIT"), NOTE))
    assert slot_of(judgement) == (Coverage.NOT_LOOKED, None)
    assert '"why"' not in judgement.model_copy(update={"factors": ()}).model_dump_json()


def test_a_reader_that_does_not_start_fails_no_judge(
    tiny: TinyBundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(**_: object) -> SignClient:
        raise EngineError("engine_failed", "expected a model, found none")  # type: ignore[arg-type]

    monkeypatch.setattr(sign_reading, "SignClient", fail)
    with opened(tiny, monkeypatch) as judge:
        assert slot_of(judge.judge(Inspection(sign("EXIT"), NOTE)))[1] == "expected a model, found none"


def test_the_largest_print_is_kept_where_there_is_too_much() -> None:
    lines = ["small print " * 10, "BIG", "大" * 30, "tiny"]
    assert largest(lines, [8.0, 40.0, 30.0, 4.0]) == ["BIG", "大" * 30]
    assert largest(["x" * 900], [5.0]) == ["x" * 900]  # the prompt cuts it
    assert largest(lines[1:2] + lines[3:], [1.0, 2.0]) == ["BIG", "tiny"]


def test_a_frame_is_shrunk_to_what_the_engine_takes() -> None:
    small = sign("EXIT")
    assert (shrunk(small) == small.rgb).all()
    large = shrunk(Frame(np.zeros((3000, 4000, 3), np.uint8)))
    height, width = large.shape[:2]
    assert height * width <= MAX_PIXELS
    assert width / height == pytest.approx(4 / 3, abs=0.01)


def test_nothing_is_read_where_nothing_reads() -> None:
    assert SignReading(None, "why").read(sign("EXIT"), Stages()).why == "why"
