"""A program that records a take until it is killed, in a process of its own.

`python -m bridge.bench.recording_process FOLDER NUMBER` records two subjects at 60 fps. It prints
"claimed" when the take's folder is there, "writing" when frames were written.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bridge.audio.tape import SoundPlace, Tape
from bridge.clock.host import host_now
from bridge.clock.rate import FRAME_RATES
from bridge.clock.tick import Ticker
from bridge.recording.recorder import CURVES, Recorder
from bridge.recording.subject_files import RecordedSubject

if TYPE_CHECKING:
    from typing import Self

SLATE = "Killed"
SUBJECTS = ("Ada", "Ben")
RATE_HZ = 16_000
DELAY_S = 0.1
"""How far a face is behind its sound."""


class RecordingProcess:
    """The program as a context, which kills it, if that was not done before."""

    def __init__(self, folder: Path, number: int) -> None:
        self._command = [sys.executable, "-m", "bridge.bench.recording_process", folder, number]

    def __enter__(self) -> Self:
        command = [str(word) for word in self._command]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def wait_for(self, word: str) -> None:
        """Wait until it says that; EOFError where it ends instead."""
        output = self._process.stdout
        while output is not None and (line := output.readline()):
            if line.strip() == word:
                return
        raise EOFError(f"the recording process has ended before it was {word}")

    def signal(self, number: int) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    def kill(self) -> None:
        """Kill it as hard as the system can."""
        self._process.kill()
        self._process.communicate()


def main() -> None:
    """Record for ever."""
    folder, number = Path(sys.argv[1]), int(sys.argv[2])
    begun_s = host_now()
    recorder, tape = Recorder(folder, FRAME_RATES["60"]), Tape(RATE_HZ)

    def place(host_s: float) -> SoundPlace:
        return SoundPlace(tape, host_s - begun_s - DELAY_S)

    links = [
        recorder.link(RecordedSubject(name, RATE_HZ, place, lambda _: DELAY_S)) for name in SUBJECTS
    ]
    recorder.start(SLATE, number)
    print("claimed", flush=True)
    is_writing = False
    for tick in Ticker(FRAME_RATES["60"], now=host_now):
        count = int((host_now() - begun_s) * RATE_HZ) - tape.end
        tape.write(np.full(count, 0.25, dtype=np.float32))
        for link in links:
            link.send(np.full(CURVES, 0.5, dtype=np.float32), tick)
        take = recorder.take
        if not is_writing and take is not None and take.duration_s > 0:
            is_writing = True
            print("writing", flush=True)


if __name__ == "__main__":
    main()
