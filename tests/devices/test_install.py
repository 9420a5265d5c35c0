"""The install script, into a folder of its own: without root, systemd, network, or a second environment."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from yochi_runtime.base import NANO_BASE, base_path

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "devices" / "install.sh"
UNIT, COMMAND, SETTINGS = "etc/systemd/system/yochi.service", "usr/local/bin/yochi", "etc/yochi/serve.env"


@pytest.fixture
def base(monkeypatch: pytest.MonkeyPatch) -> None:
    """The base model that `make base` brought, where it lies."""
    monkeypatch.setenv("YOCHI_BASE", str(base_path(NANO_BASE)))


def install(destination: Path, *options: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        ["sh", SCRIPT, "--destdir", destination, *options], capture_output=True, text=True, check=False
    )


def tree(folder: Path) -> dict[str, tuple[int, int, bytes]]:
    """Mode, time of change and content of every file below `folder`."""
    return {
        str(path.relative_to(folder)): (path.stat().st_mode, path.stat().st_mtime_ns, path.read_bytes())
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.mark.usefixtures("base")
def test_there_kept_and_gone_again(tmp_path: Path) -> None:
    done = install(tmp_path, "--venv", sys.prefix)
    assert (done.returncode, done.stderr) == (0, "")
    made = tree(tmp_path)
    assert set(made) == {UNIT, COMMAND, SETTINGS, f"{SETTINGS}.example"}
    assert f"ExecStart={sys.prefix}/bin/yochi serve $YOCHI_SERVE" in made[UNIT][2].decode().splitlines()
    assert made[COMMAND][0] & 0o777 == 0o755
    assert made[SETTINGS][0] & 0o777 == 0o640
    settings = tmp_path / SETTINGS
    settings.write_text("YOCHI_SERVE='--port 9000'\n", encoding="utf-8")
    (tmp_path / "var/lib/yochi/audit.db").write_bytes(b"a log")
    before = tree(tmp_path)
    again = install(tmp_path, "--venv", sys.prefix)
    assert (again.returncode, again.stdout.splitlines()[-1]) == (0, "nothing to change")
    assert tree(tmp_path) == before
    gone = install(tmp_path, "--uninstall")
    assert (gone.returncode, gone.stderr) == (0, "")
    assert set(tree(tmp_path)) == {SETTINGS, f"{SETTINGS}.example", "var/lib/yochi/audit.db"}
    assert settings.read_text(encoding="utf-8") == "YOCHI_SERVE='--port 9000'\n"
    assert "nothing to remove" in install(tmp_path, "--uninstall").stdout.splitlines()


WRONG = [
    (("--nothing",), "expected an option, got --nothing"),
    (("--prefix",), "expected a value after --prefix"),
    (("--prefix", "opt"), "expected an absolute folder"),
    (("--prefix", "/"), "expected an absolute folder"),
    (("--prefix", "/opt/a b"), "expected a path of letters"),
    (("--venv", "/usr"), "expected Yochi in the environment /usr"),
    (("--python", "/bin/false"), "expected Python 3.11 or newer"),
]


@pytest.mark.parametrize(("options", "said"), WRONG, ids=str)
def test_a_wrong_call_changes_nothing(tmp_path: Path, options: tuple[str, ...], said: str) -> None:
    done = install(tmp_path, *options)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert said in done.stderr
    assert tree(tmp_path) == {}


def test_the_unit_takes_what_the_settings_set() -> None:
    unit = (ROOT / "runtime/yochi_runtime/serve/yochi.service").read_text(encoding="utf-8")
    settings = (ROOT / "devices/serve.env").read_text(encoding="utf-8")
    used = {word[1:] for word in unit.split() if word.startswith("$")}
    assert used
    assert all(f"\n{name}=" in settings for name in used)


def test_the_command_is_the_services(tmp_path: Path) -> None:
    """It runs the program with the service's folders and with what it was given, word by word."""
    fake = tmp_path / "yochi"
    fake.write_text('#!/bin/sh\nprintf "%s\\n" "$XDG_STATE_HOME" "$XDG_CONFIG_HOME" "$@"\n', encoding="utf-8")
    fake.chmod(0o755)
    text = (ROOT / "devices/yochi-command.sh").read_text(encoding="utf-8")
    command = text.replace("/opt/yochi/.venv/bin", str(tmp_path))
    done = subprocess.run(
        ["sh", "-c", command, "yochi", "bundle", "trust", "two words"],
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": os.environ["PATH"]},
    )
    assert done.stdout.splitlines() == ["/var/lib", "/etc", "bundle", "trust", "two words"]
