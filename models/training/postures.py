"""What an emotion does to a face, and what it leaves to speech.

The postures are FACS knowledge (Ekman and Friesen's action units of each emotion), written as
board values in `emotion_postures.csv`: happiness 6+12, sadness 1+4+15+17, anger 4+5+7+23, surprise
1+2+5, fear 1+2+4+5+20, disgust 9+10+15. No recording of actors went into them.
"""

from __future__ import annotations

import csv
from importlib import resources

import numpy as np
import torch
from torch import Tensor

from models.board import AUDIO_DRIVEN
from models.emotions import EMOTIONS
from models.training.rules import GESTURES

SPEECH_TAKES = 0.45
"""Share of an emotion's mouth posture which full speech activity pushes aside."""
STRESS_LIFTS = 0.25
"""How much stronger the upper face's posture is at full stress than in silence."""

POSITION = {name: index for index, name in enumerate(AUDIO_DRIVEN)}


def _read_postures() -> Tensor:
    text = resources.files("models.training").joinpath("emotion_postures.csv").read_text("utf-8")
    postures = np.zeros((len(EMOTIONS), len(AUDIO_DRIVEN)), dtype=np.float32)
    for row in csv.DictReader(text.splitlines()):
        for emotion, name in enumerate(EMOTIONS):
            for side in "LR":
                position = POSITION[f"CTRL_{side}_{row['slider']}"]
                postures[emotion, position] = float(row.get(name) or 0.0)
    return torch.from_numpy(postures)


def _gesture_channels() -> Tensor:
    spread = torch.zeros(len(GESTURES), len(AUDIO_DRIVEN))
    for row, gesture in enumerate(GESTURES.values()):
        for channel in gesture.channels:
            spread[row, POSITION[channel]] = 1.0
    return spread


POSTURES = _read_postures()
"""Board values of each emotion at intensity 1, [emotions, channels]."""

GESTURE_CHANNELS = _gesture_channels()
"""1 where a gesture moves a channel, [gestures, channels]."""

IS_MOUTH = torch.tensor([("_mouth" in name or "_jaw" in name) for name in AUDIO_DRIVEN])
CLOSERS = tuple(GESTURES).index("lips_together")
ROUNDERS = tuple(GESTURES).index("purse")
PARTING = torch.tensor([("LipRaise" in name or "LipDepress" in name) for name in AUDIO_DRIVEN])
WIDENING = torch.tensor(
    [("orner" in name or "stretch" in name or "dimple" in name) for name in AUDIO_DRIVEN]
)


def face_targets(gestures: Tensor, stress: Tensor, emotion: Tensor) -> Tensor:
    """Return channel targets [batch, time, channels] of speech under an emotion.

    `gestures` is [batch, time, gestures], `stress` [batch, time] in 0..1, `emotion` weights
    [batch, emotions]. The emotion never parts lips that a bilabial closes, nor widens a rounded
    mouth much.
    """
    posture = (emotion @ POSTURES)[:, None].expand(-1, gestures.shape[1], -1)
    active = gestures.abs().amax(-1, keepdim=True).mul(2.5).clamp(max=1.0)
    closed = gestures[..., CLOSERS, None]
    rounded = gestures[..., ROUNDERS, None]
    mouth = posture * (1.0 - SPEECH_TAKES * active)
    mouth = torch.where(PARTING, mouth * (1.0 - closed), mouth)
    mouth = torch.where(WIDENING, mouth * (1.0 - 0.7 * rounded), mouth)
    upper = posture * (1.0 + STRESS_LIFTS * stress[..., None])
    return gestures @ GESTURE_CHANNELS + torch.where(IS_MOUTH, mouth, upper)
