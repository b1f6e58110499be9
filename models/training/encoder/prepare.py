"""Make the encoder's training set: sound, other voices made of it, and what the teacher hears.

    python -m models.training.encoder.prepare --data ../shared/data --cache ../cache

needs `encoder_f16.npz` of Whisper tiny.en (`--whisper`), which only training reads. Beside each
clip stand `--copies` more of it, in other voices: played at another speed, or with another pitch
and throat; the teacher hears each as a recording of its own. A finished part is kept until what it
was made of changes. The recordings are those of the training set of faces (`models.training.
prepare`, same options), and so are their phones, which the same aligner writes to `phones.json`.
"""

from __future__ import annotations

import argparse
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import soxr
import torch

from models.timing import HOP_SAMPLES, SAMPLE_RATE_HZ
from models.training.contents import file_digest, text_digest
from models.training.encoder.noises import no_speech
from models.training.encoder.taught import FOLDER, Taught, key_of, write_folder
from models.training.encoder.whisper import TAUGHT_LAYERS, Whisper, positions, read
from models.training.manifest import source_digest
from models.training.prepare import align_all
from models.training.sources import clips_of, folders_of, require
from models.training.voices import other_voices

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

VERSION = "1"
PIECE_S = 12.0
"""Longer recordings are cut: the teacher's positions should be those of speech."""
LEVEL_RMS = 0.06
"""Of the louder half of a clip's hops, as the teacher hears it."""
SPEEDS = (0.82, 1.22)
PITCHES, THROATS = (0.75, 1.5), (0.88, 1.14)
THROAT_SHARE = 0.5  # of the copies that are changed in pitch and throat, each by its own factor
NO_SPEECH = "no_speech"
NO_SPEECH_CLIPS, NO_SPEECH_S = 160, (2.0, 8.0)
HELD_OUT_NO_SPEECH = 10


def levelled(sound: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return `sound` [time] at the level at which the teacher hears speech, cut at 1."""
    hops = sound[: len(sound) // HOP_SAMPLES * HOP_SAMPLES].reshape(-1, HOP_SAMPLES)
    levels = np.sort(np.sqrt(np.square(hops).mean(1)))
    level = float(levels[len(levels) // 2 :].mean()) if len(levels) else 0.0
    brought = np.clip(sound * (LEVEL_RMS / max(level, 1e-4)), -1, 1)
    return np.asarray(brought, dtype=np.float32)


def another_voice(
    sound: NDArray[np.float32], random: np.random.Generator
) -> tuple[NDArray[np.float32], float]:
    """Return `sound` [time] as somebody else might say it, and how many times faster it is."""
    speed = float(np.exp(random.uniform(*np.log(SPEEDS))))
    made = soxr.resample(sound, SAMPLE_RATE_HZ * speed, SAMPLE_RATE_HZ)
    if random.random() < THROAT_SHARE and len(made) > SAMPLE_RATE_HZ // 2:
        pitch, throat = (np.exp(random.uniform(*np.log(span))) for span in (PITCHES, THROATS))
        factors = (torch.tensor([factor], dtype=torch.float32) for factor in (pitch, throat))
        made = other_voices(torch.from_numpy(made)[None], *factors)[0].numpy()
    return np.asarray(made, dtype=np.float32), speed


@torch.inference_mode()
def heard_by(teacher: Whisper, sound: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the teacher's last layer less its positions, one row a whole hop, [rows, WIDTH]."""
    layer = teacher(torch.from_numpy(sound))[-1]
    less = layer - positions(len(layer))
    rows: NDArray[np.float32] = less[: len(sound) // HOP_SAMPLES].numpy()
    return rows


def pieces_of(source: str, folder: Path, copy: int) -> Iterator[tuple[Taught, NDArray[np.float32]]]:
    """Yield every clip of a source, in pieces, in the voice of a copy; copy 0 is as recorded."""
    piece = int(PIECE_S * SAMPLE_RATE_HZ)
    for clip in clips_of(source, folder):
        sound = levelled(clip.samples())
        seed = hashlib.sha256(f"{clip.name}.{copy}".encode()).digest()
        random = np.random.default_rng(list(seed[:8]))
        for start in range(0, len(sound), piece):
            said, speed = sound[start : start + piece], 1.0
            if len(said) < SAMPLE_RATE_HZ // 2:
                continue
            if copy:
                said, speed = another_voice(said, random)
            offset_s, rows = start / SAMPLE_RATE_HZ, len(said) // HOP_SAMPLES
            yield Taught(clip.name, clip.part, copy, speed, offset_s, 0, rows), said


def noises(copy: int) -> Iterator[tuple[Taught, NDArray[np.float32]]]:
    """Yield sounds that are no speech."""
    random = np.random.default_rng((7, copy))
    for number in range(NO_SPEECH_CLIPS):
        samples = int(random.uniform(*NO_SPEECH_S) * SAMPLE_RATE_HZ)
        part = "dev" if number < HELD_OUT_NO_SPEECH else "train"
        name, rows = f"{NO_SPEECH}/{number:03}", samples // HOP_SAMPLES
        yield Taught(name, part, copy, 1.0, 0.0, 0, rows), no_speech(samples, random)


def prepare(
    folders: dict[str, Path], checkpoint: Path, cache: Path, copies: int, threads: int = 1
) -> None:
    """Bring the set in `cache` up to date: every source as it is, then copy by copy."""
    torch.set_num_threads(threads)
    teacher = read(checkpoint)
    taught_by = text_digest(VERSION, file_digest(checkpoint), str(TAUGHT_LAYERS))
    digests = {source: source_digest(source, folder) for source, folder in folders.items()}
    digests[NO_SPEECH] = VERSION
    for copy in range(copies + 1):
        for source, digest in digests.items():
            folder, key = cache / FOLDER / f"{source}.{copy}", text_digest(taught_by, digest)
            if key_of(folder) == key:
                continue
            is_speech = source in folders
            found = pieces_of(source, folders[source], copy) if is_speech else noises(copy)
            write_folder(folder, key, _taught(teacher, found))
            print(f"{source}, copy {copy}: written", flush=True)


def _taught(
    teacher: Whisper, found: Iterator[tuple[Taught, NDArray[np.float32]]]
) -> Iterator[tuple[Taught, NDArray[np.float32], NDArray[np.float32]]]:
    for clip, sound in found:
        yield clip, sound[: clip.rows * HOP_SAMPLES], heard_by(teacher, sound)


def main() -> None:
    """Prepare the encoder's training set."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--cache", type=Path, default=Path("../cache"))
    parser.add_argument("--whisper", type=Path, help="default: whisper_tiny_en in --data")
    parser.add_argument("--more-speech", type=Path, metavar="FOLDER")
    parser.add_argument("--research", action="store_true")
    parser.add_argument("--copies", type=int, default=2)
    options = parser.parse_args()
    checkpoint = options.whisper or options.data / "whisper_tiny_en/encoder_f16.npz"
    require(parser, checkpoint, "the encoder of Whisper tiny.en teaches; name it with --whisper")
    folders = folders_of(options.data, options.more_speech, research=options.research)
    if not folders:
        parser.error(f"{options.data}: no recordings found; name the data folder with --data")
    try:
        align_all(folders, options.cache)
    except ModuleNotFoundError as error:
        parser.error(f"{error.name} is not installed; pip install 'cstalk-bridge[train]'")
    prepare(folders, checkpoint, options.cache, options.copies)


if __name__ == "__main__":
    main()
