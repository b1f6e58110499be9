"""Programs of the bench that run in a process of their own, so that neither slows the other down.

Such a program is a module run by `python -m`: it prints a line when it is ready, runs until its
standard input is closed, and writes its results to standard output.
"""

from __future__ import annotations

import subprocess
import sys
from io import BytesIO
from typing import IO, TYPE_CHECKING

import numpy as np

from cstalk_bridge.system.worker import Worker

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Self

    from numpy.typing import NDArray


class ChildProcess:
    """A module as a child process; leaving the context kills it if it still runs."""

    def __init__(
        self, module: str, *arguments: object, environment: Mapping[str, str] | None = None
    ) -> None:
        self._command = [sys.executable, "-m", module, *map(str, arguments)]
        self._environment = environment

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=self._environment
        )
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    @property
    def process_id(self) -> int:
        """Number of the process."""
        return self._process.pid

    def read_line(self) -> str:
        """Wait for a line and return it stripped; empty when the output has ended."""
        return _pipe(self._process.stdout).readline().decode().strip()

    def request(self) -> str:
        """Send an empty line and return the line that answers it, empty when the child ended."""
        pipe = _pipe(self._process.stdin)
        pipe.write(b"\n")
        pipe.flush()
        return self.read_line()

    def close(self, timeout_s: float | None = None) -> bytes:
        """Close its input, wait for its end, and return the rest of its output.

        Raises RuntimeError when it failed, and `subprocess.TimeoutExpired`.
        """
        output, _ = self._process.communicate(timeout=timeout_s)
        if self._process.returncode:
            raise RuntimeError(f"{self._command[2]} failed with {self._process.returncode}")
        return output

    def signal(self, number: int) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    def kill(self) -> None:
        """Kill it as hard as the system can, and wait for its end."""
        self._process.kill()
        self._process.communicate()


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    if pipe is None:
        raise RuntimeError("the child process has no pipes")
    return pipe


def on_closed_input(
    stop: Callable[[], object], on_line: Callable[[], object] | None = None
) -> None:
    """In a child: call `on_line` for each line of standard input, and `stop` when it is closed."""

    def wait() -> None:
        for _ in sys.stdin:
            if on_line is not None:
                on_line()
        stop()

    Worker("stdin", wait).start()


def write_columns(columns: NDArray[np.float64]) -> None:
    """In a child: write float64 `[columns, rows]` as its results."""
    np.save(sys.stdout.buffer, columns)


def read_columns(output: bytes) -> NDArray[np.float64]:
    """Return what `write_columns` wrote, `[columns, rows]`."""
    columns: NDArray[np.float64] = np.load(BytesIO(output), allow_pickle=False)
    return columns
