from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from bridge.audio.tape import GUARD_S, TAPE_S, Tape

RATE_HZ = 1000


@given(
    st.lists(st.integers(0, RATE_HZ), max_size=20),
    st.integers(-RATE_HZ, 20 * RATE_HZ),
    st.integers(0, 3 * RATE_HZ),
)
def test_what_is_read_is_what_was_written_there(sizes: list[int], start: int, count: int) -> None:
    tape = Tape(RATE_HZ)
    whole = np.arange(1, sum(sizes) + 1, dtype=np.float32)
    for piece in np.split(whole, np.cumsum(sizes)[:-1]) if sizes else []:
        tape.write(piece)
    kept = max(0, len(whole) - (TAPE_S - GUARD_S) * RATE_HZ)
    assert (tape.begin, tape.end) == (kept, len(whole))
    expected = [n + 1 if kept <= n < len(whole) else 0 for n in range(start, start + count)]
    assert tape.read(start, count).tolist() == expected
