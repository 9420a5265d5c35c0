"""How fast this machine can multiply and move at best: a float32 matrix product, and a copy in memory.

Measured in a process of its own, so that the number of threads is what was asked for, and by the best of
several tries, as STREAM does (McCalpin, IEEE TCCA Newsletter, December 1995): a limit is what can be reached.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from yochi_runtime.errors import UsageError

SIDE = 2048  # rows and columns of the product: 17 G operations
COPIED = 2**28  # bytes of each of two arrays, many times what caches hold
SECONDS, LEAST_TRIES = 2.0, 5
PARTS = 3  # of what is timed, with the limits measured before, between and after them
_THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
_FORCED = (
    "OPENBLAS_CORETYPE",
    "OPENBLAS_L2_SIZE",
)  # an older processor's kernels would set the limit too low


T = TypeVar("T")


@dataclass(frozen=True)
class Ceiling:
    """`operations` (a multiplication and an addition are two) and `bytes` (read and written), a second."""

    operations: float
    bytes: float

    def of(self, intensity: float) -> float:
        """Operations a second that can be reached at `intensity` operations a byte.

        Williams, Waterman and Patterson, "Roofline", CACM 52(4) (2009) 65-76.
        """
        return min(self.operations, self.bytes * intensity)


def measure_ceiling(threads: int, side: int = SIDE, copied: int = COPIED) -> Ceiling:
    """With so many threads. UsageError where the process for it fails."""
    kept = {name: value for name, value in os.environ.items() if name not in _FORCED}
    done = subprocess.run(
        [sys.executable, "-m", __name__, str(threads), str(side), str(copied)],
        env={**kept, **dict.fromkeys(_THREADS, str(threads))},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no word"])[-1]
        raise UsageError(f"expected to measure the machine's limits, got: {last}; free some memory")
    found = json.loads(done.stdout)
    return Ceiling(found["operations"], found["bytes"])


def in_turn(
    timed: Callable[[int], Sequence[T]], count: int, limits: Callable[[], Ceiling]
) -> tuple[list[T], list[Ceiling]]:
    """`count` times of `timed`, and the limits meanwhile: the speed of a machine changes in minutes."""
    sizes = [len(part) for part in np.array_split(np.arange(count), min(PARTS, count))]
    times, found = list[T](), [limits()]
    for size in sizes:
        times += timed(size)
        found.append(limits())
    return times, found


def best_of(found: Sequence[Ceiling]) -> Ceiling:
    """A limit is what can be reached: the best of several."""
    return Ceiling(max(one.operations for one in found), max(one.bytes for one in found))


def gemm_rate(side: int) -> float:
    """Operations a second of a (side, side) float32 product; ArithmeticError where it is wrong."""
    a = np.ones((side, side), dtype=np.float32)
    out = np.empty_like(a)
    best = _best(lambda: np.matmul(a, a, out=out))
    if not (out == side).all():
        raise ArithmeticError(
            f"expected {side} everywhere in a product of ones, got others; check this numpy"
        )
    return 2.0 * side**3 / best


def copy_rate(threads: int, copied: int) -> float:
    """Bytes a second, read and written, of a copy that `threads` share."""
    source = np.ones(copied // 8, dtype=np.float64)
    target = np.zeros_like(source)
    parts = list(zip(np.array_split(source, threads), np.array_split(target, threads), strict=True))
    with ThreadPoolExecutor(threads) as pool:
        best = _best(lambda: list(pool.map(lambda part: np.copyto(part[1], part[0]), parts)))
    return 2.0 * source.nbytes / best


def _best(work: Callable[[], object]) -> float:
    """Seconds of the fastest try; the first warms up."""
    work()
    best, tries, spent = float("inf"), 0, 0.0
    while tries < LEAST_TRIES or spent < SECONDS:
        start = time.perf_counter()
        work()
        took = time.perf_counter() - start
        best, tries, spent = min(best, took), tries + 1, spent + took
    return best


def main() -> None:
    """The process: threads, side and bytes in, one line of JSON out."""
    threads, side, copied = map(int, sys.argv[1:])
    print(json.dumps({"operations": gemm_rate(side), "bytes": copy_rate(threads, copied)}))


if __name__ == "__main__":
    main()
