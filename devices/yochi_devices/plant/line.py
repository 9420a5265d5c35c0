"""Everything of one settings file, running: `give` it a signal, and messages and outputs follow."""

import json
import sqlite3
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from .csv_file import CsvFile
from .outbox import Outbox, Waiting
from .settings import SignalSettings
from .signal import Output, SettingsError, Signal, Sink
from .webhook import Webhook
from .workers import Driver, Sender, State, Tell, Worker


class Line:
    """A context manager. `tell` gets a line when something fails, is full or works again, from any thread."""

    def __init__(
        self, sinks: Sequence[Sink], outputs: Sequence[Output], outbox: Outbox | None, tell: Tell
    ) -> None:
        self._outbox, self._tell = outbox, tell
        self._newest: Signal | None = None
        self._full: dict[str, str] = {}  # why the last signal was not kept, by sink
        self._guard = threading.Lock()  # of `give`
        senders = [Sender(sink, outbox, tell) for sink in sinks] if outbox is not None else []
        self._senders: list[Worker] = [*senders]
        self._drivers: list[Worker] = [Driver(output, self.newest, tell) for output in outputs]

    def start(self) -> None:
        if self._outbox is not None:
            known = self.kept_for
            for sink, waiting in self._outbox.waiting().items():
                if sink not in known:
                    self._tell(
                        f"outbox: {waiting.messages} messages wait for {sink}, which the settings no longer "
                        "name; name it again to send them"
                    )
        for worker in (*self._senders, *self._drivers):
            worker.start()

    def give(self, signal: Signal) -> None:
        """Outputs follow it from now on, and messages of it are durable in the outbox when it returns.

        Raises nothing: what cannot be kept is told and counted, and changes no output.
        """
        with self._guard:
            self._newest = signal
            for worker in self._drivers:
                worker.wake()
            if self._outbox is not None:
                self._keep(self._outbox, signal)
        for worker in self._senders:
            worker.wake()

    def _keep(self, outbox: Outbox, signal: Signal) -> None:
        names = self.kept_for
        try:
            body = json.dumps(signal.payload, ensure_ascii=False, separators=(",", ":"))
            refused = dict.fromkeys(outbox.put(signal.id, body), "full")
        except (sqlite3.Error, TypeError, ValueError) as e:
            refused = dict.fromkeys(names, str(e))
        for sink in names:
            before, after = self._full.get(sink), refused.get(sink)
            if after is not None and before != after:
                self._tell(
                    f"outbox of {sink}: {after}, judgements are not sent any more; mend the sink or the disk"
                )
            elif after is None and before is not None:
                self._tell(f"outbox of {sink}: has room again")
        self._full = refused

    def newest(self) -> Signal | None:
        """The newest signal, None from its expiry on."""
        signal = self._newest
        return signal if signal is not None and time.monotonic() < signal.expires else None

    def states(self) -> list[State]:
        """Of every sink, then of every output."""
        return [worker.state for worker in (*self._senders, *self._drivers)]

    @property
    def kept_for(self) -> tuple[str, ...]:
        """The sinks, for which messages are kept."""
        return tuple(worker.state.name for worker in self._senders)

    def waiting(self) -> dict[str, Waiting]:
        """Of every sink; empty where the outbox cannot be read."""
        try:
            return {} if self._outbox is None else self._outbox.waiting()
        except sqlite3.Error:
            return {}

    def close(self) -> None:
        """Outputs hold, messages that wait stay in the outbox. May be repeated."""
        self._newest = None
        workers = (*self._drivers, *self._senders)
        for worker in workers:
            worker.end()
        for worker in workers:
            worker.close()
        if self._outbox is not None:
            self._outbox.close()

    def __enter__(self) -> "Line":
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, e: BaseException | None, t: TracebackType | None
    ) -> None:
        self.close()


def sinks_of(settings: SignalSettings, columns: tuple[str, ...], role: str = "messages") -> list[Sink]:
    """SettingsError for a secret, a file or a package that is missing."""
    found: list[Sink] = [*map(Webhook, settings.webhook), *(CsvFile(one, columns) for one in settings.csv)]
    if settings.mqtt:
        try:
            from .mqtt import MqttMessages
        except ImportError as e:
            raise SettingsError(f"expected paho-mqtt for [[mqtt]], got: {e}; pip install paho-mqtt") from e
        found += [MqttMessages(one, role) for one in settings.mqtt]
    return found


def outputs_of(settings: SignalSettings, *, driving: bool) -> list[Output]:
    """As `sinks_of`."""
    found: list[Output] = []
    if settings.mqtt:
        try:
            from .mqtt import MqttState
        except ImportError as e:
            raise SettingsError(f"expected paho-mqtt for [[mqtt]], got: {e}; pip install paho-mqtt") from e
        found += map(MqttState, settings.mqtt)
    if settings.stack_light or settings.plc:
        try:
            from .modbus import Plc, StackLight
        except ImportError as e:
            raise SettingsError(
                f"expected pymodbus for [[stack_light]] and [[plc]], got: {e}; pip install pymodbus"
            ) from e
        found += [StackLight(one, driving=driving) for one in settings.stack_light]
        found += map(Plc, settings.plc)
    return found


def open_line(
    settings: SignalSettings, outbox: Path, columns: tuple[str, ...], tell: Tell, *, driving: bool
) -> Line:
    """Not started yet. `outbox` is where the settings name none. SettingsError."""
    sinks, outputs = sinks_of(settings, columns), outputs_of(settings, driving=driving)
    names = [sink.name for sink in sinks]
    box = Outbox(settings.outbox or outbox, names, settings.limit) if sinks else None
    return Line(sinks, outputs, box, tell)
