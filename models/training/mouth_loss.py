"""How far faces are from their targets in millimetres between lips, teeth and corners.

Errors of several sliders may add up in what is seen, or cancel; this looks at the sum. The
millimetres are those of `lips.py`. Errors count by their square up to about a millimetre and
linearly beyond (Huber), so that where a sound may be one of two the mouth is one of them, not half
of each.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from cstalk_bridge.models.board import AUDIO_DRIVEN
from cstalk_bridge.models.training.lips import GAP_MM, TEETH_MM, WIDTH_MM
from cstalk_bridge.models.training.rules import GESTURES

GAP_KNEE_MM, TEETH_KNEE_MM, WIDTH_KNEE_MM, SPEED_KNEE_MM = 1.0, 0.7, 1.0, 0.5
TEETH_WEIGHT, WIDTH_WEIGHT = 0.7, 0.6
SPEED_WEIGHT = 2.0
"""Of changes from row to row against the positions themselves."""
CLOSED_MM, RESTING_MM, OPEN_MM, SHUT_MM, TOGETHER_MM = 0.7, 0.3, 1.8, 1.5, 1.5
"""Gaps of closed and of resting lips, of lips that must not look closed and would, and teeth that
meet."""
UNCLOSED, UNOPENED, UNRESTED, UNMET = 6.0, 6.0, 2.0, 5.0
"""How much more it counts where closed lips part, open ones close, resting ones stir, and teeth
that should meet do not."""
HELD = 0.5


class Mouth(NamedTuple):
    """What a face shows, [batch, time] each, in millimetres from rest."""

    gap: Tensor
    teeth: Tensor
    width: Tensor


def _columns(gesture: str) -> list[int]:
    return [AUDIO_DRIVEN.index(channel) for channel in GESTURES[gesture].channels]


def mouth_of(faces: Tensor) -> Mouth:
    """Return what the mouths of `faces` [batch, time, 81] show."""

    def of(gesture: str) -> Tensor:
        return faces[..., _columns(gesture)].mean(-1)

    own = [name for name in GAP_MM if name != "jaw"]
    parted = torch.stack([GAP_MM[name] * of(name) for name in own]).sum(0)
    jaw, together = of("jaw"), of("lips_together")
    gap = GAP_MM["jaw"] * jaw.clamp(min=0) * (1 - together).clamp(min=0) + parted
    width = torch.stack([mm * of(name) for name, mm in WIDTH_MM.items()]).sum(0)
    return Mouth(gap, TEETH_MM * jaw, width)


def mouth_loss(faces: Tensor, targets: Tensor, seen: Tensor) -> Tensor:
    """Return the loss of `faces` [batch, time, 81] where `seen` [batch, time] is true."""
    predicted, target = mouth_of(faces), mouth_of(targets)
    together = targets[..., _columns("lips_together")].amin(-1)
    gap, teeth, width = (one - other for one, other in zip(predicted, target, strict=True))
    closed = (target.gap < CLOSED_MM) & (together > HELD)
    cost = _first(
        (closed & (gap > 0), UNCLOSED),
        ((target.gap > OPEN_MM) & (predicted.gap < SHUT_MM), UNOPENED),
        ((target.gap < RESTING_MM) & ~closed & (gap > 0), UNRESTED),
    )
    apart = _first(((target.teeth < TOGETHER_MM) & (teeth > 0), UNMET))
    positions = (
        huber(gap, GAP_KNEE_MM) * cost
        + TEETH_WEIGHT * huber(teeth, TEETH_KNEE_MM) * apart
        + WIDTH_WEIGHT * huber(width, WIDTH_KNEE_MM)
    )
    speeds = huber(gap.diff(dim=1), SPEED_KNEE_MM) + 0.5 * huber(teeth.diff(dim=1), SPEED_KNEE_MM)
    both = seen[:, 1:] & seen[:, :-1]
    loss: Tensor = (positions * seen).mean() + SPEED_WEIGHT * (speeds * both).mean()
    return loss


def huber(error: Tensor, knee: float) -> Tensor:
    """Return half the square over `knee` up to it, and linearly beyond."""
    size = error.abs()
    return torch.where(size < knee, size.square() / (2 * knee), size - knee / 2)


def _first(*cases: tuple[Tensor, float]) -> Tensor | float:
    """Return the cost of the first case that holds, else 1."""
    cost: Tensor | float = 1.0
    for holds, more in reversed(cases):
        cost = torch.where(holds, more, cost)
    return cost
