"""The loss of the generator, a sum of terms.

- The face and its velocity, channel by channel.
- The mouth in millimetres (`mouth_loss`): errors of several sliders may add up in the visible face,
  or cancel, so gaps of lips, teeth and corners are compared too. The millimetres are those of
  `captured_faces.py`. Errors count by their square up to about a millimetre and linearly beyond
  (Huber), so that where a sound may be one of two the mouth is one of them, not half of each.
- Phones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

import torch
from torch import Tensor
from torch.nn import functional

from cstalk_bridge.models.board import AUDIO_DRIVEN
from cstalk_bridge.models.training.batches import UNKNOWN_PHONE
from cstalk_bridge.models.training.captured_faces import (
    GAP_MM,
    PURSE_CLOSES_MM,
    PURSE_MASKS_FUNNEL,
    TEETH_MM,
    WIDTH_MM,
)
from cstalk_bridge.models.training.rules import (
    GESTURE_CHANNELS,
    GESTURES,
    JAW_OPENS,
    LIPS_PART,
    face_targets,
)

if TYPE_CHECKING:
    from cstalk_bridge.models.cstalk.network import FaceNetwork
    from cstalk_bridge.models.training.batches import Batch


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
    """What a face shows, [batch, time] each, in millimetres from rest; a gap below 0 is closed."""

    gap: Tensor
    teeth: Tensor
    width: Tensor


def _columns(gesture: str) -> list[int]:
    return [AUDIO_DRIVEN.index(channel) for channel in GESTURES[gesture].channels]


def mouth_of(faces: Tensor) -> Mouth:
    """Return what the mouths of `faces` [batch, time, 81] show."""

    def of(gesture: str) -> Tensor:
        return faces[..., _columns(gesture)].mean(-1)

    jaw, together, purse = of("jaw"), of("lips_together"), of("purse")
    funnel = (of("funnel") - PURSE_MASKS_FUNNEL * purse).clamp(min=0)
    own = {name: of(name) for name in ("upper_raise", "lower_depress")} | {"funnel": funnel}
    parted = torch.stack([GAP_MM[name] * value for name, value in own.items()]).sum(0)
    dropped = GAP_MM["jaw"] * jaw.clamp(min=0) * (1 - together).clamp(min=0)
    gap = dropped + parted - PURSE_CLOSES_MM * purse
    wide = {"jaw": jaw, "stretch": of("stretch"), "purse": purse, "funnel": funnel}
    width = torch.stack([mm * wide[name] for name, mm in WIDTH_MM.items()]).sum(0)
    return Mouth(gap, TEETH_MM * jaw, width)


def mouth_loss(faces: Tensor, targets: Tensor, seen: Tensor) -> Tensor:
    """Return the loss of `faces` [batch, time, 81] where `seen` [batch, time] is true."""
    predicted, target = mouth_of(faces), mouth_of(targets)
    together = targets[..., _columns("lips_together")].amin(-1)
    gap, teeth, width = (one - other for one, other in zip(predicted, target, strict=True))
    gap = torch.where(target.gap <= 0, predicted.gap.clamp(min=0), gap)
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


UNDERSHOOT = {"lips_together": 5.0, "lip_bite": 2.5, "purse": 2.5, "funnel": 2.5}
"""How much more an error counts where a mouth shuts or rounds too little."""
DEMANDED = 0.4  # a closure or rounding beyond this is demanded: less of it is a shortfall
OPEN, RESTING = 0.15, 0.02  # jaw of an open vowel, and of a mouth that does nothing
EXCESS = 3.0
"""How much more too much counts: of parted lips that touch, touching ones over an open jaw, and of
a resting mouth that stirs."""
IMPORTANCE = {"jaw": 3.0, "lips_together": 3.0, "lip_bite": 1.5, "purse": 1.5, "funnel": 1.5}
BRIDGED_SPREAD, BRIDGED_IMPORTANCE = 0.05, 6.0  # of what of an open jaw the lips bridge
POSTURE_SPREAD = 0.12  # scale of the channels that only emotions move
MOUTH_WEIGHT = 0.02
"""Of millimetres against squares of spreads."""
VELOCITY_WEIGHT = 2.0
ACCELERATION_WEIGHT = 4.0


class Spread(Protocol):
    """A source of the gestures' spread."""

    def gesture_spread(self) -> Tensor:
        """Return each gesture's standard deviation, [gestures]."""


class Loss:
    """Squared error of faces, their velocity and acceleration, in units of each channel's spread.

    Jaw times lips together is judged too: ARKit faces take it as `mouthClose`, and errors of its
    two factors may add up in it.
    """

    def __init__(self, corpus: Spread, device: torch.device) -> None:
        weights = torch.tensor([IMPORTANCE.get(name, 1.0) for name in GESTURES])
        per_gesture = weights / corpus.gesture_spread().square()
        moved = GESTURE_CHANNELS.amax(0) > 0
        sides = GESTURE_CHANNELS.sum(1)
        self.weights = torch.where(
            moved, (per_gesture / sides) @ GESTURE_CHANNELS, torch.tensor(POSTURE_SPREAD**-2 / 2)
        ).to(device)
        closing = GESTURE_CHANNELS[list(GESTURES).index("lips_together")] > 0
        undershot = torch.tensor([UNDERSHOOT.get(name, 1.0) for name in GESTURES])
        self.undershot = (undershot[:, None] * GESTURE_CHANNELS).amax(0).clamp(min=1.0).to(device)
        self.gesture_channels = GESTURE_CHANNELS.to(device)
        self.closing, self.parting, self.jaw = (
            channels.to(device) for channels in (closing, LIPS_PART, JAW_OPENS)
        )
        self.ungestured = ~moved.to(device)

    def __call__(self, faces: Tensor, targets: Tensor, observed: Tensor) -> Tensor:
        """Return the loss of `faces` [batch, time, channels].

        `observed` is [batch, gestures], or [batch, time, gestures] where it changes.
        """
        if observed.dim() == 2:
            observed = observed[:, None].expand(-1, faces.shape[1], -1)
        whole = observed.all(-1, keepdim=True)
        seen = (observed.float() @ self.gesture_channels > 0) | (self.ungestured & whole)
        weights = self.weights * seen
        error = faces - targets
        squares = error.square() * self._costs(error, targets)
        every = (squares * weights).mean()
        for order, weight in ((1, VELOCITY_WEIGHT), (2, ACCELERATION_WEIGHT)):
            every = every + weight * (error.diff(order, dim=1).square() * weights[:, order:]).mean()
        every = every + self._bridged_error(faces, targets, seen) / faces.shape[-1]
        return every / 10.0

    def _bridged_error(self, faces: Tensor, targets: Tensor, seen: Tensor) -> Tensor:
        def bridged(face: Tensor) -> Tensor:
            return face[..., self.jaw].mean(-1) * face[..., self.closing].mean(-1)

        is_known = seen[..., self.closing | self.jaw].all(-1)
        error = (bridged(faces) - bridged(targets)) / BRIDGED_SPREAD
        return BRIDGED_IMPORTANCE * (error.square() * is_known).mean()

    def _costs(self, error: Tensor, targets: Tensor) -> Tensor:
        """Return how much each error counts, [batch, time, channels]."""
        short = (error < 0) & (targets > DEMANDED)
        shut = targets[..., self.closing].amin(-1, keepdim=True) > DEMANDED
        opened = targets[..., self.jaw] > OPEN
        rests = targets[..., self.jaw] < RESTING
        stirs = (self.jaw | (self.closing & rests)) & (targets < RESTING)
        too_much = (shut & self.parting) | (opened & ~shut & self.closing) | stirs
        costs = torch.where(short, self.undershot, 1.0)
        return torch.where((error > 0) & too_much, EXCESS, costs)


def face_loss(loss: Loss, faces: Tensor, targets: Tensor, observed: Tensor) -> Tensor:
    """Return the sum of `loss` and, where all of the mouth is observed, the mouth loss."""
    whole = observed.all(-1)
    seen = whole[:, None].expand(-1, faces.shape[1]) if whole.dim() == 1 else whole
    return loss(faces, targets, observed) + MOUTH_WEIGHT * mouth_loss(faces, targets, seen)


def loss_of(
    network: FaceNetwork,
    batch: Batch,
    loss: Loss,
    device: torch.device,
) -> tuple[Tensor, Tensor]:
    """Return the face loss and the phone loss of one batch; 0 without phone logits."""
    targets = face_targets(batch.gestures, batch.stress, batch.envelopes, batch.conditions).to(
        device
    )
    if batch.captured is not None and batch.captured_seen is not None:
        seen = batch.captured_seen.to(device)
        targets = torch.where(seen, batch.captured.to(device), targets)
    out, logits = network(
        batch.samples.to(device), batch.conditions.to(device), batch.delay_hops.to(device)
    )
    faces = out.transpose(1, 2)
    face = face_loss(loss, faces, targets, batch.observed.to(device))
    if logits is None:
        return face, face.new_zeros(())
    predicted = logits[..., -batch.phones.shape[1] :]
    phones = functional.cross_entropy(
        predicted, batch.phones.to(device), ignore_index=UNKNOWN_PHONE
    )
    return face, phones
