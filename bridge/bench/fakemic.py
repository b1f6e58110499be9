"""Microphones which are none: a private PulseAudio whose sources are fed through FIFOs. Linux only.

The process under test sees ordinary sound devices. What is written into a FIFO comes out of the
microphone sample by sample, and the writer is the clock: when it pauses, the microphone is stalled;
when the server is killed, it is gone.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bridge.errors import Problem, UserError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

PIECE_S = 0.010
"""How much is written at a time."""

PATIENCE_S = 5.0
"""How long a server may take to answer or to end."""

PACKAGES = "pulseaudio pulseaudio-utils libasound2-plugins libportaudio2"


@dataclass(slots=True)
class _Feed:
    """What one microphone hears: `samples` from `position` on, then silence."""

    fifo: Path
    channels: int
    samples: NDArray[np.int16]
    position: int = 0
    is_loop: bool = False
    is_stalled: bool = False
    descriptor: int | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)

    def next_piece(self, frames: int) -> bytes:
        """Return the next frames, interleaved; silence where there is nothing to say."""
        piece = np.zeros((frames, self.channels), dtype=np.int16)
        with self.lock:
            filled = 0
            while filled < frames and self.position < len(self.samples):
                part = self.samples[self.position : self.position + frames - filled]
                piece[filled : filled + len(part)] = part
                filled += len(part)
                self.position += len(part)
                if self.is_loop:
                    self.position %= len(self.samples)
        return piece.tobytes()


class FakeMicrophones:
    """Named microphones while the context lasts; int16 in at `rate_hz` is int16 out.

    `environment` is what a process must have to see them, and only them. They hear silence until
    told otherwise. UserError where there is no PulseAudio to be started: other systems than Linux,
    or the packages are missing.
    """

    def __init__(
        self, names: Sequence[str] = ("mic_a",), *, rate_hz: int = 48000, channels: int = 1
    ) -> None:
        _require_pulseaudio()
        self.names = tuple(names)
        self.rate_hz = rate_hz
        self.channels = channels
        self._home = Path(tempfile.mkdtemp(prefix="fakemic-"))
        silence = np.zeros((0, channels), dtype=np.int16)
        self._feeds = {
            name: _Feed(self._home / f"{name}.fifo", channels, silence) for name in self.names
        }
        self._server: subprocess.Popen[bytes] | None = None
        self._writer = threading.Thread(target=self._write, name="fakemic", daemon=True)
        self._is_over = threading.Event()
        self._next_due_s = 0.0

    @property
    def environment(self) -> dict[str, str]:
        """Variables for the process under test: this process's own, with the private server."""
        home = str(self._home)
        return {
            **os.environ,
            "HOME": home,
            "XDG_RUNTIME_DIR": home,
            "XDG_CONFIG_HOME": home,
            "PULSE_RUNTIME_PATH": home,
            "PULSE_SERVER": f"unix:{self._socket}",
        }

    def __enter__(self) -> FakeMicrophones:
        """Start the server and the writer."""
        lines = [
            f'pcm.{name} {{ type pulse device {name} hint {{ show on description "{name}" }} }}\n'
            for name in self.names
        ]
        (self._home / ".asoundrc").write_text("".join(lines), encoding="utf-8")
        try:
            self.restart()
        except UserError:
            self._clean_up()
            raise
        self._next_due_s = time.monotonic()
        self._writer.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop everything and remove the private folder."""
        self._is_over.set()
        self._writer.join(PATIENCE_S)
        self.kill()
        self._clean_up()

    def say(self, name: str, samples: NDArray[np.int16], *, is_loop: bool = False) -> float:
        """Let a microphone hear samples, [frames] or [frames, channels], from its next 10 ms on.

        A single channel is heard on all. Replaces what it heard before; afterwards there is
        silence. Returns the host time at which the first of these 10 ms is written.
        """
        feed = self._feeds[name]
        frames = samples[:, None] if samples.ndim == 1 else samples
        spread = np.ascontiguousarray(np.broadcast_to(frames, (len(frames), self.channels)))
        with feed.lock:
            feed.samples, feed.position, feed.is_loop = spread, 0, is_loop
            return self._next_due_s

    def stall(self, name: str, *, is_stalled: bool = True) -> None:
        """Stop (or go on) feeding a microphone: it stays open and delivers nothing."""
        self._feeds[name].is_stalled = is_stalled

    def suspend(self, name: str, *, is_suspended: bool = True) -> None:
        """Let the server suspend (or resume) a microphone."""
        command = ["pactl", "suspend-source", name, str(int(is_suspended))]
        subprocess.run(
            command,
            env=self.environment,
            check=True,
            timeout=PATIENCE_S,
        )

    def kill(self) -> None:
        """Kill the server: all its microphones are gone."""
        if self._server is not None:
            self._server.kill()
            self._server.wait(PATIENCE_S)
            self._server = None
        self._close_fifos()

    def restart(self) -> None:
        """Start the server, for the first time or after `kill`. UserError if it does not start."""
        for leftover in (self._socket, self._home / "pid", *(f.fifo for f in self._feeds.values())):
            leftover.unlink(missing_ok=True)
        log = self._home / "pulseaudio.log"
        with log.open("wb") as output:
            self._server = subprocess.Popen(
                self._command(), env=self.environment, stdout=output, stderr=output
            )
        deadline_s = time.monotonic() + PATIENCE_S
        while not self._answers():
            if self._server.poll() is not None or time.monotonic() > deadline_s:
                self.kill()
                last = log.read_text(encoding="utf-8", errors="replace").strip()[-300:]
                raise UserError(Problem("fake microphone", f"PulseAudio does not start: {last}"))
            time.sleep(0.01)

    @property
    def _socket(self) -> Path:
        return self._home / "native"

    def _command(self) -> list[str]:
        modules = [f"module-native-protocol-unix auth-anonymous=1 socket={self._socket}"]
        modules += [
            f"module-pipe-source source_name={name} file={feed.fifo} format=s16le"
            f" rate={self.rate_hz} channels={self.channels}"
            for name, feed in self._feeds.items()
        ]
        options = ["-n", "--daemonize=no", "--exit-idle-time=-1", "--log-level=error"]
        return ["pulseaudio", *options, *(part for module in modules for part in ("-L", module))]

    def _answers(self) -> bool:
        if not all(feed.fifo.exists() for feed in self._feeds.values()):
            return False
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
            return client.connect_ex(str(self._socket)) == 0

    def _write(self) -> None:
        """Feed every microphone 10 ms at a time on an absolute schedule."""
        frames = round(self.rate_hz * PIECE_S)
        while not self._is_over.wait(max(0.0, self._next_due_s - time.monotonic())):
            for feed in self._feeds.values():
                if not feed.is_stalled:
                    _feed(feed, frames)
            self._next_due_s += PIECE_S

    def _close_fifos(self) -> None:
        for feed in self._feeds.values():
            with feed.lock:
                if feed.descriptor is not None:
                    os.close(feed.descriptor)
                    feed.descriptor = None

    def _clean_up(self) -> None:
        self._close_fifos()
        shutil.rmtree(self._home, ignore_errors=True)


def _feed(feed: _Feed, frames: int) -> None:
    """Write the next piece; what the server does not take is lost, as with a real microphone."""
    piece = feed.next_piece(frames)
    with feed.lock:
        try:
            if feed.descriptor is None:
                feed.descriptor = os.open(feed.fifo, os.O_WRONLY | os.O_NONBLOCK)
            os.write(feed.descriptor, piece)
        except OSError:
            # No server at the other end, or one that does not read.
            return


def _require_pulseaudio() -> None:
    if not sys.platform.startswith("linux"):
        what = f"it needs PulseAudio on Linux, this is {sys.platform}"
        raise UserError(Problem("fake microphone", what, "measure with a real microphone"))
    missing = [program for program in ("pulseaudio", "pactl") if shutil.which(program) is None]
    if missing:
        what = f"{' and '.join(missing)} not found"
        raise UserError(Problem("fake microphone", what, f"apt-get install {PACKAGES}"))
