"""The probe, and the figures of one kind of features: phones, bilabial events, lips.

A probe is one hidden layer on a row of features, taught the same way whatever the features.
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
    """A taught probe; features go in as they are."""

    network: nn.Module
    mean: NDArray[np.float32]
    spread: NDArray[np.float32]

    @torch.inference_mode()
    def __call__(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return what it says of `features` [rows, width], [rows, outputs]."""
        scaled = torch.from_numpy((features - self.mean) / self.spread)
        said: NDArray[np.float32] = self.network(scaled).numpy()
        return said


def classifier(features: NDArray[np.float32], classes: NDArray[np.int64], count: int) -> Probe:
    """Return a probe of log probabilities, taught on `features` [rows, width], `classes` [rows]."""
    told = torch.from_numpy(classes)

    def loss(said: Tensor, rows: Tensor) -> Tensor:
        return functional.cross_entropy(said, told[rows], label_smoothing=SOFTENING)

    return _taught(features, count, loss, nn.LogSoftmax(1))


def regression(features: NDArray[np.float32], values: NDArray[np.float32]) -> Probe:
    """Return a probe of `values` [rows, n] in units of their spread."""
    told = torch.from_numpy((values - values.mean(0)) / values.std(0))

    def loss(said: Tensor, rows: Tensor) -> Tensor:
        return functional.mse_loss(said, told[rows])

    return _taught(features, values.shape[1], loss, nn.Identity())


def _taught(
    features: NDArray[np.float32],
    outputs: int,
    loss: Callable[[Tensor, Tensor], Tensor],
    last: nn.Module,
) -> Probe:
    dice = torch.Generator().manual_seed(0)
    mean, spread = features.mean(0), features.std(0) + LEAST_SPREAD
    heard = torch.from_numpy((features - mean) / spread)
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
            rows = torch.randint(len(heard), (BATCH,), generator=dice)
            optimizer.zero_grad()
            torch.autograd.backward(loss(network(heard[rows]), rows))
            optimizer.step()
            schedule.step()
    return Probe(network.eval(), mean, spread)


BILABIAL = ("B", "M", "P")
FALSE_ALARMS = 0.03
AFTER_S = 0.02  # an event may be told this long after the phone's end
APART_S = 0.05  # phones nearer than this to a bilabial are no false alarm
LEAST_FRAMES = 10  # of a clip whose correlation is taken


@dataclass(frozen=True, slots=True)
class Figures:
    """Shares and correlations, 0..1; NaN where there was nothing to measure on.

    `phones_*`: rows of speech told right. `bilabials_*`: p b m heard at `FALSE_ALARMS` of the other
    phones. `lips`: mean over clips of r with the measured gap, width and protrusion.
    """

    phones_actors: float
    phones_voices: float
    bilabials_actors: float
    bilabials_voices: float
    lips: tuple[float, ...]


def probe_figures(
    features: Features,
    taught: Sequence[PhoneClip],
    actors: Sequence[PhoneClip],
    voices: Sequence[PhoneClip],
    filmed: Sequence[LipClip],
    strangers: Sequence[LipClip],
) -> Figures:
    """Teach the probes on `taught` and `filmed`; return what they tell of the others."""
    heard = [features.rows(clip.sound) for clip in taught]
    told = [phone_indices(clip.phones, len(rows)) for clip, rows in zip(taught, heard, strict=True)]
    probe = classifier(np.concatenate(heard), np.concatenate(told), len(PHONES))
    said = _said(probe, features, actors), _said(probe, features, voices)
    return Figures(
        phones_actors=_rows_right(said[0]),
        phones_voices=_rows_right(said[1]),
        bilabials_actors=_events_heard(said[0]),
        bilabials_voices=_events_heard(said[1]),
        lips=_lips(features, filmed, strangers),
    )


def _said(
    probe: Probe, features: Features, clips: Sequence[PhoneClip]
) -> list[tuple[PhoneClip, NDArray[np.float32]]]:
    return [(clip, probe(features.rows(clip.sound))) for clip in clips]


def _rows_right(said: Sequence[tuple[PhoneClip, NDArray[np.float32]]]) -> float:
    right = []
    for clip, log_shares in said:
        phones = phone_indices(clip.phones, len(log_shares))
        right.append((log_shares.argmax(1) == phones)[phones > 0])
    return float(np.concatenate(right).mean()) if right else float("nan")


def _events_heard(said: Sequence[tuple[PhoneClip, NDArray[np.float32]]]) -> float:
    """Return the share of bilabials whose score passes what `FALSE_ALARMS` of others pass."""
    events: list[float] = []
    others: list[float] = []
    columns = [PHONE_INDEX[phone] for phone in BILABIAL]
    for clip, log_shares in said:
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
    features: Features, filmed: Sequence[LipClip], strangers: Sequence[LipClip]
) -> tuple[float, ...]:
    if not filmed or not strangers:
        return (float("nan"),) * len(LIPS)
    heard = np.concatenate([features.rows(clip.sound)[clip.rows] for clip in filmed])
    probe: Probe = regression(heard, np.concatenate([clip.lips for clip in filmed]))
    found = []
    for clip in strangers:
        if len(clip.rows) >= LEAST_FRAMES:
            said = probe(features.rows(clip.sound)[clip.rows])
            found.append(
                [np.corrcoef(a, b)[0, 1] for a, b in zip(said.T, clip.lips.T, strict=True)]
            )
    return tuple(float(r) for r in np.nanmean(found, 0))
