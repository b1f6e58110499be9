"""A data folder of captured faces, small and made up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cstalk_bridge.models.training.captured_faces import ACTION_UNIT_GAINS
from cstalk_bridge.models.training.sources import GRID_CURVES

if TYPE_CHECKING:
    from pathlib import Path

GRID_NAMES = ("browDownLeft", "browDownRight", "jawOpen", "mouthClose", "mouthPucker", "jawLeft")
IPHONE_NAMES = ("JawOpen", "MouthClose", "MouthSmileLeft", "MouthSmileRight", "CheekSquintLeft")
ACTED = ("03-01-03-02-01-01-01", "03-01-02-01-01-01-01", "03-01-05-01-01-01-03")
"""A happy and a calm clip of a training actor, an angry one of another actor."""
DEV_CLIP, TRAIN_CLIPS = "bbaz6p", ("aaaa1a", "aaaa2a")


def write_captures(data: Path) -> None:
    """Every curve is a wave; in the last tenth of the phone's takes nothing moves."""
    random = np.random.default_rng(1)

    def waves(frames: int, count: int) -> np.ndarray:
        phase = random.uniform(0, 6, count)
        wave = 0.3 + 0.3 * np.sin(np.arange(frames)[:, None] / random.uniform(4, 12, count) + phase)
        return wave.astype("<f2")

    (data / "grid_s1").mkdir(parents=True)
    clips: dict[str, Any] = {clip: waves(75, len(GRID_NAMES)) for clip in (DEV_CLIP, *TRAIN_CLIPS)}
    heads: dict[str, Any] = {f"{clip}__head": np.zeros((75, 6), "<f2") for clip in clips}
    np.savez(data / "grid_s1" / GRID_CURVES, names=np.array(GRID_NAMES), **clips, **heads)
    (data / "iphone").mkdir()
    take = waves(600, len(IPHONE_NAMES))
    take[-61:] = take[-61]
    np.savez(
        data / "iphone/range_of_motion_30fps.npz",
        names=np.array(IPHONE_NAMES),
        rom_1=take,
        rom_1__timecode=np.zeros(600),
    )
    (data / "ravdess").mkdir()
    units = [f"{unit}_r" for unit in ACTION_UNIT_GAINS]
    acted: dict[str, Any] = {stem: 5.0 * waves(90, len(units)) for stem in ACTED}
    np.savez(data / "ravdess/action_units_frames.npz", names=np.array(units), **acted)
