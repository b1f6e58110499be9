"""One training run: settings, precision, progress, and state, which survives an interruption."""

from __future__ import annotations

import json
import math
import time
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import torch
from torch import nn

from cstalk_bridge.models.cstalk.network import FaceNetwork
from cstalk_bridge.models.errors import WeightsError
from cstalk_bridge.models.training.augmentation import AUGMENTATION
from cstalk_bridge.models.weights_format import read_tensors, write_tensors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from torch import Tensor


def differences(before: Mapping[str, object], now: Mapping[str, object]) -> list[str]:
    """Return the differences of two records as text: `steps 9000, now 100`."""
    one, other = dict(_flat(before)), dict(_flat(now))
    names = [name for name in one | other if one.get(name) != other.get(name)]
    return [f"{name} {one.get(name, 'none')}, now {other.get(name, 'none')}" for name in names]


def _flat(record: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, object]]:
    for name, value in record.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def as_json(record: Mapping[str, object]) -> dict[str, Any]:
    """Return a record as it comes back out of a file."""
    read_back: dict[str, Any] = json.loads(json.dumps(record))
    return read_back


PRECISIONS = ("bf16", "fp32")


def precision_on(device: torch.device) -> str:
    """Return "bf16" where the device can compute in it, else "fp32"."""
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported() else "fp32"
    return "bf16" if torch.amp.is_autocast_available(device.type) else "fp32"


class MixedPrecisionNetwork(FaceNetwork):
    """A network as it is trained: in one of `PRECISIONS`, from and to fp32.

    Its weights are the network's own, and they stay in fp32.
    """

    def __init__(self, network: FaceNetwork, precision: str) -> None:
        low, high = network.minimum.flatten().tolist(), network.maximum.flatten().tolist()
        super().__init__(network.architecture, low, high)
        if precision not in PRECISIONS:
            raise ValueError(f"precision {precision}: use one of {', '.join(PRECISIONS)}")
        self.network = network
        self.precision = precision

    def forward(
        self, samples: Tensor, emotion: Tensor, delay_hops: Tensor
    ) -> tuple[Tensor, Tensor | None]:
        """Return channels and phone logits in fp32, as `FaceNetwork.forward`."""
        halved = torch.autocast(samples.device.type, dtype=torch.bfloat16)
        with halved if self.precision == "bf16" else nullcontext():
            channels, phones = self.network(samples, emotion, delay_hops)
        return channels.float(), None if phones is None else phones.float()


Network = TypeVar("Network", bound=nn.Module)
FORMAT = "cstalk-run-1"


@dataclass(frozen=True, slots=True)
class TrainingConfig:
    """One run; `network` is a name in `cstalk_bridge.models.baselines.NETWORKS`, `precision` in
    `PRECISIONS`."""

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
    augmentation: int = AUGMENTATION  # version of the augmentation of sound
    precision: str = "bf16"


def learning_rate(settings: TrainingConfig, step: int) -> float:
    """Return the rate at `step`: a linear rise, then half a cosine to a hundredth."""
    if step < settings.warm_up_steps:
        return settings.learning_rate * (step + 1) / settings.warm_up_steps
    progress = (step - settings.warm_up_steps) / (settings.steps - settings.warm_up_steps)
    return settings.learning_rate * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * progress)))


class Run(Generic[Network]):
    """The state of one training run, kept in a folder outside of the repository."""

    def __init__(
        self,
        folder: Path,
        settings: TrainingConfig,
        make: Callable[[], Network],
        device: torch.device,
        provenance: Mapping[str, object] | None = None,
    ) -> None:
        """`make` creates an untrained network; an earlier run in `folder` is resumed.

        `provenance` holds whatever else determines the weights besides the settings (JSON values).
        WeightsError: the earlier run has another provenance, or cannot be read.
        """
        torch.manual_seed(settings.seed)
        self.settings = settings
        self.record = as_json(asdict(settings) | dict(provenance or {}))
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
        """Yield every remaining step; the caller calls `update` once for each.

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
        write_tensors(
            self.path, {name: t.cpu() for name, t in tensors.items()}, FORMAT, self.record
        )

    def _resume(self) -> None:
        try:
            arrays, record = read_tensors(self.path, FORMAT)
        except WeightsError as error:
            raise WeightsError(f"{error}, or name another folder with --runs") from error
        changed = differences(record, self.record)
        if changed:
            raise WeightsError(
                f"{self.path}: an earlier run has another configuration ({'; '.join(changed)});"
                " use the same again, or name another folder with --runs"
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
            if new.requires_grad:
                kept.lerp_(new, 1.0 - decay)


class Progress:
    """Prints a run's losses and its remaining time, every `every` steps."""

    def __init__(
        self, run: Run[Any], every: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`clock` gives seconds; the rate is measured from now on."""
        self.run = run
        self.every = every
        self.clock = clock
        self.began_s, self.began_at = clock(), run.step

    def report(self, **losses: Tensor) -> None:
        """Print the losses of the step just taken, by name, at every `every`th step."""
        if self.run.step % self.every:
            return
        text = " ".join(f"{name} {loss.item():.4f}" for name, loss in losses.items())
        print(f"step {self.run.step}: {text}, {self.minutes_left():.0f} min left", flush=True)

    def minutes_left(self) -> float:
        """Return the remaining time at the rate of the steps taken so far, at least one."""
        step_s = (self.clock() - self.began_s) / (self.run.step - self.began_at)
        return (self.run.settings.steps - self.run.step) * step_s / 60
