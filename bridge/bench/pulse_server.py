"""A private PulseAudio, whose sources are pipes. Linux only."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from bridge.errors import Problem, UserError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

PATIENCE_S = 5.0
"""How long a server may take to answer or to end."""

PACKAGES = "pulseaudio pulseaudio-utils libasound2-plugins libportaudio2"


class PulseServer:
    """A sound server in the folder `home`, with a source for each pipe of `pipes`, by its name.

    Sources have int16 samples. It starts with `restart`. UserError where there is no PulseAudio to
    be started: other systems than Linux, or the packages are missing.
    """

    def __init__(
        self, home: Path, pipes: Mapping[str, Path], *, rate_hz: int, channels: int
    ) -> None:
        self._home = home
        self._pipes = dict(pipes)
        self._format = f"format=s16le rate={rate_hz} channels={channels}"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def environment(self) -> dict[str, str]:
        """Variables for a process that is to see these sources, and only them."""
        home = str(self._home)
        return {
            **os.environ,
            "HOME": home,
            "XDG_RUNTIME_DIR": home,
            "XDG_CONFIG_HOME": home,
            "PULSE_RUNTIME_PATH": home,
            "PULSE_SERVER": f"unix:{self._socket}",
        }

    def restart(self) -> None:
        """Start, for the first time or after `kill`. UserError if it does not start."""
        for leftover in (self._socket, self._home / "pid", *self._pipes.values()):
            leftover.unlink(missing_ok=True)
        lines = [
            f'pcm.{name} {{ type pulse device {name} hint {{ show on description "{name}" }} }}\n'
            for name in self._pipes
        ]
        (self._home / ".asoundrc").write_text("".join(lines), encoding="utf-8")
        log = self._home / "pulseaudio.log"
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                self._command(), env=self.environment, stdout=output, stderr=output
            )
        deadline_s = time.monotonic() + PATIENCE_S
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline_s:
                self.kill()
                last = log.read_text(encoding="utf-8", errors="replace").strip()[-300:]
                raise UserError(Problem("fake microphone", f"PulseAudio does not start: {last}"))
            time.sleep(0.01)

    def kill(self) -> None:
        """Kill it: all its sources are gone."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(PATIENCE_S)
            self._process = None

    def halt(self, *, is_halted: bool) -> None:
        """Let it hang, answering nobody, or go on."""
        if self._process is not None:
            self._process.send_signal(signal.SIGSTOP if is_halted else signal.SIGCONT)

    def suspend(self, name: str, *, is_suspended: bool) -> None:
        """Suspend a source, or let it go on."""
        command = ["pactl", "suspend-source", name, str(int(is_suspended))]
        subprocess.run(command, env=self.environment, check=True, timeout=PATIENCE_S)

    @property
    def _socket(self) -> Path:
        return self._home / "native"

    def _command(self) -> list[str]:
        modules = [f"module-native-protocol-unix auth-anonymous=1 socket={self._socket}"]
        modules += [
            f"module-pipe-source source_name={name} file={pipe} {self._format}"
            for name, pipe in self._pipes.items()
        ]
        options = ["-n", "--daemonize=no", "--exit-idle-time=-1", "--log-level=error"]
        return ["pulseaudio", *options, *(part for module in modules for part in ("-L", module))]

    def _answers(self) -> bool:
        if not all(pipe.exists() for pipe in self._pipes.values()):
            return False
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
            return client.connect_ex(str(self._socket)) == 0


def require_pulseaudio() -> None:
    """Raise UserError where there is none to be started."""
    if not sys.platform.startswith("linux"):
        what = f"it needs PulseAudio on Linux, this is {sys.platform}"
        raise UserError(Problem("fake microphone", what, "measure with a real microphone"))
    missing = [program for program in ("pulseaudio", "pactl") if shutil.which(program) is None]
    if missing:
        what = f"{' and '.join(missing)} not found"
        raise UserError(Problem("fake microphone", what, f"apt-get install {PACKAGES}"))
