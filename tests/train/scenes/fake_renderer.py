"""A renderer without Blender: draws stripes as masks, and fails as `failures.json` says.

Run as `python fake_renderer.py FOLDER`. FOLDER/failures.json maps a scene's name to what goes wrong at each
attempt: die, orphan (whoever asks is killed), hang, half, missing, garbage, other, error. Attempts are
counted in FOLDER/NAME.attempts.
"""

import json
import os
import signal
import struct
import sys
import time
import zlib
from pathlib import Path
from typing import Any


def main(state: Path) -> None:
    for line in sys.stdin:
        request = json.loads(line)
        how = _failure(state, request["name"])
        if how == "die":
            print("out of memory", file=sys.stderr)
            sys.exit(9)
        if how == "orphan":
            os.kill(os.getppid(), signal.SIGKILL)
        if how == "hang":
            time.sleep(3600)
        draw(request, how)
        answers = {
            "garbage": "Fra:1 Mem:12M",
            "other": json.dumps({"name": "another"}),
            "error": json.dumps({"name": request["name"], "error": "ValueError: no such mesh"}),
        }
        print(answers.get(how, json.dumps({"name": request["name"], "blender": "fake"})), flush=True)


def _failure(state: Path, name: str) -> str:
    count = state / f"{name}.attempts"
    attempt = int(count.read_text()) if count.exists() else 0
    count.write_text(str(attempt + 1))
    file = state / "failures.json"
    planned: list[str] = json.loads(file.read_text()).get(name, []) if file.exists() else []
    return planned[attempt] if attempt < len(planned) else ""


def draw(request: dict[str, Any], how: str = "") -> None:
    """Each object is a column stripe of the mask; alone, it is the same stripe."""
    folder, width, height = Path(request["folder"]), request["width"], request["height"]
    names = request["objects"]
    ids = [1 + x * len(names) // width for x in range(width)]
    picture = png(width, height, [(37 * i) % 256 for i in ids])
    (folder / "image.png").write_bytes(picture[: len(picture) // 2] if how == "half" else picture)
    if how != "missing":
        (folder / "mask.png").write_bytes(png(width, height, ids))
    clear = [0 if names[i - 1] in request["see_through"] else i for i in ids]
    if request["see_through"]:
        (folder / "clear.png").write_bytes(png(width, height, clear))
    for number, key in enumerate(request["keys"]):
        alone = [i if names[i - 1] == key or names[i - 1].startswith(f"{key}/") else 0 for i in ids]
        if any(alone):
            (folder / f"alone-{number}.png").write_bytes(png(width, height, alone))


def png(width: int, height: int, columns: list[int]) -> bytes:
    """An RGB PNG whose rows are all `columns`, gray; by hand, because this must start fast."""
    row = b"\0" + b"".join(bytes([value] * 3) for value in columns)
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(row * height)), (b"IEND", b""))
    body = b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + body


if __name__ == "__main__":
    main(Path(sys.argv[1]))
