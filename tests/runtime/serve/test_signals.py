"""`yochi serve` drives the plant: a PLC by a real Modbus server, messages, and what /metrics says of them."""

import json
from pathlib import Path

import pytest
from pymodbus.client import ModbusTcpClient
from yochi_devices.plant.handshake import HOLD, RELEASE
from yochi_runtime.mode import Mode
from yochi_runtime.signalling import open_signals

from tests.fixtures.plant_servers import Receiver, free_port, modbus_client, modbus_server
from tests.fixtures.tiny_bundle import TinyBundle

from .conftest import Running, opens, running, wait_until
from .test_live import Eye, eye

__all__ = ["eye"]

SETTINGS = """
outbox = "outbox.db"
limit = 2
[[webhook]]
name = "hook"
url = "{url}"
secret = {{ env = "HOOK" }}
[[plc]]
name = "plc"
host = "127.0.0.1"
port = {port}
read_at = 0
write_at = 10
period_s = 0.05
"""


def metrics(server: Running) -> str:
    return server.http.get("/metrics").text


def asks(plant: ModbusTcpClient, number: int) -> list[int]:
    """Answer and result of a request."""
    plant.write_registers(0, [number, 0])
    wait_until(lambda: plant.read_holding_registers(12).registers == [number])
    return list(plant.read_holding_registers(12, count=2).registers)


def test_enforce_drives_and_what_fails_holds(
    eye: type[Eye], module_tiny: TinyBundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOOK", "k" * 32)
    file, port, told = tmp_path / "signals.toml", free_port(), list[str]()
    with Receiver() as receiver, modbus_server(port), modbus_client(port) as plant:
        file.write_text(SETTINGS.format(url=receiver.url, port=port), encoding="utf-8")
        with (
            open_signals(file, Mode.ENFORCE, told.append, every=0.05, valid=10.0) as signals,
            running(
                opens(module_tiny),
                tmp_path / "audit.db",
                camera="0",
                every=0.05,
                mode=Mode.ENFORCE,
                signals=signals,
            ) as server,
        ):
            assert server.http.get("/v1/live").json()["judgement"]["output"] in ("hold", "release")
            wait_until(lambda: len(receiver.got) > 0)
            wait_until(lambda: asks(plant, 1) == [1, RELEASE] or asks(plant, 2) == [2, RELEASE])
            eye.fault = "expected a frame, got none; check the cable"
            wait_until(lambda: asks(plant, 3) == [3, HOLD])
            receiver.status = 500
            wait_until(lambda: 'yochi_signal_failing{signal="hook"} 1.0' in metrics(server))
            wait_until(lambda: 'yochi_outbox_messages{signal="hook"} 2.0' in metrics(server))
            assert 'yochi_signal_failing{signal="plc"} 0.0' in metrics(server)
            shown = server.http.get("/v1/live/signals").json()
            assert [(each["name"], each["standing"]) for each in shown] == [
                ("hook", "failed"),
                ("plc", "in_order"),
            ]
            assert shown[0]["waiting"] == 2
            assert 'yochi_signal_taken_total{signal="hook"}' in metrics(server)
            assert 'yochi_outbox_missed{signal="hook"}' in metrics(server)
        assert plant.read_holding_registers(10, count=6).registers == [0] * 6
        first = json.loads(receiver.got[0][1])
    assert {first["camera"], first["mode"]} == {"0", "enforce"}
    assert any("it answered 500" in line for line in told)
