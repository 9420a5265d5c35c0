"""A tiny bundle through the real engines, for every test that judges."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from yochi_runtime import trust
from yochi_runtime.cli import command
from yochi_runtime.image import Frame
from yochi_runtime.judge import Judge
from yochi_runtime.judgement import Judgement
from yochi_runtime.verdict import Verdict

from tests.fixtures.tiny_bundle import TinyBundle, make_bundle

PLAIN_NOTE = "Sweep the floor by press 3."
Yochi = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="session")
def shared_tiny(tmp_path_factory: pytest.TempPathFactory) -> TinyBundle:
    """Made once and never changed; flags nothing."""
    return make_bundle(tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def tiny(shared_tiny: TinyBundle, monkeypatch: pytest.MonkeyPatch) -> TinyBundle:
    """The shared tiny bundle with its base in place."""
    monkeypatch.setenv("YOCHI_BASE", str(shared_tiny.base))
    return shared_tiny


@pytest.fixture
def tiny_judge(tiny: TinyBundle) -> Iterator[Judge]:
    """A judge that trusts the shared tiny bundle."""
    with Judge.open(tiny.folder, trust=frozenset({tiny.sha256}), threads=1) as judge:
        yield judge


def noise(seed: int = 0, height: int = 96, width: int = 128) -> Frame:
    """A frame of seeded noise."""
    return Frame(np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8))


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    """A small PNG."""
    path = tmp_path / "picture.png"
    Image.fromarray(noise().rgb).save(path)
    return path


@pytest.fixture
def shipped(tiny: TinyBundle, monkeypatch: pytest.MonkeyPatch) -> TinyBundle:
    """The tiny bundle as if it were the shipped one."""
    monkeypatch.setattr(trust, "SHIPPED_MANIFEST_SHA256", tiny.sha256)
    monkeypatch.setattr(trust, "shipped_bundle", lambda: tiny.folder)
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    return tiny


@pytest.fixture
def yochi(shipped: TinyBundle, capfd: pytest.CaptureFixture[str]) -> Yochi:
    """Run a command line; exit code, stdout, stderr of the whole process, libraries included."""
    assert shipped.folder.is_dir()

    def run_it(*arguments: object) -> tuple[int, str, str]:
        code = command([str(a) for a in arguments])
        out, err = capfd.readouterr()
        return code, out, err

    return run_it


def the_judgement(out: str) -> Judgement:
    """Exactly one JSON object, and nothing else."""
    lines = out.splitlines()
    assert len(lines) == 1
    return Judgement.model_validate_json(lines[0])


def refused(result: tuple[int, str, str]) -> Judgement:
    code, out, err = result
    judgement = the_judgement(out)
    assert (code, err, judgement.verdict) == (3, "", Verdict.CANNOT_JUDGE)
    assert judgement.message is not None
    assert judgement.message.startswith(("expected ", "manifest.json: "))
    assert ";" in judgement.message  # what to do
    assert len(judgement.message.splitlines()) == 1
    return judgement


@pytest.fixture
def copy(tiny: TinyBundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TinyBundle:
    """A copy of the tiny bundle and its base, to be spoiled."""
    shutil.copytree(tiny.folder, tmp_path / "copy")
    shutil.copy(tiny.base, tmp_path / "copy.gguf")
    monkeypatch.setenv("YOCHI_BASE", str(tmp_path / "copy.gguf"))
    return TinyBundle(tmp_path / "copy", tmp_path / "copy.gguf", tiny.sha256)


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def start(*arguments: object, **environment: str) -> "subprocess.Popen[str]":
    """`yochi` as its own process."""
    return subprocess.Popen(
        [sys.executable, "-m", "yochi_runtime.cli", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    )
