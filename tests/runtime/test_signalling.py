"""From a judgement to its signal: what leaves in which mode, and that only a release releases."""

import json
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yochi_devices.plant.settings import read_settings
from yochi_runtime.errors import Reason, UsageError
from yochi_runtime.judgement import GO_ON, Judgement, cannot_judge, in_mode
from yochi_runtime.mode import Mode, Output
from yochi_runtime.signalling import COLUMNS, Signals, open_signals, signal_of
from yochi_runtime.verdict import Verdict

ROOT = Path(__file__).resolve().parents[2]
CSV = '[[csv]]\nname = "c"\npath = "c.csv"\n'


def judged(verdict: Verdict, mode: Mode | None) -> Judgement:
    if verdict is Verdict.CANNOT_JUDGE:
        return in_mode(cannot_judge(Reason.FRAME_DARK, "expected light, got none; switch it on"), mode)
    return Judgement(verdict=verdict, advice=GO_ON, mode=mode, camera="0")


@given(st.sampled_from(Verdict), st.sampled_from([None, *Mode]), st.floats(-1e6, 1e6))
def test_only_what_enforce_releases_releases(verdict: Verdict, mode: Mode | None, seen: float) -> None:
    judgement = judged(verdict, mode)
    signal = signal_of(judgement, 3, seen, 5.0)
    assert signal.releases(seen + 1.0) == (judgement.output is Output.RELEASE)
    assert signal.releases(seen + 1.0) == (
        mode is Mode.ENFORCE and verdict in (Verdict.PROCEED, Verdict.CAUTION)
    )
    assert (signal.release is None) == (mode is not Mode.ENFORCE)
    assert not signal.releases(seen + 5.0)
    assert not signal.releases(seen - 1.0)


def test_a_signal_says_what_was_judged() -> None:
    seen = time.monotonic()
    signal = signal_of(judged(Verdict.CAUTION, Mode.ENFORCE), 7, seen, 5.0)
    payload = json.loads(json.dumps(signal.payload))
    assert set(payload) == set(COLUMNS)
    assert {k: payload[k] for k in ("test", "camera", "mode", "row", "verdict", "output")} == {
        "test": False,
        "camera": "0",
        "mode": "enforce",
        "row": 7,
        "verdict": "caution",
        "output": "release",
    }
    assert payload["seen"] < payload["expires"]
    assert (signal.colour, signal.code) == ("amber", 2)
    dark = signal_of(judged(Verdict.CANNOT_JUDGE, Mode.ENFORCE), None, seen, 5.0)
    assert (dark.colour, dark.code, dark.release) == ("red", 4, False)
    assert (dark.payload["reasons"], dark.payload["words"]) == (
        ["frame_dark"],
        "cannot_judge: expected light, got none; switch it on",
    )
    assert dark.id != signal.id


def settings(tmp_path: Path, text: str = CSV) -> Path:
    file = tmp_path / "signals.toml"
    file.write_text(f'outbox = "outbox.db"\n{text}', encoding="utf-8")
    return file


@pytest.mark.parametrize("mode", Mode)
def test_in_shadow_nothing_leaves(tmp_path: Path, mode: Mode) -> None:
    told: list[str] = []
    with open_signals(settings(tmp_path), mode, told.append, every=1.0) as signals:
        signals.give(judged(Verdict.PROCEED, mode), 1, None)
        if signals.line is not None:
            end = time.monotonic() + 60
            while signals.line.states()[0].taken == 0:
                assert time.monotonic() < end
                time.sleep(0.01)
    assert (tmp_path / "c.csv").exists() == (mode is not Mode.SHADOW)
    assert (tmp_path / "outbox.db").exists() == (mode is not Mode.SHADOW)
    assert told == (
        ["in shadow no signal leaves the box; the settings are right"] if mode == "shadow" else []
    )


def test_without_a_file_nothing_leaves_and_nothing_fails() -> None:
    with open_signals(None, Mode.ENFORCE, print, every=0.0) as signals:
        signals.give(judged(Verdict.PROCEED, Mode.ENFORCE), 1, 0.0)
    assert isinstance(signals, Signals)


@pytest.mark.parametrize(
    ("every", "valid", "said"),
    [(5.0, None, "more than the 5 s between"), (1.0, 4.0, "at most the 4 s that one is shown")],
)
def test_a_release_outlives_the_next_judgement_and_not_the_shown_one(
    tmp_path: Path, every: float, valid: float | None, said: str
) -> None:
    with pytest.raises(UsageError, match=f"expected release_s of .*{said}.*, got 5; change one of them"):
        open_signals(settings(tmp_path), Mode.ENFORCE, print, every=every, valid=valid)


def test_what_the_settings_name_must_be_there(tmp_path: Path) -> None:
    text = '[[webhook]]\nname = "w"\nurl = "http://h/"\nsecret = { env = "NOT_SET_ANYWHERE" }\n'
    with pytest.raises(UsageError, match=r"signals.toml: expected a secret in the variable NOT_SET_ANYWHERE"):
        open_signals(settings(tmp_path, text), Mode.ADVISE, print, every=1.0)
    with (
        open_signals(settings(tmp_path), Mode.ADVISE, print, every=1.0),
        pytest.raises(UsageError, match="another one uses it"),
    ):
        open_signals(settings(tmp_path), Mode.ADVISE, print, every=1.0)


def test_the_example_in_docs_is_read() -> None:
    found = read_settings(ROOT / "docs" / "signals.toml")
    assert [len(kind) for kind in (found.mqtt, found.webhook, found.csv, found.stack_light, found.plc)] == [
        1
    ] * 5
