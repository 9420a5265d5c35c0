"""A live camera before a real service: the cable is pulled, and every number has its arithmetic."""

import shutil
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from yochi_bench import cli, live
from yochi_bench.cable import Cable
from yochi_bench.live import Run, cuts_table, follow, growth_table, times_table
from yochi_bench.memory import Use
from yochi_bench.report import Report, measured
from yochi_bench.served import Heard, heard_of
from yochi_runtime.audit.signing import create_key, read_key
from yochi_runtime.bundle import open_bundle
from yochi_runtime.errors import UsageError
from yochi_runtime.signature import write_signature
from yochi_runtime.trust_store import add_key

from tests.fixtures.rtsp_server import RtspServer, State
from tests.fixtures.tiny_bundle import TinyBundle

from .reports import valid_report

ROOT = Path(__file__).parents[2]


def heard(at: float, verdict: str = "stop", *, begun_s: float | None = 0.1, id: int | None = 1) -> Heard:
    return Heard(at, 1000.0 + at, id, verdict, "", begun_s, 0.5)


def test_times_by_hand() -> None:
    run = Run(
        steady=[heard(n / 10, begun_s=0.02 * n, id=n) for n in range(11)] + [heard(2.0, "cannot_judge")]
    )
    rows = {n: 1000.0 + n / 10 - 0.004 * n for n in range(11)}
    drawn = {n: 1000.0 + n / 10 + 0.016 for n in range(11)}
    table = times_table(run, rows, drawn)
    p50 = {row.id: row.cells["p50"].value for row in table.rows}
    assert p50 == pytest.approx({live.BEGUN: 100.0, live.TOLD: 500.0, live.KNOWN: 20.0, live.DRAWN: 36.0})
    assert table.rows[0].cells["max"].value == pytest.approx(200.0)
    nowhere = times_table(run, rows, measured(None, "expected a browser")).rows[-1]
    assert {cell.reason for cell in nowhere.cells.values()} == {"expected a browser"}


def test_cuts_by_hand() -> None:
    rows = {
        r.id: r.cells
        for r in cuts_table(Run(lost_s=[1.0, 1.5, 1.2], back_s=[2.0, None, 3.0], missed=2, refused=4)).rows
    }
    lost, back, missed, refused = rows.values()
    assert (lost["median"].value, lost["max"].value) == (1.2, 1.5)
    assert back["max"].value is None
    assert "after 2 of 3" in str(back["max"].reason)
    assert (missed["count"].value, refused["count"].value) == (2, 4)
    assert cuts_table(Run()).rows[0].cells["max"].value is None


def test_what_is_held_is_of_the_cuts_alone() -> None:
    run = Run(used=[Use(10, 20, 30), Use(500, 600, 700), Use(11, 21, 31)])
    before, after = (row.cells for row in growth_table(run).rows)
    assert [number.value for number in before.values()] == [10, 20, 30]
    assert [number.value for number in after.values()] == [11, 21, 31]


class Scripted:
    """A service that judges while the cable is in, `late` times more after it was pulled, and then cannot."""

    pid = 0

    def __init__(self, cable: "FakeCable", late: int, begun_s: float) -> None:
        self.heard: list[Heard] = []
        self._cable, self._late, self._begun_s = cable, late, begun_s

    def wait(self, holds: Callable[[list[Heard]], bool], _seconds: float) -> bool:
        until = time.monotonic() + 5
        while not holds(self.heard) and time.monotonic() < until:
            judged = self._cable.plugged.is_set() or self._late > 0
            if not self._cable.plugged.is_set():
                self._late -= 1
            self.heard.append(
                heard(time.monotonic(), "stop" if judged else "cannot_judge", begun_s=self._begun_s)
            )
        return holds(self.heard)


class FakeCable:
    def __init__(self) -> None:
        self.plugged = threading.Event()
        self.plugged.set()


@pytest.mark.parametrize(("late", "begun_s", "missed"), [(0, 0.1, 0), (3, 0.1, 3), (0, 1.5, None)])
def test_what_comes_late_or_is_old_is_a_miss(
    late: int, begun_s: float, missed: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "tree_use", lambda _: Use(1, 1, 1))
    monkeypatch.setattr(live, "SEEN", 0.0)
    monkeypatch.setattr(live, "DARK", 0.0)
    cable = FakeCable()
    served = Scripted(cable, late, begun_s)
    run = follow(served, cable, 4, 1, 0.0, lambda _: None)  # type: ignore[arg-type]
    assert run.missed == (missed if missed is not None else sum(h.judged for h in served.heard))
    assert len(run.steady) == 4
    assert len(run.lost_s) == len(run.back_s) == 1
    assert None not in (*run.lost_s, *run.back_s)


def test_a_refusal_between_two_cuts_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "tree_use", lambda _: Use(1, 1, 1))
    monkeypatch.setattr(live, "DARK", 0.0)
    cable = FakeCable()
    served, waited = Scripted(cable, 0, 0.1), []

    def pause(seconds: float) -> None:
        if seconds == 300.0:
            waited.append(len(served.heard))
            served.heard += [heard(time.monotonic(), verdict) for verdict in ("stop", "cannot_judge", "stop")]

    run = follow(served, cable, 4, 2, 300.0, pause)  # type: ignore[arg-type]
    assert len(waited) == 2
    assert (run.refused, run.missed) == (2, 0)


def test_a_camera_that_stops_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "GIVE_UP", 0.05)

    class Stopped(Scripted):
        def wait(self, holds: Callable[[list[Heard]], bool], _seconds: float) -> bool:
            self.heard = self.heard or [heard(1.0)]
            return holds(self.heard)

    cable = FakeCable()
    with pytest.raises(UsageError, match=r"expected another verdict within 0\.05 s"):
        follow(Stopped(cable, 0, 0.1), cable, 4, 1, 0.0, lambda _: None)  # type: ignore[arg-type]


def test_an_event_is_read() -> None:
    gate = {"reason": "frame_stale", "value": 0.25}
    judgement = {"verdict": "cannot_judge", "message": "expected light", "gates": [{"reason": "x"}, gate]}
    found = heard_of({"id": None, "age_s": 1.5, "judgement": judgement})
    assert (found.begun_s, found.told_s, found.judged, found.why) == (0.25, 1.5, False, "expected light")


def test_a_pulled_cable_lets_nothing_pass() -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server, Cable(*server.getsockname()) as cable:
        near = socket.create_connection(("127.0.0.1", cable.port))
        far, _ = server.accept()
        with near, far:
            near.sendall(b"in")
            assert far.recv(9) == b"in"
            cable.plugged.clear()
            near.sendall(b"kept")
            far.settimeout(0.1)
            with pytest.raises(TimeoutError):
                far.recv(9)
            cable.plugged.set()
            far.settimeout(30)
            assert far.recv(9) == b"kept"


@pytest.mark.parametrize("reset", [False, True])
def test_an_end_is_told_once_the_cable_is_in(reset: bool) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server, Cable(*server.getsockname()) as cable:
        near = socket.create_connection(("127.0.0.1", cable.port))
        far, _ = server.accept()
        with far:
            cable.plugged.clear()
            if reset:
                near.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            near.close()
            far.settimeout(0.1)
            with pytest.raises(TimeoutError):
                far.recv(9)
            cable.plugged.set()
            far.settimeout(30)
            assert far.recv(9) == b""


@pytest.fixture
def signed(tiny: TinyBundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The tiny bundle, signed, on a box that trusts its key."""
    folder, key = tmp_path / "bundle", tmp_path / "plant"
    shutil.copytree(tiny.folder, folder)
    create_key(key)
    write_signature(open_bundle(folder), read_key(key))
    monkeypatch.setenv("YOCHI_TRUST", str(tmp_path / "trust"))
    add_key(key.with_name("plant.pub"), None)
    return folder


def scene(number: int) -> Image.Image:
    """The sample with a sensor's noise."""
    rgb = np.asarray(
        Image.open(ROOT / "docs" / "sample" / "frame.jpg").convert("RGB").resize((320, 240)), int
    )
    noise = np.random.default_rng(number).integers(-3, 4, rgb.shape)
    return Image.fromarray(np.clip(rgb + noise, 0, 255).astype(np.uint8))


def run_live(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int | str | None:
    monkeypatch.setattr(sys, "argv", ["yochi-bench", "live", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return ended.value.code


def test_a_real_service_loses_its_camera(
    signed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "DARK", 2.5)
    with RtspServer(state=State(draw=scene)) as camera:
        options = ("--bundle", signed, "--count", 12, "--cuts", 1)
        assert not run_live(monkeypatch, camera.uri, tmp_path / "out", *options)
    report: Report = valid_report(tmp_path / "out" / "report.json")
    tables = {table.id: {row.id: row.cells for row in table.rows} for table in report.tables}
    assert report.kind == "live"
    for name in (live.BEGUN, live.TOLD, live.KNOWN):
        assert tables["live"][name]["p50"].value is not None
    assert "--browser" in str(tables["live"][live.DRAWN]["p50"].reason)
    assert tables["cuts"]["cut to cannot_judge"]["max"].value is not None
    assert tables["cuts"]["back to a verdict"]["max"].value is not None
    assert tables["held"]["after them"]["threads"].value is not None
    page = tables["page"]["page, styles, scripts"]["bytes"]
    assert page.n == 3
    assert page.value is not None
    assert page.value > sum(
        (ROOT / "runtime/yochi_runtime/serve/page" / f).stat().st_size for f in ("page.js", "page.css")
    )


def test_the_service_ends_with_a_benchmark_that_is_told_to_end(signed: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with RtspServer(state=State(draw=scene)) as camera:
        options = ["--bundle", str(signed), "--count", "1000000"]
        start = "from yochi_bench.cli import main; main()"
        command = [sys.executable, "-c", start, "live", camera.uri, str(out), *options]
        bench = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        until = time.monotonic() + 240
        while not (out / "audit.db").exists():
            assert time.monotonic() < until
            assert bench.poll() is None
            time.sleep(0.1)
        assert services_of(out)
        bench.terminate()
        _, said = bench.communicate(timeout=60)
    assert (bench.returncode, said.splitlines()[-1]) == (130, "yochi-bench: interrupted")
    assert services_of(out) == []


def services_of(out: Path) -> list[str]:
    """Command lines of the processes that write the log in `out`."""
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            found.append(file.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
    return [line for line in found if f"--audit {out / 'audit.db'}" in line]


@pytest.mark.parametrize(
    ("address", "said"),
    [("http://127.0.0.1/live", "expected rtsp://"), ("rtsp://a:b@127.0.0.1/live", "YOCHI_CAMERA_LOGIN")],
)
def test_a_wrong_address_is_exit_2(
    address: str,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run_live(monkeypatch, address, tmp_path / "out") == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
