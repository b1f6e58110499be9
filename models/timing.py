"""The rates of every network: samples, hops, rows and look-ahead. Free of torch."""

from __future__ import annotations

SAMPLE_RATE_HZ = 16_000
"""Sample rate of the generator's input."""

HOP_SAMPLES = 320
"""Sound between one output row and the next."""

HOP_S = HOP_SAMPLES / SAMPLE_RATE_HZ
"""The same in seconds."""

HOP_MS = 1000 * HOP_SAMPLES // SAMPLE_RATE_HZ
"""The same in milliseconds: 20."""

ROW_RATE_HZ = SAMPLE_RATE_HZ // HOP_SAMPLES
"""Output rows a second."""

MAX_LOOKAHEAD_MS = 240
"""The longest look-ahead that the generator is trained for."""

DEFAULT_LOOKAHEAD_MS = 80
"""The default look-ahead: more gives little, less costs lip closures."""


def rows_of(samples: int) -> int:
    """Return the number of rows of a recording of `samples` at `SAMPLE_RATE_HZ`."""
    return -(-samples // HOP_SAMPLES)
