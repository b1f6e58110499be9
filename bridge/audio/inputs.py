"""Opens the audio input that a config names: a microphone, a recording played in real time, the
test sound or claps.

A recording is read once before the start, which finds its length, its damage and the channel to
use. The test sound is a round of vowels, a hum and silence, to try a face without a voice. Where
no microphone can be used, a bundled recording takes its place.
"""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from cstalk_bridge.audio.decoder import (
    CONTAINER_SUFFIXES,
    COUNTED_FRAMES,
    MAX_DECODED_S,
    open_decoder,
)
from cstalk_bridge.audio.devices import MICROPHONE
from cstalk_bridge.audio.levels import ALL, ChannelLevels, pick_channel
from cstalk_bridge.audio.microphone import Microphone
from cstalk_bridge.audio.portaudio import DeviceUnavailableError
from cstalk_bridge.audio.preprocessing import MAX_RATE_HZ, MIN_RATE_HZ
from cstalk_bridge.audio.source import (
    BLOCK_S,
    BLOCKS_PER_S,
    CLAPS,
    HOP_RATE_HZ,
    TEST_SOUND,
    Block,
    BlockSchedule,
    SourceState,
)
from cstalk_bridge.audio.stand_in import StandInSource
from cstalk_bridge.models.errors import Problem, UserError
from cstalk_bridge.system.files import is_file

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

    from numpy.typing import NDArray

    from cstalk_bridge.audio.decoder import Decoder
    from cstalk_bridge.audio.file_header import Layout
    from cstalk_bridge.audio.levels import Channel
    from cstalk_bridge.audio.source import AudioConfig, Source


@dataclass(frozen=True, slots=True)
class Survey:
    """Contents of a recording: `frames` that can be decoded, and the channel to use.

    `announced_s` is the length in its header where the file holds less, else 0; `fault` is the
    reason why it could not be decoded further. `notices` are for the user.
    """

    frames: int
    channel: Channel
    announced_s: float = 0.0
    fault: str = ""
    notices: tuple[str, ...] = ()

    def damage(self, rate_hz: int) -> str:
        """Return where the recording is truncated, as a message; empty where it is complete."""
        if not self.announced_s and not self.fault:
            return ""
        of = f" of {self.announced_s:.2f} s" if self.announced_s else ""
        why = f" ({self.fault})" if self.fault else ""
        return f"damaged: it is truncated at {self.frames / rate_hz:.2f} s{of}{why}"


def survey(decoder: Decoder, layout: Layout, channel: Channel) -> Survey:
    """Return the contents of a recording, and leave the decoder at its start.

    It is decoded, up to `MAX_DECODED_S`, only where its length or the channel to use is unknown.
    """
    notices = [layout.notice] if layout.notice else []
    frames, fault = decoder.frames, layout.fault
    announced_s = 0.0
    if frames is not None and 0 < layout.missing < 1:
        announced_s = frames / (1.0 - layout.missing) / decoder.rate_hz
    if frames is None or (channel is None and decoder.channels > 1):
        levels, most = ChannelLevels(decoder.channels), int(MAX_DECODED_S * decoder.rate_hz) + 1
        while levels.frames < most and len(piece := decoder.read(COUNTED_FRAMES)):
            levels.add(piece)
        fault = decoder.fault or fault
        if decoder.fault and frames is not None:
            announced_s = frames / decoder.rate_hz
        if decoder.fault or frames is None:
            frames = levels.frames
        if channel is None:
            channel, notice = levels.choice()
            notices += [notice] if notice else []
        decoder.seek(0)
    return Survey(frames, channel, announced_s, fault, tuple(notices))


AUDIO_SUFFIXES = (
    *(".wav", ".wave", ".w64", ".rf64", ".flac", ".ogg", ".oga", ".opus", ".mp3"),
    *(".aif", ".aiff", ".aifc", ".au", ".caf"),
    *CONTAINER_SUFFIXES,
)
"""Suffixes by which an input means a file, even one that does not exist."""

logger = logging.getLogger(__name__)


class FileSource:
    """A recording in blocks of 10 ms, played in real time from `start` on.

    `channel` counts from 1; "all" is the mean of all, None the same unless they cancel. With
    `is_loop` the file starts again at its end, else the last block is filled up with silence and
    the state becomes ENDED. UserError when it cannot be opened, is empty, or lacks the channel. A
    truncated file ends where it is truncated, with a warning in the log or in `notices`, which are
    for the user.
    """

    is_device = False
    fault = ""

    def __init__(
        self,
        path: Path,
        *,
        now: Callable[[], float],
        channel: Channel = None,
        is_loop: bool = False,
    ) -> None:
        self.name = path.name
        self.state = SourceState.RUNNING
        self.dropped_blocks = 0
        self._path = path
        self._now = now
        self._is_loop = is_loop
        self._schedule: BlockSchedule | None = None
        self._played = 0
        self._decoder, layout = open_decoder(path)
        self.rate_hz = self._decoder.rate_hz
        try:
            if problems := _format_problems(path, self._decoder, channel):
                raise UserError.of(problems)
            found = survey(self._decoder, layout, channel)
            self._channel = found.channel
            damage = found.damage(self.rate_hz)
            self.notices = tuple(filter(None, (*found.notices, damage)))
            self._is_truncated = bool(damage)
            self._ahead = _first_frame(path, self._decoder)
        except UserError:
            self._decoder.close()
            raise

    @property
    def next_due_s(self) -> float | None:
        """Host time of the next block; None before the start and after the end."""
        if self._schedule is None or self.state is SourceState.ENDED:
            return None
        return self._schedule.next_due_s

    def start(self) -> None:
        """Start to play."""
        self._schedule = BlockSchedule(self._now())

    def poll(self, now_s: float) -> list[Block]:
        """Return the blocks that became due."""
        if self._schedule is None or self.state is SourceState.ENDED:
            return []
        blocks: list[Block] = []
        for number in self._schedule.take(now_s):
            samples = self._next_samples(number)
            if samples is None:
                self.state = SourceState.ENDED
                break
            captured_s = self._schedule.captured_s(number)
            blocks.append(Block(samples, captured_s, captured_s + BLOCK_S))
        return blocks

    def reopen(self) -> None:
        """Do nothing: a file is never lost."""

    def close(self) -> None:
        """Close the file."""
        self.state = SourceState.ENDED
        self._decoder.close()

    def _next_samples(self, number: int) -> NDArray[np.float32] | None:
        """Return block `number`, or None when the file was over before it."""
        begin = number * self.rate_hz // BLOCKS_PER_S
        frames = (number + 1) * self.rate_hz // BLOCKS_PER_S - begin
        pieces, missing = [], frames
        while missing:
            piece = self._take(missing)
            if not len(piece):
                break
            pieces.append(piece)
            missing -= len(piece)
        if not pieces:
            return None
        samples = pick_channel(np.concatenate(pieces), self._channel)
        return np.concatenate([samples, np.zeros(missing, dtype=np.float32)])

    def _take(self, frames: int) -> NDArray[np.float32]:
        """Return up to `frames` of the file, [frames, channels]; none at the end."""
        if len(self._ahead):
            taken, self._ahead = self._ahead[:frames], self._ahead[frames:]
            self._played += len(taken)
            return taken
        taken = self._decoder.read(frames)
        if not len(taken) and self._is_loop:
            self._decoder.seek(0)
            taken = self._decoder.read(frames)
        self._played += len(taken)
        if not len(taken) and self._decoder.fault and not self._is_truncated:
            self._is_truncated = True
            played_s, fault = self._played / self.rate_hz, self._decoder.fault
            logger.warning("%s is truncated at %.2f s: %s", self._path, played_s, fault)
        return taken


def check_file(path: Path, channel: Channel = None) -> None:
    """Raise UserError where a file cannot be played, is empty, or lacks the channel."""
    decoder, _ = open_decoder(path)
    try:
        if problems := _format_problems(path, decoder, channel):
            raise UserError.of(problems)
        _first_frame(path, decoder)
    finally:
        decoder.close()


def _first_frame(path: Path, decoder: Decoder) -> NDArray[np.float32]:
    """Return the first frame, [1, channels]. UserError where there is none."""
    first = decoder.read(1)
    if not len(first):
        what = "it contains no readable audio"
        raise UserError(Problem(str(path), what, "use another"))
    return first


def _format_problems(path: Path, decoder: Decoder, channel: Channel) -> list[Problem]:
    problems = []
    if not MIN_RATE_HZ <= decoder.rate_hz <= MAX_RATE_HZ:
        what = f"its rate {decoder.rate_hz} Hz is not within {MIN_RATE_HZ}..{MAX_RATE_HZ} Hz"
        problems.append(Problem(str(path), what, "convert it, for instance to 48000 Hz"))
    if isinstance(channel, int) and channel > decoder.channels:
        what = f"channel {channel} does not exist, the file has {decoder.channels}"
        remedy = f"choose a channel from 1 to {decoder.channels}, or none to mix them"
        problems.append(Problem(str(path), what, remedy))
    return problems


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


class RoundSource:
    """A sound, [samples] at `rate_hz` and whole blocks long, repeated without end."""

    is_device = False
    dropped_blocks = 0
    fault = ""

    def __init__(
        self, name: str, samples: NDArray[np.float32], rate_hz: int, *, now: Callable[[], float]
    ) -> None:
        self.name = name
        self.rate_hz = rate_hz
        self.state = SourceState.RUNNING
        self._now = now
        self._round = samples
        self._schedule: BlockSchedule | None = None

    @property
    def next_due_s(self) -> float | None:
        """Host time of the next block; None before the start and after `close`."""
        return None if self._schedule is None else self._schedule.next_due_s

    def start(self) -> None:
        """Begin with the first sample."""
        self._schedule = BlockSchedule(self._now())

    def poll(self, now_s: float) -> list[Block]:
        """Return the blocks that became due."""
        if self._schedule is None:
            return []
        frames = self.rate_hz // BLOCKS_PER_S
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


class VowelSource(RoundSource):
    """The round of `PATTERN` without end, at 16 kHz; the same seed makes the same sound."""

    def __init__(self, *, now: Callable[[], float], seed: int = 0) -> None:
        played = sound_round(np.random.default_rng(seed))
        super().__init__("test sound", played, HOP_RATE_HZ, now=now)


CLAP_RATE_HZ = 48000
CLAP_PERIOD_S = 2.0
CLAP_TONE_HZ = 1000.0
CLAP_FALL_S = 0.020
"""Time constant of the fall of a clap, which begins at its peak."""
CLAP_PEAK = 0.7


class ClapSource(RoundSource):
    """A clap every two seconds, the first after one, at 48 kHz: a tone with a hard start."""

    def __init__(self, *, now: Callable[[], float]) -> None:
        super().__init__("claps", clap_round(), CLAP_RATE_HZ, now=now)


def clap_round() -> NDArray[np.float32]:
    """Return one round of `ClapSource`, [samples]."""
    played = np.zeros(round(CLAP_PERIOD_S * CLAP_RATE_HZ), dtype=np.float32)
    half = len(played) // 2
    time_s = np.arange(half) / CLAP_RATE_HZ
    tone = np.cos(2.0 * np.pi * CLAP_TONE_HZ * time_s) * np.exp(-time_s / CLAP_FALL_S)
    played[half:] = CLAP_PEAK * tone
    return played


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
    config: AudioConfig,
    *,
    now: Callable[[], float],
    wake: threading.Event,
    is_voice: bool = True,
    is_full_band: bool = False,
    may_wait: bool = False,
    may_join: Callable[[], bool] = lambda: True,
) -> OpenedSource:
    """Open what `config.input` names: "mic", "test", "claps", a file, else a device.

    A path that exists, or that ends like an audio file, is a file. Where "mic" finds no usable
    microphone, the bundled recording is opened instead, in a loop, with a notice of one line that
    gives the reason. With `may_wait` it gives way to a microphone as soon as there is one and
    `may_join`, and any other device that cannot be opened is waited for, with a notice too. Without
    `is_voice` all channels of a file are mixed where none is chosen. With `is_full_band` a device
    is opened at the rate of a sound card rather than the network's.
    UserError for everything else that cannot be opened.
    """
    if config.input == TEST_SOUND:
        return OpenedSource(VowelSource(now=now), None)
    if config.input == CLAPS:
        return OpenedSource(ClapSource(now=now), None)
    if (path := file_of(config.input)) is not None:
        # A mix is read as long as timecode is the loudest in it; choosing is for voices.
        channel = config.channel or (None if is_voice else ALL)
        recording = FileSource(path, now=now, channel=channel)
        notice = "; ".join(recording.notices)
        return OpenedSource(recording, f"{path}: {notice}" if notice else None)
    try:
        microphone = _open_microphone(
            config, now, wake, is_full_band=is_full_band, may_wait=may_wait
        )
    except DeviceUnavailableError as error:
        if config.input != MICROPHONE:
            raise
        reason = "; ".join(str(problem) for problem in error.problems)
        return OpenedSource(
            _stand_in(config, now, wake, is_full_band=is_full_band, may_join=may_join)
            if may_wait
            else FileSource(SPEECH_PATH, now=now, is_loop=True),
            f"the bundled recording is played instead of a microphone: {reason}",
        )
    if not microphone.fault:
        return OpenedSource(microphone, None)
    hint = f"; {microphone.hint}" if microphone.hint else ""
    return OpenedSource(
        microphone, f"waiting for {config.input}, trying every second: {microphone.fault}{hint}"
    )


def _stand_in(
    config: AudioConfig,
    now: Callable[[], float],
    wake: threading.Event,
    *,
    is_full_band: bool,
    may_join: Callable[[], bool],
) -> Source:
    """Return the bundled recording, which gives way to a microphone unless PortAudio is missing."""
    recording = FileSource(SPEECH_PATH, now=now, is_loop=True)
    try:
        microphone = Microphone(
            MICROPHONE,
            now=now,
            wake=wake,
            channel=config.channel,
            is_full_band=is_full_band,
            may_wait=True,
        )
    except DeviceUnavailableError:
        return recording
    return StandInSource(recording, microphone, may_join)


def _open_microphone(
    config: AudioConfig,
    now: Callable[[], float],
    wake: threading.Event,
    *,
    is_full_band: bool,
    may_wait: bool,
) -> Microphone:
    """Open a device, or wait for it; "mic" is waited for only where there is one that is unfit."""
    opened = partial(
        Microphone,
        config.input,
        now=now,
        wake=wake,
        channel=config.channel,
        is_full_band=is_full_band,
    )
    try:
        return opened()
    except UserError as error:
        is_missing = isinstance(error, DeviceUnavailableError) and config.input == MICROPHONE
        if is_missing or not may_wait:
            raise
    return opened(may_wait=True)


def file_of(name: str) -> Path | None:
    """Return the file that an input means; None for a device, "mic" and "test"."""
    if name in {MICROPHONE, TEST_SOUND, CLAPS}:
        return None
    path = Path(os.path.expanduser(name))  # noqa: PTH111 - never fails
    return path if _means_file(path) else None


def _means_file(path: Path) -> bool:
    """Whether a path means a file: it exists, or has an audio file's suffix."""
    return path.suffix.lower() in AUDIO_SUFFIXES or is_file(path)
