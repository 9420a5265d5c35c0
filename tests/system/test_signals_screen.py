"""What the worker's page says of the plant's signals: in order, waiting, failed, and nothing of before."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from yochi_runtime.mode import Mode
from yochi_runtime.signalling import open_signals

from tests.fixtures.plant_servers import Receiver
from tests.fixtures.tiny_bundle import TinyBundle
from tests.runtime.serve.conftest import opens, running

from .conftest import WAIT_MS, Eye, seen

expect.set_options(timeout=WAIT_MS)
SETTINGS = """
outbox = "{folder}/outbox.db"
limit = 500
[[webhook]]
name = "mes"
url = "{url}"
secret = {{ env = "HOOK" }}
[[csv]]
name = "shift"
path = "{folder}/shift.csv"
"""


def test_the_worker_sees_how_the_signals_stand(
    eye: type[Eye], stopping: TinyBundle, page: Page, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not eye.hangs
    monkeypatch.setenv("YOCHI_BASE", str(stopping.base))
    monkeypatch.setenv("HOOK", "k" * 32)
    file, log = tmp_path / "signals.toml", tmp_path / "audit.db"
    with Receiver() as receiver:
        file.write_text(SETTINGS.format(url=receiver.url, folder=tmp_path), encoding="utf-8")
        with (
            open_signals(file, Mode.ADVISE, print, every=0.5, valid=10.0) as signals,
            running(opens(stopping), log, camera="0", every=0.5, signals=signals) as server,
        ):
            page.goto(server.url)
            expect(page.locator("#signals")).to_contain_text("mes in order · shift in order")
            receiver.status = 500
            expect(page.locator("#signals")).to_contain_text("mes FAILED, waiting (")
            expect(page.locator("#signals")).to_contain_text("shift in order")
            expect(page.locator("#signals")).to_have_attribute("data-failed", "true")
            seen(page, "worker-signals-en")
            page.locator("#language").click()
            expect(page.locator("#signals")).to_contain_text("外部への信号：mes 異常、送信待ち（")
            seen(page, "worker-signals-ja")
            receiver.status = 200
            expect(page.locator("#signals")).to_contain_text("mes 正常 · shift 正常")
            expect(page.locator("#signals")).to_have_attribute("data-failed", "false")
    expect(page.locator("#signals")).to_be_hidden()  # the box is silent
