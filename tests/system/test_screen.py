"""The worker's page in a real browser: both languages, by keyboard, and CANNOT JUDGE whatever dies."""

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from yochi_bench.cable import Cable
from yochi_runtime.judge import Judge
from yochi_runtime.mode import Mode

from tests.fixtures.tiny_bundle import TinyBundle, make_bundle
from tests.runtime.processes import pid_of
from tests.runtime.serve.conftest import Running, opens, running

from .conftest import ROOT, WAIT_MS, Eye, seen

NOTES = ("床の清掃（プレス3号機の横）", "Change the die of press 3.")
WORDS = {"en": ("STOP", "CANNOT JUDGE"), "ja": ("停止", "判定不能")}
expect.set_options(timeout=WAIT_MS)


@pytest.fixture
def watching(
    eye: type[Eye], stopping: TinyBundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Running]:
    assert not eye.hangs
    monkeypatch.setenv("YOCHI_BASE", str(stopping.base))
    with running(opens(stopping), tmp_path / "audit.db", camera="0", every=0.5, notes=NOTES) as server:
        yield server


def says(page: Page, word: str) -> None:
    expect(page.locator("#word")).to_have_text(word)


def test_a_verdict_in_both_languages_and_by_keyboard(watching: Running, page: Page) -> None:
    page.goto(watching.url)
    says(page, WORDS["en"][0])
    expect(page.locator("#picture")).to_be_visible()
    assert page.locator("#boxes > span").count() >= 1
    seen(page, "worker-stop-en")
    page.keyboard.press("Tab")  # the first stop is the language
    page.keyboard.press("Enter")
    says(page, WORDS["ja"][0])
    assert page.locator("html").get_attribute("lang") == "ja"
    seen(page, "worker-stop-ja")
    keys = page.locator("#notes button")
    for name in NOTES:
        page.keyboard.press("Tab")
        expect(page.locator(":focus")).to_have_text(name)
    page.keyboard.press("Enter")
    expect(page.locator("#judged-note")).to_contain_text(NOTES[1])
    expect(keys.nth(1)).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("Tab")
    expect(page.locator("#text")).to_be_focused()
    page.keyboard.press("Control+a")
    page.keyboard.insert_text("足場の上の片付け")  # as an input method commits it
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#judged-note")).to_contain_text("足場の上の片付け")
    page.keyboard.press("Tab")
    expect(page.locator("#right")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#thanks")).not_to_be_empty()
    page.locator("#wrong").press("Enter")
    page.locator("[data-say=caution]").press("Enter")
    expect(page.locator("#correct")).to_be_hidden()
    said = [each["feedback"] for each in watching.http.get("/v1/judgements?limit=100").json()["entries"]]
    assert {(each["says"], each["verdict"]) for each in said if each} == {
        ("right", None),
        ("correction", "caution"),
    }


@pytest.fixture(scope="module")
def explaining(tmp_path_factory: pytest.TempPathFactory) -> TinyBundle:
    flags = ["cue:fire", "note_content:fall"]
    return make_bundle(tmp_path_factory.mktemp("explaining"), flags=flags, explanation="explain-1")


def test_what_is_said_after_the_verdict_stands_under_the_advice(
    eye: type[Eye], explaining: TinyBundle, page: Page, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not eye.hangs
    monkeypatch.setenv("YOCHI_BASE", str(explaining.base))
    with running(opens(explaining), tmp_path / "audit.db", camera="0", every=1.0) as server:
        page.goto(server.url)
        says(page, WORDS["en"][0])
        expect(page.locator("#explanation")).to_contain_text("Seen: ")
        seen(page, "worker-explained-en")
        page.locator("#language").click()
        expect(page.locator("#explanation")).to_contain_text("根拠：")
        seen(page, "worker-explained-ja")
        Eye.fault = "expected a frame of the camera, the cable is out; plug it in"
        says(page, WORDS["ja"][1])
        expect(page.locator("#explanation")).to_be_empty()


def test_a_picture_that_is_sent_is_explained_and_its_note_is_text(
    explaining: TinyBundle, page: Page, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("YOCHI_BASE", str(explaining.base))
    with running(opens(explaining), tmp_path / "audit.db") as server:
        page.goto(server.url)
        page.locator("#file").set_input_files(ROOT / "docs" / "sample" / "frame.jpg")
        for note in ("<b id=own>Up</b>\u2028he goes", "<i id=own>Up</i>"):
            page.locator("#text").fill(note)
            page.locator("#judge").click()
            expect(page.locator("#judged-note")).to_contain_text(note[:9])
            says(page, WORDS["en"][0])
            expect(page.locator("#explanation")).to_contain_text("Seen: ")
            expect(page.locator("#judge")).to_be_enabled()
        assert page.locator("#own").count() == 0


def test_keys_are_large_and_words_are_read_from_afar(watching: Running, page: Page) -> None:
    page.goto(watching.url)
    says(page, WORDS["en"][0])
    for key in page.locator("#notes button, #judge, #right, #wrong").all():
        box = key.bounding_box()
        assert box is not None
        assert min(box["width"], box["height"]) >= 117  # 20 mm at 149 pixels an inch
    word = page.locator("#word").evaluate("(word) => parseFloat(getComputedStyle(word).fontSize)")
    assert word >= 80  # 13.6 mm on that panel: 23 minutes of arc at 2 m


def test_a_dead_camera_is_seen_and_comes_back(watching: Running, page: Page) -> None:
    page.goto(watching.url)
    says(page, WORDS["en"][0])
    Eye.fault = "expected a frame of the camera, the cable is out; plug it in"
    says(page, WORDS["en"][1])
    expect(page.locator("#picture")).to_be_hidden()
    seen(page, "worker-dead-camera-en")
    page.locator("#language").click()
    says(page, WORDS["ja"][1])
    seen(page, "worker-dead-camera-ja")
    Eye.fault = None
    says(page, WORDS["ja"][0])


def test_a_verdict_expires_where_the_camera_hangs(
    eye: type[Eye], stopping: TinyBundle, page: Page, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("YOCHI_BASE", str(stopping.base))
    with running(opens(stopping), tmp_path / "audit.db", camera="0", every=0.2, valid_s=3.0) as server:
        page.goto(server.url)
        says(page, WORDS["en"][0])
        eye.hangs = True
        says(page, WORDS["en"][1])
        expect(page.locator("#reasons")).to_contain_text("too old")
        seen(page, "worker-expired-en")
        eye.hangs = False
        says(page, WORDS["en"][0])


def test_a_dead_engine_is_cannot_judge(
    eye: type[Eye], stopping: TinyBundle, page: Page, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not eye.hangs
    monkeypatch.setenv("YOCHI_BASE", str(stopping.base))
    folder = Path(shutil.copytree(stopping.folder, tmp_path / "bundle"))

    def opening() -> Judge:
        return Judge.open(folder, trust=frozenset({stopping.sha256}), threads=1)

    with running(opening, tmp_path / "audit.db", camera="0", every=0.2) as server:
        page.goto(server.url)
        says(page, WORDS["en"][0])
        (folder / "vision.onnx").unlink()  # so that it is not simply started again
        os.kill(pid_of("vision"), signal.SIGKILL)
        says(page, WORDS["en"][1])
        seen(page, "worker-dead-engine-en")


def test_a_cut_network_is_cannot_judge(watching: Running, page: Page) -> None:
    with Cable("127.0.0.1", int(watching.url.rpartition(":")[2])) as cable:
        page.goto(f"http://127.0.0.1:{cable.port}")
        says(page, WORDS["en"][0])
        cable.plugged.clear()
        says(page, WORDS["en"][1])
        expect(page.locator("body")).to_have_attribute("data-stale", "true")
        expect(page.locator("#reasons")).to_have_text("The box does not answer.")
        seen(page, "worker-cut-en")
        cable.plugged.set()
        says(page, WORDS["en"][0])


def test_a_box_that_ends_is_cannot_judge(
    eye: type[Eye], stopping: TinyBundle, page: Page, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not eye.hangs
    monkeypatch.setenv("YOCHI_BASE", str(stopping.base))
    with running(opens(stopping), tmp_path / "audit.db", camera="0", every=0.2) as server:
        page.goto(server.url)
        says(page, WORDS["en"][0])
    says(page, WORDS["en"][1])
    expect(page.locator("#connection")).to_have_text("The box does not answer.")
    seen(page, "worker-box-gone-en")


def test_shadow_shows_no_verdict(
    eye: type[Eye], stopping: TinyBundle, page: Page, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not eye.hangs
    monkeypatch.setenv("YOCHI_BASE", str(stopping.base))
    with running(opens(stopping), tmp_path / "audit.db", camera="0", every=0.2, mode=Mode.SHADOW) as server:
        page.goto(server.url)
        expect(page.locator("#age")).not_to_be_empty()
        says(page, "RECORDING ONLY")
        expect(page.locator("#factors")).to_be_hidden()
        seen(page, "worker-shadow-en")


def test_a_picture_from_the_hand(
    stopping: TinyBundle, page: Page, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("YOCHI_BASE", str(stopping.base))
    with running(opens(stopping), tmp_path / "audit.db", notes=NOTES) as server:
        page.goto(server.url)
        says(page, WORDS["en"][1])
        page.locator("#judge").click()
        expect(page.locator("#note-state")).to_have_text("Take or choose a picture first.")
        page.locator("#file").set_input_files(ROOT / "docs" / "sample" / "frame.jpg")
        page.locator("#notes button").first.click()
        says(page, WORDS["en"][0])
        expect(page.locator("#judged-note")).to_contain_text(NOTES[0])
        seen(page, "worker-picture-en")
