"""Sections `packets` and `latency`: the times at which packets leave, and the delay from a vowel in
a fake microphone to the opening of the mouth.

Packets are received by a process of its own, so that it neither slows the daemon down nor waits
for it; the host clock (`host_now`) is the same for all processes of a machine.
`python -m cstalk_bridge.bench.packets N` prints its N ports, receives until its standard input is
closed, and prints the arrivals as one .npy array.
"""

from __future__ import annotations

import selectors
import socket
import sys
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cstalk_bridge.audio.inputs import SPEECH_PATH
from cstalk_bridge.audio.source import BLOCK_S
from cstalk_bridge.bench.daemon_process import (
    ChildProcess,
    DaemonProcess,
    on_closed_input,
    read_columns,
    write_columns,
)
from cstalk_bridge.bench.microphone import FakeMicrophones
from cstalk_bridge.bench.report import Figure, Remark, figures_of, spread_of
from cstalk_bridge.config.schema import Config
from cstalk_bridge.models.errors import Problem, UserError
from cstalk_bridge.monitor.metrics import LATENCY_PARTS
from cstalk_bridge.rig.curves import ARKIT_CURVES
from cstalk_bridge.timecode.tick import host_now

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Self

    from numpy.typing import NDArray

    from cstalk_bridge.bench.report import BenchConfig

    Samples = NDArray[np.float32]

    Floats = NDArray[np.float64]


VOWEL_START_S, VOWEL_END_S = 2.12, 2.28
"""Where "my" of the bundled recording opens; before it, half a second of its pause."""
FADE_S = 0.003
"""Against a click at the cut."""
PERIOD_S = 1.0
"""From one vowel to the next; the longest wait is half of it more."""
ROUNDS = 4
"""Vowels before the one that is evaluated, so that the network's input is that of the bench."""
RESPONSE_S = 0.4
"""How long after the step an answer is looked for."""
LEAVING = 0.3
"""Share of the way from rest to the greatest opening at which a jaw has left its silence."""
MIN_OPENING = 0.08
"""Least opening of a vowel, above that of silence."""


@dataclass(frozen=True, slots=True)
class JawResponse:
    """When the jaw passes `threshold` on its way up, after the step of the sound."""

    threshold: float
    delay_s: float


def vowel(rate_hz: int) -> Samples:
    """Return the vowel, [frames] at `rate_hz`, from its first sample on."""
    import soundfile

    spoken, spoken_hz = soundfile.read(SPEECH_PATH, dtype="float32")
    cut = spoken[round(VOWEL_START_S * spoken_hz) : round(VOWEL_END_S * spoken_hz)]
    times_s = np.arange(round((VOWEL_END_S - VOWEL_START_S) * rate_hz)) / rate_hz
    fade = np.clip(np.minimum(times_s, times_s[::-1]) / FADE_S, 0.0, 1.0)
    vowel = np.interp(times_s, np.arange(len(cut)) / spoken_hz, cut)
    return np.asarray(fade * vowel, dtype=np.float32)


def offline_jaw_response(lookahead_ms: float) -> JawResponse:
    """Return when the offline generator's jaw answers the vowel, as it is vowel in the bench.

    UserError where the network does not open the jaw for it: then nothing can be measured.
    """
    from cstalk_bridge.models import load_generator

    generator = load_generator(device="cpu")
    rate_hz = generator.sample_rate_hz
    period = np.zeros(round(PERIOD_S * rate_hz), dtype=np.float32)
    sound = vowel(rate_hz)
    period[: len(sound)] = sound
    samples = np.concatenate([np.zeros_like(period), *[period] * (ROUNDS + 1)])
    rows = generator.generate(samples, rate_hz, lookahead_ms=lookahead_ms)
    jaw = rows[:, generator.channels.index("CTRL_C_jaw.ty")]
    return jaw_response(jaw, generator.rate_hz, (ROUNDS + 1) * PERIOD_S)


def jaw_response(jaw: Samples, rate_hz: int, step_s: float) -> JawResponse:
    """Return when the jaw, [rows], leaves its silence after a step of the sound at `step_s`."""
    times_s = np.arange(len(jaw)) / rate_hz - step_s
    rest = float(np.median(jaw[(times_s >= -0.2) & (times_s < -0.1)]))
    inside = (times_s >= -0.1) & (times_s < RESPONSE_S)
    opening = float(jaw[inside].max()) - rest
    if opening < MIN_OPENING:
        what = f"the network opens the jaw by {opening:.3f} for a vowel, {MIN_OPENING:g} is needed"
        raise UserError(Problem("latency", what, "use other weights"))
    threshold = rest + LEAVING * opening
    delay_s = first_passing(times_s[inside], jaw[inside], threshold)
    return JawResponse(threshold, delay_s)


def first_passing(times_s: NDArray[np.float64], jaw: NDArray[np.floating], level: float) -> float:
    """Return the time at which the jaw first passes `level` upwards, interpolated; else NaN."""
    above = jaw > level
    passing = np.flatnonzero(above[1:] & ~above[:-1])
    if not passing.size:
        return float("nan")
    before = passing[0]
    share = (level - jaw[before]) / (jaw[before + 1] - jaw[before])
    return float(times_s[before] + share * (times_s[before + 1] - times_s[before]))


MICROPHONE = "mic_a"
ADDED_MEDIAN_MS, ADDED_P99_MS = 32.5, 33.4
SETTLING_TRIALS = 3
"""Vowels that are not counted: the clock of the stream finds its line, the network its rest."""
PULSE_LATENCY_MS = "10"
"""Asked of PulseAudio, `PULSE_LATENCY_MSEC`: the least with which capture is steady."""


def measure_latency(config: BenchConfig) -> list[Figure | Remark]:
    """Speak `config.trials` vowels at random phases of block, hop and frame."""
    lookahead_ms = Config().lookahead_ms
    answer = offline_jaw_response(lookahead_ms)
    random = np.random.default_rng(0)
    with FakeMicrophones((MICROPHONE,)) as microphones, ReceiverProcess() as receiver:
        seen = {**microphones.environment, "PULSE_LATENCY_MSEC": PULSE_LATENCY_MS}
        sound = np.rint(32767 * vowel(microphones.rate_hz)).astype(np.int16)
        with DaemonProcess(MICROPHONE, receiver.port, seen) as running:
            time.sleep(2 * PERIOD_S)
            steps_s = []
            for _ in range(SETTLING_TRIALS + config.trials):
                # Leading silence, up to a block of it, sets the phase within the written piece.
                phase_s = random.uniform(0.0, BLOCK_S)
                lead = np.zeros(round(phase_s * microphones.rate_hz), dtype=np.int16)
                written_s = microphones.play(MICROPHONE, np.concatenate([lead, sound]))
                steps_s.append(written_s + phase_s)
                time.sleep(PERIOD_S + random.uniform(0.0, 0.05))
            measured = running.stop()
            arrivals = receiver.stop()
    outside_s = added(arrivals, steps_s[SETTLING_TRIALS:], answer, 1e-3 * lookahead_ms)
    limits = {"median_ms": ADDED_MEDIAN_MS, "p99_ms": ADDED_P99_MS}
    return [
        Remark(f"look-ahead {lookahead_ms} ms, buffer auto, 60 fps"),
        *figures_of("added, callback to packet leaving", measured.spreads.get("total"), **limits),
        *(
            Figure(f"  {part}, median", 1e3 * spread.median_s, "ms")
            for part in LATENCY_PARTS
            if (spread := measured.spreads.get(part))
        ),
        Figure("vowels that arrived", len(outside_s), "", minimum=config.trials),
        *figures_of("added, FIFO to packet arriving", spread_of(outside_s)),
        Figure("jaw of the offline generator", 1e3 * answer.delay_s, "ms"),
    ]


def added(
    arrivals: Arrivals, steps_s: list[float], answer: JawResponse, lookahead_s: float
) -> list[float]:
    """Return for each step of the sound at a host time what was added, in seconds.

    A step without an answer within `RESPONSE_S` after the look-ahead is left out.
    """
    durations_s = []
    for step_s in steps_s:
        start, end = np.searchsorted(
            arrivals.times_s, (step_s, step_s + lookahead_s + RESPONSE_S)
        ).tolist()
        above = arrivals.jaws[start:end] > answer.threshold
        if above.any() and not above[0]:
            passed_s = float(arrivals.times_s[start + int(above.argmax())])
            durations_s.append(passed_s - step_s - answer.delay_s - lookahead_s)
    return durations_s


FPS = 60.0
RATE_TOLERANCE_HZ = 0.1
LATENESS_P99_MS = 4.0
"""Without real-time priority a Linux with 250 Hz timer ticks wakes a thread up to 4 ms late."""


def measure_packets(config: BenchConfig) -> list[Figure | Remark]:
    """Run the test sound for `config.seconds` at 60 fps, ticks at ordinary priority."""
    with ReceiverProcess() as receiver, DaemonProcess("test", receiver.port) as running:
        time.sleep(config.seconds)
        measured = running.stop()
        arrivals = receiver.stop()
    return [
        *of_arrivals(arrivals),
        *figures_of("tick lateness", measured.spreads.get("lateness"), p99_ms=LATENESS_P99_MS),
        Figure("faces late, last one held", measured.drops["late"], "ticks"),
        Figure("ticks left out", measured.drops["ticks"], "ticks", maximum=0),
    ]


def of_arrivals(arrivals: Arrivals) -> list[Figure | Remark]:
    """Return the rate, what was lost and repeated, and the jitter of packets."""
    count = len(arrivals.frames)
    if count < 3:
        return [Figure("packets", count, "", minimum=3)]
    steps = np.diff(arrivals.frames)
    # The last packet is the face at rest, which leaves at once and not on a tick.
    gaps_s = np.diff(arrivals.times_s[:-1])
    return [
        Figure("packets", count, ""),
        Figure(
            "packet rate",
            1.0 / float(gaps_s.mean()),
            "packets/s",
            FPS - RATE_TOLERANCE_HZ,
            FPS + RATE_TOLERANCE_HZ,
        ),
        Figure("frame steps other than +1", int((steps != 1).sum()), "", maximum=0),
        Figure("packets lost", int(np.maximum(steps - 1, 0).sum()), "", maximum=0),
        Figure("packets repeated", int((steps < 1).sum()), "", maximum=0),
        *figures_of("arrival off its 1/60 s", spread_of(np.abs(gaps_s - 1 / FPS))),
    ]


POLL_INTERVAL_S = 0.2
"""How long a receive waits before it looks whether it shall end."""
SOCKET_BYTES = 1 << 22
"""Asked of the system as a buffer: some thousand packets."""
MAX_PACKETS = 1_000_000
"""Packets kept: 4.6 hours at 60 fps."""


@dataclass(frozen=True, slots=True)
class Arrivals:
    """Packets in order: host times of arrival, frame numbers, jaw openings, each [packets].

    `streams` numbers the streams: one for each subject and port.
    """

    times_s: Floats
    frames: Floats
    jaws: Floats
    streams: Floats


class ReceiverProcess(ChildProcess):
    """The receiver as a context; `stop` ends it and returns what arrived at its `ports`."""

    def __init__(self, count: int = 1) -> None:
        super().__init__("cstalk_bridge.bench.packets", count)

    def __enter__(self) -> Self:
        super().__enter__()
        self.ports = tuple(map(int, self.read_line().split()))
        return self

    @property
    def port(self) -> int:
        """The first of its ports."""
        return self.ports[0]

    def stop(self) -> Arrivals:
        """End it; return what arrived."""
        return Arrivals(*read_columns(self.close()))


def receive(ports: Sequence[socket.socket], stop: threading.Event) -> NDArray[np.float64]:
    """Return time, frame, jaw and stream of every packet until `stop`, [4, packets]."""
    from cstalk_bridge.outputs.livelink_face import decode

    jaw = ARKIT_CURVES.index("JawOpen")
    rows: list[tuple[float, float, float, float]] = []
    streams: dict[tuple[int, str], int] = {}
    with selectors.DefaultSelector() as ready:
        for bound in ports:
            ready.register(bound, selectors.EVENT_READ)
        while not stop.is_set() and len(rows) < MAX_PACKETS:
            for key, _ in ready.select(POLL_INTERVAL_S):
                datagram = key.fileobj.recv(2048)  # type: ignore[union-attr]
                arrived_s = host_now()
                packet = decode(datagram)
                stream = streams.setdefault((key.fd, packet.subject), len(streams))
                if packet.values is not None:
                    rows.append((arrived_s, float(packet.frame), float(packet.values[jaw]), stream))
    return np.array(rows, dtype=np.float64).reshape(-1, 4).T


def receive_until_closed() -> None:
    """Receive until standard input is closed."""
    stop = threading.Event()
    with ExitStack() as closing:
        ports = [_bound(closing) for _ in range(int(sys.argv[1]))]
        print(*(bound.getsockname()[1] for bound in ports), flush=True)
        on_closed_input(stop.set)
        write_columns(receive(ports, stop))


def _bound(closing: ExitStack) -> socket.socket:
    bound = closing.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SOCKET_BYTES)
    bound.bind(("127.0.0.1", 0))
    return bound


if __name__ == "__main__":
    receive_until_closed()
