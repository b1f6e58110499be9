"""RAVDESS's measured action units as sliders of the board, and the emotions its actors played.

`action_units.csv` says which slider each FACS action unit moves, and how far at OpenFace's highest
intensity, 5: inner and outer brow raisers (1, 2), brow lowerer (4), upper lid raiser (5), cheek
raiser (6), lid tightener (7), nose wrinkler (9), upper lip raiser (10), lip corner puller (12),
dimpler (14), lip corner depressor (15), chin raiser (17), lip stretcher (20), lips part and jaw
drop (25, 26). Lip tightener (23) has no slider that sound drives; blinks (45) do not follow speech.
Only a research build learns from these recordings.
"""

from __future__ import annotations

import csv
from importlib import resources
from typing import TYPE_CHECKING, Any

import numpy as np

from models.board import AUDIO_DRIVEN, CHANNELS
from models.training.energy import smooth
from models.training.sources import RAVDESS_FPS, face_curves

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

FULL_INTENSITY = 5.0
REST_PERCENTILE = 25.0  # of an actor's neutral clips: that face at rest between its words
SMOOTHING_ROWS = 5  # the tracker jitters from frame to frame

PLAYED = {
    "01": "neutral",
    "03": "happy",
    "04": "sad",
    "05": "angry",
    "06": "fearful",
    "07": "disgusted",
    "08": "surprised",
}
"""Emotion by its number in the file name; 02, calm, is none of the generator's."""
WEIGHTS = {"01": 0.6, "02": 1.0}
"""Weight of normal and of strong intensity, by its number in the file name."""


def _read_table() -> dict[str, NDArray[np.float32]]:
    text = resources.files("models.training").joinpath("action_units.csv").read_text("utf-8")
    table: dict[str, NDArray[np.float32]] = {}
    for row in csv.DictReader(text.splitlines()):
        *sides, slider = row["slider"].split()
        gains = table.setdefault(row["unit"], np.zeros(len(AUDIO_DRIVEN), np.float32))
        for side in sides:
            gains[AUDIO_DRIVEN.index(f"CTRL_{side}_{slider}")] = float(row["at_five"])
    return table


GAINS = _read_table()
"""What each action unit at intensity 5 adds to the channels, [channels]."""

OBSERVED_CHANNELS: NDArray[np.bool_] = np.any([gains != 0 for gains in GAINS.values()], axis=0)
"""Which channels the action units tell about, [channels]."""

_RANGES = {channel.name: (channel.minimum, channel.maximum) for channel in CHANNELS}
LOW, HIGH = (np.array([_RANGES[name][i] for name in AUDIO_DRIVEN], np.float32) for i in (0, 1))


def emotion_of(stem: str) -> dict[str, float] | None:
    """Return the emotion weights of a clip by its file name; None for calm."""
    _, _, emotion, intensity, *_ = stem.split("-")
    name = PLAYED.get(emotion)
    if name is None:
        return None
    return {name: 1.0 if name == "neutral" else WEIGHTS[intensity]}


class ActionUnits:
    """The tracks of `action_units_frames.npz`: `names`, and per clip [frames, tracks] at 29.97 Hz.

    Each is taken above the actor's own rest, which OpenFace does not put at zero.
    """

    def __init__(self, archive: Mapping[str, Any]) -> None:
        self.clips = {name: archive[name] for name in archive if name != "names"}
        names = [str(name) for name in archive["names"]]
        self.columns = [names.index(f"{unit}_r") for unit in GAINS]
        self.rest = {stem[-2:]: self._rest_of(stem[-2:]) for stem in self.clips}

    def _rest_of(self, actor: str) -> NDArray[np.float32]:
        own = {stem: clip for stem, clip in self.clips.items() if stem[-2:] == actor}
        neutral = [clip for stem, clip in own.items() if stem.split("-")[2] == "01"]
        frames = np.concatenate(neutral or list(own.values())).astype(np.float32)
        return np.asarray(np.percentile(frames[:, self.columns], REST_PERCENTILE, axis=0))

    def channels(self, stem: str, rows: int) -> NDArray[np.float32] | None:
        """Return board values at each row's audio time, [rows, channels]; None where untracked."""
        if stem not in self.clips:
            return None
        units = face_curves(self.clips, stem, 0.0, RAVDESS_FPS, rows)[:, self.columns]
        units = np.maximum(units - self.rest[stem[-2:]], 0.0) / FULL_INTENSITY
        units = np.stack([smooth(unit, SMOOTHING_ROWS) for unit in units.T], 1)
        board = units @ np.stack(list(GAINS.values()))
        return np.asarray(np.clip(board, LOW, HIGH), dtype=np.float32)
