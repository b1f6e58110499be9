"""Listen to one microphone in a process of its own and tell, line by line, what happens.

Usage: python -m tests.audio.mic_probe DEVICE SECONDS [CHANNEL]. Prints a JSON object per event.
"""

from __future__ import annotations

import json
import sys
import threading
import time

import numpy as np

from bridge.audio.microphone import Microphone
from bridge.audio.source import SourceState


def tell(event: str, **facts: object) -> None:
    print(json.dumps({"event": event, "at_s": time.monotonic(), **facts}), flush=True)


def main() -> None:
    wanted, duration_s = sys.argv[1], float(sys.argv[2])
    channel = int(sys.argv[3]) if len(sys.argv) > 3 else None
    wake = threading.Event()
    microphone = Microphone(wanted, now=time.monotonic, wake=wake, channel=channel)
    microphone.start()
    tell("open", name=microphone.name, rate_hz=microphone.rate_hz)
    state, heard, first = None, [], None
    end_s = time.monotonic() + duration_s
    longest_poll_s = 0.0
    while time.monotonic() < end_s:
        wake.wait(0.05)
        wake.clear()
        before_s = time.monotonic()
        blocks = microphone.poll(before_s)
        if microphone.state is SourceState.LOST:
            microphone.reopen()
        longest_poll_s = max(longest_poll_s, time.monotonic() - before_s)
        heard += blocks
        first = first or next((block for block in blocks if block.samples.any()), None)
        if blocks and state is None or microphone.state is not state and state is not None:
            state = microphone.state
            tell(state.value, fault=microphone.fault)
    microphone.close()
    samples = np.concatenate([block.samples for block in heard])
    spoken = np.flatnonzero(samples)
    tell(
        "end",
        blocks=len(heard),
        dropped=microphone.dropped_blocks,
        longest_poll_s=longest_poll_s,
        sound=(samples[spoken[0] : spoken[-1] + 1] * 32768).tolist() if len(spoken) else [],
        first=first and (first.arrived_s, first.captured_s),
        disorder=sum(b.arrived_s < a.arrived_s for a, b in zip(heard, heard[1:], strict=False)),
    )


if __name__ == "__main__":
    main()
