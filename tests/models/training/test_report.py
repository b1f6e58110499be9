"""The report of a network under training judges its faces against the targets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from models.architecture import Architecture
from models.board import AUDIO_DRIVEN, CHANNELS, INDEX
from models.evaluation.groups import JAW
from models.face_network import FaceNetwork
from models.mel import HISTORY_SAMPLES
from models.timing import HOP_SAMPLES
from models.training.batches import Corpus
from models.training.report import report

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor


class Jaw(FaceNetwork):
    """A network whose jaw, times a factor, is as open as the sound is loud."""

    def __init__(self, factor: float) -> None:
        channels = [CHANNELS[INDEX[name]] for name in AUDIO_DRIVEN]
        limits = [c.minimum for c in channels], [c.maximum for c in channels]
        super().__init__(Architecture(), *limits)
        self.factor = torch.nn.Parameter(torch.tensor(factor))

    def forward(
        self, samples: Tensor, emotion: Tensor, delay_hops: Tensor
    ) -> tuple[Tensor, Tensor | None]:
        del emotion
        loud = samples[:, HISTORY_SAMPLES:].unflatten(1, (-1, HOP_SAMPLES)).mean(2)
        # Row i is the face of the time at which hop i begins.
        loud = loud.roll(int(delay_hops) - 1, 1)
        faces = torch.zeros(1, len(AUDIO_DRIVEN), loud.shape[1])
        faces[:, JAW] = loud * self.factor
        return faces[..., self.architecture.window_hops - 1 :], None


def test_a_network_that_follows_its_targets_is_told_from_one_that_does_not(
    corpus_folder: Path,
) -> None:
    dev = Corpus(corpus_folder, "dev")
    right, wrong = (list(report(Jaw(factor), dev)) for factor in (1.0, -1.0))
    assert len(right) == len(wrong) == sum(bool(clips) for clips in dev.by_source.values())
    assert right[0].startswith("grid_s1: jaw r 1.000, purse r 0.000")
    assert "jaw r 0.000" in wrong[0]  # a jaw does not open backwards
