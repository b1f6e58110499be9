"""Record from one microphone in a process of its own, and print what happens line by line.

Usage: python -m tests.audio.mic_probe DEVICE [CHANNEL]. Prints a JSON object per event, and ends
with what was recorded when its standard input is closed, at the latest after 30 s.
"""

from __future__ import annotations

import itertools
import json
import sys
import threading
import time
from typing import TYPE_CHECKING

import numpy as np

from cstalk_bridge.audio.microphone import Microphone
from cstalk_bridge.audio.source import SourceState
from cstalk_bridge.models.errors import UserError

if TYPE_CHECKING:
    from cstalk_bridge.audio.source import Block

MAX_S = 30.0


def report(event: str, **facts: object) -> None:
    print(json.dumps({"event": event, "at_s": time.monotonic(), **facts}), flush=True)


def record(microphone: Microphone, wake: threading.Event) -> None:
    is_over = threading.Event()

    def follow_input() -> None:
        sys.stdin.read()
        is_over.set()

    threading.Thread(target=follow_input, daemon=True).start()
    recorded: list[Block] = []
    state: SourceState | None = None
    longest_poll_s = 0.0
    end_s = time.monotonic() + MAX_S
    while not is_over.is_set() and time.monotonic() < end_s:
        wake.wait(0.05)
        wake.clear()
        before_s = time.monotonic()
        blocks = microphone.poll(before_s)
        if microphone.state is SourceState.LOST:
            microphone.reopen()
        longest_poll_s = max(longest_poll_s, time.monotonic() - before_s)
        recorded += blocks
        if blocks if state is None else microphone.state is not state:
            state = microphone.state
            report(state.value, fault=microphone.fault)
    microphone.close()
    samples = np.concatenate([block.samples for block in recorded])
    spoken = np.flatnonzero(samples)
    first = next((block for block in recorded if block.samples.any()), None)
    report(
        "end",
        lengths=sorted({len(block.samples) for block in recorded}),
        dropped=microphone.dropped_blocks,
        longest_poll_s=longest_poll_s,
        sound=(samples[spoken[0] : spoken[-1] + 1] * 32768).tolist() if len(spoken) else [],
        first=first and (first.captured_s, first.arrived_s),
        is_in_order=all(a.arrived_s <= b.arrived_s for a, b in itertools.pairwise(recorded)),
    )


def main() -> None:
    wanted = sys.argv[1]
    channel = int(sys.argv[2]) if len(sys.argv) > 2 else None
    wake = threading.Event()
    try:
        microphone = Microphone(wanted, now=time.monotonic, wake=wake, channel=channel)
    except UserError as error:
        report("refused", message=str(error))
        return
    microphone.start()
    report("open", name=microphone.name, rate_hz=microphone.rate_hz)
    record(microphone, wake)


if __name__ == "__main__":
    main()
