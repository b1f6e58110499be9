"""What the probes read: kinds of features, and recordings with phones or with lips.

Features make rows [rows, width], 50 a second, of mono 16 kHz sound [time].
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from cstalk_bridge.models.cstalk.features import HISTORY_SAMPLES
from cstalk_bridge.models.cstalk.network import PHONE_DELAY_HOPS
from cstalk_bridge.models.encoder.mel import COLUMNS, FRAME_SAMPLES, STEP_SAMPLES, WhisperMel
from cstalk_bridge.models.encoder.network import RIGHT_HOPS, delay_hops, encode
from cstalk_bridge.models.evaluation.recordings import (
    MissingDataError,
    archive_of,
    reading,
    sound_of,
)
from cstalk_bridge.models.timing import HOP_MS, HOP_SAMPLES, ROW_RATE_HZ, SAMPLE_RATE_HZ
from cstalk_bridge.models.training.alignment import Aligner, sentences_of, within_sound
from cstalk_bridge.models.training.encoder.prepare import last_layer_of, levelled
from cstalk_bridge.models.training.sources import GRID_FPS, clips_of, part_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path
    from typing import TypeVar

    from numpy.typing import NDArray

    from cstalk_bridge.models.cstalk.network import CSTalkNetwork
    from cstalk_bridge.models.encoder.network import Encoder
    from cstalk_bridge.models.evaluation.recordings import Folders
    from cstalk_bridge.models.training.alignment import Segment
    from cstalk_bridge.models.training.encoder.whisper import Whisper


MEL_COLUMNS = 7  # to each side of a row: 70 ms
MEL_EDGE_SAMPLES = MEL_COLUMNS * STEP_SAMPLES + FRAME_SAMPLES // 2


@dataclass(frozen=True, slots=True)
class Features:
    """A kind of features: `future_ms` of sound after a row's time are heard, None: all of it."""

    name: str
    future_ms: int | None
    rows: Callable[[NDArray[np.float32]], NDArray[np.float32]]


def _ms(samples: int) -> int:
    return 1000 * samples // SAMPLE_RATE_HZ


def log_mel() -> Features:
    """Return Whisper's log-mel, with its neighbours of 70 ms before and after."""
    mel = WhisperMel()

    def rows(sound: NDArray[np.float32]) -> NDArray[np.float32]:
        hops = len(sound) // HOP_SAMPLES
        padded = np.pad(sound, MEL_EDGE_SAMPLES)
        decades = mel.decades(torch.from_numpy(padded)[None])[0].numpy()
        spans = np.lib.stride_tricks.sliding_window_view(decades, 2 * MEL_COLUMNS + 1, axis=0)
        flat = spans[::COLUMNS][:hops].reshape(-1, decades.shape[1] * (2 * MEL_COLUMNS + 1))
        return np.ascontiguousarray(flat)

    return Features("log-mel", _ms(MEL_EDGE_SAMPLES), rows)


def phone_head(generator: CSTalkNetwork) -> Features:
    """Return the phone logits of a generator of faces."""

    @torch.inference_mode()
    def rows(sound: NDArray[np.float32]) -> NDArray[np.float32]:
        sizes = generator.architecture
        hops = len(sound) // HOP_SAMPLES
        before = HISTORY_SAMPLES + sizes.window_hops * HOP_SAMPLES
        heard = np.pad(sound[: hops * HOP_SAMPLES], (before, (PHONE_DELAY_HOPS - 1) * HOP_SAMPLES))
        nothing, none = torch.zeros(1, sizes.emotions), torch.zeros(1, dtype=torch.long)
        _, logits = generator(torch.from_numpy(heard)[None], nothing, none)
        # Output k answers for row k + 1 - PHONE_DELAY_HOPS: the last one for the last row.
        said: NDArray[np.float32] = logits[0, :, logits.shape[2] - hops :].T.numpy()
        return said

    return Features("present phone head", PHONE_DELAY_HOPS * HOP_MS, rows)


def whisper_layer(teacher: Whisper) -> Features:
    """Return the third layer of Whisper, which hears the whole recording."""
    return Features("Whisper layer 3", None, lambda sound: last_layer_of(teacher, levelled(sound)))


def encoded(name: str, encoder: Encoder, delay: int) -> Features:
    """Return the encoder's features at an index of `RIGHT_HOPS`."""
    future_ms = _ms(FRAME_SAMPLES // 2 + 2 * STEP_SAMPLES) + HOP_MS * sum(RIGHT_HOPS[delay])

    def rows(sound: NDArray[np.float32]) -> NDArray[np.float32]:
        return encode(encoder, sound, delay)[: len(sound) // HOP_SAMPLES]

    return Features(f"{name}, delay {delay_hops(delay) * HOP_MS} ms", future_ms, rows)


if TYPE_CHECKING:
    Item = TypeVar("Item")

SPOKEN = {"kokoro": 250, "kathleen": 90, "grid_s1": 60}
"""Clips of each source that teach the phone probe."""
LIPS = ("inner_gap_13_14", "outer_width_61_291", "lip_protrusion_z")
"""What of the lips is asked, by the names of the capture: their gap, width and protrusion."""
LIP_LESSONS = 260
ALIGNMENT = "evaluation_alignment"
"""Folder of the cache for the alignment of clips that train nothing."""
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


def spread(items: Sequence[Item], most: int) -> list[Item]:
    """Return at most `most` of `items`, evenly spread."""
    count = min(most, len(items))
    return [items[i * len(items) // count] for i in range(count)]


def training_clips(folders: Folders) -> list[PhoneClip]:
    """Return clips of the training part with phones; MissingDataError where there are none."""
    known = _phones(folders)
    found = []
    for source, most in SPOKEN.items():
        clips = clips_of(source, folders.needed(source))
        taught = [clip for clip in clips if clip.part == "train" and clip.name in known]
        for clip in spread(taught, most):
            sound = sound_of(clip.path)
            phones = tuple(within_sound(source, known[clip.name], sound))
            found.append(PhoneClip(clip.name, sound, phones))
    if not found:
        raise MissingDataError(f"{folders.data} holds no aligned training clips; fetch it again")
    return found


def held_out_voices(folders: Folders, most: int) -> list[PhoneClip]:
    """Return clips of the synthetic voices that are held out, with the synthesiser's phones."""
    known = _phones(folders)
    clips = clips_of("kokoro", folders.needed("kokoro"))
    held_out = [clip for clip in clips if clip.part != "train" and clip.name in known]
    found = []
    for clip in spread(held_out, most):
        sound = sound_of(clip.path)
        phones = tuple(within_sound("kokoro", known[clip.name], sound))
        found.append(PhoneClip(clip.name, sound, phones))
    return found


def actors(folders: Folders, most: int) -> list[PhoneClip]:
    """Return RAVDESS's actors with their phones; aligns them at the first call."""
    audio = folders.needed("ravdess")
    kept = folders.cache / ALIGNMENT
    kept.mkdir(parents=True, exist_ok=True)
    sentences = sorted(sentences_of("ravdess", audio), key=lambda s: s.name)
    try:
        known = Aligner(kept).align("ravdess", sentences)
    except ImportError as error:
        what = "RAVDESS has no phones without PocketSphinx"
        raise MissingDataError(f"{what}; install cstalk-bridge[train]") from error
    found = [sentence for sentence in sentences if sentence.name in known]
    return [PhoneClip(s.name, sound_of(s.path), tuple(known[s.name])) for s in spread(found, most)]


def grid_lips(folders: Folders) -> list[LipClip]:
    """Return GRID's training clips with the speaker's lips."""
    path = folders.needed(GRID_CURVES)
    with archive_of(path) as archive:
        stems = [name for name in archive.files if f"{name}__lips" in archive.files]
        taught = [stem for stem in sorted(stems) if part_of(f"grid_s1/{stem}") == "train"]
        return [
            _filmed(
                f"grid_s1/{stem}",
                folders.needed(f"grid_s1/audio/{stem}.opus"),
                archive[f"{stem}__lips"][:, _columns(archive["lips_names"])],
                np.arange(len(archive[f"{stem}__lips"])) / GRID_FPS,
            )
            for stem in spread(taught, LIP_LESSONS)
        ]


def strangers(folders: Folders, most: int) -> list[LipClip]:
    """Return the strangers with their lips."""
    path = folders.needed(f"{STRANGERS}/curves.npz")
    with archive_of(path) as archive:
        stems = sorted(n for n in archive.files if f"{n}__lips" in archive.files)
        return [
            _filmed(
                f"{STRANGERS}/{stem}",
                folders.needed(f"{STRANGERS}/audio/{stem}.opus"),
                archive[f"{stem}__lips"][:, _columns(archive["lips_names"])],
                archive[f"{stem}__t"],
            )
            for stem in spread(stems, most)
        ]


def _columns(names: NDArray[np.str_]) -> list[int]:
    return [list(map(str, names)).index(name) for name in LIPS]


def _filmed(
    name: str, path: Path, lips: NDArray[np.float16], times_s: NDArray[np.floating]
) -> LipClip:
    sound = sound_of(path)
    rows = np.round(times_s * ROW_RATE_HZ).astype(np.int64)
    values = lips.astype(np.float32)
    kept = np.isfinite(values).all(1) & (rows >= 0) & (rows < len(sound) // HOP_SAMPLES)
    return LipClip(name, sound, rows[kept], values[kept])


def _phones(folders: Folders) -> dict[str, list[Segment]]:
    path = folders.prepared(
        "phones.json", "run cstalk_bridge.models.training.prepare, or name it with --cache"
    )
    with reading(path):
        known: dict[str, list[Segment]] = json.loads(path.read_text("utf-8"))
        return {name: [(a, b, phone) for a, b, phone in each] for name, each in known.items()}
