"""Fake microphones and virtual cables for bench and tests: a private PulseAudio whose sources are
fed through FIFOs, and whose sinks play into nothing but their monitors.

Linux only.
"""

from __future__ import annotations

import os
import shutil
import signal
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

from cstalk_bridge.models.errors import Problem, UserError
from cstalk_bridge.system.worker import Worker

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray


SERVER_TIMEOUT_S = 5.0
"""How long a server may take to answer or to end."""

ALSA_CONFIG = Path("/usr/share/alsa/alsa.conf")
"""ALSA's own config; it looks at the files in `ALSA_CONFIG_PATH` again whenever devices are
listed, unlike at those of the user's folder."""

PACKAGES = "pulseaudio pulseaudio-utils libasound2-plugins libportaudio2"


class PulseServer:
    """A sound server in the folder `home`, with a source for each pipe of `pipes`, by its name.

    Those in `absent` are missing until `plug`.
    It has a null sink for each name of `cables`, and what they play as the source NAME_monitor.
    Sources have int16 samples. It starts with `restart`. UserError where there is no PulseAudio to
    be started: other systems than Linux, or the packages are missing.
    """

    def __init__(
        self,
        home: Path,
        pipes: Mapping[str, Path],
        *,
        rate_hz: int,
        channels: int,
        cables: Sequence[str] = (),
        absent: Sequence[str] = (),
    ) -> None:
        self._home = home
        self._cables = tuple(cables)
        self._absent = {name: pipes[name] for name in absent}
        self._pipes = {name: pipe for name, pipe in pipes.items() if name not in absent}
        self._later = home / "plugged.conf"
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
            "ALSA_CONFIG_PATH": f"{ALSA_CONFIG}:{self._later}",
        }

    def restart(self) -> None:
        """Start, for the first time or after `kill`. UserError if it does not start."""
        for leftover in (self._socket, self._home / "pid", *self._pipes.values()):
            leftover.unlink(missing_ok=True)
        devices = {name: name for name in (*self._pipes, *self._cables)}
        devices |= {f"{name}_monitor": f"{name}.monitor" for name in self._cables}
        (self._home / ".asoundrc").write_text(_alsa_devices(devices), encoding="utf-8")
        self._later.write_text("", encoding="utf-8")
        log = self._home / "pulseaudio.log"
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                self._command(), env=self.environment, stdout=output, stderr=output
            )
        deadline_s = time.monotonic() + SERVER_TIMEOUT_S
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline_s:
                self.kill()
                last = log.read_text(encoding="utf-8", errors="replace").strip()[-300:]
                raise UserError(Problem("fake microphone", f"PulseAudio does not start: {last}"))
            time.sleep(0.01)
        run_like_this_process(self._process.pid)

    def plug(self, name: str) -> None:
        """Add a source that was absent: another program finds it when it lists devices anew."""
        self._pipes[name] = self._absent.pop(name)
        command = ["pactl", "load-module", *self._source(name).split()]
        subprocess.run(
            command,
            env=self.environment,
            check=True,
            timeout=SERVER_TIMEOUT_S,
            stdout=subprocess.DEVNULL,
        )
        with self._later.open("a", encoding="utf-8") as file:
            file.write(_alsa_devices({name: name}))

    def kill(self) -> None:
        """Kill it: all its sources are gone."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(SERVER_TIMEOUT_S)
            self._process = None

    def halt(self, *, is_halted: bool) -> None:
        """Let it hang, answering nobody, or go on."""
        if self._process is not None:
            self._process.send_signal(signal.SIGSTOP if is_halted else signal.SIGCONT)

    def suspend(self, name: str, *, is_suspended: bool) -> None:
        """Suspend a source, or let it go on."""
        command = ["pactl", "suspend-source", name, str(int(is_suspended))]
        subprocess.run(command, env=self.environment, check=True, timeout=SERVER_TIMEOUT_S)

    @property
    def _socket(self) -> Path:
        return self._home / "native"

    def _command(self) -> list[str]:
        modules = [f"module-native-protocol-unix auth-anonymous=1 socket={self._socket}"]
        modules += map(self._source, self._pipes)
        modules += [
            f"module-null-sink sink_name={name} rate=48000 channels=2" for name in self._cables
        ]
        options = ["-n", "--daemonize=no", "--exit-idle-time=-1", "--log-level=error"]
        return ["pulseaudio", *options, *(part for module in modules for part in ("-L", module))]

    def _source(self, name: str) -> str:
        return f"module-pipe-source source_name={name} file={self._pipes[name]} {self._format}"

    def _answers(self) -> bool:
        if not all(pipe.exists() for pipe in self._pipes.values()):
            return False
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
            return client.connect_ex(str(self._socket)) == 0


def _alsa_devices(devices: Mapping[str, str]) -> str:
    """Return the config of ALSA devices, by their names, for devices of PulseAudio."""
    return "".join(
        f'pcm.{name} {{ type pulse device {device} hint {{ show on description "{name}" }} }}\n'
        for name, device in devices.items()
    )


def run_like_this_process(process_id: int) -> None:
    """Give all threads of a process the real-time priority of this one, if it has any.

    PulseAudio gives up the one that it inherits. Linux only.
    """
    policy, priority = os.sched_getscheduler(0), os.sched_getparam(0)
    if policy in (os.SCHED_FIFO, os.SCHED_RR):
        for thread in Path(f"/proc/{process_id}/task").iterdir():
            os.sched_setscheduler(int(thread.name), policy, priority)


def require_pulseaudio() -> None:
    """Raise UserError where there is none to be started."""
    if not sys.platform.startswith("linux"):
        what = f"it needs PulseAudio on Linux, this is {sys.platform}"
        raise UserError(Problem("fake microphone", what, "measure with a real microphone"))
    missing = [program for program in ("pulseaudio", "pactl") if shutil.which(program) is None]
    if missing:
        what = f"{' and '.join(missing)} not found"
        raise UserError(Problem("fake microphone", what, f"apt-get install {PACKAGES}"))


PIECE_S = 0.010
"""How much is written at a time."""


@dataclass(slots=True)
class _Feed:
    """What one microphone delivers: `samples` from `position` on, then silence."""

    fifo: Path
    channels: int
    samples: NDArray[np.int16]
    position: int = 0
    is_loop: bool = False
    is_stalled: bool = False
    descriptor: int | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)

    def next_piece(self, frames: int) -> bytes:
        """Return the next frames, interleaved; silence where nothing is to be played."""
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

    `cables` are names of null sinks, which serve as virtual cables beside the microphones;
    `clock_ppm` is how much too fast the microphones run. Those in `absent` are missing until
    `plug`. `environment` is what a process must have to see them, and only them. They deliver
    silence until `play` is called. UserError where PulseAudio cannot be started: other systems than
    Linux, or the packages are missing.
    """

    def __init__(
        self,
        names: Sequence[str] = ("mic_a",),
        *,
        rate_hz: int = 48000,
        channels: int = 1,
        cables: Sequence[str] = (),
        clock_ppm: float = 0.0,
        absent: Sequence[str] = (),
    ) -> None:
        require_pulseaudio()
        self.names = tuple(names)
        self.rate_hz = rate_hz
        self.channels = channels
        self._home = Path(tempfile.mkdtemp(prefix="fakemic-"))
        silence = np.zeros((0, channels), dtype=np.int16)
        self._feeds = {
            name: _Feed(self._home / f"{name}.fifo", channels, silence) for name in self.names
        }
        pipes = {name: feed.fifo for name, feed in self._feeds.items()}
        self._server = PulseServer(
            self._home, pipes, rate_hz=rate_hz, channels=channels, cables=cables, absent=absent
        )
        self._writer = Worker("fakemic", self._write, timeout_s=SERVER_TIMEOUT_S)
        self._next_due_s = 0.0
        self._piece_s = PIECE_S / (1.0 + 1e-6 * clock_ppm)

    @property
    def environment(self) -> dict[str, str]:
        """Variables for the process under test: this process's own, with the private server."""
        return self._server.environment

    def __enter__(self) -> FakeMicrophones:
        """Start the server and the writer."""
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
        self._writer.stop()
        self.kill()
        self._clean_up()

    def play(self, name: str, samples: NDArray[np.int16], *, is_loop: bool = False) -> float:
        """Let a microphone deliver samples, [frames] or [frames, channels], from its next 10 ms on.

        A single channel goes to all. Replaces what was set before; afterwards there is
        silence. Returns the host time at which the first of these 10 ms is written.
        """
        feed = self._feeds[name]
        frames = samples[:, None] if samples.ndim == 1 else samples
        spread = np.ascontiguousarray(np.broadcast_to(frames, (len(frames), self.channels)))
        with feed.lock:
            feed.samples, feed.position, feed.is_loop = spread, 0, is_loop
            return self._next_due_s

    def plug(self, name: str) -> None:
        """Add a microphone that was absent."""
        self._server.plug(name)

    def stall(self, name: str, *, is_stalled: bool = True) -> None:
        """Stop (or go on) feeding a microphone: it stays open and delivers nothing."""
        self._feeds[name].is_stalled = is_stalled

    def suspend(self, name: str, *, is_suspended: bool = True) -> None:
        """Let the server suspend (or resume) a microphone."""
        self._server.suspend(name, is_suspended=is_suspended)

    def halt(self, *, is_halted: bool = True) -> None:
        """Let the server hang, or go on."""
        self._server.halt(is_halted=is_halted)

    def kill(self) -> None:
        """Kill the server: all its microphones are gone."""
        self._server.kill()
        self._close_fifos()

    def restart(self) -> None:
        """Start the server, for the first time or after `kill`. UserError if it does not start."""
        self._server.restart()

    def _write(self) -> None:
        """Feed every microphone 10 ms at a time on an absolute schedule."""
        frames = round(self.rate_hz * PIECE_S)
        while not self._writer.wait(max(0.0, self._next_due_s - time.monotonic())):
            for feed in self._feeds.values():
                if not feed.is_stalled:
                    _feed(feed, frames)
            self._next_due_s += self._piece_s

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
