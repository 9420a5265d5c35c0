"""The processes that `accelerate launch` started for one run; one alone without it.

Data parallel: each process reads its share of a step's pictures, and gradients are summed over all of them,
so that a step is the step of one process. They are summed here, not by torch's DistributedDataParallel: a
step is several passes that share a cache, while that one counts on one pass through its own forward. What is
summed is small: the LoRA, and nano's projector. The first process alone writes files.

Where the launch shards (FSDP2), each process keeps its part of the frozen weights of every layer and gathers
the rest while it computes with them; what learns stays whole everywhere. All must then go through the layers
equally often: one that skips a pass would leave the others waiting.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

import torch
from torch import Tensor, distributed, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from yochi_runtime.errors import UsageError

Item = TypeVar("Item")
CPU = torch.device("cpu")
PATIENCE = timedelta(hours=6)  # the others wait while the first reads every picture once


def refuse_several(command: str) -> None:
    """UsageError where a launcher started more than one process for a command that is not shared."""
    if _launched() > 1:
        raise UsageError(
            f"expected `yochi-train {command}` in one process, got {_launched()}; start it without accelerate"
        )


def _asked(name: str) -> bool:
    """Whether the launch says so in the environment."""
    return os.environ.get(name, "").lower() == "true"


def _launched() -> int:
    return int(os.environ.get("WORLD_SIZE", "1"))


@dataclass(frozen=True)
class Processes:
    """This process is number `rank` of `count`; `device` is where the backend sums.

    `sharded`: each keeps a part of the frozen weights alone.
    """

    rank: int = 0
    count: int = 1
    device: torch.device = CPU
    sharded: bool = False

    @classmethod
    def launched(cls) -> "Processes":
        """Joins the others, each with a GPU of its own; on the CPU where there is none, or where it is asked.

        UsageError for a launch of another kind.
        """
        if _launched() == 1:
            return cls()
        sharded = _asked("ACCELERATE_USE_FSDP")
        if _asked("ACCELERATE_USE_DEEPSPEED") or (sharded and os.environ.get("FSDP_VERSION") != "2"):
            raise UsageError(
                "expected a launch with DDP or FSDP2, got DeepSpeed or the first FSDP; give "
                "train/recipes/ddp.yaml or fsdp2.yaml"
            )
        from accelerate import PartialState

        cpu = _asked("ACCELERATE_USE_CPU") or not torch.cuda.is_available()
        state = PartialState(cpu=cpu, timeout=PATIENCE)
        if state.num_processes != _launched():  # each would train alone, and write into the same folder
            raise UsageError(
                f"expected {_launched()} processes to find each other, got {state.num_processes}; start them "
                "with accelerate launch --config_file train/recipes/ddp.yaml"
            )
        return cls(state.process_index, state.num_processes, state.device, sharded)

    @property
    def first(self) -> bool:
        return self.rank == 0

    def share(self, items: Sequence[Item]) -> list[Item]:
        """This process's of what all do together.

        UsageError where there are fewer than processes, or shares of different size in a sharded run.
        """
        if len(items) < self.count:
            raise UsageError(
                f"expected at least as many packs a step as processes, {self.count}, got {len(items)}; raise "
                "packs"
            )
        if self.sharded and len(items) % self.count:
            raise UsageError(
                f"expected packs a step that {self.count} sharded processes share evenly, got {len(items)}; "
                "change packs"
            )
        return list(items[self.rank :: self.count])

    def shard(self, layers: Iterable[nn.Module]) -> None:
        """The frozen weights of `layers` are kept in parts from here on, in a sharded run."""
        if not self.sharded:
            return
        mesh = init_device_mesh(self.device.type, (self.count,))
        for layer in layers:
            learned = {p for p in layer.parameters() if p.requires_grad}
            fully_shard(layer, mesh=mesh, ignored_params=learned)

    def sum(self, value: Tensor) -> Tensor:
        """Over all processes, without gradients."""
        total = value.detach().clone()
        self._reach([total], distributed.all_reduce)
        return total

    def part_of_mean(self, mean: Tensor, count: int) -> Tensor:
        """What `mean`, of `count` values here, adds to the mean of all processes' values."""
        everywhere = int(self.sum(torch.tensor(count)))
        return mean * (count / everywhere) if count else mean.new_zeros(())

    def sum_gradients(self, parameters: Iterable[Tensor]) -> None:
        """Of all processes, in place; a parameter without a gradient here has none anywhere."""
        self._reach([p.grad for p in parameters if p.grad is not None], distributed.all_reduce)

    def take_firsts(self, tensors: Iterable[Tensor]) -> None:
        """The first process's values, in place."""
        with torch.no_grad():
            self._reach(tensors, lambda tensor: distributed.broadcast(tensor, 0))

    def _reach(self, tensors: Iterable[Tensor], how: Callable[[Tensor], object]) -> None:
        """In place; the backend of GPUs takes no tensor of the CPU."""
        if self.count == 1:
            return
        for tensor in tensors:
            there = tensor.to(self.device)
            how(there)
            if there is not tensor:
                tensor.copy_(there)

    @contextmanager
    def first_goes_first(self) -> Iterator[None]:
        """The others come to the block when the first is through it: it writes what they then find."""
        if not self.first:
            distributed.barrier()
        yield
        if self.first and self.count > 1:
            distributed.barrier()


ALONE = Processes()
