"""The data of the probes: kinds of features, and recordings with phones or with lips.

Features make rows [rows, width], 50 a second, of mono 16 kHz sound [time].
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from cstalk_bridge.models.encoder.log_mel import COLUMNS, FRAME_SAMPLES, STEP_SAMPLES
from cstalk_bridge.models.encoder.mel import WhisperMel
from cstalk_bridge.models.encoder.network import encode
from cstalk_bridge.models.encoder.reach import RIGHT_HOPS, delay_hops
from cstalk_bridge.models.evaluation.recordings import (
    MissingDataError,
    aligned_phones,
    archive_of,
    sound_of,
    spread,
)
from cstalk_bridge.models.evaluation.voices import ALIGNMENT_FOLDER
from cstalk_bridge.models.timing import HOP_MS, HOP_SAMPLES, ROW_RATE_HZ, SAMPLE_RATE_HZ
from cstalk_bridge.models.training.alignment import Aligner, sentences_of, within_sound
from cstalk_bridge.models.training.encoder.prepare import last_layer_of, levelled
from cstalk_bridge.models.training.sources import GRID_FPS, clips_of, part_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from cstalk_bridge.models.cstalk.network import FaceNetwork
    from cstalk_bridge.models.encoder.network import Encoder
    from cstalk_bridge.models.evaluation.recordings import Folders
    from cstalk_bridge.models.training.alignment import Segment
    from cstalk_bridge.models.training.encoder.whisper import Whisper


MEL_COLUMNS = 7  # to each side of a row: 70 ms
MEL_EDGE_SAMPLES = MEL_COLUMNS * STEP_SAMPLES + FRAME_SAMPLES // 2


@dataclass(frozen=True, slots=True)
class Features:
    """A kind of features that use `future_ms` of sound after a row's time, None: all of it."""

    name: str
    future_ms: int | None
    rows: Callable[[NDArray[np.float32]], NDArray[np.float32]]


def _ms(samples: int) -> int:
    return 1000 * samples // SAMPLE_RATE_HZ


def log_mel() -> Features:
    """Return Whisper's log-mel, with 70 ms of context on either side."""
    mel = WhisperMel()

    def rows(sound: NDArray[np.float32]) -> NDArray[np.float32]:
        hops = len(sound) // HOP_SAMPLES
        padded = np.pad(sound, MEL_EDGE_SAMPLES)
        decades = mel.decades(torch.from_numpy(padded)[None])[0].numpy()
        spans = np.lib.stride_tricks.sliding_window_view(decades, 2 * MEL_COLUMNS + 1, axis=0)
        flat = spans[::COLUMNS][:hops].reshape(-1, decades.shape[1] * (2 * MEL_COLUMNS + 1))
        return np.ascontiguousarray(flat)

    return Features("log-mel", _ms(MEL_EDGE_SAMPLES), rows)


def phone_head(generator: FaceNetwork) -> Features:
    """Return the phone logits of a face network."""

    @torch.inference_mode()
    def rows(sound: NDArray[np.float32]) -> NDArray[np.float32]:
        sizes = generator.architecture
        hops = len(sound) // HOP_SAMPLES
        late = generator.phone_delay_hops
        before = generator.history_samples + sizes.window_hops * HOP_SAMPLES
        padded = np.pad(sound[: hops * HOP_SAMPLES], (before, (late - 1) * HOP_SAMPLES))
        no_emotion, delay = torch.zeros(1, sizes.emotions), torch.full((1,), late)
        _, logits = generator(torch.from_numpy(padded)[None], no_emotion, delay)
        # Output k is row k + 1 - late: the last output is the last row.
        scores: NDArray[np.float32] = logits[0, :, logits.shape[2] - hops :].T.numpy()
        return scores

    return Features("present phone head", generator.phone_delay_hops * HOP_MS, rows)


def whisper_layer(teacher: Whisper) -> Features:
    """Return the third layer of Whisper, which attends to the whole recording."""
    return Features("Whisper layer 3", None, lambda sound: last_layer_of(teacher, levelled(sound)))


def encoded(name: str, encoder: Encoder, delay: int) -> Features:
    """Return the encoder's features at an index of `RIGHT_HOPS`."""
    future_ms = _ms(FRAME_SAMPLES // 2 + 2 * STEP_SAMPLES) + HOP_MS * sum(RIGHT_HOPS[delay])

    def rows(sound: NDArray[np.float32]) -> NDArray[np.float32]:
        return encode(encoder, sound, delay)[: len(sound) // HOP_SAMPLES]

    return Features(f"{name}, delay {delay_hops(delay) * HOP_MS} ms", future_ms, rows)


TRAINING_CLIPS = {"kokoro": 250, "kathleen": 90, "grid_s1": 60}
"""Clips of each source that train the phone probe."""
LIPS = ("inner_gap_13_14", "outer_width_61_291", "lip_protrusion_z")
"""The predicted lip measures, by their names in the capture: gap, width and protrusion."""
TRAINING_LIP_CLIPS = 260
GRID_CURVES, STRANGERS = "grid_s1/curves_unsmoothed.npz", "strangers"


@dataclass(frozen=True, slots=True, eq=False)
class PhoneClip:
    """A recording whose phones are known: `sound` [time] mono 16 kHz, `phones` in seconds."""

    name: str
    sound: NDArray[np.float32]
    phones: tuple[Segment, ...]


@dataclass(frozen=True, slots=True, eq=False)
class LipClip:
    """A recording with measured lips: `rows` of the sound at 50 Hz, `lips` [rows, LIPS]."""

    name: str
    sound: NDArray[np.float32]
    rows: NDArray[np.int64]
    lips: NDArray[np.float32]


def training_clips(folders: Folders) -> list[PhoneClip]:
    """Return clips of the training part with phones; MissingDataError where there are none."""
    known = aligned_phones(folders)
    found = []
    for source, max_clips in TRAINING_CLIPS.items():
        clips = clips_of(source, folders.needed(source))
        training = [clip for clip in clips if clip.part == "train" and clip.name in known]
        for clip in spread(training, max_clips):
            sound = sound_of(clip.path)
            phones = tuple(within_sound(source, known[clip.name], sound))
            found.append(PhoneClip(clip.name, sound, phones))
    if not found:
        raise MissingDataError(f"{folders.data} holds no aligned training clips; download it again")
    return found


def held_out_voices(folders: Folders, max_clips: int) -> list[PhoneClip]:
    """Return held-out clips of the synthetic voices, with the synthesiser's phones."""
    known = aligned_phones(folders)
    clips = clips_of("kokoro", folders.needed("kokoro"))
    held_out = [clip for clip in clips if clip.part != "train" and clip.name in known]
    found = []
    for clip in spread(held_out, max_clips):
        sound = sound_of(clip.path)
        phones = tuple(within_sound("kokoro", known[clip.name], sound))
        found.append(PhoneClip(clip.name, sound, phones))
    return found


def actors(folders: Folders, max_clips: int) -> list[PhoneClip]:
    """Return RAVDESS's actors with their phones; aligns them at the first call."""
    audio = folders.needed("ravdess")
    kept = folders.cache / ALIGNMENT_FOLDER
    kept.mkdir(parents=True, exist_ok=True)
    sentences = sorted(sentences_of("ravdess", audio), key=lambda s: s.name)
    try:
        known = Aligner(kept).align("ravdess", sentences)
    except ImportError as error:
        what = "RAVDESS has no phones without PocketSphinx"
        raise MissingDataError(f"{what}; install cstalk-bridge[train]") from error
    found = [sentence for sentence in sentences if sentence.name in known]
    return [
        PhoneClip(s.name, sound_of(s.path), tuple(known[s.name])) for s in spread(found, max_clips)
    ]


def grid_lips(folders: Folders) -> list[LipClip]:
    """Return GRID's training clips with the speaker's lips."""
    path = folders.needed(GRID_CURVES)
    with archive_of(path) as archive:
        stems = [name for name in archive.files if f"{name}__lips" in archive.files]
        training = [stem for stem in sorted(stems) if part_of(f"grid_s1/{stem}") == "train"]
        return [
            _lip_clip(
                f"grid_s1/{stem}",
                folders.needed(f"grid_s1/audio/{stem}.opus"),
                archive[f"{stem}__lips"][:, _columns(archive["lips_names"])],
                np.arange(len(archive[f"{stem}__lips"])) / GRID_FPS,
            )
            for stem in spread(training, TRAINING_LIP_CLIPS)
        ]


def strangers(folders: Folders, max_clips: int) -> list[LipClip]:
    """Return the strangers with their lips."""
    path = folders.needed(f"{STRANGERS}/curves.npz")
    with archive_of(path) as archive:
        stems = sorted(n for n in archive.files if f"{n}__lips" in archive.files)
        return [
            _lip_clip(
                f"{STRANGERS}/{stem}",
                folders.needed(f"{STRANGERS}/audio/{stem}.opus"),
                archive[f"{stem}__lips"][:, _columns(archive["lips_names"])],
                archive[f"{stem}__t"],
            )
            for stem in spread(stems, max_clips)
        ]


def _columns(names: NDArray[np.str_]) -> list[int]:
    return [list(map(str, names)).index(name) for name in LIPS]


def _lip_clip(
    name: str, path: Path, lips: NDArray[np.float16], times_s: NDArray[np.floating]
) -> LipClip:
    sound = sound_of(path)
    rows = np.round(times_s * ROW_RATE_HZ).astype(np.int64)
    values = lips.astype(np.float32)
    kept = np.isfinite(values).all(1) & (rows >= 0) & (rows < len(sound) // HOP_SAMPLES)
    return LipClip(name, sound, rows[kept], values[kept])
