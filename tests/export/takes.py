"""Takes for the tests of what is made of them."""

from __future__ import annotations

import numpy as np

from bridge.clock.rate import FRAME_RATES
from bridge.takes.sound import SampledSound
from bridge.takes.take import Take
from models.board import AUDIO_DRIVEN, CHANNELS, INDEX


def moving_take(
    rows: int = 120, *, start: int = 0, rate: str = "50", slate: str = "moving"
) -> Take:
    """Return a take in which every channel wanders through its range, with half a second of hum."""
    random = np.random.default_rng(1)
    ranges = [CHANNELS[INDEX[name]] for name in AUDIO_DRIVEN]
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
        making={"lookahead_ms": 80},
    )
