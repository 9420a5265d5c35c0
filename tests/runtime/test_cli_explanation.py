"""`yochi judge` and `yochi watch` on a bundle that explains: after the verdict, and never instead of it."""

import json
from pathlib import Path

import pytest
from PIL import Image
from yochi_runtime import trust
from yochi_runtime.audit.chain import rows
from yochi_runtime.errors import Dropped
from yochi_runtime.explainer import Explained
from yochi_runtime.judge import Judge
from yochi_runtime.judgement import Judgement
from yochi_runtime.opening import describe, read_bundle
from yochi_runtime.verdict import Verdict
from yochi_runtime.wording import DROPS

from tests.fixtures.tiny_bundle import TinyBundle, make_bundle

from .conftest import Yochi, noise, the_judgement

NOTE = "Go in, no hat; exit shut."


@pytest.fixture(scope="module")
def explains(tmp_path_factory: pytest.TempPathFactory) -> TinyBundle:
    flags = ("cue:no_hard_hat", "note_content:egress")
    return make_bundle(tmp_path_factory.mktemp("explains"), flags=flags, explanation="explain-1")


@pytest.fixture(autouse=True)
def _shipped(explains: TinyBundle, yochi: Yochi, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ARG001
    """Instead of the one that `yochi` ships."""
    monkeypatch.setenv("YOCHI_BASE", str(explains.base))
    monkeypatch.setattr(trust, "SHIPPED_MANIFEST_SHA256", explains.sha256)
    monkeypatch.setattr(trust, "shipped_bundle", lambda: explains.folder)


def test_judge_says_it_after_the_verdict(yochi: Yochi, picture: Path, tmp_path: Path) -> None:
    code, out, err = yochi("judge", picture, "--note", NOTE, "--audit", tmp_path / "log.db")
    assert (code, err) == (0, "")
    assert out.startswith("CAUTION\n")
    advises, told = out.splitlines()[-2:]
    assert advises == "Yochi advises. It is not a safety function."
    assert told.startswith("Seen: ")
    assert " ms, after the verdict)" in told
    (row,) = rows(tmp_path / "log.db")
    assert "Seen" not in row.judgement  # the row was durable before a word was said
    code, out, _ = yochi("judge", picture, "--note", NOTE, "--audit", "none", "--lang", "ja")
    assert out.splitlines()[-1].startswith("根拠：")


def test_json_is_one_judgement(yochi: Yochi, picture: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Judge, "explain", lambda *_, **__: pytest.fail("nobody reads it"))
    code, out, _ = yochi("judge", picture, "--note", NOTE, "--json", "--audit", "none")
    assert (code, the_judgement(out).verdict) == (0, Verdict.CAUTION)


def test_why_there_is_none_is_said(yochi: Yochi, picture: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dropped = Explained(lang="en", said="", tokens=0, chosen=0, first_ms=None, ms=7.0, dropped=Dropped.LATE)
    monkeypatch.setattr(Judge, "explain", lambda *_, **__: iter([dropped]))
    code, out, _ = yochi("judge", picture, "--note", NOTE, "--audit", "none")
    assert code == 0
    assert out.splitlines()[-1] == "No explanation: it took too long (7 ms)."


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "pictures").mkdir()
    for seed in range(2):
        Image.fromarray(noise(seed).rgb).save(tmp_path / "pictures" / f"{seed}.png")
    return tmp_path / "pictures"


def test_watch_gives_a_second_line_where_it_is_asked_for(yochi: Yochi, folder: Path) -> None:
    code, out, _ = yochi("watch", folder, "--note", NOTE, "--audit", "none", "--explain", "--every", 2)
    lines = out.splitlines()
    assert (code, len(lines)) == (0, 4)
    for judgement, told in zip(lines[::2], lines[1::2], strict=True):
        assert Judgement.model_validate_json(judgement).verdict is Verdict.CAUTION
        assert set(json.loads(told)) == {"explanation"}
        Explained.model_validate(json.loads(told)["explanation"])
    assert yochi("watch", folder, "--note", NOTE, "--audit", "none")[1].count("\n") == 2


def test_watch_leaves_no_frame_waiting_for_it(yochi: Yochi, folder: Path) -> None:
    """Without a pause the next frame is always due."""
    out = yochi("watch", folder, "--note", NOTE, "--audit", "none", "--explain", "--count", 2)[1]
    first, last = (json.loads(line)["explanation"] for line in out.splitlines()[1::2])
    assert (first["dropped"], first["text"], first["tokens"]) == ("late", None, 0)
    assert last["dropped"] is None


def test_in_shadow_nothing_is_said(yochi: Yochi, folder: Path) -> None:
    out = yochi("watch", folder, "--note", NOTE, "--explain", "--mode", "shadow")[1]
    assert "explanation" not in out


def test_a_bundle_says_whether_it_explains(explains: TinyBundle, shared_tiny: TinyBundle) -> None:
    assert "explains:          yes, after the verdict" in describe(read_bundle(explains.folder))
    assert "explains:          no, it did not learn to" in describe(read_bundle(shared_tiny.folder))


def test_every_reason_has_words() -> None:
    assert set(DROPS) == set(Dropped)
