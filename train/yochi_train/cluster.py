"""Work on an existing Ray cluster: the driver stays the one that orders, counts, resumes and writes.

Nothing is shared with the nodes but this package, which has to be installed there in the same version: what
a node needs travels to it, and what it made comes back as a value. ray (extra `cluster`) loads only here.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from yochi_runtime.errors import UsageError, YochiError


class LostWorker(YochiError):
    """The process or the node that worked is gone, or did not answer in time; the work can be given again."""


@dataclass(frozen=True)
class Cluster:
    """A connected cluster. `cpus` and `gpus` are those of all nodes together, in use or not."""

    cpus: int
    gpus: int

    def start(self, kind: type[Any], *values: Any, gpus: int = 0) -> "RemoteWorker":
        """A `kind(*values)` in a process of its own, where a CPU (and `gpus` GPUs) are free, or will be."""
        import ray

        # Lost is lost: who asked knows what was asked, and starts another.
        actor = ray.remote(num_cpus=1, num_gpus=gpus, max_restarts=0, max_task_retries=0)(kind)
        return RemoteWorker(actor.remote(*values))

    def share(self, value: Any) -> Any:
        """`value` for several workers: stored once, and copied to a node once."""
        import ray

        return ray.put(value)


@dataclass(frozen=True)
class RemoteWorker:
    """An object in a process somewhere in the cluster; from any thread, one call at a time."""

    _actor: Any

    def call(self, method: str, *values: Any, seconds: float | None = None) -> Any:
        """What the method gives or raises. LostWorker where nothing came back, within `seconds` if given."""
        import ray
        from ray import exceptions

        try:
            return ray.get(getattr(self._actor, method).remote(*values), timeout=seconds)
        except exceptions.RayTaskError as e:
            raise e.cause from e
        except exceptions.GetTimeoutError as e:
            raise LostWorker(f"expected an answer of a Ray worker within {seconds:g} s, got none") from e
        except exceptions.RayError as e:
            why = str(e).strip().splitlines()
            raise LostWorker(
                f"expected an answer of a Ray worker, lost it: {why[0] if why else type(e).__name__}"
            ) from e

    def kill(self) -> None:
        """End its process; a `call` that waits for it raises LostWorker."""
        import ray

        ray.kill(self._actor)


@contextmanager
def cluster(address: str, workers: int) -> Iterator[Cluster]:
    """The cluster at `address` (HOST:PORT, or `auto` on one of its nodes), for `workers` workers.

    UsageError where ray is not installed, nothing answers there, or it has fewer CPUs than that.
    """
    try:
        import ray
    except ImportError as e:
        raise UsageError("expected ray for --ray, found none; run: pip install 'yochi[cluster]'") from e
    # A driver that joins a cluster sends none; this keeps it so for whatever address is given.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        ray.init(address=address, log_to_driver=False, logging_level="ERROR")
    except (ConnectionError, ValueError, RuntimeError) as e:
        why = " ".join(str(e).split())[:200]
        raise UsageError(
            f"expected a Ray cluster at {address}, got: {why}; "
            "start one with `ray start --head`, or check --ray"
        ) from e
    try:
        resources = ray.cluster_resources()
        found = Cluster(int(resources.get("CPU", 0)), int(resources.get("GPU", 0)))
        if workers > found.cpus:
            raise UsageError(
                f"expected --workers up to {found.cpus}, the CPUs of the cluster at {address}, got {workers}"
            )
        yield found
    finally:
        ray.shutdown()
