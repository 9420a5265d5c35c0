"""Sinks and outputs side by side: what one suffers no other does, and nothing that fails releases."""

import json
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from yochi_devices.plant import workers
from yochi_devices.plant.line import Line, open_line, outputs_of, sinks_of
from yochi_devices.plant.outbox import Outbox, Waiting
from yochi_devices.plant.settings import SignalSettings
from yochi_devices.plant.signal import Message, Newest, Output, SettingsError, Signal, SignalError, Sink

from tests.fixtures.plant_servers import Receiver

from .signals import made


class Kept(Sink):
    """Keeps what it is sent; `fault` is what it fails with."""

    def __init__(self, name: str) -> None:
        self.name, self.got, self.tries = name, list[Message](), 0
        self.fault: Exception | None = None
        self.closed = False

    def send(self, message: Message) -> None:
        self.tries += 1
        if self.fault is not None:
            raise self.fault
        self.got.append(message)

    def close(self) -> None:
        self.closed = True


class Shown(Output):
    """Shows the last signal that it was driven by."""

    def __init__(self) -> None:
        self.name, self.period, self.faults, self.closed = "shown", 0.01, 0, False
        self.signal: Signal | None = None
        self.fails: Exception | None = None

    def drive(self, newest: Newest) -> None:
        if self.fails is not None:
            raise self.fails
        self.signal = newest()

    def fault(self) -> None:
        self.faults += 1

    def test(self) -> str:
        raise NotImplementedError

    def close(self) -> None:
        self.closed = True


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "FIRST_PAUSE", 0.01)
    monkeypatch.setattr(workers, "LAST_PAUSE", 0.02)
    monkeypatch.setattr(workers, "OUTPUT_PAUSE", 0.01)


def until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.005)


def now(release: bool | None = True, id: str = "a1") -> Signal:
    return made(release, issued=time.monotonic(), id=id)


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Outbox]:
    made_here = Outbox(tmp_path / "outbox.db", ["well", "ill"], 3)
    yield made_here
    made_here.close()


def test_a_dead_sink_stops_neither_the_others_nor_the_output(box: Outbox, told: list[str]) -> None:
    well, ill, shown = Kept("well"), Kept("ill"), Shown()
    ill.fault = SignalError("no answer; look after it")
    with Line([well, ill], [shown], box, told.append) as line:
        for number in range(5):
            line.give(now(id=f"m{number}"))
            until(lambda number=number: len(well.got) == number + 1)  # type: ignore[misc]
        until(lambda: ill.tries > 3)
        until(lambda: shown.signal is not None and shown.signal.id == "m4")
        assert line.waiting() == {"ill": Waiting(3, 2), "well": Waiting(0, 0)}
        assert [(s.name, s.taken, s.fault) for s in line.states()[:2]] == [
            ("well", 5, None),
            ("ill", 0, "no answer; look after it"),
        ]
        ill.fault = ValueError("something else\nwith lines")
        until(lambda: "signal ill: ValueError: something else with lines" in told)
        ill.fault = None
        until(lambda: len(ill.got) == 3)
        line.give(now(id="m5"))
        until(lambda: len(ill.got) == 4)
    assert [(m.id, m.sequence, m.missed) for m in ill.got] == [
        ("m0", 1, 0),
        ("m1", 2, 0),
        ("m2", 3, 0),
        ("m5", 4, 2),
    ]
    assert [json.loads(m.text())["verdict"] for m in well.got] == [1] * 6
    assert well.closed
    assert shown.closed
    full = [line for line in told if line.startswith("outbox of ill")]
    assert [line.partition(",")[0] for line in full] == [
        "outbox of ill: full",
        "outbox of ill: has room again",
    ]
    assert [line for line in told if line.startswith("signal ill")] == [
        "signal ill: no answer; look after it",
        "signal ill: ValueError: something else with lines",
        "signal ill: works again",
    ]


def test_what_is_past_its_time_or_at_an_end_drives_nothing(told: list[str]) -> None:
    shown = Shown()
    with Line([], [shown], None, told.append) as line:
        assert line.newest() is None
        line.give(made(True, issued=time.monotonic() - 6.0))
        assert line.newest() is None
        line.give(now())
        until(lambda: shown.signal is not None)
        line.give(made(True, issued=time.monotonic() - 4.9))
        until(lambda: shown.signal is None)
        line.give(now())
    assert line.newest() is None
    assert line.waiting() == {}


def test_an_output_that_fails_is_told_of_its_fault_each_time(told: list[str]) -> None:
    shown = Shown()
    shown.fails = SignalError("no answer; check the cable")
    with Line([], [shown], None, told.append) as line:
        line.give(now())
        until(lambda: shown.faults >= 3)
        assert shown.signal is None
        shown.fails = None
        until(lambda: shown.signal is not None)
    assert told == ["signal shown: no answer; check the cable", "signal shown: works again"]


def test_an_outbox_that_cannot_be_written_is_told_and_releases_nothing(box: Outbox, told: list[str]) -> None:
    well, ill, shown = Kept("well"), Kept("ill"), Shown()

    def full(id: str, body: str) -> tuple[str, ...]:  # noqa: ARG001
        raise sqlite3.OperationalError("database or disk is full")

    with Line([well, ill], [shown], box, told.append) as line:
        box.put = full  # type: ignore[method-assign]
        line.give(now(False))
        line.give(now(False))
        until(lambda: shown.signal is not None)
        assert shown.signal is not None
        assert shown.signal.release is False
        del box.put
        line.give(now(False))
    assert [said.partition(",")[0] for said in told] == [
        "outbox of well: database or disk is full",
        "outbox of ill: database or disk is full",
        "outbox of well: has room again",
        "outbox of ill: has room again",
    ]


def test_messages_of_a_sink_that_is_not_named_any_more_are_told_and_kept(tmp_path: Path) -> None:
    box, told = Outbox(tmp_path / "outbox.db", ["old"], 3), list[str]()
    box.put("x", "{}")
    box.close()
    box = Outbox(tmp_path / "outbox.db", ["new"], 3)
    with Line([Kept("new")], [], box, told.append):
        pass
    assert told == [
        "outbox: 1 messages wait for old, which the settings no longer name; name it again to send them"
    ]


def test_a_whole_settings_file_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: list[str]) -> None:
    monkeypatch.setenv("HOOK", "k" * 32)
    with Receiver() as receiver:
        settings = SignalSettings.model_validate(
            {
                "webhook": [{"name": "hook", "url": receiver.url, "secret": {"env": "HOOK"}}],
                "csv": [{"name": "csv", "path": tmp_path / "c.csv"}],
            }
        )
        with open_line(settings, tmp_path / "outbox.db", ("words",), told.append, driving=True) as line:
            receiver.status = 500
            line.give(now(id="a"))
            until(lambda: line.states()[0].fault is not None)
            receiver.status = 200
            line.give(now(id="b"))
            until(lambda: [s.taken for s in line.states()] == [2, 2])
        assert [json.loads(body)["id"] for _, body in receiver.got] == ["a", "b"]
    assert (tmp_path / "c.csv").read_text(encoding="utf-8").count("made by hand, 危険") == 2
    assert threading.active_count() < 20


def test_a_missing_package_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    mqtt = {"name": "m", "host": "h", "topic": "a/b"}
    plc = {"name": "p", "host": "h", "read_at": 0, "write_at": 2}
    settings = SignalSettings.model_validate({"mqtt": [mqtt], "plc": [plc]})
    assert [s.name for s in sinks_of(settings, ())] == ["m"]
    assert [o.name for o in outputs_of(settings, driving=True)] == ["m (state)", "p"]
    monkeypatch.setitem(__import__("sys").modules, "yochi_devices.plant.modbus", None)
    with pytest.raises(SettingsError, match=r"expected pymodbus for .* pip install pymodbus"):
        outputs_of(settings, driving=True)
    monkeypatch.setitem(__import__("sys").modules, "yochi_devices.plant.mqtt", None)
    with pytest.raises(SettingsError, match="expected paho-mqtt for"):
        sinks_of(settings, ())
    with pytest.raises(SettingsError, match="expected paho-mqtt for"):
        outputs_of(settings, driving=True)
