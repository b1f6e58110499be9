"""A process beside the bridge that lists the sound devices there are, again and again.

Listing occupies the interpreter, and on a busy machine that would hold up the threads of the face.
The bridge has its own list made anew only when this one differs.

`python -m cstalk_bridge.audio.device_probe` prints one list in JSON for each line that it reads,
until its input is closed.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any, Final

from cstalk_bridge.audio.portaudio import PortAudioCopy, load_portaudio

if TYPE_CHECKING:
    from typing import TypeAlias

    Listing: TypeAlias = "tuple[tuple[str, int, int, int], ...]"


NO_WINDOW: Final = getattr(subprocess, "CREATE_NO_WINDOW", 0)
"""Windows would open a terminal for the process of a program without one."""

MODULE: Final = "cstalk_bridge.audio.device_probe"


def listing_of(portaudio: Any) -> Listing:
    """Return name, host API and channels in and out of each device of a copy of the library."""
    return tuple(
        (
            str(device["name"]),
            int(device["hostapi"]),
            int(device["max_input_channels"]),
            int(device["max_output_channels"]),
        )
        for device in portaudio.query_devices()
    )


class DeviceProbe:
    """The process, from its first list until the program ends; for any thread."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        self._is_broken = False
        self._asking = threading.Lock()

    def listing(self) -> Listing | None:
        """Return the devices as they are now; None where the process cannot tell. May wait."""
        with self._asking:
            if self._is_broken:
                return None
            try:
                return self._ask()
            except (OSError, ValueError, TypeError):
                self._is_broken = True
                self.close()
                return None

    def close(self) -> None:
        """End the process; harmless without one."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            with process:  # Closes its pipes, and waits for its end.
                pass

    def _ask(self) -> Listing:
        if self._process is None:
            self._process = subprocess.Popen(  # noqa: S603 - our own module
                [sys.executable, "-m", MODULE],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                encoding="utf-8",
                creationflags=NO_WINDOW,
            )
        questions, answers = self._process.stdin, self._process.stdout
        if questions is None or answers is None:
            raise OSError("the process has no pipes")
        questions.write("\n")
        questions.flush()
        return tuple((name, *numbers) for name, *numbers in json.loads(answers.readline()))


def main() -> None:
    """Print a list for each line of standard input."""
    copy = PortAudioCopy(load_portaudio())
    for _ in sys.stdin:
        copy.renew()
        print(json.dumps(listing_of(copy.module)), flush=True)


if __name__ == "__main__":
    main()
