"""What the generator is asked for: faces, their velocity, and the phones it hears."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional

from models.emotions import EMOTIONS
from models.training.crops import UNKNOWN_PHONE
from models.training.postures import GESTURE_CHANNELS, JAW_OPENS, LIPS_PART, face_targets
from models.training.rules import GESTURES

if TYPE_CHECKING:
    from collections.abc import Callable

    from models.face_network import FaceNetwork
    from models.training.batches import Batch, Corpus

UNDERSHOOT = {"lips_together": 5.0, "lip_bite": 2.5, "purse": 2.5, "funnel": 2.5}
"""How much more an error counts where a mouth shuts or rounds too little."""
ASKED = 0.4  # a closure or rounding beyond this is asked for: less of it is a shortfall
OPEN, RESTING = 0.15, 0.02  # jaw of an open vowel, and of a mouth that does nothing
EXCESS = 3.0
"""How much more too much counts: of parted lips that touch, touching ones over an open jaw, and of
a resting mouth that stirs."""
IMPORTANCE = {"jaw": 3.0, "lips_together": 3.0, "lip_bite": 1.5, "purse": 1.5, "funnel": 1.5}
BRIDGED_SPREAD, BRIDGED_IMPORTANCE = 0.05, 6.0  # of what of an open jaw the lips bridge
POSTURE_SPREAD = 0.2  # scale of the channels that only emotions move
VELOCITY_WEIGHT = 2.0
ACCELERATION_WEIGHT = 4.0


class Loss:
    """Squared error of faces, their velocity and acceleration, in units of each channel's spread.

    Jaw times lips together is judged too: ARKit faces take it as `mouthClose`, and errors of its
    two factors may add up in it.
    """

    def __init__(self, corpus: Corpus, device: torch.device) -> None:
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
        """Return the loss of `faces` [batch, time, channels]; `observed` is [batch, gestures]."""
        whole = observed.all(1, keepdim=True)
        seen = (observed.float() @ self.gesture_channels > 0) | (self.ungestured & whole)
        weights = self.weights * seen[:, None]
        error = faces - targets
        squares = error.square() * self._costs(error, targets)
        every = (squares * weights).mean()
        for order, weight in ((1, VELOCITY_WEIGHT), (2, ACCELERATION_WEIGHT)):
            every = every + weight * (error.diff(order, dim=1).square() * weights).mean()
        return (every + self._bridged_error(faces, targets, seen) / faces.shape[-1]) / 10.0

    def _bridged_error(self, faces: Tensor, targets: Tensor, seen: Tensor) -> Tensor:
        def bridged(face: Tensor) -> Tensor:
            return face[..., self.jaw].mean(-1) * face[..., self.closing].mean(-1)

        told = seen[:, self.closing | self.jaw].all(1)[:, None]
        error = (bridged(faces) - bridged(targets)) / BRIDGED_SPREAD
        return BRIDGED_IMPORTANCE * (error.square() * told).mean()

    def _costs(self, error: Tensor, targets: Tensor) -> Tensor:
        """Return how much each error counts, [batch, time, channels]."""
        short = (error < 0) & (targets > ASKED)
        shut = targets[..., self.closing].amin(-1, keepdim=True) > ASKED
        opened = targets[..., self.jaw] > OPEN
        rests = targets[..., self.jaw] < RESTING
        stirs = (self.jaw | (self.closing & rests)) & (targets < RESTING)
        too_much = (shut & self.parting) | (opened & ~shut & self.closing) | stirs
        costs = torch.where(short, self.undershot, 1.0)
        return torch.where((error > 0) & too_much, EXCESS, costs)


def loss_of(
    network: FaceNetwork,
    batch: Batch,
    loss: Loss,
    device: torch.device,
    term: Callable[[Tensor, Tensor], Tensor] | None = None,
) -> tuple[Tensor, Tensor]:
    """Return the face loss and the phone loss of one batch; 0 where no phones are told.

    `term` of the faces [batch, time, channels] and of the emotion is added to the face loss.
    """
    targets = face_targets(batch.gestures, batch.stress, batch.swells, batch.conditions).to(device)
    if batch.captured is not None and batch.captured_seen is not None:
        seen = batch.captured_seen.to(device)
        targets = torch.where(seen, batch.captured.to(device), targets)
    out, logits = network(
        batch.samples.to(device), batch.conditions.to(device), batch.delay_hops.to(device)
    )
    faces = out.transpose(1, 2)
    face = loss(faces, targets, batch.observed.to(device))
    if term is not None:
        face = face + term(faces, batch.conditions[:, : len(EMOTIONS)].to(device))
    if logits is None:
        return face, face.new_zeros(())
    heard = logits[..., -batch.phones.shape[1] :]
    phones = functional.cross_entropy(heard, batch.phones.to(device), ignore_index=UNKNOWN_PHONE)
    return face, phones
