"""One training run: its settings, and its state, which survives an interruption."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from safetensors.torch import load_file, save_file

from models.training.augment import AUGMENTATION
from models.weights_file import build

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from models.weights_file import Description


@dataclass(frozen=True, slots=True)
class Settings:
    """One run; `network` is a name in `models.baselines.NETWORKS`."""

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


class Run:
    """The state of one training run; lives in a folder outside of the repository."""

    def __init__(
        self, folder: Path, settings: Settings, description: Description, device: torch.device
    ) -> None:
        torch.manual_seed(settings.seed)
        self.path = folder / "checkpoint.safetensors"
        self.network = build(description).to(device)
        self.average = build(description).to(device).eval()
        self.average.load_state_dict(self.network.state_dict())
        self.optimizer = torch.optim.AdamW(
            self.network.parameters(), weight_decay=settings.weight_decay
        )
        self.step = 0
        folder.mkdir(parents=True, exist_ok=True)
        if self.path.exists():
            self._resume()

    def save(self) -> None:
        """Write the checkpoint, whole or not at all."""
        tensors = {"step": torch.tensor(self.step)}
        tensors |= {f"network.{k}": v for k, v in self.network.state_dict().items()}
        tensors |= {f"average.{k}": v for k, v in self.average.state_dict().items()}
        for index, state in self.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{index}.{k}": v for k, v in state.items()}
        partial = self.path.with_suffix(".partial")
        save_file({k: v.contiguous() for k, v in tensors.items()}, partial)
        partial.replace(self.path)

    def _resume(self) -> None:
        tensors = load_file(self.path)
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
