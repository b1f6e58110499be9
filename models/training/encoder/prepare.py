"""Make the encoder's training set: sound, copies of it in other voices, and the teacher's layer.

    python -m cstalk_bridge.models.training.encoder.prepare --data ../shared/data --cache ../cache

It needs `encoder_f16.npz` of Whisper tiny.en (`--whisper`), which only training reads. Each clip
gets `--copies` copies in other voices: played at another speed, or with another pitch
and vocal tract; the teacher encodes each as a recording of its own. Sounds that are no speech are
synthetic and seeded; they contain no recordings. A finished part is kept until what it was made
of changes. The recordings are those of the training set of faces
(`cstalk_bridge.models.training.prepare`, same options), and so are their phones, which the same
aligner writes to `phones.json`.
"""

from __future__ import annotations

import argparse
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import soxr
import torch

from cstalk_bridge.models.timing import HOP_SAMPLES, SAMPLE_RATE_HZ
from cstalk_bridge.models.training.augmentation import other_voices
from cstalk_bridge.models.training.corpus import source_digest
from cstalk_bridge.models.training.encoder.streams import (
    FOLDER,
    NO_SPEECH,
    TeacherClip,
    key_of,
    write_folder,
)
from cstalk_bridge.models.training.encoder.whisper import TEACHER_LAYERS, Whisper, positions, read
from cstalk_bridge.models.training.prepare import align_all
from cstalk_bridge.models.training.sources import (
    clips_of,
    file_digest,
    folders_of,
    require,
    text_digest,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    Sound = NDArray[np.float64]

    SoundGenerator = Callable[[int, np.random.Generator], Sound]


LEVEL_DBFS = (-55.0, -12.0)
NYQUIST_HZ = SAMPLE_RATE_HZ / 2


def band(sound: Sound, low_hz: float, high_hz: float) -> Sound:
    """Return `sound` [time] without what lies outside a band."""
    spectrum = np.fft.rfft(sound)
    hz = np.fft.rfftfreq(len(sound), 1 / SAMPLE_RATE_HZ)
    spectrum[(hz < low_hz) | (hz > high_hz)] = 0
    return np.fft.irfft(spectrum, len(sound))


def _noise(samples: int, random: np.random.Generator) -> Sound:
    low_hz = random.uniform(30, 800)
    return band(random.standard_normal(samples), low_hz, random.uniform(2 * low_hz, NYQUIST_HZ))


def _struck(samples: int, random: np.random.Generator, per_s: float, decay_s: float) -> Sound:
    """Return bursts of noise that die away, at irregular times."""
    sound = np.zeros(samples)
    length = int(8 * decay_s * SAMPLE_RATE_HZ)
    fall = np.exp(-np.arange(length) / (decay_s * SAMPLE_RATE_HZ))
    for start in random.integers(0, samples, max(1, int(per_s * samples / SAMPLE_RATE_HZ))):
        room = min(length, samples - start)
        burst = random.standard_normal(length) * fall * random.uniform(0.3, 1.0)
        sound[start : start + room] += burst[:room]
    return sound


def keys(samples: int, random: np.random.Generator) -> Sound:
    """Return typing."""
    struck = _struck(samples, random, random.uniform(4, 20), random.uniform(0.002, 0.008))
    return band(struck, 300, 7500)


def claps(samples: int, random: np.random.Generator) -> Sound:
    """Return clapping hands or drums."""
    struck = _struck(samples, random, random.uniform(1, 5), random.uniform(0.01, 0.06))
    return band(struck, random.uniform(40, 600), random.uniform(3000, 7500))


def _harmonics(samples: int, hz: float, count: int, fall: float) -> Sound:
    times_s = np.arange(samples) / SAMPLE_RATE_HZ
    audible = [k for k in range(1, count + 1) if k * hz < NYQUIST_HZ]
    partials = [np.sin(2 * np.pi * k * hz * times_s) / k**fall for k in audible]
    return np.asarray(np.sum(partials, 0))


def hum(samples: int, random: np.random.Generator) -> Sound:
    """Return the hum of mains or a motor."""
    hz = random.choice((50.0, 60.0, 100.0, random.uniform(80, 200)))
    return _harmonics(samples, hz, int(random.integers(2, 20)), random.uniform(0.5, 1.5))


def _gate(samples: int, random: np.random.Generator, length_s: tuple[float, float]) -> Sound:
    """Return an envelope, 0..1, of notes or pulses with soft edges."""
    gate = np.zeros(samples)
    start = int(random.integers(0, SAMPLE_RATE_HZ // 2))
    while start < samples:
        length = int(random.uniform(*length_s) * SAMPLE_RATE_HZ)
        edge = max(1, int(random.uniform(0.003, 0.05) * SAMPLE_RATE_HZ))
        ramp = np.minimum(1, np.minimum(np.arange(length), np.arange(length)[::-1]) / edge)
        room = min(length, samples - start)
        gate[start : start + room] = ramp[:room] * random.uniform(0.4, 1.0)
        start += length + int(random.exponential(0.3) * SAMPLE_RATE_HZ)
    return gate


def music(samples: int, random: np.random.Generator) -> Sound:
    """Return chords."""
    root_hz = random.uniform(110, 440)
    ratios = ((1.0, 1.26, 1.5), (1.0, 1.19, 1.5), (1.0, 1.5, 2.0))[random.integers(3)]
    overtones, fall = int(random.integers(1, 8)), random.uniform(0.8, 2.0)
    chord = np.sum([_harmonics(samples, root_hz * r, overtones, fall) for r in ratios], 0)
    return np.asarray(chord * _gate(samples, random, (0.2, 1.5)))


def beeps(samples: int, random: np.random.Generator) -> Sound:
    """Return tones that begin and end."""
    tone = _harmonics(samples, random.uniform(300, 3000), 1, 1.0)
    return tone * _gate(samples, random, (0.05, 0.6))


def whistle(samples: int, random: np.random.Generator) -> Sound:
    """Return a gliding tone."""
    points_hz = random.uniform(400, 2500, 2 + samples // (SAMPLE_RATE_HZ // 2))
    hz = np.interp(np.linspace(0, 1, samples), np.linspace(0, 1, len(points_hz)), points_hz)
    return np.sin(2 * np.pi * np.cumsum(hz) / SAMPLE_RATE_HZ) * _gate(samples, random, (0.3, 2.0))


def puffs(samples: int, random: np.random.Generator) -> Sound:
    """Return coughs, breath on the microphone, rustling."""
    rush = _noise(samples, random)
    return rush * np.square(_gate(samples, random, (0.08, 0.8)))


def silence(samples: int, random: np.random.Generator) -> Sound:
    """Return digital silence."""
    del random
    return np.zeros(samples)


SOUNDS: dict[str, SoundGenerator] = {
    "keys": keys,
    "claps": claps,
    "hum": hum,
    "music": music,
    "beeps": beeps,
    "whistle": whistle,
    "puffs": puffs,
}
"""The kinds that have a name."""
SOUND_GENERATORS: tuple[SoundGenerator, ...] = (*SOUNDS.values(), _noise, silence)


def no_speech(samples: int, random: np.random.Generator) -> NDArray[np.float32]:
    """Return `samples` of one or two of these sounds over faint noise, peak below 1."""
    sound = np.zeros(samples)
    for _ in range(int(random.integers(1, 3))):
        made = SOUND_GENERATORS[random.integers(len(SOUND_GENERATORS))](samples, random)
        power = np.sqrt(np.square(made).mean())
        sound += made / max(power, 1e-9) * 10 ** (random.uniform(*LEVEL_DBFS) / 20)
    if random.random() < 0.7:
        sound += random.standard_normal(samples) * 10 ** (random.uniform(-90, -50) / 20)
    return np.asarray(sound / max(1.0, np.abs(sound).max() * 1.01), dtype=np.float32)


VERSION = "1"
PIECE_S = 12.0
"""Longer recordings are cut: the teacher's positions should be those of speech."""
LEVEL_RMS = 0.06
"""Of the louder half of a clip's hops, as the teacher receives it."""
SPEEDS = (0.82, 1.22)
PITCHES, THROATS = (0.75, 1.5), (0.88, 1.14)
THROAT_SHARE = 0.5  # of the copies that are changed in pitch and throat, each by its own factor


NO_SPEECH_CLIPS, NO_SPEECH_S = 160, (2.0, 8.0)
HELD_OUT_NO_SPEECH = 10


def levelled(sound: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return `sound` [time] at the level at which the teacher receives speech, clipped at 1."""
    hops = sound[: len(sound) // HOP_SAMPLES * HOP_SAMPLES].reshape(-1, HOP_SAMPLES)
    levels = np.sort(np.sqrt(np.square(hops).mean(1)))
    level = float(levels[len(levels) // 2 :].mean()) if len(levels) else 0.0
    brought = np.clip(sound * (LEVEL_RMS / max(level, 1e-4)), -1, 1)
    return np.asarray(brought, dtype=np.float32)


def another_voice(
    sound: NDArray[np.float32], random: np.random.Generator
) -> tuple[NDArray[np.float32], float]:
    """Return `sound` [time] in another voice, and how many times faster it is."""
    speed = float(np.exp(random.uniform(*np.log(SPEEDS))))
    made = soxr.resample(sound, SAMPLE_RATE_HZ * speed, SAMPLE_RATE_HZ)
    if random.random() < THROAT_SHARE and len(made) > SAMPLE_RATE_HZ // 2:
        pitch, throat = (np.exp(random.uniform(*np.log(span))) for span in (PITCHES, THROATS))
        factors = (torch.tensor([factor], dtype=torch.float32) for factor in (pitch, throat))
        made = other_voices(torch.from_numpy(made)[None], *factors)[0].numpy()
    return np.asarray(made, dtype=np.float32), speed


@torch.inference_mode()
def last_layer_of(teacher: Whisper, sound: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the teacher's last layer less its positions, one row a whole hop, [rows, WIDTH]."""
    layer = teacher(torch.from_numpy(sound))[-1]
    less = layer - positions(len(layer))
    rows: NDArray[np.float32] = less[: len(sound) // HOP_SAMPLES].numpy()
    return rows


def pieces_of(
    source: str, folder: Path, copy: int
) -> Iterator[tuple[TeacherClip, NDArray[np.float32]]]:
    """Yield every clip of a source, in pieces, in the voice of a copy; copy 0 is as recorded."""
    piece = int(PIECE_S * SAMPLE_RATE_HZ)
    for clip in clips_of(source, folder):
        sound = levelled(clip.samples())
        seed = hashlib.sha256(f"{clip.name}.{copy}".encode()).digest()
        random = np.random.default_rng(list(seed[:8]))
        for start in range(0, len(sound), piece):
            piece_sound, speed = sound[start : start + piece], 1.0
            if len(piece_sound) < SAMPLE_RATE_HZ // 2:
                continue
            if copy:
                piece_sound, speed = another_voice(piece_sound, random)
            offset_s, rows = start / SAMPLE_RATE_HZ, len(piece_sound) // HOP_SAMPLES
            yield TeacherClip(clip.name, clip.part, copy, speed, offset_s, 0, rows), piece_sound


def noises(copy: int) -> Iterator[tuple[TeacherClip, NDArray[np.float32]]]:
    """Yield sounds that are no speech."""
    random = np.random.default_rng((7, copy))
    for number in range(NO_SPEECH_CLIPS):
        samples = int(random.uniform(*NO_SPEECH_S) * SAMPLE_RATE_HZ)
        part = "dev" if number < HELD_OUT_NO_SPEECH else "train"
        name, rows = f"{NO_SPEECH}/{number:03}", samples // HOP_SAMPLES
        yield TeacherClip(name, part, copy, 1.0, 0.0, 0, rows), no_speech(samples, random)


def prepare(
    folders: dict[str, Path], checkpoint: Path, cache: Path, copies: int, threads: int = 1
) -> None:
    """Bring the set in `cache` up to date: every source as it is, then copy by copy."""
    torch.set_num_threads(threads)
    teacher = read(checkpoint)
    teacher_key = text_digest(VERSION, file_digest(checkpoint), str(TEACHER_LAYERS))
    digests = {source: source_digest(source, folder) for source, folder in folders.items()}
    digests[NO_SPEECH] = VERSION
    for copy in range(copies + 1):
        for source, digest in digests.items():
            folder, key = cache / FOLDER / f"{source}.{copy}", text_digest(teacher_key, digest)
            if key_of(folder) == key:
                continue
            is_speech = source in folders
            found = pieces_of(source, folders[source], copy) if is_speech else noises(copy)
            write_folder(folder, key, _with_teacher_layer(teacher, found))
            print(f"{source}, copy {copy}: written", flush=True)


def _with_teacher_layer(
    teacher: Whisper, found: Iterator[tuple[TeacherClip, NDArray[np.float32]]]
) -> Iterator[tuple[TeacherClip, NDArray[np.float32], NDArray[np.float32]]]:
    for clip, sound in found:
        yield clip, sound[: clip.rows * HOP_SAMPLES], last_layer_of(teacher, sound)


def main() -> None:
    """Prepare the encoder's training set."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--cache", type=Path, default=Path("../cache"))
    parser.add_argument(
        "--whisper", type=Path, help="Whisper checkpoint (default: whisper_tiny_en in --data)"
    )
    parser.add_argument("--more-speech", type=Path, metavar="FOLDER")
    parser.add_argument("--research", action="store_true")
    parser.add_argument("--copies", type=int, default=2)
    options = parser.parse_args()
    checkpoint = options.whisper or options.data / "whisper_tiny_en/encoder_f16.npz"
    require(
        parser, checkpoint, "the encoder of Whisper tiny.en is the teacher; name it with --whisper"
    )
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
