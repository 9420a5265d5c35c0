"""`yochi signals`, and `yochi watch` with signals, against real servers."""

import csv
import json
import os
from pathlib import Path

import pytest
from PIL import Image
from yochi_devices.plant.handshake import IDLE

from tests.fixtures.plant_servers import Receiver, broker, free_port, modbus_client, modbus_server

from .conftest import PLAIN_NOTE, Yochi, noise

SETTINGS = """
outbox = "outbox.db"
[[mqtt]]
name = "broker"
host = "127.0.0.1"
port = {mqtt}
topic = "hall/3"
version = "3.1.1"
[[webhook]]
name = "hook"
url = "{url}"
secret = {{ env = "HOOK" }}
[[csv]]
name = "table"
path = "table.csv"
[[stack_light]]
name = "light"
host = "127.0.0.1"
port = {modbus}
first_coil = 0
[[plc]]
name = "plc"
host = "127.0.0.1"
port = {modbus}
read_at = 0
write_at = 10
"""


def written(tmp_path: Path, text: str, **values: object) -> Path:
    file = tmp_path / "signals.toml"
    file.write_text(text.format(**values), encoding="utf-8")
    return file


def test_every_side_is_tried_and_said(yochi: Yochi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOK", "k" * 32)
    mqtt, modbus = free_port(), free_port()
    with Receiver() as receiver:
        file = written(tmp_path, SETTINGS, mqtt=mqtt, modbus=modbus, url=receiver.url)
        code, out, err = yochi("signals", "check", file)
        assert (code, err, len(out.splitlines())) == (0, "", 6)
        with broker(mqtt), modbus_server(modbus), modbus_client(modbus) as plant:
            code, out, err = yochi("signals", "test", file)
            assert (code, err) == (0, "")
            assert plant.read_holding_registers(10, count=6).registers == list(IDLE)
        assert [line.partition(":")[0].split(maxsplit=1) for line in out.splitlines()] == [
            ["ok", name] for name in ("broker (state)", "light", "plc", "hook", "table", "broker")
        ]
        ((headers, body),) = receiver.got
        assert json.loads(body)["test"] is True
        assert headers["webhook-id"] in out
        receiver.status = 403
        code, out, err = yochi("signals", "test", file)
    assert (code, err) == (3, "")
    failed = dict(line[5:].split(": ", 1) for line in out.splitlines() if line.startswith("FAIL "))
    assert set(failed) == {"broker (state)", "light", "plc", "hook", "broker"}
    assert "refused, nothing listens there; check the port" in failed["plc"]
    assert "it answered 403, it does not accept the signature" in failed["hook"]
    with (tmp_path / "table.csv").open(encoding="utf-8", newline="") as table:
        assert [row["test"] for row in csv.DictReader(table)] == ["true", "true"]


def test_what_cannot_be_meant_is_a_line(yochi: Yochi, tmp_path: Path) -> None:
    file = written(tmp_path, SETTINGS, mqtt=1, modbus=2, url="http://h/")
    os.environ.pop("HOOK", None)
    for command in ("check", "test"):
        code, out, err = yochi("signals", command, file)
        assert (code, out) == (2, "")
        assert err == f"yochi: {file}: expected a secret in the variable HOOK, it is not set; set it\n"
    assert yochi("signals", "check", tmp_path)[0] == 2


def test_a_password_without_tls_is_said(
    yochi: Yochi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORD", "hush")
    text = '[[mqtt]]\nname = "b"\nhost = "h"\ntopic = "a"\nuser = "u"\npassword = {{ env = "WORD" }}\n'
    code, out, _ = yochi("signals", "check", written(tmp_path, text.replace('"a"', '"ab"')))
    assert (code, "b: without tls everybody in the network can read the password" in out) == (0, True)
    assert "hush" not in out


def test_watch_gives_its_judgements_to_the_plant(yochi: Yochi, tmp_path: Path) -> None:
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    Image.fromarray(noise(1).rgb).save(pictures / "a.png")
    (pictures / "b.png").write_bytes(b"broken")
    file = written(tmp_path, 'outbox = "outbox.db"\n[[csv]]\nname = "table"\npath = "table.csv"\n')
    command = ["watch", pictures, "--note", PLAIN_NOTE, "--signals", file]
    code, out, err = yochi(*command, "--mode", "enforce")
    assert (code, err, len(out.splitlines())) == (0, "", 2)
    with (tmp_path / "table.csv").open(encoding="utf-8", newline="") as table:
        rows = list(csv.DictReader(table))
    assert [(row["verdict"], row["output"], row["mode"]) for row in rows] == [
        ("proceed", "release", "enforce"),
        ("cannot_judge", "hold", "enforce"),
    ]
    code, _, err = yochi(*command, "--every", 9)
    assert (code, "expected release_s of more than the 9 s between judgements, got 5" in err) == (2, True)
