"""Checks the audio input of all subjects: opens it as a run does, measures it for two seconds, and
rates the levels.
"""

from __future__ import annotations

import sys
import threading
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cstalk_bridge.audio.devices import MICROPHONE, Direction, list_devices, select_device
from cstalk_bridge.audio.inputs import open_source
from cstalk_bridge.audio.levels import FLOOR_DB, decibels, peak_db
from cstalk_bridge.audio.microphone import Microphone
from cstalk_bridge.audio.preprocessing import DcBlock
from cstalk_bridge.diagnostics.report import Finding, fault, faults_of, ok, warning
from cstalk_bridge.models.errors import UserError
from cstalk_bridge.timecode.tick import host_now

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from cstalk_bridge.audio.passthrough import PassthroughConfig
    from cstalk_bridge.audio.source import AudioConfig, Source
    from cstalk_bridge.config.schema import SubjectConfig


MEASURE_S = 2.0
POLL_S = 0.02
"""Poll interval of all sources."""

LOUDNESS_S = 0.1
"""Length of the pieces of which the loudest counts: a syllable is longer."""

QUIET_DB = -40.0
"""Where the loudest syllable stays below, `gain_db` should be raised."""

HEADROOM_DB = 10.0
"""How far above `QUIET_DB` an advised gain lifts what was measured."""

MAX_ADVISED_DB = 30.0
"""A higher gain would lift the noise of the room to the level of a voice."""

FULL_SCALE = 0.999
CLIPPED_SAMPLES = 4
"""So many samples at full scale in two seconds are no chance."""

ACCESS = {
    "win32": (
        "unmute it; Settings > Privacy & security > Microphone: "
        "let desktop apps access the microphone"
    ),
    "darwin": (
        "unmute it; System Settings > Privacy & Security > Microphone: "
        "allow the terminal, then restart that"
    ),
}
"""What may keep a microphone silent, by `sys.platform`."""

ACCESS_ELSEWHERE = "unmute it (pavucontrol, or `wpctl set-mute @DEFAULT_AUDIO_SOURCE@ 0`)"

NO_MICROPHONE = (
    "`cstalk-bridge devices` lists the microphones there are; a container or a remote session "
    "may have none"
)


@dataclass(frozen=True, slots=True)
class InputMeasurement:
    """Sound of one source: `seconds` of it, its loudest `LOUDNESS_S` and its peak in dBFS.

    `clipped` counts samples at full scale, `dropped` blocks that were lost, `fault` is what the
    source reports of its loss, `mix_fault` what it reports of its channels.
    """

    source: str
    rate_hz: int
    is_device: bool
    seconds: float
    loudest_db: float = FLOOR_DB
    peak_db: float = FLOOR_DB
    clipped: int = 0
    dropped: int = 0
    fault: str = ""
    mix_fault: str = ""


def examine_sound(
    subjects: Sequence[SubjectConfig], *, seconds: float = MEASURE_S
) -> Iterator[Finding]:
    """Record the inputs of all subjects at once, and judge each of them."""
    wake = threading.Event()
    opened: list[tuple[SubjectConfig, Source]] = []
    with ExitStack() as closing:
        for subject in subjects:
            try:
                source, notice = open_source(subject.audio, now=host_now, wake=wake)
            except UserError as error:
                for found in faults_of(error):
                    yield fault(subject.name, f"{found.where}: {found.what}", found.remedy)
                continue
            closing.callback(source.close)
            if notice:
                is_microphone = subject.audio.input == MICROPHONE
                yield warning(subject.name, notice, NO_MICROPHONE if is_microphone else "")
            opened.append((subject, source))
        sounds = _record([source for _, source in opened], seconds, wake)
        measurements = [
            measure_input(source, sound) for (_, source), sound in zip(opened, sounds, strict=True)
        ]
    for (subject, _), each in zip(opened, measurements, strict=True):
        yield from judge_input(subject.name, subject.audio, each)
    for subject in subjects:
        yield from examine_passthrough(subject.name, subject.passthrough)


def examine_passthrough(name: str, config: PassthroughConfig) -> Iterator[Finding]:
    """Look for the output device of the audio passthrough of a subject, if it names one."""
    if config.device is None:
        return
    try:
        device = select_device(list_devices(Direction.OUTPUT), config.device, Direction.OUTPUT)
    except UserError as error:
        for found in faults_of(error):
            yield fault(name, f"passthrough: {found.where}: {found.what}", found.remedy)
        return
    yield ok(name, f"the sound is passed through to {device.full_name}")


def access_remedy(platform: str) -> str:
    """Return the settings that may silence a microphone on that `sys.platform`."""
    return ACCESS.get(platform, ACCESS_ELSEWHERE)


def measure_input(source: Source, samples: NDArray[np.float32]) -> InputMeasurement:
    """Return the measurement of samples, [time], of a source.

    Levels leave out the constant part (DC), which is not sound.
    """
    sound = DcBlock(source.rate_hz).push(np.nan_to_num(samples))
    return InputMeasurement(
        source=source.name,
        rate_hz=source.rate_hz,
        is_device=isinstance(source, Microphone),
        seconds=len(samples) / source.rate_hz,
        loudest_db=_loudest_db(sound, round(LOUDNESS_S * source.rate_hz)),
        peak_db=peak_db(sound),
        clipped=int(np.count_nonzero(np.abs(samples) >= FULL_SCALE)),
        dropped=source.dropped_blocks,
        fault=getattr(source, "fault", ""),
        mix_fault=getattr(source, "mix_fault", ""),
    )


def judge_input(
    name: str, config: AudioConfig, measured: InputMeasurement, platform: str = sys.platform
) -> Iterator[Finding]:
    """Report errors of the input of a subject; of a recording only whether it can be read."""
    loudest_db = measured.loudest_db + config.gain_db
    level = f"{measured.source} at {measured.rate_hz} Hz: {_level(measured, config.gain_db)}"
    if measured.fault or not measured.seconds:
        what = f"{measured.source} delivers nothing" + (
            f" ({measured.fault})" if measured.fault else ""
        )
        yield fault(name, what, "unplug it and plug it in again, or end what else uses it")
    elif measured.mix_fault:
        why = measured.mix_fault.partition(": ")[0]
        yield warning(name, f"{level}; {why}", "set `channel` to the one with the voice")
    elif measured.peak_db <= FLOOR_DB:
        yield _silence(name, measured, platform)
    elif not measured.is_device:
        yield ok(name, level)
    elif measured.clipped >= CLIPPED_SAMPLES:
        what = f"{level}; it clips, {measured.clipped} samples are at full scale"
        yield warning(name, what, "turn down the input of the microphone, not gain_db")
    elif loudest_db < QUIET_DB:
        gain_db = config.gain_db + QUIET_DB + HEADROOM_DB - loudest_db
        remedy = "speak while it listens; if you did, turn up the input of the microphone"
        if gain_db <= MAX_ADVISED_DB:
            remedy += f", or set gain_db to {gain_db:.0f}"
        yield warning(name, f"{level}; too quiet for a voice", remedy)
    else:
        yield ok(name, level)
    if config.gate.enabled and measured.is_device and FLOOR_DB < loudest_db < config.gate.open_db:
        what = f"the noise gate stayed closed: it opens at {config.gate.open_db:g} dB"
        yield warning(name, what, "if you spoke, lower gate.open_db")
    if measured.dropped:
        yield warning(name, f"{measured.dropped} blocks of 10 ms were lost", "close other programs")


def _silence(name: str, measured: InputMeasurement, platform: str) -> Finding:
    if measured.is_device:
        what = f"{measured.source} delivers digital silence, which no open microphone does"
        return fault(name, what, access_remedy(platform))
    what = f"{measured.source} is silent for its first {measured.seconds:.1f} s"
    return warning(name, what, "listen to it; if all of it is, choose another file or channel")


def _level(measured: InputMeasurement, gain_db: float) -> str:
    level = f"loudest {measured.loudest_db + gain_db:.0f} dB, peak {measured.peak_db:.0f} dB"
    return f"{level} before a gain of {gain_db:+g} dB" if gain_db else level


def _record(
    sources: Sequence[Source], seconds: float, wake: threading.Event
) -> list[NDArray[np.float32]]:
    """Return what all sources deliver in that time, [time] each."""
    for source in sources:
        if isinstance(source, Microphone):
            source.watch_channels()
        source.start()
    recorded: list[list[NDArray[np.float32]]] = [[np.zeros(0, dtype=np.float32)] for _ in sources]
    over_s = host_now() + seconds
    while sources and host_now() < over_s:
        wake.wait(POLL_S)
        wake.clear()
        for source, blocks in zip(sources, recorded, strict=True):
            blocks += [block.samples for block in source.poll(host_now())]
    return [np.concatenate(blocks) for blocks in recorded]


def _loudest_db(samples: NDArray[np.float32], frames: int) -> float:
    """Return the RMS level of the loudest piece of so many frames, in dBFS."""
    pieces = samples[: len(samples) // frames * frames].reshape(-1, frames)
    power = np.mean(np.square(pieces, dtype=np.float64), axis=1)
    return decibels(float(np.sqrt(power.max(initial=0.0))))
