"""The auditor's and the engineer's pages in a real browser, on a log with something to find."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import httpx2
import pytest
from playwright.sync_api import Page, expect
from yochi_devices.plant.csv_file import CsvFile
from yochi_devices.plant.line import Line
from yochi_devices.plant.outbox import Outbox
from yochi_devices.plant.settings import CsvSettings
from yochi_runtime.mode import Mode
from yochi_runtime.rules_in_force import rules_in_force
from yochi_runtime.serve.access import Access
from yochi_runtime.signalling import Signals

from tests.fixtures.tiny_bundle import TinyBundle
from tests.runtime.audit.conftest import forge
from tests.runtime.serve.conftest import Running, opens, running, wait_until
from tests.runtime.serve.test_access import TOKEN
from tests.runtime.serve.test_audit_routes import EXAMPLE

from .conftest import ROOT, WAIT_MS, Eye, seen

expect.set_options(timeout=WAIT_MS)
PICTURE = (ROOT / "docs" / "sample" / "frame.jpg").read_bytes()


def judge(http: httpx2.Client, note: str, picture: bytes = PICTURE) -> int:
    sent = http.post("/v1/judgements", files={"image": picture}, data={"note": note})
    number: int = sent.json()["id"]
    return number


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "audit.db"


@pytest.fixture
def server(stopping: TinyBundle, log: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Running]:
    """Two judgements with their pictures, one `cannot_judge`, and what somebody said of the first."""
    monkeypatch.setenv("YOCHI_BASE", str(stopping.base))
    with running(opens(stopping), log, keep_frames=True) as started:
        assert judge(started.http, "床の清掃（プレス3号機の横）") == 1
        assert judge(started.http, "Change the die of press 3 while <b>it</b> runs.") == 2
        assert judge(started.http, "Routine round.", b"no picture") == 3
        said = {"says": "correction", "verdict": "caution", "comment": "火花だけ"}
        assert started.http.post("/v1/judgements/1/feedback", json=said).status_code == 201
        yield started


def rows(page: Page) -> list[str]:
    expect(page.locator("#found")).not_to_contain_text("...")
    return [button.inner_text() for button in page.locator("#rows button").all()]


def test_an_auditor_finds_reads_and_proves(server: Running, page: Page, tmp_path: Path) -> None:
    page.goto(f"{server.url}/audit")
    expect(page.locator("#rows tr")).to_have_count(3)
    assert rows(page) == ["3", "2", "1"]
    page.locator("#verdicts").select_option("cannot_judge")
    page.locator("#search button").click()
    expect(page.locator("#rows tr")).to_have_count(1)
    page.locator("#verdicts").select_option("")
    page.locator("[name=text]").fill("ﾌﾟﾚｽ")  # half width
    page.locator("[name=text]").press("Enter")
    expect(page.locator("#rows button")).to_have_text("1")
    page.locator("#rows button").press("Enter")
    expect(page.locator("#one-title")).to_be_focused()
    expect(page.locator("#picture")).to_be_visible()
    expect(page.locator("#one-said")).to_contain_text("should be CAUTION")
    assert page.locator("#boxes > span").count() >= 1
    page.locator("#replay").click()
    expect(page.locator("#replay-head")).to_have_text("The same judgement.")
    page.locator("#verify").click()
    expect(page.locator("#chain-head")).to_have_text("The log is whole.")
    expect(page.locator("#chain-said")).to_contain_text("4 rows, none changed or missing")
    seen(page, "audit-en")
    page.locator("#language").click()
    expect(page.locator("#chain-head")).to_contain_text("正常")
    seen(page, "audit-ja")
    with page.expect_download() as got:
        page.locator("a[download]").click()
    got.value.save_as(tmp_path / "audit.csv")
    assert (tmp_path / "audit.csv").read_text(encoding="utf-8-sig").count("\n") >= 5


def test_a_changed_row_is_shown_as_broken(server: Running, page: Page, log: Path) -> None:
    page.goto(f"{server.url}/audit")
    expect(page.locator("#rows tr")).to_have_count(3)
    forge(log, "UPDATE judgements SET note = 'nothing happened' WHERE sequence = 2")
    page.locator("#verify").click()
    expect(page.locator("#chain-head")).to_have_text("The log is broken.")
    expect(page.locator("#chain-said")).to_contain_text("row 2 was changed")
    page.locator("#search button").click()
    expect(page.locator("#found")).to_contain_text("row 2 was changed")
    expect(page.locator("#rows tr")).to_have_count(0)
    seen(page, "audit-broken-en")


def test_an_engineer_sees_state_history_and_report(
    eye: type[Eye], stopping: TinyBundle, page: Page, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not eye.hangs
    monkeypatch.setenv("YOCHI_BASE", str(stopping.base))
    rules = rules_in_force(EXAMPLE, None, stopping.folder, lambda _: None)
    outbox = Outbox(log.with_name("outbox.db"), ["shift"], 100)
    line = Line(
        [CsvFile(CsvSettings(name="shift", path=log.with_name("shift.csv")), ("verdict",))],
        [],
        outbox,
        lambda _: None,
    )
    opened = partial(running, opens(stopping), log, camera="0", every=0.2, rules=rules)
    with line, opened(signals=Signals(Mode.ADVISE, 1.0, lambda _: line)) as server:
        wait_until(lambda: server.service.live is not None and (server.service.live.shown.given.id or 0) > 30)
        page.goto(f"{server.url}/engineer")
        expect(page.locator("#ready")).to_have_text("Ready to judge")
        expect(page.locator("#bundle")).to_contain_text(stopping.sha256)
        expect(page.locator("#rates rect").first).to_be_attached()
        assert page.locator("#rates figure").count() == 2
        expect(page.locator("#stages")).to_contain_text("vision")
        expect(page.locator("#signals")).to_contain_text("shift")
        expect(page.locator("#newest-gates")).to_contain_text("frame_dark")
        page.locator("#report-form button").click()
        expect(page.locator("#report-table")).to_contain_text("fire")
        seen(page, "engineer-en")
        page.locator("#language").click()
        expect(page.locator("#ready")).to_have_text("判定可能")
        seen(page, "engineer-ja")
        Eye.fault = "expected a frame of the camera, the cable is out; plug it in"
        expect(page.locator("#newest")).to_contain_text("判定不能")
    expect(page.locator("#ready")).to_have_text("装置から応答がありません。")


def test_beyond_the_box_a_page_is_reached_by_the_token(
    stopping: TinyBundle, page: Page, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("YOCHI_BASE", str(stopping.base))
    with running(opens(stopping), log, access=Access("127.0.0.1", TOKEN), ready=True) as server:
        page.goto(f"{server.url}/engineer")
        seen(page, "login-en")
        page.locator("#token").fill("wrong")
        page.locator("#token").press("Enter")
        expect(page.locator("[role=alert]")).to_be_visible()
        page.locator("#token").fill(TOKEN)
        page.locator("#token").press("Enter")
        expect(page).to_have_url(f"{server.url}/engineer")
        expect(page.locator("#ready")).to_have_text("Ready to judge")
