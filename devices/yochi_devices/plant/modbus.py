"""Modbus TCP: a stack light's coils and a PLC's registers, written anew several times a second.

Yochi is the client. What a killed Yochi wrote last stays in the other's memory, so nothing that it writes
stands for "released" by merely staying: a lamp that releases blinks, a PLC watches the heartbeat.
"""

import logging
import socket
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TypeVar

from pymodbus.client import ModbusTcpClient
from pymodbus.exceptions import ModbusException
from pymodbus.pdu import ModbusPDU

from .handshake import IDLE, READ, WRITTEN, Handshake, Registers
from .network import in_words
from .settings import ModbusSettings, PlcSettings, StackLightSettings
from .signal import Newest, Signal, SignalError

ANSWER = 1.0  # seconds for a connection and for an answer; more would be a heartbeat that stops
ILLEGAL = {1: "no such function", 2: "no such address", 3: "a value it does not take", 4: "the device failed"}
Value = TypeVar("Value")
logging.getLogger("pymodbus").addHandler(logging.NullHandler())  # what it logs, SignalError says


class Modbus:
    """A client that is opened with the first call, and again after a fault. `opened` runs on each opening."""

    def __init__(self, settings: ModbusSettings, opened: Callable[[], None] = lambda: None) -> None:
        self.settings, self._opened = settings, opened
        self._client: ModbusTcpClient | None = None

    def registers(self, address: int, count: int) -> list[int]:
        """Holding registers. SignalError, as below."""
        unit = self.settings.unit
        found = self._call(lambda c: c.read_holding_registers(address, count=count, device_id=unit), address)
        return self._counted(found.registers, count)

    def coils(self, address: int, count: int) -> list[bool]:
        unit = self.settings.unit
        found = self._call(lambda c: c.read_coils(address, count=count, device_id=unit), address)
        return self._counted(found.bits[:count], count)

    def write_registers(self, address: int, values: list[int]) -> None:
        unit = self.settings.unit
        self._call(lambda c: c.write_registers(address, values, device_id=unit), address)

    def write_coils(self, address: int, values: list[bool]) -> None:
        unit = self.settings.unit
        self._call(lambda c: c.write_coils(address, values, device_id=unit), address)

    def connect(self) -> None:
        """Where it is not yet; SignalError."""
        self._connected()

    @property
    def _where(self) -> str:
        return f"{self.settings.host}:{self.settings.port}, unit {self.settings.unit}"

    def _counted(self, found: Sequence[Value], count: int) -> list[Value]:
        if len(found) != count:
            self.close()
            raise SignalError(f"{self._where}: expected {count} values, got {len(found)}; check the device")
        return list(found)

    def _call(self, ask: Callable[[ModbusTcpClient], ModbusPDU], address: int) -> ModbusPDU:
        try:
            answer = ask(self._connected())
        except ModbusException as e:
            self.close()
            raise SignalError(
                f"{self._where}: no answer within {ANSWER:g} s; check unit, cable and port"
            ) from e
        except BaseException:
            self.close()
            raise
        if answer.isError():
            self.close()
            code = getattr(answer, "exception_code", 0)
            raise SignalError(
                f"{self._where}: refused address {address}: {ILLEGAL.get(code, f'exception {code}')}; "
                "check the addresses"
            )
        return answer

    def _connected(self) -> ModbusTcpClient:
        if self._client is not None and self._client.connected:
            return self._client
        host, port = self.settings.host, self.settings.port
        client = ModbusTcpClient(host, port=port, timeout=ANSWER, retries=0)
        with in_words(host, port):  # its own `connect` keeps the reason to itself
            client.socket = socket.create_connection((host, port), timeout=ANSWER)
        self._client = client
        self._opened()
        return client

    def close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            client.close()  # type: ignore[no-untyped-call]


class StackLight:
    """An output. Red: hold, also with nobody's signal. Green or amber blink while they release.

    A light that stands still, or none, is no release. Without `driving` all are off.
    """

    def __init__(self, settings: StackLightSettings, *, driving: bool) -> None:
        self.name, self.period = settings.name, settings.period_s
        self._settings, self._driving, self._lit = settings, driving, False
        self._modbus = Modbus(settings, self._watch)

    def drive(self, newest: Newest) -> None:
        self._lit = not self._lit
        self._modbus.connect()
        shown = lamps(newest(), time.monotonic(), lit=self._lit) if self._driving else [False] * 3
        self._modbus.write_coils(self._settings.first_coil, shown)

    def _watch(self) -> None:
        """Have the module itself put everything off when nobody writes."""
        register, value = self._settings.watchdog_register, self._settings.watchdog_value
        if register is None or value is None:
            return
        self._modbus.write_registers(register, [value])
        if (found := self._modbus.registers(register, 1)) != [value]:
            self._modbus.close()
            raise SignalError(f"{self.name}: expected the watchdog {value} to stay, got {found[0]}; check it")

    def fault(self) -> None:
        """Nothing is kept from one write to the next."""

    def test(self) -> str:
        red = [True, False, False]
        self._modbus.write_coils(self._settings.first_coil, red)
        found = self._modbus.coils(self._settings.first_coil, 3)
        self.close()
        if found != red:
            raise SignalError(f"{self.name}: expected red to come on, read back {found}; check first_coil")
        return "red was on for a moment, read back, and all off again; look whether you saw it"

    def close(self) -> None:
        with suppress(SignalError):  # without a connection the module's watchdog does it, or nothing blinks
            self._modbus.write_coils(self._settings.first_coil, [False] * 3)
        self._modbus.close()


def lamps(signal: Signal | None, now: float, *, lit: bool) -> list[bool]:
    """Red, amber, green; `lit` turns over from one write to the next."""
    if signal is None or not signal.releases(now) or signal.colour == "red":
        return [True, False, False]
    return [False, lit and signal.colour == "amber", lit and signal.colour == "green"]


class Plc:
    """An output: the registers of `handshake`, for one PLC."""

    def __init__(self, settings: PlcSettings) -> None:
        self.name, self.period = settings.name, settings.period_s
        self._settings, self._modbus = settings, Modbus(settings)
        self._handshake = Handshake(settings.answer_s)

    def drive(self, newest: Newest) -> None:
        request, acknowledge = self._modbus.registers(self._settings.read_at, READ)
        self._write(self._handshake.step(request, acknowledge, newest(), time.monotonic()))

    def _write(self, registers: Registers) -> None:
        self._modbus.write_registers(self._settings.write_at, list(registers))

    def fault(self) -> None:
        self._handshake.fault()

    def test(self) -> str:
        self._modbus.registers(self._settings.read_at, READ)
        self._write(IDLE)
        found = self._modbus.registers(self._settings.write_at, WRITTEN)
        self._modbus.close()
        if found != list(IDLE):
            raise SignalError(
                f"{self.name}: expected 6 zeros to stay, read back {found}; does it write there?"
            )
        return "request and acknowledge were read; the idle registers were written and read back"

    def close(self) -> None:
        with suppress(SignalError):  # without a connection the heartbeat stands still, which is hold, too
            self._write(IDLE)
        self._modbus.close()
