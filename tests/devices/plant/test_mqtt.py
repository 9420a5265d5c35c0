"""MQTT by a real broker: acknowledged, retained, the last will, and every refusal in words."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from yochi_devices.plant.mqtt import MqttMessages, MqttState, state
from yochi_devices.plant.secret import Secret
from yochi_devices.plant.settings import MqttSettings
from yochi_devices.plant.signal import Message, SignalError

from tests.fixtures.plant_servers import Receiver, broker, free_port

from .signals import made

HELD = {"online": True, "output": "hold"}
GONE = {"online": False, "output": "hold"}


class Subscriber:
    """Everything below hall/3, as it comes, what comes twice at once left out: QoS 1 is "at least once"."""

    def __init__(self, port: int) -> None:
        self.changed, self.got = threading.Condition(), list[tuple[str, bytes, bool]]()
        self.client = paho.Client(CallbackAPIVersion.VERSION2)
        self.client.on_message = self._on_message
        subscribed = threading.Event()
        self.client.on_subscribe = lambda *_: subscribed.set()
        self.client.connect("127.0.0.1", port)
        self.client.subscribe("hall/3/#", 1)
        self.client.loop_start()
        assert subscribed.wait(30)

    def _on_message(self, _client: paho.Client, _data: object, message: paho.MQTTMessage) -> None:
        with self.changed:
            came = (message.topic, bytes(message.payload), message.retain)
            if self.got[-1:] != [came]:
                self.got.append(came)
                self.changed.notify()

    def after(self, count: int) -> list[tuple[str, bytes, bool]]:
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.got) >= count, 30)
            return list(self.got)


@contextmanager
def subscriber(port: int) -> Iterator[Subscriber]:
    one = Subscriber(port)
    try:
        yield one
    finally:
        one.client.disconnect()
        one.client.loop_stop()


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    chosen = free_port()
    with broker(chosen):
        yield chosen


def settings(port: int, **more: object) -> MqttSettings:
    given = {"name": "m", "host": "127.0.0.1", "port": port, "topic": "hall/3", "version": "3.1.1"}
    return MqttSettings.model_validate({**given, **more})


def test_messages_arrive_in_order(port: int) -> None:
    sink = MqttMessages(settings(port))
    with subscriber(port) as seen:
        for number in range(5):
            sink.send(Message(f"m{number}", number, 0, '{"words":"止まれ"}'))
        got = seen.after(5)
    sink.close()
    sink.close()
    assert {(topic, retain) for topic, _, retain in got} == {("hall/3/judgements", False)}
    assert [json.loads(payload)["id"] for _, payload, _ in got] == [f"m{n}" for n in range(5)]


def test_the_state_is_retained_and_holds_when_yochi_is_gone(port: int) -> None:
    output = MqttState(settings(port))
    output.drive(lambda: None)
    with subscriber(port) as seen:
        assert [(json.loads(p), retain) for _, p, retain in seen.after(1)] == [(HELD, True)]
        output.drive(lambda: None)  # nothing new: not said again so soon
        client = output._connection._client
        assert client is not None
        connection = client.socket()
        assert isinstance(connection, socket.socket)
        connection.shutdown(2)  # as when the process is killed: the broker says it
        assert json.loads(seen.after(2)[1][1]) == GONE
        output.fault()
        output.close()
        output = MqttState(settings(port))
        output.drive(lambda: None)
        output.close()  # in order: it says so itself
        assert [json.loads(p) for _, p, _ in seen.after(4)[2:]] == [HELD, GONE]
    with subscriber(port) as seen:
        assert [(json.loads(p), retain) for _, p, retain in seen.after(1)] == [(GONE, True)]


def test_a_release_is_said_until_it_expires() -> None:
    signal = made(True, issued=10.0)
    assert state(signal, 14.9) == {"online": True, **signal.payload, "output": "release"}
    for over in (
        state(signal, 15.0),
        state(made(False, issued=14.0), 14.1),
        state(made(None, issued=14.0), 14.1),
    ):
        assert over["output"] == "hold"
    assert state(None, 0.0) == HELD


def test_a_test_of_the_state_is_not_retained(port: int) -> None:
    with subscriber(port) as seen:
        before = len(seen.got)
        assert "holds and is not retained" in MqttState(settings(port)).test()
        topic, payload, retain = seen.after(before + 1)[-1]
    assert (topic, json.loads(payload), retain) == ("hall/3/state", {**HELD, "test": True}, False)


def test_what_is_wrong_is_said(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(chosen: MqttSettings, said: str) -> None:
        with pytest.raises(SignalError, match=said):
            MqttMessages(chosen).send(Message("a", 1, 0, "{}"))

    fails(settings(free_port()), "refused, nothing listens there; check the port")
    fails(settings(port, version="5"), "the broker refuses: Unsupported protocol version; check user")
    fails(settings(port, host="nowhere.invalid"), "no such host")
    monkeypatch.setenv("MQTT", "wrong")
    port = free_port()
    with broker(port, {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": False}}):
        fails(settings(port), "the broker refuses: (Not authorized|Bad user name or password)")
        said = settings(port, user="yochi", password=Secret(env="MQTT"))
        assert "wrong" not in repr(said)
    monkeypatch.setattr("yochi_devices.plant.mqtt.TIMEOUT", 0.2)
    with Receiver() as receiver:
        fails(settings(receiver.server_address[1]), "closed the connection|no answer as MQTT within")


def test_a_connection_that_was_lost_is_made_again() -> None:
    chosen = free_port()
    sink = MqttMessages(settings(chosen))
    with broker(chosen):
        sink.send(Message("a", 1, 0, "{}"))
    with pytest.raises(SignalError):
        sink.send(Message("b", 2, 0, "{}"))
    with broker(chosen), subscriber(chosen) as seen:
        sink.send(Message("b", 2, 0, "{}"))
        assert json.loads(seen.after(1)[0][1])["id"] == "b"
    sink.close()
