"""The probe, and the figures of one kind of features: phones, bilabial events, lips.

A probe is one hidden layer on a row of features, trained alike for all features.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from cstalk_bridge.models.evaluation.probes.material import LIPS
from cstalk_bridge.models.phones import PHONE_INDEX, PHONES, SILENCE
from cstalk_bridge.models.training.alignment import phone_indices

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from cstalk_bridge.models.evaluation.probes.material import Features, LipClip, PhoneClip
    from cstalk_bridge.models.training.alignment import Segment


HIDDEN = 128
STEPS, BATCH = 1200, 1024
LEARNING_RATE = 2e-3
DROPOUT = 0.2
SOFTENING = 0.05
LEAST_SPREAD = 1e-3


@dataclass(frozen=True, slots=True)
class Probe:
    """A trained probe; it normalises the features itself."""

    network: nn.Module
    mean: NDArray[np.float32]
    spread: NDArray[np.float32]

    @torch.inference_mode()
    def __call__(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return its outputs [rows, outputs] for `features` [rows, width]."""
        scaled = torch.from_numpy((features - self.mean) / self.spread)
        scores: NDArray[np.float32] = self.network(scaled).numpy()
        return scores


def classifier(features: NDArray[np.float32], classes: NDArray[np.int64], count: int) -> Probe:
    """Return a probe of log probabilities, trained on `features` [rows, width] and `classes`."""
    targets = torch.from_numpy(classes)

    def loss(scores: Tensor, rows: Tensor) -> Tensor:
        return functional.cross_entropy(scores, targets[rows], label_smoothing=SOFTENING)

    return _trained(features, count, loss, nn.LogSoftmax(1))


def regression(features: NDArray[np.float32], values: NDArray[np.float32]) -> Probe:
    """Return a probe of `values` [rows, n] in units of their spread."""
    targets = torch.from_numpy((values - values.mean(0)) / values.std(0))

    def loss(scores: Tensor, rows: Tensor) -> Tensor:
        return functional.mse_loss(scores, targets[rows])

    return _trained(features, values.shape[1], loss, nn.Identity())


def _trained(
    features: NDArray[np.float32],
    outputs: int,
    loss: Callable[[Tensor, Tensor], Tensor],
    last: nn.Module,
) -> Probe:
    rng = torch.Generator().manual_seed(0)
    mean, spread = features.mean(0), features.std(0) + LEAST_SPREAD
    inputs = torch.from_numpy((features - mean) / spread)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = nn.Sequential(
            nn.Linear(features.shape[1], HIDDEN),
            nn.GELU(),
            nn.Dropout(DROPOUT),
            nn.Linear(HIDDEN, outputs),
            last,
        )
        optimizer = torch.optim.AdamW(network.parameters(), LEARNING_RATE, weight_decay=0.01)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, STEPS)
        for _ in range(STEPS):
            rows = torch.randint(len(inputs), (BATCH,), generator=rng)
            optimizer.zero_grad()
            torch.autograd.backward(loss(network(inputs[rows]), rows))
            optimizer.step()
            schedule.step()
    return Probe(network.eval(), mean, spread)


BILABIAL = ("B", "M", "P")
FALSE_ALARMS = 0.03
AFTER_S = 0.02  # an event may be detected this long after the phone's end
APART_S = 0.05  # phones closer than this to a bilabial are not counted as false alarms
LEAST_FRAMES = 10  # of a clip, for a correlation


@dataclass(frozen=True, slots=True)
class Figures:
    """Shares and correlations, 0..1; NaN where there was nothing to measure on.

    `phones_*`: speech rows with the right phone. `bilabials_*`: p b m detected at `FALSE_ALARMS` of
    the other phones. `lips`: mean over clips of r with the measured gap, width and protrusion.
    """

    phones_actors: float
    phones_voices: float
    bilabials_actors: float
    bilabials_voices: float
    lips: tuple[float, ...]


def probe_figures(
    features: Features,
    training: Sequence[PhoneClip],
    actors: Sequence[PhoneClip],
    voices: Sequence[PhoneClip],
    lip_clips: Sequence[LipClip],
    strangers: Sequence[LipClip],
) -> Figures:
    """Train the probes on `training` and `lip_clips`; return the figures on the others."""
    inputs = [features.rows(clip.sound) for clip in training]
    targets = [
        phone_indices(clip.phones, len(rows)) for clip, rows in zip(training, inputs, strict=True)
    ]
    probe = classifier(np.concatenate(inputs), np.concatenate(targets), len(PHONES))
    scores = _scores(probe, features, actors), _scores(probe, features, voices)
    return Figures(
        phones_actors=_rows_right(scores[0]),
        phones_voices=_rows_right(scores[1]),
        bilabials_actors=_detection_share(scores[0]),
        bilabials_voices=_detection_share(scores[1]),
        lips=_lips(features, lip_clips, strangers),
    )


def _scores(
    probe: Probe, features: Features, clips: Sequence[PhoneClip]
) -> list[tuple[PhoneClip, NDArray[np.float32]]]:
    return [(clip, probe(features.rows(clip.sound))) for clip in clips]


def _rows_right(scores: Sequence[tuple[PhoneClip, NDArray[np.float32]]]) -> float:
    right = []
    for clip, log_shares in scores:
        phones = phone_indices(clip.phones, len(log_shares))
        right.append((log_shares.argmax(1) == phones)[phones > 0])
    return float(np.concatenate(right).mean()) if right else float("nan")


def _detection_share(scores: Sequence[tuple[PhoneClip, NDArray[np.float32]]]) -> float:
    """Return the share of bilabials detected at `FALSE_ALARMS` of the other phones."""
    events: list[float] = []
    others: list[float] = []
    columns = [PHONE_INDEX[phone] for phone in BILABIAL]
    for clip, log_shares in scores:
        score = np.exp(log_shares[:, columns]).sum(1)
        closures = [(a, b) for a, b, phone in clip.phones if phone in BILABIAL]
        for segment in clip.phones:
            start_s, end_s, phone = segment
            rows = _rows_within(segment, len(score))
            if phone in BILABIAL:
                events.append(float(score[rows].max()))
            elif phone != SILENCE and all(
                end_s + APART_S < a or b + APART_S < start_s for a, b in closures
            ):
                others.append(float(score[rows].max()))
    if not events or not others:
        return float("nan")
    return float((np.array(events) > np.quantile(others, 1 - FALSE_ALARMS)).mean())


def _rows_within(segment: Segment, rows: int) -> slice:
    first = min(rows - 1, round(segment[0] * 50))
    return slice(first, max(first + 1, round((segment[1] + AFTER_S) * 50)))


def _lips(
    features: Features, lip_clips: Sequence[LipClip], strangers: Sequence[LipClip]
) -> tuple[float, ...]:
    if not lip_clips or not strangers:
        return (float("nan"),) * len(LIPS)
    inputs = np.concatenate([features.rows(clip.sound)[clip.rows] for clip in lip_clips])
    probe: Probe = regression(inputs, np.concatenate([clip.lips for clip in lip_clips]))
    found = []
    for clip in strangers:
        if len(clip.rows) >= LEAST_FRAMES:
            scores = probe(features.rows(clip.sound)[clip.rows])
            found.append(
                [np.corrcoef(a, b)[0, 1] for a, b in zip(scores.T, clip.lips.T, strict=True)]
            )
    return tuple(float(r) for r in np.nanmean(found, 0))
