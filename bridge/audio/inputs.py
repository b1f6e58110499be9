"""Opens the audio input that a config names: a microphone, a file or the test sound.

The test sound is a round of vowels, a hum and silence, so that a face can be tried without a
voice. A bundled recording stands in for a microphone that is missing.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from cstalk_bridge.audio.devices import DeviceUnavailableError
from cstalk_bridge.audio.file import AUDIO_SUFFIXES, FileSource
from cstalk_bridge.audio.levels import ALL
from cstalk_bridge.audio.microphone import Microphone
from cstalk_bridge.audio.source import (
    BLOCK_S,
    HOP_RATE_HZ,
    MICROPHONE,
    TEST_SOUND,
    Block,
    BlockSchedule,
    SourceState,
)
from cstalk_bridge.system.files import is_file

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

    from numpy.typing import NDArray

    from cstalk_bridge.audio.config import AudioConfig
    from cstalk_bridge.audio.source import Source


VOWELS: dict[str, tuple[float, float, float]] = {
    "a": (730.0, 1090.0, 2440.0),
    "i": (270.0, 2290.0, 3010.0),
    "u": (300.0, 870.0, 2240.0),
    "o": (570.0, 840.0, 2410.0),
    "m": (250.0, 1000.0, 2200.0),
}
"""Formants in Hz (vowels: men's means of Peterson and Barney 1952; m: a hum with lips closed)."""

PATTERN = " a m i m u m o m "
"""One round: every sound lasts `SOUND_S`, a space is silence."""

SOUND_S = 0.24
FADE_S = 0.03
"""Fade at both ends of a sound."""

PITCH_HZ = 120.0
BANDWIDTH_HZ = 90.0
PEAK = 0.35
HUM_PEAK = 0.08
NOISE_PEAK = 0.0005
"""A room's noise, 66 dB below full scale."""


class VowelSource:
    """The round of `PATTERN` without end, at 16 kHz; the same seed makes the same sound."""

    name = "test sound"
    is_device = False
    rate_hz = HOP_RATE_HZ
    dropped_blocks = 0

    def __init__(self, *, now: Callable[[], float], seed: int = 0) -> None:
        self.state = SourceState.RUNNING
        self._now = now
        self._round = sound_round(np.random.default_rng(seed))
        self._schedule: BlockSchedule | None = None

    @property
    def next_due_s(self) -> float | None:
        """Host time of the next block; None before the start and after `close`."""
        return None if self._schedule is None else self._schedule.next_due_s

    def start(self) -> None:
        """Begin with the silence before the first sound."""
        self._schedule = BlockSchedule(self._now())

    def poll(self, now_s: float) -> list[Block]:
        """Return the blocks that became due."""
        if self._schedule is None:
            return []
        frames = HOP_RATE_HZ // 100
        blocks = []
        for number in self._schedule.take(now_s):
            begin = number * frames % len(self._round)
            samples = self._round[begin : begin + frames]
            captured_s = self._schedule.captured_s(number)
            blocks.append(Block(samples, captured_s, captured_s + BLOCK_S))
        return blocks

    def reopen(self) -> None:
        """Do nothing: it is never lost."""

    def close(self) -> None:
        """Fall silent."""
        self.state = SourceState.ENDED
        self._schedule = None


def sound_round(random: np.random.Generator) -> NDArray[np.float32]:
    """Return one round of the pattern, [samples] at 16 kHz, whole blocks long."""
    sounds = {name: _vowel(formants) for name, formants in VOWELS.items()}
    sounds[" "] = np.zeros(round(SOUND_S * HOP_RATE_HZ))
    peaks = {"m": HUM_PEAK}
    played = np.concatenate([sounds[letter] * peaks.get(letter, PEAK) for letter in PATTERN])
    noise = random.uniform(-NOISE_PEAK, NOISE_PEAK, len(played))
    return np.asarray(played + noise, dtype=np.float32)


def _vowel(formants: tuple[float, float, float]) -> NDArray[np.float64]:
    """Return one sound with peak 1: the harmonics of a voice, each as strong as its resonances."""
    time_s = np.arange(round(SOUND_S * HOP_RATE_HZ)) / HOP_RATE_HZ
    harmonics_hz = np.arange(PITCH_HZ, 4000.0, PITCH_HZ)
    centres_hz = np.array(formants)[:, None]
    resonance = 1.0 / (1.0 + ((harmonics_hz - centres_hz) / BANDWIDTH_HZ) ** 2)
    # A voice's own spectrum falls by about 6 dB an octave outside the mouth.
    strengths = resonance.sum(axis=0) * PITCH_HZ / harmonics_hz
    waves = np.sin(2.0 * np.pi * harmonics_hz[:, None] * time_s)
    fade = np.clip(np.minimum(time_s, time_s[::-1]) / FADE_S, 0.0, 1.0)
    sound = strengths @ waves * fade
    return np.asarray(sound / np.abs(sound).max())


SPEECH_PATH = Path(__file__).with_name("speech.ogg")
"""The recording that is played where there is no microphone; `speech.md` describes it."""


class OpenedSource(NamedTuple):
    """A source, and a line for the user where it differs from what was configured."""

    source: Source
    notice: str | None


def open_source(
    config: AudioConfig, *, now: Callable[[], float], wake: threading.Event, is_voice: bool = True
) -> OpenedSource:
    """Open what `config.input` names: "mic", "test", a file, else a device.

    A path that exists, or that ends like an audio file, is a file. Where "mic" finds no usable
    microphone, the bundled recording is opened instead, in a loop, with a notice of one line that
    gives the reason. Without `is_voice` all channels of a file are mixed where none is chosen.
    UserError for everything else that cannot be opened.
    """
    if config.input == TEST_SOUND:
        return OpenedSource(VowelSource(now=now), None)
    path = Path(os.path.expanduser(config.input))  # noqa: PTH111 - never fails
    if config.input != MICROPHONE and _means_file(path):
        # A mix is read as long as timecode is the loudest in it; choosing is for voices.
        channel = config.channel or (None if is_voice else ALL)
        recording = FileSource(path, now=now, channel=channel)
        notice = "; ".join(recording.notices)
        return OpenedSource(recording, f"{path}: {notice}" if notice else None)
    try:
        return OpenedSource(
            Microphone(config.input, now=now, wake=wake, channel=config.channel), None
        )
    except DeviceUnavailableError as error:
        if config.input != MICROPHONE:
            raise
        reason = "; ".join(str(problem) for problem in error.problems)
    recording = FileSource(SPEECH_PATH, now=now, is_loop=True)
    return OpenedSource(
        recording, f"the bundled recording is played instead of a microphone: {reason}"
    )


def _means_file(path: Path) -> bool:
    """Whether a path means a file: it exists, or has an audio file's suffix."""
    return path.suffix.lower() in AUDIO_SUFFIXES or is_file(path)
