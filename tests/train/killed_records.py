"""Makes records in children that get SIGKILL at random moments; run by `test_photo_records_killed`.

    python -m tests.train.killed_records ROOT PHOTOS COUNT KILLS SEED

A forked child makes the records, so that torch is loaded once. It sends a byte whenever it opens or renames
a file of its output; after some bytes and some milliseconds it is killed. ROOT/whole is what an undisturbed
child makes, ROOT/killed what is left after the kills and a last run.
"""

import os
import random
import signal
import sys
import time
import traceback
import zlib
from pathlib import Path

import torch
from yochi_runtime.image import GRID
from yochi_train import lite0
from yochi_train.card import CARD
from yochi_train.photo_records import make_records


class Noise(torch.nn.Module):
    """In the encoder's place: noise that follows from the picture and is like no other's."""

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        seeds = [zlib.crc32(picture.numpy().tobytes()) for picture in pixels]
        shape = lite0.CHANNELS, 2 * GRID, 2 * GRID
        return torch.stack([torch.randn(shape, generator=torch.Generator().manual_seed(s)) for s in seeds])


def start(photos: Path, out: Path, count: int, seed: int) -> tuple[int, int]:
    """Process id of a child that makes the records of `out`, and where its bytes can be read."""
    reading, writing = os.pipe()
    process = os.fork()
    if process:
        os.close(writing)
        return process, reading
    status = 1
    try:
        torch.set_num_threads(1)  # a pool of threads does not live on in a fork

        def tell(event: str, arguments: tuple[object, ...]) -> None:
            if event in ("open", "os.rename") and str(arguments[0]).startswith(f"{out}"):
                os.write(writing, b".")

        sys.addaudithook(tell)
        make_records(photos, out, out / "features", count=count, narratives=None, seed=seed, pack_folder=None)
        status = 0
    except Exception:
        traceback.print_exc()
        raise
    finally:
        os._exit(status)


def finish(photos: Path, out: Path, count: int, seed: int) -> int:
    """Let a child end by itself; how many bytes it sent."""
    process, reading = start(photos, out, count, seed)
    sent = 0
    while os.read(reading, 1):
        sent += 1
    os.close(reading)
    if os.waitpid(process, 0)[1]:
        raise SystemExit(f"the records of {out} were not made")
    return sent


def files(folder: Path) -> dict[str, bytes]:
    """What stands in `folder` itself under its own name."""
    return {p.name: p.read_bytes() for p in folder.iterdir() if p.is_file() and p.suffix != ".partial"}


def main() -> None:
    root, photos = map(Path, sys.argv[1:3])
    count, kills, seed = map(int, sys.argv[3:])
    lite0.pretrained = Noise  # type: ignore[assignment]
    whole, out, rng = root / "whole", root / "killed", random.Random(seed)
    longest = finish(photos, whole, count, 0)
    shortest = finish(photos, whole, count, 0)  # no feature is left to compute
    finish(photos, out, count, 1)
    for file in (out / "features").iterdir():
        file.unlink()
    sound = (files(whole), files(out))
    deaths = attempts = 0
    while deaths < kills:
        # Other records each time: the card of those that were there must not stand beside half of the new.
        attempts += 1
        process, reading = start(photos, out, count, attempts % 2)
        for _ in range(rng.randint(1, shortest if deaths else longest)):
            os.read(reading, 1)
        time.sleep(rng.uniform(0.0, 0.02))
        os.kill(process, signal.SIGKILL)
        os.close(reading)
        deaths += os.waitpid(process, 0)[1] == signal.SIGKILL
        now = files(out)
        if CARD in now and now not in sound:
            raise SystemExit(f"after {deaths} kills a card stands beside half of the records")
    finish(photos, out, count, 0)
    print(deaths)


if __name__ == "__main__":
    main()
