"""Train the generator.

    python -m models.training.align                     # once: phones
    python -m models.training.corpus                    # once: targets
    python -m models.training.train --runs ../runs      # resumes by itself; writes the weights

On two CPU cores the run takes under two hours; with a GPU, `--device cuda`. The same seed and
settings give the same sequence of batches, also after an interruption.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn import functional

from models.board import AUDIO_DRIVEN
from models.emotions import EMOTIONS
from models.features import HOP_SAMPLES, SAMPLE_RATE_HZ
from models.network import Architecture, Generator
from models.training.batches import UNKNOWN_PHONE, Batch, Corpus, draw
from models.training.checks import print_figures
from models.training.phones import PHONES
from models.training.postures import GESTURE_CHANNELS, face_targets
from models.training.rules import GESTURES
from models.training.sources import SOURCES
from models.weights_file import DEFAULT_PATH, Description, build, save

UNDERSHOOT = 2.5  # error counts this much more where a mouth shuts or rounds too little
UNDERSHOT = ("lips_together", "lip_bite", "purse", "funnel")
IMPORTANCE = {"jaw": 3.0, "lips_together": 2.0, "lip_bite": 1.5, "purse": 1.5, "funnel": 1.5}
POSTURE_SPREAD = 0.2  # scale of the channels that only emotions move
VELOCITY_WEIGHT = 2.0
PHONE_WEIGHT = 0.1


@dataclass(frozen=True, slots=True)
class Settings:
    """One run."""

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


class Loss:
    """Squared error of faces and of their velocity, in units of each channel's spread."""

    def __init__(self, corpus: Corpus, device: torch.device) -> None:
        weights = torch.tensor([IMPORTANCE.get(name, 1.0) for name in GESTURES])
        per_gesture = weights / corpus.gesture_spread().square()
        moved = GESTURE_CHANNELS.amax(0) > 0
        sides = GESTURE_CHANNELS.sum(1)
        self.weights = torch.where(
            moved, (per_gesture / sides) @ GESTURE_CHANNELS, torch.tensor(POSTURE_SPREAD**-2 / 2)
        ).to(device)
        undershot = torch.tensor([float(name in UNDERSHOT) for name in GESTURES])
        self.undershot = ((undershot @ GESTURE_CHANNELS) > 0).to(device)
        self.gesture_channels = GESTURE_CHANNELS.to(device)
        self.ungestured = ~moved.to(device)

    def __call__(self, faces: Tensor, targets: Tensor, observed: Tensor) -> Tensor:
        """Return the loss of `faces` [batch, time, channels]; `observed` is [batch, gestures]."""
        whole = observed.all(1, keepdim=True)
        seen = (observed.float() @ self.gesture_channels > 0) | (self.ungestured & whole)
        weights = self.weights * seen[:, None]
        error = faces - targets
        short = (error < 0) & self.undershot
        squares = error.square() * (1.0 + (UNDERSHOOT - 1.0) * short)
        velocity = error.diff(dim=1).square()
        return ((squares * weights).mean() + VELOCITY_WEIGHT * (velocity * weights).mean()) / 10.0


def learning_rate(settings: Settings, step: int) -> float:
    """Return the rate at `step`: a linear rise, then half a cosine to a hundredth."""
    if step < settings.warm_up_steps:
        return settings.learning_rate * (step + 1) / settings.warm_up_steps
    progress = (step - settings.warm_up_steps) / (settings.steps - settings.warm_up_steps)
    return settings.learning_rate * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * progress)))


def loss_of(
    network: Generator, batch: Batch, loss: Loss, device: torch.device
) -> tuple[Tensor, Tensor]:
    """Return the face loss and the phone loss of one batch."""
    targets = face_targets(batch.gestures, batch.stress, batch.emotion).to(device)
    out, logits = network(
        batch.samples.to(device), batch.emotion.to(device), batch.delay_hops.to(device)
    )
    face = loss(out.transpose(1, 2), targets, batch.observed.to(device))
    heard = logits[..., -batch.phones.shape[1] :]
    phones = functional.cross_entropy(heard, batch.phones.to(device), ignore_index=UNKNOWN_PHONE)
    return face, phones


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


def train(
    cache: Path, folder: Path, settings: Settings, device: torch.device
) -> tuple[Generator, Description]:
    """Run (or finish) the training; return the averaged network and its description."""
    corpus, dev = Corpus(cache, "train"), Corpus(cache, "dev")
    description = describe(corpus, settings, cache)
    run = Run(folder, settings, description, device)
    loss = Loss(corpus, device)
    started, at = time.monotonic(), run.step
    while run.step < settings.steps:
        for group in run.optimizer.param_groups:
            group["lr"] = learning_rate(settings, run.step)
        batch = draw(corpus, description.architecture, settings.batch, settings.seed, run.step)
        face, phones = loss_of(run.network, batch, loss, device)
        run.optimizer.zero_grad()
        torch.autograd.backward(face + PHONE_WEIGHT * phones)
        torch.nn.utils.clip_grad_norm_(run.network.parameters(), settings.clip_norm)
        run.optimizer.step()
        run.average_in(settings.average)
        run.step += 1
        if run.step % 100 == 0:
            pace = (run.step - at) / (time.monotonic() - started)
            left_min = (settings.steps - run.step) / pace / 60
            print(
                f"step {run.step}: face {face.item():.4f} phones {phones.item():.3f},"
                f" {left_min:.0f} min left",
                flush=True,
            )
        if run.step % settings.save_every == 0 or run.step == settings.steps:
            run.save()
        if run.step % settings.check_every == 0:
            report(run.average, dev)
    return run.average, description


def report(network: Generator, dev: Corpus) -> None:
    """Print the held-out figures at several look-aheads."""
    device = next(network.parameters()).device
    print_figures(network.cpu(), dev, "grid_s1")
    network.to(device)


def describe(corpus: Corpus, settings: Settings, cache: Path) -> Description:
    """Return the description that goes into the weights file."""
    index = (cache / "index.json").read_bytes()
    digest = hashlib.sha256(index + json.dumps(asdict(settings)).encode()).hexdigest()
    return Description(
        architecture=Architecture(
            phones=len(PHONES), emotions=len(EMOTIONS), channels=len(AUDIO_DRIVEN)
        ),
        channels=AUDIO_DRIVEN,
        emotions=EMOTIONS,
        sample_rate_hz=SAMPLE_RATE_HZ,
        rate_hz=SAMPLE_RATE_HZ // HOP_SAMPLES,
        card={
            "licence": "Apache-2.0",
            "data": SOURCES,
            "minutes": corpus.minutes(),
            "settings": asdict(settings),
            "training_hash": digest,
        },
    )


def main() -> None:
    """Train, resuming where an earlier run stopped, and write the weights file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cache", type=Path, default=Path("../cache"))
    parser.add_argument("--runs", type=Path, default=Path("../runs/default"))
    parser.add_argument("--out", type=Path, default=DEFAULT_PATH)
    parser.add_argument("--steps", type=int, default=Settings().steps)
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    options = parser.parse_args()
    settings = Settings(steps=options.steps)
    network, description = train(
        options.cache, options.runs, settings, torch.device(options.device)
    )
    options.out.parent.mkdir(parents=True, exist_ok=True)
    save(options.out, network.cpu(), description)
    print(f"wrote {options.out}")


if __name__ == "__main__":
    main()
