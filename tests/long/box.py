"""A real `yochi serve` with the shipped bundle, in a process of its own, and requests for it."""

import base64
import io
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
from PIL import Image
from yochi_bench.workload import SHIPPED

STARTS_WITHIN = 300.0  # seconds; a busy machine is no failure


@contextmanager
def serving(folder: Path, *options: str) -> Iterator[str]:
    """Its address, once it is ready. At the end it must still be running."""
    command = [sys.executable, "-m", "yochi_runtime.cli", "serve", "--port", "0"]
    command += ["--audit", str(folder / "audit.db"), *options]
    with (folder / "stderr.txt").open("w+", encoding="utf-8") as said:
        box = subprocess.Popen(command, stderr=said, env={**os.environ, "XDG_STATE_HOME": str(folder)})
        try:
            yield _ready(box, folder / "stderr.txt")
            assert box.poll() is None, (folder / "stderr.txt").read_text(encoding="utf-8")
        finally:
            box.terminate()
            box.wait(timeout=60)


def _ready(box: "subprocess.Popen[bytes]", said: Path) -> str:
    until = time.monotonic() + STARTS_WITHIN
    while time.monotonic() < until and box.poll() is None:
        lines = said.read_text(encoding="utf-8").splitlines()
        url = next((line.removeprefix("yochi: ") for line in lines if "http://" in line), None)
        if url and _answers(f"{url}/readyz"):
            return url
        time.sleep(0.2)
    raise AssertionError(f"expected a ready box, got: {said.read_text(encoding='utf-8')}")


def _answers(url: str) -> bool:
    try:
        return httpx2.get(url, trust_env=False).status_code == 200
    except httpx2.HTTPError:
        return False


def frames() -> list[bytes]:
    """Renders of the benchmarks' own workload, as files."""
    return [path.read_bytes() for path in sorted((SHIPPED / "images").iterdir())]


def asked(frame: bytes, turn: int) -> dict[str, str]:
    """The JSON that asks for a judgement of a frame that no cache knows: one pixel tells the turn."""
    picture = Image.open(io.BytesIO(frame)).convert("RGB")
    picture.putpixel((0, 0), (turn % 256, turn // 256 % 256, turn // 65536 % 256))
    data = io.BytesIO()
    picture.save(data, "PNG")
    return {"image": base64.b64encode(data.getvalue()).decode(), "note": "Sweep the floor by press 3."}
