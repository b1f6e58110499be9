"""Takes made by hand, for tests."""

from __future__ import annotations

import numpy as np

from bridge.clock.rate import FRAME_RATES
from bridge.takes.emotions import EmotionCourse
from bridge.takes.sound import SampledSound
from bridge.takes.take import Take, still_head
from models.board import AUDIO_DRIVEN, CHANNELS, INDEX


def made_take(
    rows: int = 100, *, slate: str = "slate", rate: str = "50", rate_hz: int = 16_000
) -> Take:
    """A take whose jaw goes up and down twice a second, with a tone and some of every channel."""
    dice = np.random.default_rng(rows)
    limits = [CHANNELS[INDEX[name]] for name in AUDIO_DRIVEN]
    low, high = (np.array([getattr(c, key) for c in limits]) for key in ("minimum", "maximum"))
    board = dice.uniform(low, high, (rows, len(AUDIO_DRIVEN))).astype(np.float32)
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
        emotions=EmotionCourse.constant({"happy": 0.5}),
        making={"lookahead_ms": 80},
    )
