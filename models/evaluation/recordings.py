"""A recording to measure on, and what is known of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from models.timing import HOP_SAMPLES, ROW_RATE_HZ, SAMPLE_RATE_HZ, rows_of
from models.training.energy import speech_span
from models.training.segments import phone_indices

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from models.training.segments import Segment


class MissingDataError(Exception):
    """What a suite would measure on is not there: which file, and what gives it."""


@dataclass(frozen=True, slots=True)
class Folders:
    """Where recordings lie (`data`, the data set's folder) and what was prepared of them."""

    data: Path
    cache: Path

    def needed(self, name: str, remedy: str = "name the data folder with --data") -> Path:
        """Return a path below `data`; MissingDataError where there is none."""
        return _existing(self.data / name, remedy)

    def prepared(self, name: str, remedy: str) -> Path:
        """Return a path below `cache`; MissingDataError where there is none."""
        return _existing(self.cache / name, remedy)


def _existing(path: Path, remedy: str) -> Path:
    if not path.exists():
        raise MissingDataError(f"{path} is not there; {remedy}")
    return path


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """One clip: `sound` is [time], mono, 16 kHz, -1..1.

    `curves` are captured values [frames] by name, `times_s` the audio time of each such frame,
    known capture lag taken out. `phones` are `[start s, end s, phone]` in order, None where they
    are unknown; `emotion` is how it was spoken.
    """

    name: str
    sound: NDArray[np.float32]
    emotion: str = "neutral"
    phones: tuple[Segment, ...] | None = None
    times_s: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    curves: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        """Rows of its face."""
        return rows_of(len(self.sound))

    @property
    def seconds(self) -> float:
        """How long it is."""
        return len(self.sound) / SAMPLE_RATE_HZ

    def phone_rows(self) -> NDArray[np.int64]:
        """Return the phone of each row (`models.training.phones`), [rows]; phones must be known."""
        return phone_indices(self.phones or (), self.rows)

    def padded(self, pause_s: float) -> Recording:
        """Return it with digital silence of `pause_s` (whole hops) before and after; no curves."""
        pause = np.zeros(round(pause_s * ROW_RATE_HZ) * HOP_SAMPLES, dtype=np.float32)
        phones = None
        if self.phones is not None:
            phones = tuple((a + pause_s, b + pause_s, phone) for a, b, phone in self.phones)
        return Recording(
            self.name, np.concatenate((pause, self.sound, pause)), self.emotion, phones
        )


def in_noise(recording: Recording, snr_db: float, seed: int) -> Recording:
    """Return the recording in the noise of a room, `snr_db` under the power of its speech.

    The noise falls by 3 dB an octave (pink), is as long as the recording and steady; `recording`
    itself is clean.
    """
    random = np.random.default_rng(seed)
    spectrum = np.fft.rfft(random.standard_normal(len(recording.sound)))
    noise = np.fft.irfft(spectrum / np.sqrt(np.arange(1, len(spectrum) + 1)), len(recording.sound))
    start, end = (round(time_s * SAMPLE_RATE_HZ) for time_s in speech_span(recording.sound))
    power = float(np.square(recording.sound[start:end]).mean()) if end > start else 0.0
    noise *= np.sqrt(power / 10 ** (snr_db / 10) / np.square(noise).mean())
    sound = np.clip(recording.sound + noise, -1.0, 1.0).astype(np.float32)
    return Recording(recording.name, sound, recording.emotion, recording.phones)
