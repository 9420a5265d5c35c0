"""The first run in a real browser: from a box that knows nothing to its first verdict, by keyboard alone."""

import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Page, expect
from yochi_devices.login import LOGIN, NETRC
from yochi_devices.uvc import UvcCamera
from yochi_runtime import trust
from yochi_runtime.serve import command, setup_routes
from yochi_runtime.serve.kept import KeptFile
from yochi_runtime.serve.made_tokens import TokensFile
from yochi_runtime.serve.server import Server, bind

from tests.fixtures.rtsp_server import RtspServer, State
from tests.fixtures.tiny_bundle import TinyBundle

from .conftest import ROOT, WAIT_MS, seen

expect.set_options(timeout=WAIT_MS)
SECRET = "hunter2hunter2"
USB = [UvcCamera(0, "HD Pro Webcam C920", True), UvcCamera(2, "USB 2.0 Camera: Industrial Line 4", False)]


def scene(number: int) -> Image.Image:
    """The sample, a little brighter and darker: a camera's picture is never the same twice."""
    return _SCENE.point(lambda level: min(255, level + number % 3))


_SCENE = Image.open(ROOT / "docs" / "sample" / "frame.jpg").convert("RGB").resize((320, 240))


@pytest.fixture
def yard(monkeypatch: pytest.MonkeyPatch) -> Iterator[RtspServer]:
    monkeypatch.delenv(LOGIN, raising=False)
    monkeypatch.delenv(NETRC, raising=False)
    with RtspServer(state=State(draw=scene)) as server:
        yield server


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "audit.db"


@pytest.fixture
def box(stopping: TinyBundle, log: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """`yochi serve` without a word of what to judge, by the tiny bundle as if it were the shipped one."""
    monkeypatch.setattr(trust, "SHIPPED_MANIFEST_SHA256", stopping.sha256)
    monkeypatch.setattr(trust, "shipped_bundle", lambda: stopping.folder)
    for name, value in (("YOCHI_BASE", stopping.base), ("YOCHI_BUNDLES", log.parent / "bundles")):
        monkeypatch.setenv(name, str(value))
    bound = bind("127.0.0.1", 0)
    servers: list[Server] = []

    class Told(Server):
        def __init__(self, *given: Any) -> None:
            super().__init__(*given)
            servers.append(self)

    def known(*_: object) -> socket.socket:
        return bound

    monkeypatch.setattr(command, "Server", Told)
    monkeypatch.setattr(command, "bind", known)
    network = command.Network("127.0.0.1", 0, None, None, None, None)
    judging = command.Judging(None, str(log), False, False, 1, None, None, None, 8, 30.0, 10.0, None, None)
    camera = command.Camera(None, None, None, 0.5, None)
    thread = threading.Thread(target=command.serve, args=(network, camera, judging))
    thread.start()
    yield f"http://127.0.0.1:{bound.getsockname()[1]}"
    servers[-1].uvicorn.should_exit = True
    thread.join()


def press(page: Page, name: str, key: str = "Enter") -> None:
    expect(page.locator(name)).to_be_visible()
    expect(page.locator(name)).to_be_enabled()
    page.locator(name).focus()
    page.keyboard.press(key)


def test_from_nothing_to_the_first_verdict_by_keyboard(
    box: str, yard: RtspServer, page: Page, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page.goto(box)
    panel = page.context.new_page()  # another screen, which nobody touches
    panel.goto(box)
    seen(page, "worker-first-run-en")
    press(page, "#first-run a")
    expect(page).to_have_url(f"{box}/setup")
    expect(page.locator("#no-usb")).to_be_visible()
    expect(page.locator("#keep")).to_be_disabled()
    monkeypatch.setattr(setup_routes, "list_uvc", lambda: USB)  # two are plugged in meanwhile
    expect(page.locator("#usb label")).to_have_count(2)
    expect(page.locator("#usb input").nth(1)).to_be_disabled()
    expect(page.locator("#checked")).to_have_text("Every byte is the one that was proved.")
    seen(page, "setup-en")
    press(page, "#network", "Space")
    expect(page.locator("#kept-said")).to_have_text("Choose a camera first.")
    page.locator("#address").focus()
    page.keyboard.type(yard.uri.replace("//", f"//admin:{SECRET}@") + f"?pwd={SECRET}")
    page.keyboard.press("Enter")
    expect(page.locator("#tried-why")).to_contain_text("without user and password")
    expect(page.locator("#address")).to_have_value(yard.uri)  # the password is gone
    assert SECRET not in page.content()
    yard.state.login = ("admin", SECRET)
    press(page, "#try")
    expect(page.locator("#tried-why")).to_contain_text("asks for user and password")
    seen(page, "setup-refused-en")
    yard.state.login = None
    press(page, "#try")
    expect(page.locator("#tried")).to_have_text("This picture can be judged.")
    expect(page.locator("#looked")).to_contain_text("320 x 240 pixels")
    expect(page.locator("#tried-gates tbody tr")).to_have_count(5)
    expect(page.locator("#picture")).to_be_visible()
    seen(page, "setup-tried-en")
    press(page, "#to-ja")
    expect(page.locator("#tried")).to_have_text("この映像で判定できます。")
    expect(page.locator("#looked")).to_contain_text("320 × 240 画素")
    expect(page.locator("#first-note")).to_have_value("通常の巡回点検。")
    seen(page, "setup-tried-ja")
    press(page, "#keep")
    expect(page.locator("#done-title")).to_be_focused()
    made = TokensFile(log).read()
    assert made is not None
    assert page.locator("#token-list code").all_inner_texts() == [made.reading, made.admin]
    seen(page, "setup-done-ja")
    expect(page.locator("#to-worker")).to_be_visible()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{box}/")
    expect(page.locator("#word")).to_have_text("停止")
    expect(page.locator("#first-run")).to_be_hidden()
    expect(panel.locator("#word")).to_have_text("停止")
    assert page.evaluate("localStorage.length + sessionStorage.length + document.cookie.length") == 0
    kept = KeptFile(log).kept
    assert (kept.camera, kept.note, kept.language) == (yard.uri, "通常の巡回点検。", "ja")
    # Again only with the token; what was chosen is chosen.
    page.goto(f"{box}/setup")
    expect(page.locator("#locked")).to_be_visible()
    seen(page, "setup-locked-ja")
    for token in ("0000111122223333", made.admin):
        page.locator("#second-token").focus()
        page.keyboard.type(token)
        page.keyboard.press("Enter")
        if token != made.admin:
            expect(page.locator("#unlock-said")).to_contain_text("違います")
    expect(page.locator("#steps")).to_be_visible()
    expect(page.locator("#address")).to_have_value(yard.uri)
    expect(page.locator("#makes")).to_have_text("トークンは変更されません。")
    press(page, "#try")
    expect(page.locator("#picture")).to_be_visible()
    press(page, "#no-fixed", "Space")
    press(page, "#keep")
    expect(page.locator("#done-title")).to_be_focused()
    expect(page.locator("#tokens")).to_be_hidden()
    press(page, "#to-worker a")
    expect(page.locator("#photo")).to_be_visible()
    assert KeptFile(log).kept.camera is None
    expect(panel.locator("#photo")).to_be_visible()


def test_the_page_in_japanese_with_a_camera_that_is_dark(
    box: str, yard: RtspServer, page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(setup_routes, "list_uvc", lambda: USB)
    yard.state.draw = lambda _: Image.new("RGB", (320, 240), (3, 3, 3))
    page.goto(box)
    page.locator("#language").click()
    seen(page, "worker-first-run-ja")
    page.goto(f"{box}/setup")
    page.locator("#language").click()
    expect(page.locator("#title")).to_have_text("装置の初期設定")
    expect(page.locator("#to-ja")).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#checked")).to_contain_text("一致しています")
    seen(page, "setup-ja")
    page.locator("#network").click()
    page.locator("#address").fill(yard.uri)
    page.locator("#try").click()
    expect(page.locator("#tried")).to_contain_text("この映像では判定できません")
    expect(page.locator("#picture")).to_be_visible()
    expect(page.locator("#keep")).to_be_enabled()  # it may be night
    seen(page, "setup-dark-ja")
