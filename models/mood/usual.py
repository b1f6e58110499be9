"""What a voice usually is, learnt while it speaks: a mood is a way of differing from it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from models.mood.features import LEVEL, TRAITS

FIRST_HOPS = 40.0
"""Hops of an average voice that are supposed to have been heard first. Of the level nothing is:
it depends on the microphone."""
MEMORY_HOPS = 6000.0
"""Voiced hops after which what was heard before counts a third: two minutes of voice."""


@dataclass(slots=True)
class Usual:
    """What some voices had so far: `sums` of traits `[voices, TRAITS]`, and `hops` `[voices]`."""

    sums: Tensor
    hops: Tensor

    @classmethod
    def unknown(cls, voices: int) -> Usual:
        """Return nothing heard of so many voices."""
        return cls(torch.zeros(voices, TRAITS), torch.zeros(voices))

    def hear(self, traits: Tensor, voicing: Tensor, average: Tensor) -> Tensor:
        """Take traits `[voices, TRAITS, n]` hop by hop; return how they differ from usual.

        A hop counts by its voicing, 0..1, `[voices, n]`, and is part of the usual it is held
        against. `average` `[TRAITS]` is that of all voices.
        """
        differences = []
        for hop, voiced in zip(traits.unbind(-1), voicing.unbind(-1), strict=True):
            keep = 1.0 - voiced / MEMORY_HOPS
            self.hops = keep * self.hops + voiced
            self.sums = keep[:, None] * self.sums + voiced[:, None] * hop
            differences.append(hop - usual_of(self.sums, self.hops[:, None], hop, average))
        return torch.stack(differences, -1)


def usual_of(sums: Tensor, hops: Tensor, now: Tensor, average: Tensor) -> Tensor:
    """Return usual traits `[..., TRAITS]` of sums of them and the hops `[..., 1]` they were in.

    Before any voice the usual level is the one `now`.
    """
    usual = (sums + FIRST_HOPS * average) / (hops + FIRST_HOPS)
    level = torch.where(hops > 0, sums / hops.clamp(min=1e-6), now)[..., LEVEL : LEVEL + 1]
    return torch.cat((usual[..., :LEVEL], level, usual[..., LEVEL + 1 :]), -1)
