"""MQTT: judgements as messages (QoS 1), and what holds now as a retained state with a last will.

Each has a connection of its own, so that a backlog of messages never delays the state. paho's own queue is
not used: one message at a time is given to it, and after any fault a new client begins with the oldest that
the outbox has. With MQTT 5 the broker says when it may not be published; 3.1.1 is silent there.
"""

import json
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from .network import TIMEOUT, in_words
from .settings import MqttSettings
from .signal import Message, Newest, Signal, SignalError

KEEPALIVE = 5  # seconds; a broker that hears nothing for one and a half of them publishes the last will
BEAT = 2.0  # seconds from one retained state to the next where nothing changes
GONE = {"online": False, "output": "hold"}


class Connection:
    """One client at a time, opened when something is published. `will` is (topic, payload), retained."""

    def __init__(self, settings: MqttSettings, role: str, will: tuple[str, str] | None = None) -> None:
        self._settings, self._role, self._will = settings, role, will
        self._password = None if settings.password is None else settings.password.read()
        self._context = None if settings.tls is None else settings.tls.context()
        self._changed = threading.Condition()  # guards the three below; paho calls from its own thread
        self._answers: list[ReasonCode] = []  # to our CONNECT
        self._acknowledged: dict[int, ReasonCode] = {}
        self._lost = False
        self._client: paho.Client | None = None

    def publish(self, topic: str, payload: str, *, retain: bool = False) -> None:
        """Returns when the broker has acknowledged it; SignalError otherwise, and then the client is gone."""
        try:
            client = self._client or self._connect()
            sent = client.publish(topic, payload, qos=1, retain=retain)
            self._wait(lambda: sent.mid in self._acknowledged, "acknowledgement")
            with self._changed:
                code = self._acknowledged.pop(sent.mid)
            if code.is_failure:
                raise SignalError(f"{self._where}: {code} for topic {topic}; check the broker's rights")
        except BaseException:
            self.close()
            raise

    @property
    def _where(self) -> str:
        return f"{self._settings.host}:{self._settings.port}"

    def _connect(self) -> paho.Client:
        settings = self._settings
        self._lost = False
        self._answers.clear()
        self._acknowledged.clear()
        version = paho.MQTTv5 if settings.version == "5" else paho.MQTTv311
        client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=f"{settings.client_id}-{self._role}",
            protocol=version,
            reconnect_on_failure=False,
        )
        client.connect_timeout = TIMEOUT
        if settings.user is not None:
            client.username_pw_set(settings.user, self._password)
        if self._context is not None:
            client.tls_set_context(self._context)
        if self._will is not None:
            client.will_set(*self._will, qos=1, retain=True)
        client.on_connect, client.on_publish = self._on_connect, self._on_publish
        client.on_disconnect = self._on_disconnect
        with in_words(settings.host, settings.port):
            client.connect(settings.host, settings.port, keepalive=KEEPALIVE)
        self._client = client
        client.loop_start()
        self._wait(lambda: bool(self._answers), "answer as MQTT")
        if (answer := self._answers[0]).is_failure:
            raise SignalError(f"{self._where}: the broker refuses: {answer}; check user, password, version")
        return client

    def _wait(self, holds: Callable[[], bool], what: str) -> None:
        with self._changed:
            self._changed.wait_for(lambda: holds() or self._lost, TIMEOUT)
            if holds():
                return
            if self._lost:
                raise SignalError(f"{self._where}: the broker closed the connection; look into its log")
        raise SignalError(f"{self._where}: no {what} within {TIMEOUT:g} s; check port, tls and broker")

    def _on_connect(
        self, _client: paho.Client, _data: Any, _flags: Any, code: ReasonCode, _properties: Properties | None
    ) -> None:
        with self._changed:
            self._answers.append(code)
            self._changed.notify_all()

    def _on_publish(
        self, _client: paho.Client, _data: Any, mid: int, code: ReasonCode, _properties: Properties
    ) -> None:
        with self._changed:
            self._acknowledged[mid] = code
            self._changed.notify_all()

    def _on_disconnect(
        self, client: paho.Client, _data: Any, _flags: Any, _code: ReasonCode, _properties: Properties | None
    ) -> None:
        with self._changed:
            self._lost = client is self._client
            self._changed.notify_all()

    def close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            client.disconnect()
            client.loop_stop()


class MqttMessages:
    """A sink, topic `<topic>/judgements`."""

    def __init__(self, settings: MqttSettings, role: str = "messages") -> None:
        self.name = settings.name
        self._topic, self._connection = f"{settings.topic}/judgements", Connection(settings, role)

    def send(self, message: Message) -> None:
        self._connection.publish(self._topic, message.text())

    def close(self) -> None:
        self._connection.close()


class MqttState:
    """An output, topic `<topic>/state`, retained; the broker publishes `online: false` when Yochi is gone.

    A subscriber takes a `release` only while `online` is true and `expires` has not passed.
    """

    def __init__(self, settings: MqttSettings) -> None:
        self.name, self.period = f"{settings.name} (state)", 0.2
        self._settings, self._topic = settings, f"{settings.topic}/state"
        self._connection = Connection(settings, "state", (self._topic, json.dumps(GONE)))
        self._said, self._at = "", 0.0

    def drive(self, newest: Newest) -> None:
        now = time.monotonic()
        said = json.dumps(state(newest(), now), ensure_ascii=False)
        if said == self._said and now - self._at < BEAT:
            return
        self._connection.publish(self._topic, said, retain=True)
        self._said, self._at = said, now

    def fault(self) -> None:
        self._said = ""

    def test(self) -> str:
        connection = Connection(self._settings, "test")  # another client: a Yochi that runs stays connected
        connection.publish(self._topic, json.dumps({**state(None, 0.0), "test": True}))
        connection.close()
        return f"took a state that holds and is not retained, topic {self._topic}"

    def close(self) -> None:
        if self._said:
            self._said = ""
            try:
                self._connection.publish(self._topic, json.dumps(GONE), retain=True)
            except SignalError:
                return  # the connection is gone, and the last will with it says the same
        self._connection.close()


def state(signal: Signal | None, now: float) -> Mapping[str, Any]:
    """What the topic holds: the newest signal, and `hold` as soon as it releases no more."""
    if signal is None:
        return {"online": True, "output": "hold"}
    return {"online": True, **signal.payload, "output": "release" if signal.releases(now) else "hold"}
