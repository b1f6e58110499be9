"""One training run: its settings, and its state, which survives an interruption."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

import torch
from torch import nn

from models.described_file import read, write
from models.errors import WeightsError
from models.training.augment import AUGMENTATION
from models.training.record import as_read, differences

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from torch import Tensor

Network = TypeVar("Network", bound=nn.Module)
FORMAT = "cstalk-run-1"


@dataclass(frozen=True, slots=True)
class Settings:
    """One run; `network` is a name in `models.baselines.NETWORKS`, `precision` in `PRECISIONS`."""

    seed: int = 11
    steps: int = 9_000
    batch: int = 16
    learning_rate: float = 1e-3
    warm_up_steps: int = 300
    weight_decay: float = 0.01
    clip_norm: float = 1.0
    average: float = 0.999  # decay of the weights' moving average, which is what is kept
    check_every: int = 1000
    save_every: int = 500
    network: str = "cstalk"
    augmentation: int = AUGMENTATION  # version of what is done to sound
    precision: str = "bf16"


def learning_rate(settings: Settings, step: int) -> float:
    """Return the rate at `step`: a linear rise, then half a cosine to a hundredth."""
    if step < settings.warm_up_steps:
        return settings.learning_rate * (step + 1) / settings.warm_up_steps
    progress = (step - settings.warm_up_steps) / (settings.steps - settings.warm_up_steps)
    return settings.learning_rate * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * progress)))


class Run(Generic[Network]):
    """The state of one training run; lives in a folder outside of the repository."""

    def __init__(
        self,
        folder: Path,
        settings: Settings,
        make: Callable[[], Network],
        device: torch.device,
        made_with: Mapping[str, object] | None = None,
    ) -> None:
        """`make` gives an untrained network; the state of an earlier run in `folder` goes on.

        `made_with` is what else, besides the settings, shapes the weights (JSON values).
        WeightsError: the earlier run was made with something else, or cannot be read.
        """
        torch.manual_seed(settings.seed)
        self.settings = settings
        self.record = as_read(asdict(settings) | dict(made_with or {}))
        self.path = folder / "checkpoint.safetensors"
        self.network = make().to(device)
        self.average = make().to(device).eval()
        self.average.load_state_dict(self.network.state_dict())
        self.optimizer = torch.optim.AdamW(
            self.network.parameters(), weight_decay=settings.weight_decay
        )
        self.step = 0
        folder.mkdir(parents=True, exist_ok=True)
        if self.path.exists():
            self._resume()

    def steps(self) -> Iterator[int]:
        """Yield every step that is left; whoever iterates calls `update` once for each.

        The checkpoint is written every `save_every` steps and after the last.
        """
        while self.step < self.settings.steps:
            yield self.step
            if self.step % self.settings.save_every == 0 or self.step == self.settings.steps:
                self.save()

    def update(self, loss: Tensor) -> None:
        """Take one step down `loss`, at the step's learning rate."""
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(self.settings, self.step)
        self.optimizer.zero_grad()
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.settings.clip_norm)
        self.optimizer.step()
        self.average_in(self.settings.average)
        self.step += 1

    def save(self) -> None:
        """Write the checkpoint, whole or not at all."""
        tensors = {"step": torch.tensor(self.step)}
        tensors |= {f"network.{k}": v for k, v in self.network.state_dict().items()}
        tensors |= {f"average.{k}": v for k, v in self.average.state_dict().items()}
        for index, state in self.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{index}.{k}": v for k, v in state.items()}
        write(self.path, {name: t.cpu() for name, t in tensors.items()}, FORMAT, self.record)

    def _resume(self) -> None:
        try:
            arrays, record = read(self.path, FORMAT)
        except WeightsError as error:
            raise WeightsError(f"{error}, or name another folder with --runs") from error
        changed = differences(record, self.record)
        if changed:
            raise WeightsError(
                f"{self.path}: an earlier run began it otherwise ({'; '.join(changed)}); give the"
                " same again, or another folder with --runs"
            )
        tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
        self.step = int(tensors["step"])

        def below(prefix: str) -> dict[str, Tensor]:
            return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}

        self.network.load_state_dict(below("network."))
        self.average.load_state_dict(below("average."))
        state: dict[int, dict[str, Tensor]] = {}
        for name, tensor in below("optimizer.").items():
            index, key = name.split(".", 1)
            state.setdefault(int(index), {})[key] = tensor
        groups = self.optimizer.state_dict()["param_groups"]
        self.optimizer.load_state_dict({"state": state, "param_groups": groups})
        print(f"resumed at step {self.step}")

    @torch.no_grad()
    def average_in(self, decay: float) -> None:
        """Move the averaged weights towards the present ones."""
        decay = min(decay, (self.step + 1) / (self.step + 10))
        for kept, new in zip(self.average.parameters(), self.network.parameters(), strict=True):
            kept.lerp_(new, 1.0 - decay)
