"""A phone recogniser: which phones a recording without words holds.

Not causal, and never shipped: it hears every aligned voice and tells the articulation network what
the captured faces of another language say (`articulation.py`). Log-mel features above the clip's
own mean go in, so that neither microphone nor level matters.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from cstalk_bridge.models.cstalk.features import FEATURES, HISTORY_SAMPLES
from cstalk_bridge.models.cstalk.network import LogMel
from cstalk_bridge.models.phones import PHONES
from cstalk_bridge.models.timing import HOP_S, HOP_SAMPLES
from cstalk_bridge.models.training.alignment import phone_indices, within_sound
from cstalk_bridge.models.training.augmentation import distort

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from cstalk_bridge.models.training.alignment import Segment
    from cstalk_bridge.models.training.sources import Clip


WIDTH = 160
DILATIONS = (1, 2, 4, 1, 2, 4)
KERNEL = 3
DROPOUT = 0.15
STEPS = 2000
BATCH = 16
ROWS = 150
LEARNING_RATE = 2e-3
SPEED = (0.85, 1.2)  # playing a voice slower or faster also moves its pitch and formants
SOFTENING = 0.05  # of the labels: an aligner's edges are not sharp


class PhoneRecognizer(nn.Module):
    """Sound `[batch, HISTORY_SAMPLES + rows * HOP_SAMPLES]` to phone logits [batch, phones, rows].

    Row i answers for the sound around the end of hop i.
    """

    def __init__(self) -> None:
        super().__init__()
        self.log_mel = LogMel()
        self.stem = nn.Conv1d(FEATURES, WIDTH, KERNEL, padding=1)
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.GroupNorm(1, WIDTH),
                nn.Conv1d(WIDTH, WIDTH, KERNEL, padding=dilation, dilation=dilation),
                nn.GELU(),
                nn.Dropout(DROPOUT),
                nn.Conv1d(WIDTH, WIDTH, 1),
            )
            for dilation in DILATIONS
        )
        self.head = nn.Conv1d(WIDTH, len(PHONES), 1)

    def forward(self, samples: Tensor) -> Tensor:
        """Return the logits."""
        mel = self.log_mel(samples)
        x = self.stem(mel - mel.mean(-1, keepdim=True))
        for block in self.blocks:
            x = x + block(x)
        logits: Tensor = self.head(functional.gelu(x))
        return logits

    @torch.inference_mode()
    def hear(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the probability of each phone, [time, phones], of mono 16 kHz `samples`."""
        rows = len(samples) // HOP_SAMPLES
        sound = np.pad(samples[: rows * HOP_SAMPLES], (HISTORY_SAMPLES, 0))
        logits = self.eval()(torch.from_numpy(sound)[None])[0]
        return np.asarray(logits.softmax(0).T.numpy(), dtype=np.float32)


def _crop(
    clip: Clip, segments: Sequence[Segment], random: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return `ROWS` rows of a clip at another speed, and their phones; silence after its end."""
    samples, speed = clip.samples(), random.uniform(*SPEED)
    spoken = within_sound(clip.source, segments, samples)
    rows = int(len(samples) / HOP_SAMPLES / speed)
    first = random.integers(-10, max(1, rows - ROWS // 2))
    begins = first * HOP_SAMPLES - HISTORY_SAMPLES
    positions = (begins + np.arange(HISTORY_SAMPLES + ROWS * HOP_SAMPLES)) * speed
    heard = np.interp(positions, np.arange(len(samples)), samples, left=0.0, right=0.0)
    moved = [
        (start_s / speed - first * HOP_S, end_s / speed - first * HOP_S, phone)
        for start_s, end_s, phone in spoken
    ]
    inside = [segment for segment in moved if segment[1] > 0 and segment[0] < ROWS * HOP_S]
    return np.asarray(heard, dtype=np.float32), phone_indices(inside, ROWS)


def learn(
    clips: Sequence[Clip], phones: Mapping[str, Sequence[Segment]], seed: int, steps: int = STEPS
) -> PhoneRecognizer:
    """Train on aligned `clips`, each source as often as another; prints the error as it falls."""
    torch.manual_seed(seed)
    random, dice = np.random.default_rng(seed), torch.Generator().manual_seed(seed)
    by_source: dict[str, list[Clip]] = {}
    for clip in clips:
        by_source.setdefault(clip.source, []).append(clip)
    sources = list(by_source.values())
    network = PhoneRecognizer().train()
    optimizer = torch.optim.AdamW(network.parameters(), LEARNING_RATE, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, steps)
    for step in range(steps):
        crops = []
        for _ in range(BATCH):
            own = sources[random.integers(len(sources))]
            clip = own[random.integers(len(own))]
            crops.append(_crop(clip, phones[clip.name], random))
        sounds = distort(torch.from_numpy(np.stack([sound for sound, _ in crops])), dice)
        told = torch.from_numpy(np.stack([indices for _, indices in crops]))
        loss = functional.cross_entropy(network(sounds), told, label_smoothing=SOFTENING)
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
        schedule.step()
        if step % 300 == 0 or step == steps - 1:
            print(f"listener step {step}: loss {loss.item():.3f}", flush=True)
    return network.eval()


def accuracy(
    network: PhoneRecognizer, clips: Sequence[Clip], phones: Mapping[str, Sequence[Segment]]
) -> float:
    """Return the share of rows with speech whose phone is told right, 0..1."""
    right: list[NDArray[np.bool_]] = []
    for clip in clips:
        samples = clip.samples()
        heard = network.hear(samples)
        told = phone_indices(within_sound(clip.source, phones[clip.name], samples), len(heard))
        right.append((heard.argmax(1) == told)[told > 0])
    return float(np.concatenate(right).mean())
