"""Mosquitto: TLS, passwords and rights in words, and 1,000 judgements while broker and sender are killed."""

import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from tests.runtime.serve.test_state import self_signed

ROOT = Path(__file__).resolve().parents[2]
COUNT = 1000
INSTALL = "apt-get install -y --no-install-recommends $(grep -v '^#' tests/system/apt.txt)"
Start = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


@pytest.fixture
def start(tmp_path: Path, port: int) -> Iterator[Start]:
    """Run the broker with more lines of settings; it is killed at the end."""
    program = shutil.which("mosquitto", path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin")
    assert program, f"expected mosquitto, found none; {INSTALL}"
    running: list[subprocess.Popen[bytes]] = []

    def started(*lines: str) -> "subprocess.Popen[bytes]":
        file = tmp_path / "mosquitto.conf"
        file.write_text("\n".join([f"listener {port} 127.0.0.1", "user root", *lines, ""]), encoding="utf-8")
        broker = subprocess.Popen([program, "-c", str(file)], stderr=subprocess.DEVNULL)
        running.append(broker)
        until(lambda: listens(port))
        return broker

    yield started
    for broker in running:
        broker.kill()
        broker.wait()


def listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1.0).close()
    except OSError:
        return False
    return True


def until(holds: Callable[[], bool], seconds: float = 240.0) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


class Receiver:
    """A subscriber whom the broker remembers; `rows` counts the ids of each row."""

    def __init__(self, port: int) -> None:
        self.order: list[int] = []
        self.ids: dict[int, set[str]] = {}
        self.came: Counter[str] = Counter()
        self.client = paho.Client(CallbackAPIVersion.VERSION2, client_id="receiver", clean_session=False)
        self.client.reconnect_delay_set(1, 1)
        subscribed = threading.Event()
        self.client.on_connect = lambda client, *_: client.subscribe("hall/3/judgements", 1)
        self.client.on_subscribe = lambda *_: subscribed.set()
        self.client.on_message = self._on_message
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()
        assert subscribed.wait(30)

    def _on_message(self, _client: paho.Client, _data: object, message: paho.MQTTMessage) -> None:
        said = json.loads(message.payload)
        self.came[said["id"]] += 1
        self.ids.setdefault(said["row"], set()).add(said["id"])
        self.order.append(said["row"])

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


def accepted(outbox: Path) -> int:
    """How many judgements the outbox has ever taken."""
    db = sqlite3.connect(outbox)
    (last,) = db.execute("SELECT last FROM sinks").fetchone()
    db.close()
    return int(last)


def test_1000_judgements_arrive_while_broker_and_sender_are_killed(
    start: Start, port: int, tmp_path: Path
) -> None:
    lines = [
        *("allow_anonymous true", "persistence true", f"persistence_location {tmp_path}/"),
        *("autosave_on_changes true", "autosave_interval 1", "max_queued_messages 0"),
    ]
    settings, outbox = tmp_path / "signals.toml", tmp_path / "outbox.db"
    settings.write_text(
        'outbox = "outbox.db"\n[[mqtt]]\nname = "broker"\nhost = "127.0.0.1"\ntopic = "hall/3"\n'
        f"port = {port}\n",
        encoding="utf-8",
    )

    def send(first: int) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-m", "tests.system.killed_sender", str(settings), str(first), str(COUNT)]
        return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)

    broker, receiver = start(*lines), Receiver(port)
    sender, begun = send(1), time.monotonic()
    for kills, rows in enumerate((100, 250, 400, 550, 700), 1):
        until(lambda rows=rows: len(receiver.ids) >= rows)  # type: ignore[misc]
        broker.send_signal(signal.SIGKILL)
        broker.wait()
        if kills in (2, 4):
            sender.send_signal(signal.SIGKILL)
            sender.wait()
            sender = send(accepted(outbox) + 1)
        time.sleep(0.5)  # out of order for a while
        broker = start(*lines)
    assert sender.wait(240) == 0
    until(lambda: len(receiver.ids) == COUNT, 30)
    receiver.close()
    doubles = sum(count - 1 for count in receiver.came.values())
    print(
        f"\n{COUNT} judgements, broker killed 5 times, sender twice: {len(receiver.ids)} delivered, "
        f"{doubles} came twice with their id, in {time.monotonic() - begun:.0f} s"
    )
    assert sorted(receiver.ids) == list(range(1, COUNT + 1))
    assert {len(ids) for ids in receiver.ids.values()} == {1}  # a double is known by its id
    assert list(dict.fromkeys(receiver.order)) == sorted(receiver.ids)  # in order


SETTINGS = """
[[mqtt]]
name = "broker"
host = "{host}"
port = {port}
topic = "{topic}"
user = "yochi"
password = {{ env = "WORD" }}
tls = {{ ca = "{ca}" }}
"""


def test_tls_passwords_and_rights_are_said_in_words(start: Start, port: int, tmp_path: Path) -> None:
    for name in ("ours", "other"):
        (tmp_path / name).mkdir()
    ours, key = self_signed(tmp_path / "ours")
    other, _ = self_signed(tmp_path / "other")
    words, rights, file = tmp_path / "words", tmp_path / "rights", tmp_path / "signals.toml"
    subprocess.run(["mosquitto_passwd", "-c", "-b", str(words), "yochi", "hush"], check=True)
    rights.write_text("user yochi\ntopic write hall/3/judgements\ntopic write free/#\n", encoding="utf-8")
    lines = (f"cafile {ours}", f"certfile {ours}", f"keyfile {key}")
    start(*lines, "allow_anonymous false", f"password_file {words}", f"acl_file {rights}")

    def said(host: str = "127.0.0.1", topic: str = "free", ca: Path = ours, word: str = "hush") -> str:
        file.write_text(SETTINGS.format(host=host, port=port, topic=topic, ca=ca), encoding="utf-8")
        command = [sys.executable, "-m", "yochi_runtime.cli", "signals", "test", str(file)]
        done = subprocess.run(
            command, env={**os.environ, "WORD": word}, capture_output=True, text=True, check=False
        )
        assert done.returncode == (3 if "FAIL" in done.stdout else 0), done.stderr
        assert "hush" not in done.stdout + done.stderr
        return done.stdout

    assert "FAIL" not in said()
    assert "FAIL broker: " + f"127.0.0.1:{port}: its certificate is not trusted" in said(ca=other)
    assert "certificate is not trusted (Hostname mismatch" in said(host="localhost")
    assert "the broker refuses: Not authorized; check user, password" in said(word="wrong")
    state, messages = said(topic="hall/3").splitlines()
    assert state.startswith("FAIL broker (state): ")
    assert "Not authorized for topic hall/3/state; check the broker's rights" in state
    assert messages.startswith("ok   broker: took a message marked as a test")
