"""The reach of the speech encoder into past and future. Free of torch."""

from __future__ import annotations

REACH_HOPS = 100
"""Hops before its own that a row attends to, in each layer: 2 s."""
RIGHT_HOPS: tuple[tuple[int, ...], ...] = ((0, 0, 0), (1, 1, 0), (2, 1, 1))
"""Hops after its own that a row attends to, by delay and layer."""
FRONT_HOPS = 2  # the columns and convolutions of a row end 32.5 ms after its time
MOST_RIGHT = max(max(hops) for hops in RIGHT_HOPS)


def delay_hops(delay: int) -> int:
    """Return how many hops of sound after its own begin a row needs, for an index of RIGHT_HOPS."""
    return FRONT_HOPS + sum(RIGHT_HOPS[delay])


WINDOW_HOPS = max((len(right) * REACH_HOPS) + FRONT_HOPS + 1 + sum(right) for right in RIGHT_HOPS)
"""Most hops that a row depends on: the reach of all layers together."""
MOST_DELAY_HOPS = max(delay_hops(delay) for delay in range(len(RIGHT_HOPS)))


def delay_within(lookahead_hops: int) -> int:
    """Return the longest delay, as an index of RIGHT_HOPS, that a look-ahead leaves time for.

    A look-ahead that leaves time for none gets the shortest.
    """
    fitting = [delay for delay in range(len(RIGHT_HOPS)) if delay_hops(delay) <= lookahead_hops]
    return max(fitting, default=0)
