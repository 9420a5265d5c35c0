"""Stack light and PLC by a real Modbus server: what stands in its memory, and every refusal in words."""

import time
from collections.abc import Iterator

import pytest
from pymodbus.client import ModbusTcpClient
from yochi_devices.plant.handshake import HOLD, NONE, RELEASE
from yochi_devices.plant.modbus import Plc, StackLight, lamps
from yochi_devices.plant.settings import PlcSettings, StackLightSettings
from yochi_devices.plant.signal import SignalError

from tests.fixtures.plant_servers import Receiver, free_port, modbus_client, modbus_server

from .signals import made

RED = [True, False, False]


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    chosen = free_port()
    with modbus_server(chosen):
        yield chosen


@pytest.fixture
def plant(port: int) -> Iterator[ModbusTcpClient]:
    """The PLC's own program, with cleared memory."""
    with modbus_client(port) as client:
        client.write_registers(0, [0] * 100)
        client.write_coils(0, [False] * 16)
        yield client


def light(port: int, *, driving: bool = True, **more: object) -> StackLight:
    given = {"name": "light", "host": "127.0.0.1", "port": port, "first_coil": 4}
    return StackLight(StackLightSettings.model_validate({**given, **more}), driving=driving)


def plc(port: int, **more: object) -> Plc:
    given = {
        "name": "plc",
        "host": "127.0.0.1",
        "port": port,
        "read_at": 10,
        "write_at": 20,
        "period_s": 0.05,
    }
    return Plc(PlcSettings.model_validate({**given, **more}))


def coils(client: ModbusTcpClient) -> list[bool]:
    return list(client.read_coils(4, count=3).bits[:3])


def test_what_releases_blinks_and_what_holds_is_red() -> None:
    green, amber = made(True, issued=0.0), made(True, issued=0.0, code=2)
    assert [lamps(green, 1.0, lit=lit) for lit in (True, False)] == [[False, False, True], [False] * 3]
    assert [lamps(amber, 1.0, lit=lit) for lit in (True, False)] == [[False, True, False], [False] * 3]
    for held in (None, made(False, issued=0.0), made(None, issued=0.0), made(True, issued=0.0, code=3)):
        assert [lamps(held, 1.0, lit=lit) for lit in (True, False)] == [RED, RED]
    assert lamps(green, 5.0, lit=True) == RED  # expired


def test_a_stack_light(port: int, plant: ModbusTcpClient) -> None:
    one, signal = light(port), made(True, issued=time.monotonic() + 0.0)
    seen = []
    for newest in (signal, signal, signal, None, made(False, issued=time.monotonic())):
        one.drive(lambda newest=newest: newest)  # type: ignore[misc]
        seen.append(coils(plant))
    assert seen == [[False, False, True], [False] * 3, [False, False, True], RED, RED]
    one.close()
    one.close()
    assert coils(plant) == [False] * 3
    advising = light(port, driving=False)
    for newest in (signal, None):
        advising.drive(lambda newest=newest: newest)  # type: ignore[misc]
        assert coils(plant) == [False] * 3
    advising.close()


def test_a_modules_watchdog_is_set_whenever_it_is_connected(port: int, plant: ModbusTcpClient) -> None:
    one = light(port, watchdog_register=50, watchdog_value=300)
    for _ in range(2):
        one.drive(lambda: None)
        assert plant.read_holding_registers(50).registers == [300]
        plant.write_registers(50, [0])
        one.drive(lambda: None)
        assert plant.read_holding_registers(50).registers == [0]
        one.close()
    with pytest.raises(SignalError, match="refused address 500: no such address; check the addresses"):
        light(port, watchdog_register=500, watchdog_value=300).drive(lambda: None)


def test_a_round_with_a_plc(port: int, plant: ModbusTcpClient) -> None:
    one = plc(port)

    def step(released: bool | None) -> list[int]:
        one.drive(lambda: None if released is None else made(released, issued=time.monotonic()))
        return list(plant.read_holding_registers(20, count=6).registers)

    assert step(True) == [1, 1, 0, NONE, 1, 0]
    plant.write_registers(10, [7, 0])
    one.drive(lambda: made(True, issued=0.0))
    found = step(True)
    assert (found[:5], 0 < found[5] <= 5000) == ([3, 1, 7, RELEASE, 1], True)
    assert step(None)[1:] == [0, 7, HOLD, 0, 0]
    plant.write_registers(10, [8, 7])
    step(True)
    assert step(False)[1:] == [1, 8, HOLD, 3, 0]
    plant.write_registers(10, [8, 8])
    assert step(True)[1:] == [1, 0, NONE, 1, 0]
    one.close()
    one.close()
    assert plant.read_holding_registers(20, count=6).registers == [0] * 6


def test_a_lost_connection_holds_what_was_released() -> None:
    chosen = free_port()
    one = plc(chosen)

    def step() -> None:
        one.drive(lambda: made(True, issued=time.monotonic()))

    with modbus_server(chosen), modbus_client(chosen) as plant:
        plant.write_registers(10, [7])
        step()
        step()
        assert plant.read_holding_registers(23).registers == [RELEASE]
    with pytest.raises(SignalError):
        step()
    one.fault()
    with modbus_server(chosen), modbus_client(chosen) as plant:
        plant.write_registers(10, [7])  # its memory survived
        step()
        step()
        assert plant.read_holding_registers(22, count=2).registers == [7, HOLD]
        plant.write_registers(10, [8])
        step()
        step()
        assert plant.read_holding_registers(22, count=2).registers == [8, RELEASE]
    one.close()


def test_a_test_releases_nothing_and_says_what_it_did(port: int, plant: ModbusTcpClient) -> None:
    assert "red was on for a moment" in light(port).test()
    assert "idle registers were written and read back" in plc(port).test()
    assert coils(plant) == [False] * 3


def test_what_is_wrong_is_said(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("yochi_devices.plant.modbus.ANSWER", 0.2)
    with pytest.raises(SignalError, match=r"127.0.0.1:\d+: refused, nothing listens there"):
        plc(free_port()).test()
    with pytest.raises(SignalError, match="refused address 110: no such address"):
        plc(port, read_at=110).test()
    with pytest.raises(SignalError, match=r"unit 9: (no answer|refused)"):
        light(port, unit=9).test()
    with Receiver() as receiver, pytest.raises(SignalError, match=r"no answer within .* s; check unit"):
        light(receiver.server_address[1]).test()
    silent = light(port)
    monkeypatch.setattr(silent._modbus, "coils", lambda *_: [False] * 3)
    with pytest.raises(SignalError, match="expected red to come on"):
        silent.test()
