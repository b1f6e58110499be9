"""What an emotion does to a face, and what it leaves to speech.

The postures are FACS knowledge (Ekman and Friesen's action units of each emotion), written as
board values in `emotion_postures.csv`: happiness 6+12+25, sadness 1+4+15+17, anger 4+5+7+23,
surprise 1+2+5+25+26, fear 1+2+4+5+20+25, disgust 9+10+15, at the middle of the scale of strengths.
`left_more` is by how much the left side shows more than the right, as faces do (Sackeim et al.,
Science 202, 1978). No recording of actors went into them.
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
from models.training.swells import STRESS_LIFTS, SWELL_OF

SILENT_SHARE = 0.7
"""Share of a posture that shows before anything is said; speech brings the whole of it."""
STRESS_SPEAKS = (0.25, 0.65)
"""Stress at which the mouth begins to belong to speech, and at which it does wholly."""

POSITION = {name: index for index, name in enumerate(AUDIO_DRIVEN)}


def _read_postures() -> Tensor:
    text = resources.files("models.training").joinpath("emotion_postures.csv").read_text("utf-8")
    postures = np.zeros((len(EMOTIONS), len(AUDIO_DRIVEN)), dtype=np.float32)
    for row in csv.DictReader(text.splitlines()):
        for emotion, name in enumerate(EMOTIONS):
            value, more = float(row[name]) if name in row else 0.0, float(row["left_more"]) / 2
            for side, share in (("L", 1 + more), ("R", 1 - more), ("C", 1)):
                position = POSITION.get(f"CTRL_{side}_{row['slider']}")
                if position is not None:
                    postures[emotion, position] = share * value
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
JAW_OPENS = torch.tensor([name == "CTRL_C_jaw.ty" for name in AUDIO_DRIVEN])
LIPS_PART = torch.tensor(["LipRaise" in name or "LipDepress" in name for name in AUDIO_DRIVEN])
PARTING = LIPS_PART | JAW_OPENS
WIDENING = torch.tensor(
    [("orner" in name or "stretch" in name or "dimple" in name) for name in AUDIO_DRIVEN]
)


def face_targets(gestures: Tensor, stress: Tensor, swells: Tensor, conditions: Tensor) -> Tensor:
    """Return channel targets [batch, time, channels] of speech under an emotion.

    `gestures` is [batch, time, gestures], `stress` [batch, time] and `swells` (`swells_of`)
    [batch, time, swells] are in 0..1, `conditions` [batch, conditions] as in
    `models.emotions.CONDITIONS`. Neither neighbouring phones nor the emotion part lips that a
    bilabial closes; the emotion widens a rounded mouth little.
    """
    emotion, guard = conditions[:, :-1], conditions[:, -1, None, None]
    shown = SILENT_SHARE + (1.0 - SILENT_SHARE) * swells[..., SWELL_OF]
    posture = (emotion @ POSTURES)[:, None] * shown
    low, high = STRESS_SPEAKS
    speech = ((stress[..., None] - low) / (high - low)).clamp(0.0, 1.0)
    closed = gestures[..., CLOSERS, None]
    rounded = gestures[..., ROUNDERS, None]
    mouth = posture * (1.0 - guard * speech)
    mouth = torch.where(PARTING, mouth * (1.0 - closed), mouth)
    mouth = torch.where(WIDENING, mouth * (1.0 - 0.7 * rounded), mouth)
    upper = posture * (1.0 + STRESS_LIFTS * stress[..., None])
    spoken = gestures @ GESTURE_CHANNELS
    spoken = torch.where(LIPS_PART, spoken * (1.0 - closed), spoken)
    return spoken + torch.where(IS_MOUTH, mouth, upper)
