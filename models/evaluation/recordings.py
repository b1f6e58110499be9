"""The recordings of each data set, with the captured curves of their faces.

MissingDataError names the path that cannot be read and what to do.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from zipfile import BadZipFile

import numpy as np
import soundfile

from cstalk_bridge.models.timing import HOP_SAMPLES, ROW_RATE_HZ, SAMPLE_RATE_HZ, rows_of
from cstalk_bridge.models.training.alignment import kokoro_segments, phone_indices, speech_span
from cstalk_bridge.models.training.captured_faces import PLAYED
from cstalk_bridge.models.training.sources import (
    FACEGOOD_FPS,
    FACEGOOD_LATE_S,
    GRID_CURVES,
    GRID_FPS,
    GRID_LATE_S,
    RAVDESS_FPS,
    part_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from cstalk_bridge.models.training.alignment import Segment


class MissingDataError(Exception):
    """Data that a suite needs is missing: the file, and how to get it."""


@dataclass(frozen=True, slots=True)
class Folders:
    """The folder of the data set (`data`) and that of the data prepared from it (`cache`)."""

    data: Path
    cache: Path

    def needed(self, name: str, hint: str = "name the data folder with --data") -> Path:
        """Return a path below `data`; MissingDataError where there is none."""
        return _existing(self.data / name, hint)

    def prepared(self, name: str, hint: str) -> Path:
        """Return a path below `cache`; MissingDataError where there is none."""
        return _existing(self.cache / name, hint)


def _existing(path: Path, hint: str) -> Path:
    if not path.exists():
        raise MissingDataError(f"{path} is missing; {hint}")
    return path


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """One clip: `sound` is [time], mono, 16 kHz, -1..1.

    `curves` are captured values [frames] by name, `times_s` the audio time of each such frame,
    known capture lag removed. `phones` are `[start s, end s, phone]` in order, None where they
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
        """Number of rows of its face."""
        return rows_of(len(self.sound))

    @property
    def seconds(self) -> float:
        """Its duration."""
        return len(self.sound) / SAMPLE_RATE_HZ

    def phone_rows(self) -> NDArray[np.int64]:
        """Return the phone of each row (`cstalk_bridge.models.phones`), [rows]; phones must be
        known."""
        return phone_indices(self.phones or (), self.rows)

    def padded(self, pause_s: float) -> Recording:
        """Return a copy without curves, with `pause_s` (whole hops) of silence on either side."""
        pause = np.zeros(round(pause_s * ROW_RATE_HZ) * HOP_SAMPLES, dtype=np.float32)
        phones = None
        if self.phones is not None:
            phones = tuple((a + pause_s, b + pause_s, phone) for a, b, phone in self.phones)
        return Recording(
            self.name, np.concatenate((pause, self.sound, pause)), self.emotion, phones
        )


def in_noise(recording: Recording, snr_db: float, seed: int) -> Recording:
    """Return the recording with pink noise (-3 dB per octave), `snr_db` below its speech.

    The noise is steady and as long as the recording, which is clean.
    """
    random = np.random.default_rng(seed)
    spectrum = np.fft.rfft(random.standard_normal(len(recording.sound)))
    noise = np.fft.irfft(spectrum / np.sqrt(np.arange(1, len(spectrum) + 1)), len(recording.sound))
    start, end = (round(time_s * SAMPLE_RATE_HZ) for time_s in speech_span(recording.sound))
    power = float(np.square(recording.sound[start:end]).mean()) if end > start else 0.0
    noise *= np.sqrt(power / 10 ** (snr_db / 10) / np.square(noise).mean())
    sound = np.clip(recording.sound + noise, -1.0, 1.0).astype(np.float32)
    return Recording(recording.name, sound, recording.emotion, recording.phones)


@contextmanager
def reading(path: Path, hint: str = "download it again") -> Iterator[None]:
    """Turn errors of reading a file into a MissingDataError that names it."""
    try:
        yield
    except (OSError, EOFError, KeyError, TypeError, ValueError, BadZipFile) as error:
        raise MissingDataError(f"{path} cannot be read ({error!r}); {hint}") from error


@contextmanager
def archive_of(path: Path) -> Iterator[Any]:
    """Open an archive of arrays; errors of reading become MissingDataError."""
    with reading(path), path.open("rb") as file, np.load(file) as archive:
        yield archive


def sound_of(path: Path) -> NDArray[np.float32]:
    """Read mono 16 kHz sound, [time], -1..1; MissingDataError for any other."""
    try:
        samples, rate_hz = soundfile.read(path, dtype="float32")
    except soundfile.LibsndfileError as error:
        raise MissingDataError(f"{path} cannot be read ({error}); download it again") from error
    if rate_hz != SAMPLE_RATE_HZ or samples.ndim != 1 or not len(samples):
        found = f"{len(samples)} samples at {rate_hz} Hz, {samples.ndim}-dimensional"
        expected = f"the data set's files are mono at {SAMPLE_RATE_HZ} Hz, and not empty"
        raise MissingDataError(f"{path} holds {found}; {expected}: download it again")
    return np.asarray(samples, dtype=np.float32)


Item = TypeVar("Item")

NO_CLIPS = ("names", "lips_names")
EYES_APART_MM = 88.0
"""Distance between the outer corners of the eyes: the unit of tracked lips."""
LIPS = {
    "inner_gap_13_14": "gap_mm",
    "outer_width_61_291": "width_mm",
    "outer_height_0_17": "height_mm",
    "inner_width_78_308": "inner_width_mm",
    "lip_protrusion_z": "protrusion_mm",
    "corner_raise": "corner_mm",
}
"""Measures of tracked lips: the tracker's names, with its landmark numbers, and ours."""
STRANGERS_FPS = 25.0
RAVDESS_EMOTIONS = {**PLAYED, "02": "calm"}
"""By the third part of a RAVDESS file name."""


def spread(items: Sequence[Item], max_clips: int) -> list[Item]:
    """Return at most `max_clips` of `items`, evenly spread, the first among them."""
    count = min(max_clips, len(items))
    return [items[i * len(items) // count] for i in range(count)]


def evenly_spread(items: Sequence[Item], max_clips: int, path: Path) -> list[Item]:
    """Return `spread` of the items of `path`; MissingDataError where there are none."""
    if not items:
        raise MissingDataError(f"{path} holds no clips for this suite; download it again")
    return spread(items, max_clips)


def captured_clips(
    path: Path, clips: Sequence[str], fps: float, late_s: float
) -> Iterator[tuple[str, NDArray[np.float64], dict[str, NDArray[np.float32]]]]:
    """Yield name, audio times [frames] and curves by name of clips, without untracked frames.

    Tracked lips are among the curves, in millimetres, by the names in `LIPS`.
    """
    with archive_of(path) as archive:
        faces = {clip: _tracked(archive, clip, fps, late_s) for clip in clips}
    for clip, (times_s, curves) in faces.items():
        tracked = np.isfinite(np.stack(list(curves.values()))).all(0)
        yield clip, times_s[tracked], {name: curve[tracked] for name, curve in curves.items()}


def _tracked(
    archive: Any, clip: str, fps: float, late_s: float
) -> tuple[NDArray[np.float64], dict[str, NDArray[np.float32]]]:
    values = archive[clip].astype(np.float32)
    curves = dict(zip(map(str, archive["names"]), values.T, strict=True))
    if f"{clip}__lips" in archive.files:
        names = [str(name) for name in archive["lips_names"]]
        lips = EYES_APART_MM * archive[f"{clip}__lips"].astype(np.float32)
        curves |= {mm: lips[:, names.index(name)] for name, mm in LIPS.items() if name in names}
    if f"{clip}__t" in archive.files:
        return archive[f"{clip}__t"].astype(np.float64), curves
    return np.arange(len(values)) / fps - late_s, curves


def clips_in(path: Path) -> list[str]:
    """Return the clips of an archive of captured faces, sorted."""
    with archive_of(path) as archive:
        return sorted(name for name in archive.files if name not in NO_CLIPS and "__" not in name)


def aligned_phones(folders: Folders) -> dict[str, tuple[Segment, ...]]:
    """Return the phones of every aligned clip, by `<source>/<stem>`."""
    path = folders.prepared(
        "phones.json", "run cstalk_bridge.models.training.prepare, or name it with --cache"
    )
    with reading(path):
        known = json.loads(path.read_text("utf-8"))
        return {name: tuple((a, b, phone) for a, b, phone in each) for name, each in known.items()}


def grid(folders: Folders, max_clips: int) -> list[Recording]:
    """Return the GRID clips of the test part; their phones where they were aligned."""
    path = folders.needed(f"grid_s1/{GRID_CURVES}")
    try:
        phones = aligned_phones(folders)
    except MissingDataError:
        phones = {}
    found = []
    stems = [clip for clip in clips_in(path) if part_of(f"grid_s1/{clip}") == "test"]
    for stem, times_s, curves in captured_clips(
        path, evenly_spread(stems, max_clips, path), GRID_FPS, GRID_LATE_S
    ):
        sound = sound_of(folders.needed(f"grid_s1/audio/{stem}.opus"))
        spoken = phones.get(f"grid_s1/{stem}")
        found.append(Recording(f"grid_s1/{stem}", sound, "neutral", spoken, times_s, curves))
    return found


def strangers(folders: Folders, max_clips: int) -> dict[str, list[Recording]]:
    """Return the clips of each news reader; `max_clips` limits each reader's."""
    path = folders.needed("strangers/curves.npz")
    known = folders.needed("strangers/speakers.json")
    with reading(known):
        speakers = dict(json.loads(known.read_text("utf-8")))
    people: dict[str, list[str]] = {}
    for stem in clips_in(path):
        if stem in speakers:
            people.setdefault(f"{speakers[stem]:02}", []).append(stem)
    if not people:
        raise MissingDataError(f"{path} holds no clip of {known}; download both again")
    found: dict[str, list[Recording]] = {}
    for person, stems in sorted(people.items()):
        for stem, times_s, curves in captured_clips(
            path, evenly_spread(stems, max_clips, path), STRANGERS_FPS, 0.0
        ):
            sound = sound_of(folders.needed(f"strangers/audio/{stem}.opus"))
            clip = Recording(f"strangers/{stem}", sound, times_s=times_s, curves=curves)
            found.setdefault(person, []).append(clip)
    return found


def facegood(folders: Folders, max_clips: int) -> list[Recording]:
    """Return the FACEGOOD clips, 1114_2_01 to 1114_2_05."""
    path = folders.needed("facegood/curves.npz")
    found = []
    stems = clips_in(path)[-max_clips:]
    for stem, times_s, curves in captured_clips(path, stems, FACEGOOD_FPS, FACEGOOD_LATE_S):
        sound = sound_of(folders.needed(f"facegood/{stem}.flac"))
        found.append(Recording(f"facegood/{stem}", sound, times_s=times_s, curves=curves))
    return found


def ravdess_captured(folders: Folders, max_clips: int) -> list[Recording]:
    """Return the RAVDESS clips with sound and action units in every frame (actors 01-04)."""
    path = folders.needed("ravdess/action_units_frames.npz")
    audio = folders.needed("ravdess/audio")
    stems = [name for name in clips_in(path) if (audio / f"{name}.opus").exists()]
    found = []
    for stem, times_s, curves in captured_clips(
        path, evenly_spread(stems, max_clips, path), RAVDESS_FPS, 0.0
    ):
        sound = sound_of(audio / f"{stem}.opus")
        emotion = RAVDESS_EMOTIONS[stem.split("-")[2]]
        found.append(Recording(f"ravdess/{stem}", sound, emotion, None, times_s, curves))
    return found


def ravdess_voices(folders: Folders, max_clips: int) -> list[Recording]:
    """Return the speech of actors 17-20, who train no classifier and no research build."""
    audio = folders.needed("ravdess/audio")
    paths = [
        path for path in sorted(audio.glob("*.opus")) if part_of(f"ravdess/{path.stem}") == "test"
    ]
    return [
        Recording(f"ravdess/{path.stem}", sound_of(path), RAVDESS_EMOTIONS[path.stem.split("-")[2]])
        for path in evenly_spread(paths, max_clips, audio)
    ]


def kokoro(folders: Folders, max_clips: int) -> list[Recording]:
    """Return the held-out synthetic voices (`split.json`), with the synthesiser's own phones."""
    path = folders.needed("kokoro/index.jsonl")
    with reading(path):
        clips = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
        held_out = [c for c in clips if part_of(f"kokoro/{Path(c['file']).stem}") == "test"]
    found = []
    for clip in evenly_spread(held_out, max_clips, path):
        sound = sound_of(folders.needed(f"kokoro/{clip['file']}"))
        with reading(path):
            segments = kokoro_segments(clip["phones"], clip["frames_25ms"])
        # The last phone's duration holds the pause after the sentence.
        end_s = speech_span(sound)[1]
        phones = tuple((a, min(b, end_s), phone) for a, b, phone in segments if a < end_s)
        found.append(Recording(f"kokoro/{Path(clip['file']).stem}", sound, phones=phones))
    return found


def kathleen(folders: Folders, max_clips: int) -> list[Recording]:
    """Return the aligned clips of Kathleen."""
    phones = aligned_phones(folders)
    stems = sorted(name.split("/")[1] for name in phones if name.startswith("kathleen/"))
    return [
        Recording(
            f"kathleen/{stem}",
            sound_of(folders.needed(f"kathleen/audio/{stem}.opus")),
            phones=phones[f"kathleen/{stem}"],
        )
        for stem in evenly_spread(stems, max_clips, folders.cache)
    ]
