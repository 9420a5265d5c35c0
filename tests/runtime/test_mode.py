"""What a mode does with a judgement: a release only for two verdicts, and never by what goes wrong later."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from yochi_runtime.audit.log import AuditLog
from yochi_runtime.errors import Reason
from yochi_runtime.judgement import Judgement, in_mode
from yochi_runtime.mode import Mode, Output, enforced
from yochi_runtime.run import camera_name, of_camera
from yochi_runtime.serve.given import Given, Withheld
from yochi_runtime.shown import Recorded, shown
from yochi_runtime.verdict import Verdict

from .rulebooks import judged

TABLE = {
    Verdict.PROCEED: Output.RELEASE,
    Verdict.CAUTION: Output.RELEASE,
    Verdict.STOP: Output.HOLD,
    Verdict.CANNOT_JUDGE: Output.HOLD,
}
MODES = [None, *Mode]


@pytest.mark.parametrize("verdict", Verdict)
@pytest.mark.parametrize("mode", MODES)
def test_only_enforce_decides(mode: Mode | None, verdict: Verdict) -> None:
    found = in_mode(judged(verdict=verdict), mode)
    assert enforced(verdict) is TABLE[verdict]
    assert found.output is (TABLE[verdict] if mode is Mode.ENFORCE else None)
    assert (found.verdict, found.mode) == (verdict, mode)
    assert json.loads(found.model_dump_json())["output"] == found.output
    assert Judgement.model_validate_json(found.model_dump_json()) == found


@given(st.sampled_from(Verdict), st.sampled_from(MODES), st.sampled_from([None, *Output]))
def test_no_file_makes_a_release_of_a_hold(verdict: Verdict, mode: Mode | None, said: Output | None) -> None:
    found = in_mode(judged(verdict=verdict), mode)
    text = json.dumps(json.loads(found.model_dump_json()) | {"output": said})
    if said == found.output:
        assert Judgement.model_validate_json(text) == found
    else:
        with pytest.raises(ValidationError, match="expected the output"):
            Judgement.model_validate_json(text)


def test_rows_from_before_modes_are_read() -> None:
    held = json.loads(judged().model_dump_json())
    for new in ("mode", "output", "camera"):
        del held[new]
    assert Judgement.model_validate(held) == judged()


@given(st.lists(st.sampled_from(MODES), max_size=5), st.sampled_from(Verdict))
def test_no_way_through_the_modes_releases_what_cannot_be_judged(
    modes: list[Mode | None], verdict: Verdict
) -> None:
    found = judged(verdict=verdict)
    for mode in modes:
        found = in_mode(found, mode)
        assert found.verdict is verdict
        assert (found.output is Output.RELEASE) == (
            mode is Mode.ENFORCE and verdict in (Verdict.PROCEED, Verdict.CAUTION)
        )


def test_a_release_that_cannot_be_recorded_holds(tmp_path: Path) -> None:
    release = in_mode(judged(), Mode.ENFORCE)
    assert release.output is Output.RELEASE
    with AuditLog(tmp_path / "none" / "audit.db") as log:
        found = log.record(release, "note")
    assert (found.verdict, found.output, found.mode) == ("cannot_judge", Output.HOLD, Mode.ENFORCE)


@given(st.floats(0, 1e6))
def test_a_release_past_its_time_holds(age: float) -> None:
    release = in_mode(judged(), Mode.ENFORCE)
    shown_now = Given(id=1, origin="camera", note="x", judgement=release, valid_s=10).at(age)
    assert shown_now.judgement.output is (Output.RELEASE if age <= 10 else Output.HOLD)
    assert shown_now.judgement.mode is Mode.ENFORCE
    assert (shown_now.judgement.reasons == (Reason.EXPIRED,)) == (age > 10)


@pytest.mark.parametrize("verdict", Verdict)
def test_shadow_shows_that_it_records_and_nothing_else(verdict: Verdict) -> None:
    found = in_mode(judged(verdict=verdict), Mode.SHADOW)
    assert shown(found, 7) == Recorded(mode=Mode.SHADOW, row=7)
    given = Given(id=7, origin="camera", note="x", judgement=found, valid_s=10)
    for age in (0.0, 11.0):
        withheld = given.at(age).shown()
        assert isinstance(withheld, Withheld)
        assert withheld.age_s == age
        assert "verdict" not in withheld.model_dump_json()
    for mode in (None, Mode.ADVISE, Mode.ENFORCE):
        assert shown(in_mode(found, mode), 7) == in_mode(found, mode)


def test_shadow_says_that_a_row_is_missing() -> None:
    lost = in_mode(judged(verdict=Verdict.CANNOT_JUDGE), Mode.SHADOW)
    assert shown(lost, None) == Recorded(mode=Mode.SHADOW, row=None, fault=lost.message)


NAMES = [
    ("0", "0"),
    ("pictures/a", "pictures/a"),
    ("rtsp://user:secret@10.0.0.2:554/stream?token=secret#x", "rtsp://10.0.0.2:554/stream"),
    ("rtsp://[secret", "rtsp://..."),
    ("film\udcff.mp4", "film\\udcff.mp4"),
]


@pytest.mark.parametrize(("uri", "name"), NAMES)
def test_a_cameras_name_holds_no_secret_and_fits_into_a_row(uri: str, name: str) -> None:
    assert camera_name(uri) == name
    found = of_camera(judged(), uri, Mode.SHADOW)
    assert Judgement.model_validate_json(found.model_dump_json()) == found
    assert (found.camera, found.mode) == (name, Mode.SHADOW)
