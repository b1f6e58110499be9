"""Training in several processes, as `torchrun` starts them, each with a share of every batch.

Every process draws the whole batch, which depends on seed and step alone, runs the network on its
share, and gathers the others' outputs. The loss is that of the whole batch, so that terms which
count over a batch stay what they are in one process; gradients, of each share, are added up. The
weights of all processes stay the same, and so does the loss curve, but for rounding.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch
from torch import distributed

from cstalk_bridge.models.errors import WeightsError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from torch import Tensor, nn


BACKENDS = {"cpu": "gloo", "cuda": "nccl"}


class Processes:
    """The processes of a training; this one is number `rank` of `count`."""

    def __init__(self, rank: int = 0, count: int = 1) -> None:
        self.rank = rank
        self.count = count

    @property
    def is_first(self) -> bool:
        """Whether this process writes files and reports."""
        return self.rank == 0

    def share(self, batch: Tensor) -> Tensor:
        """Return this process's part of a batch, [batch, ...]; parts differ by one at most."""
        return batch.tensor_split(self.count)[self.rank]

    def gather(self, part: Tensor, size: int) -> Tensor:
        """Return the whole batch of `size` of which each process has a part, [size, ...].

        Gradients reach this process's part alone.
        """
        if self.count == 1:
            return part
        sizes = [len(each) for each in torch.arange(size).tensor_split(self.count)]
        # All of one size, as the backends want it.
        padded = part.new_zeros((max(sizes), *part.shape[1:]))
        padded[: len(part)] = part.detach()
        gathered = [torch.empty_like(padded) for _ in range(self.count)]
        distributed.all_gather(gathered, padded)
        parts = [whole[:length] for whole, length in zip(gathered, sizes, strict=True)]
        parts[self.rank] = part
        return torch.cat(parts)

    def add_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Replace the gradients of parameters by their sums over all processes."""
        if self.count == 1:
            return
        trained = [each for each in parameters if each.requires_grad]
        for each in trained:
            if each.grad is None:
                each.grad = torch.zeros_like(each)
        gradients = [each.grad for each in trained if each.grad is not None]
        if not gradients:
            return
        flat = torch.cat([gradient.reshape(-1) for gradient in gradients])
        distributed.all_reduce(flat)
        first = 0
        for gradient in gradients:
            gradient.copy_(flat[first : first + gradient.numel()].view_as(gradient))
            first += gradient.numel()

    def need_same(self, step: int, device: torch.device) -> None:
        """Raise WeightsError where processes do not continue from one step."""
        if self.count == 1:
            return
        steps = torch.tensor([step, -step], device=device)
        distributed.all_reduce(steps, distributed.ReduceOp.MAX)
        highest, lowest = int(steps[0]), -int(steps[1])
        if highest != lowest:
            raise WeightsError(
                f"processes would continue from steps {lowest} to {highest}; let --runs name a"
                " folder that all of them share"
            )


ALONE = Processes()


def own_device(name: str) -> torch.device:
    """Return the device of this process: with `cuda`, one GPU for each on a machine."""
    if name == "cuda" and distributed.is_torchelastic_launched():
        return torch.device("cuda", int(os.environ["LOCAL_RANK"]))
    return torch.device(name)


@contextmanager
def joined(device: torch.device) -> Iterator[Processes]:
    """Join the processes that `torchrun` started until leaving; without it, train alone."""
    if not distributed.is_torchelastic_launched():
        yield ALONE
        return
    if device.type == "cuda":
        torch.cuda.set_device(device)
    distributed.init_process_group(BACKENDS[device.type])
    try:
        yield Processes(distributed.get_rank(), distributed.get_world_size())
    finally:
        distributed.destroy_process_group()
