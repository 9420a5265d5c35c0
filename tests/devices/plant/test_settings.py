"""The settings file: read strictly, its paths from its own folder, no secret in it."""

from pathlib import Path

import pytest
from yochi_devices.plant.settings import read_settings
from yochi_devices.plant.signal import SettingsError

CSV = '[[csv]]\nname = "c"\npath = "c.csv"\n'
PLC = '[[plc]]\nname = "p"\nhost = "plc.plant"\nread_at = 0\nwrite_at = 2\n'
HOOK = '[[webhook]]\nname = "w"\nurl = "https://h/x"\nsecret = { env = "S" }\n'
MQTT = '[[mqtt]]\nname = "m"\nhost = "h"\ntopic = "a/b"\n'


def written(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "signals.toml"
    file.write_text(text, encoding="utf-8")
    return file


def test_paths_are_taken_from_the_files_folder(tmp_path: Path) -> None:
    text = f'outbox = "o.db"\n{CSV}{MQTT}password = {{ file = "p" }}\ntls = {{ ca = "/etc/ca.pem" }}\n'
    found = read_settings(written(tmp_path, text))
    assert (found.outbox, found.csv[0].path) == (tmp_path / "o.db", tmp_path / "c.csv")
    (mqtt,) = found.mqtt
    assert mqtt.password is not None
    assert mqtt.password.file == tmp_path / "p"
    assert mqtt.tls is not None
    assert mqtt.tls.ca == Path("/etc/ca.pem")
    assert (found.release_s, mqtt.version, mqtt.port) == (5.0, "5", 1883)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "settings: .*got none"),
        ("release_s = 0\n" + CSV, "release_s: .*greater than 0"),
        ("releas_s = 1\n" + CSV, "releas_s: Extra inputs"),
        (CSV + CSV, "a name of its own for each, got c twice"),
        (CSV + PLC.replace("write_at = 2", "write_at = 1"), r"plc\.0: .*they overlap"),
        (PLC.replace("write_at = 2", "write_at = 70000"), r"plc\.0\.write_at: "),
        (HOOK.replace("https", "ftp"), r"webhook\.0: .*expected http"),
        (HOOK.replace("//h/", "//user:hush@h/"), r"webhook\.0: .*without user and password"),
        (HOOK.replace("//h/", "//h:99999/"), r"webhook\.0: .*expected http"),
        (HOOK.replace('{ env = "S" }', '"hush"'), r"webhook\.0\.secret: .*got the secret itself"),
        (HOOK.replace('{ env = "S" }', "{ }"), "got none or both"),
        (MQTT.replace("a/b", "a/#"), r"mqtt\.0\.topic: "),
        (MQTT + 'tls = { cert = "x" }\n', r"mqtt\.0\.tls\.cert: Extra inputs"),
        ("[[stack_light]]\nname='l'\nhost='h'\nfirst_coil=0\nwatchdog_register=1\n", "got one of them"),
        ("= 1", "expected TOML, got"),
    ],
)
def test_what_cannot_be_meant_is_said_in_a_line(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said) as caught:
        read_settings(written(tmp_path, text))
    line = str(caught.value)
    assert line.startswith(f"{tmp_path}/signals.toml: ")
    assert len(line.splitlines()) == 1
    assert "hush" not in line


def test_a_file_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none.toml"):
        with pytest.raises(SettingsError, match="expected settings"):
            read_settings(path)
