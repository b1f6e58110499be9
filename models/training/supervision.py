"""Correlation supervision: the generator's faces judged by what their own regions suggest.

The frozen correlation network sees generated faces with one region hidden and says what that region
should do, given the others and the emotion; the distance is a term of the generator's loss. Speech
keeps its mouth: jaw, lips and tongue are only looked at, no gradient reaches them.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from models.board import AUDIO_DRIVEN
from models.correlation import RegionCorrelation, Windows, load
from models.errors import WeightsError
from models.regions import REGION_OF, REGIONS
from models.training.hidden import MEMBER
from models.training.postures import GESTURE_CHANNELS, POSTURES

if TYPE_CHECKING:
    from pathlib import Path

    from models.training.run import Settings

WEIGHT = 0.01
"""The face loss ends near 0.006, the distance of an untrained face begins near 0.3."""

RAMP = (0.15, 0.4)
"""Shares of the steps between which the term's weight rises from nothing: lips come first."""

CLIPS = 4  # of a batch, so many are judged in a step
SPEECH = ("mouth_lower", "jaw_chin", "tongue")

FREE = (
    ~(GESTURE_CHANNELS.amax(0) > 0)
    & POSTURES.ne(0).any(0)
    & torch.tensor([REGION_OF[name] not in SPEECH for name in AUDIO_DRIVEN])
)
"""The channels that the term may move: emotions do and speech does not, [81]."""


class Supervision:
    """The term, for one run. `card` says what it was, for the weights file.

    `judged` are the rows of `REGIONS` with channels that the network knows and the term may move.
    """

    def __init__(
        self, network: RegionCorrelation, weight: float, settings: Settings, digest: str = ""
    ) -> None:
        self.network = network.eval().requires_grad_(requires_grad=False)
        self.weight = weight
        self.settings = settings
        self.free = FREE.to(network.known.device) & network.known
        self.member = MEMBER.to(network.known.device)
        self.judged = (self.member & self.free).any(1).nonzero().flatten().tolist()
        self.card: dict[str, object] = {"network_sha256": digest, "weight": weight}

    @classmethod
    def read(
        cls, path: Path, weight: float, settings: Settings, device: torch.device
    ) -> Supervision:
        """Return the term of a trained network; WeightsError where the file cannot judge."""
        network, card = load(path, device)
        term = cls(network, weight, settings, hashlib.sha256(path.read_bytes()).hexdigest())
        if not term.judged:
            raise WeightsError(f"{path}: it knows nothing that emotions move; train it again")
        term.card["licence"] = str(card.get("licence", "unknown"))
        return term

    def weight_at(self, step: int) -> float:
        """Return the term's weight at a step of the run."""
        start, end = (share * self.settings.steps for share in RAMP)
        return self.weight * min(1.0, max(0.0, (step - start) / (end - start)))

    def __call__(self, faces: Tensor, emotion: Tensor, step: int) -> Tensor:
        """Return the weighted term for `faces` [batch, time, 81] under `emotion` [batch, emotions].

        Windows and hidden regions depend only on the run's seed and the step.
        """
        weight = self.weight_at(step)
        if weight == 0.0:
            return faces.new_zeros(())
        return weight * self.distance(faces, emotion, step)

    def distance(self, faces: Tensor, emotion: Tensor, step: int) -> Tensor:
        """Return the L1 distance of hidden regions to what the others suggest.

        In units of each channel's spread; each clip hides one region, in turn.
        """
        rows = min(faces.shape[1], self.network.sizes.window_rows)
        random = np.random.default_rng((self.settings.seed, step))
        clips = random.permutation(len(faces))[:CLIPS]
        starts = random.integers(0, faces.shape[1] - rows + 1, len(clips))
        pieces = [faces[c, s : s + rows] for c, s in zip(clips, starts, strict=True)]
        values = torch.stack(pieces)
        values = torch.where(self.free, values, values.detach())
        turns = [self.judged[(step + turn) % len(self.judged)] for turn in range(len(clips))]
        hidden = values.new_zeros((*values.shape[:2], len(REGIONS)), dtype=torch.bool)
        for row, turn in enumerate(turns):
            hidden[row, :, turn] = True
        windows = Windows(
            values,
            self.network.known.expand(len(clips), -1),
            emotion[torch.from_numpy(clips).to(emotion.device)],
            values.new_ones(len(clips), dtype=torch.bool),
        )
        asked = (self.member[turns] & self.free)[:, None]
        error = ((self.network(windows, hidden) - values) / self.network.scale).abs()
        distance: Tensor = (error * asked).sum() / (asked.sum() * rows)
        return distance
