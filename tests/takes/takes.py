"""Takes made by hand, for tests."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from cstalk_bridge.face.emotion_trajectory import EmotionTrajectory
from cstalk_bridge.models.board import AUDIO_DRIVEN, CHANNEL_INDEX, CHANNELS
from cstalk_bridge.takes.sound import SampledSound
from cstalk_bridge.takes.take import Take, still_head
from cstalk_bridge.timecode.smpte import FRAME_RATES


def made_take(
    rows: int = 100, *, slate: str = "slate", rate: str = "50", rate_hz: int = 16_000
) -> Take:
    """A take whose jaw goes up and down twice a second, with a tone and some of every channel."""
    rng = np.random.default_rng(rows)
    limits = [CHANNELS[CHANNEL_INDEX[name]] for name in AUDIO_DRIVEN]
    low, high = (np.array([getattr(c, key) for c in limits]) for key in ("minimum", "maximum"))
    board = rng.uniform(low, high, (rows, len(AUDIO_DRIVEN))).astype(np.float32)
    times_s = np.arange(rows) / FRAME_RATES[rate].hz
    board[:, AUDIO_DRIVEN.index("CTRL_C_jaw.ty")] = 0.5 - 0.5 * np.cos(4 * np.pi * times_s)
    seconds = np.arange(round(rows / FRAME_RATES[rate].hz * rate_hz)) / rate_hz
    sound = 0.5 * np.sin(2 * np.pi * 220 * seconds)
    return Take(
        slate=slate,
        channels=AUDIO_DRIVEN,
        board=board,
        head=still_head(rows),
        sound=SampledSound(sound.astype(np.float32), rate_hz),
        rate=FRAME_RATES[rate],
        emotions=EmotionTrajectory.constant({"happy": 0.5}),
        provenance={"lookahead_ms": 80},
    )


def moving_take(
    rows: int = 120, *, start: int = 0, rate: str = "50", slate: str = "moving"
) -> Take:
    """Return a take in which every channel wanders through its range, with half a second of hum."""
    random = np.random.default_rng(1)
    ranges = [CHANNELS[CHANNEL_INDEX[name]] for name in AUDIO_DRIVEN]
    share = random.random((rows, len(ranges)))
    low = np.array([channel.minimum for channel in ranges])
    high = np.array([channel.maximum for channel in ranges])
    return Take(
        slate=slate,
        rate=FRAME_RATES[rate],
        start=start,
        channels=AUDIO_DRIVEN,
        board=(low + share * (high - low)).astype(np.float32),
        head=random.uniform(-0.2, 0.2, (rows, 6)).astype(np.float32),
        sound=SampledSound(np.sin(np.arange(8000) / 10).astype(np.float32), 16_000),
        provenance={"lookahead_ms": 80},
    )


def whole_face_take(rows: int, *, has_pose: bool = True) -> Take:
    """Return a take in which all 174 channels move, eyes included, and the head where it has."""
    random = np.random.default_rng(2)
    low = np.array([channel.minimum for channel in CHANNELS])
    high = np.array([channel.maximum for channel in CHANNELS])
    board = low + random.random((rows, len(CHANNELS))) * (high - low)
    head = random.uniform(-0.3, 0.3, (rows, 6)) * has_pose
    return replace(
        moving_take(rows),
        channels=tuple(channel.name for channel in CHANNELS),
        board=board.astype(np.float32),
        head=head.astype(np.float32),
    )
