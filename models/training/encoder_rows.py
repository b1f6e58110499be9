"""Speech encoder rows as training inputs of the decoder: streams on disk, and seeded batches.

    python -m cstalk_bridge.models.training.encoder_rows --cache ../cache

computes the rows, after `cstalk_bridge.models.training.prepare`. The encoder is far larger than the
decoder that turns its rows into faces, and it stays frozen while the decoder trains; so its rows
are computed once. A stream is `HOPS` long: voices that follow one
another, some of them with another vocal effort or in another voice (`augmentation.py`), with pauses
and other sounds between them, in rooms, lines and noise that change over time.
`<cache>/heard` holds an archive for each stream: `clip` and `position` (the clip's number in the
set's index and the row in it, -1 without speech), `effort`, and `ear_<delay>` [HOPS, width]
at each of the encoder's delays.

A batch depends only on the seed and its number, so that a resumed run continues the same sequence.
"""

from __future__ import annotations

import argparse
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from cstalk_bridge.models.board import AUDIO_DRIVEN
from cstalk_bridge.models.cstalk.architecture import ENCODER_DELAYS, EncoderArchitecture
from cstalk_bridge.models.emotions import EMOTIONS
from cstalk_bridge.models.encoder.weights import load_encoder
from cstalk_bridge.models.errors import WeightsError
from cstalk_bridge.models.features import (
    ENCODER_HISTORY_SAMPLES,
    MOST_DELAY_HOPS,
    RIGHT_HOPS,
    delay_hops,
)
from cstalk_bridge.models.loading import ENCODER_PATH
from cstalk_bridge.models.timing import HOP_SAMPLES, SAMPLE_RATE_HZ
from cstalk_bridge.models.training.augmentation import opening, with_effort
from cstalk_bridge.models.training.batches import draw_emotions, draw_guards, emotion_row
from cstalk_bridge.models.training.captured_faces import OBSERVED_CHANNELS
from cstalk_bridge.models.training.corpus import Corpus, read_index, source_of
from cstalk_bridge.models.training.encoder.prepare import another_voice, no_speech
from cstalk_bridge.models.training.encoder.streams import scenes
from cstalk_bridge.models.training.rules import (
    GESTURE_CHANNELS,
    GESTURES,
    SPOKEN,
    envelopes_of,
    face_targets,
)
from cstalk_bridge.models.training.sources import file_digest, require, text_digest
from cstalk_bridge.models.training.targets import OBSERVED_GESTURES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray
    from torch import Tensor

    from cstalk_bridge.models.encoder.network import Encoder


VERSION = "1"
HOPS = 3200
SCENED_HOPS = 800
"""Hops of a stream that are augmented as scenes together
(`cstalk_bridge.models.training.encoder.streams`)."""
FOLDER = "heard"
SAMPLING_WEIGHTS = {
    "kokoro": 0.42,
    "kokoro_more": 0.42,
    "kathleen": 0.15,
    "grid_s1": 0.33,
    "facegood": 0.06,
    "ravdess": 0.3,
    "strangers": 1.2,  # of short clips
}
"""How often a source is drawn against the others that are there."""
GOES_ON_SHARE = 0.7  # of the clips that follow one of the same source
OTHER_VOICE_SHARE = 0.5
EFFORT_SHARE = 0.3
PAUSE_SHARE, PAUSE_HOPS = 0.45, (4, 90)
SOUND_SHARE = 0.45  # of the pauses, with a sound that is no speech in them
FADE_SAMPLES = 48
NOISES, NOISE_S = 24, 6.0


class Stream:
    """A stream under construction: sound, and the clip and row of each hop."""

    def __init__(self) -> None:
        self.sound = np.zeros(HOPS * HOP_SAMPLES, dtype=np.float32)
        self.clip = np.full(HOPS, -1, dtype=np.int32)
        self.position = np.zeros(HOPS, dtype=np.float32)
        self.effort = np.zeros(HOPS, dtype=np.float16)
        self.at = 0

    def put(self, sound: NDArray[np.float32], clip: int, first: float, speed: float) -> slice:
        """Append `sound`, whose hops are rows `first`, `first + speed` .. of a clip (-1: none)."""
        hops = min(len(sound) // HOP_SAMPLES, HOPS - self.at)
        where = slice(self.at, self.at + hops)
        piece = sound[: hops * HOP_SAMPLES].copy()
        fade = np.linspace(0, 1, min(FADE_SAMPLES, len(piece)), dtype=np.float32)
        piece[: len(fade)] *= fade
        piece[len(piece) - len(fade) :] *= fade[::-1]
        self.sound[where.start * HOP_SAMPLES : where.stop * HOP_SAMPLES] = piece
        self.clip[where] = clip
        self.position[where] = first + speed * np.arange(hops)
        self.at = where.stop
        return where


def compose(corpus: Corpus, numbers: dict[str, int], random: np.random.Generator) -> Stream:
    """Return a stream of the clips of a part; `numbers` gives their place in the set's index."""
    stream, source = Stream(), ""
    weights = {name: SAMPLING_WEIGHTS[name] for name, clips in corpus.by_source.items() if clips}
    total = sum(weights.values())
    while stream.at < HOPS:
        if random.random() < PAUSE_SHARE:
            samples = int(random.integers(*PAUSE_HOPS)) * HOP_SAMPLES
            is_loud = random.random() < SOUND_SHARE
            pause = no_speech(samples, random) if is_loud else np.zeros(samples, np.float32)
            stream.put(pause, -1, 0.0, 1.0)
        if not source or random.random() >= GOES_ON_SHARE:
            chances = [weight / total for weight in weights.values()]
            source = str(random.choice(list(weights), p=chances))
        clips = corpus.by_source[source]
        clip = clips[random.integers(len(clips))]
        _append_clip(stream, corpus, clip, numbers[clip["name"]], random)
    return stream


def _append_clip(
    stream: Stream, corpus: Corpus, clip: dict[str, Any], number: int, random: np.random.Generator
) -> None:
    skipped = int(random.integers(max(1, clip["rows"] - HOPS)))
    first = clip["first"] + skipped
    rows = corpus.samples[first : clip["first"] + min(clip["rows"], skipped + HOPS)]
    sound = rows.reshape(-1).astype(np.float32) / 32768.0
    speed, effort = 1.0, 0.0
    if random.random() < OTHER_VOICE_SHARE:
        sound, speed = another_voice(sound, random)
    if random.random() < EFFORT_SHARE:
        effort = float(random.uniform(-1, 1))
        sound = with_effort(sound, effort, random)
    where = stream.put(sound, number, skipped, speed)
    stream.effort[where] = effort


@torch.inference_mode()
def encode_stream(encoder: Encoder, sound: NDArray[np.float32]) -> dict[str, Any]:
    """Return an encoder's rows of a stream at each delay, by `ear_<delay>`, [HOPS, width].

    Row i is at i * 20 ms; before and after the stream there is silence.
    """
    padded = np.pad(sound, (ENCODER_HISTORY_SAMPLES, MOST_DELAY_HOPS * HOP_SAMPLES))
    samples = torch.from_numpy(padded)[None]
    rows = {}
    for delay in range(len(RIGHT_HOPS)):
        features = encoder(samples, delay, encoder.silent_caches(1, delay))[0]
        late = delay_hops(delay) - 1
        rows[f"ear_{delay}"] = features[late : late + len(sound) // HOP_SAMPLES].half().numpy()
    return rows


def make(
    cache: Path, encoder: Path, part: str, streams: int, base: Path | None = None, shared: int = 0
) -> None:
    """Bring the streams of a part in the cache up to date; existing streams are kept.

    The first `shared` of them are those of the cache `base`, whose clips this one begins with; the
    others are of the sources that `base` lacks. ValueError: they do not fit.
    """
    folder = cache / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    index = (cache / "index.json").read_text("utf-8")
    key = text_digest(VERSION, file_digest(encoder), index)
    path = folder / "key.json"
    if not path.exists() or json.loads(path.read_text("utf-8")) != key:
        for old in folder.glob("*.npz"):
            old.unlink()
        path.write_text(json.dumps(key), "utf-8")
    corpus, network = Corpus(cache, part), load_encoder(encoder)[0]
    if base is not None:
        known = _share(base, cache, encoder, f"{part}-", shared)
        corpus.by_source = {
            name: [] if name in known else c for name, c in corpus.by_source.items()
        }
    numbers = {clip["name"]: number for number, clip in enumerate(json.loads(index))}
    noise = np.random.default_rng(7)
    sounds = [no_speech(int(NOISE_S * SAMPLE_RATE_HZ), noise) for _ in range(NOISES)]
    for number in range(streams):
        path = folder / f"{part}-{number:04}.npz"
        if path.exists() or not any(corpus.by_source.values()):
            continue
        random = np.random.default_rng((number, len(part)))
        rng = torch.Generator().manual_seed(int(random.integers(2**62)))
        stream = compose(corpus, numbers, random)
        cut = torch.from_numpy(stream.sound).reshape(-1, SCENED_HOPS * HOP_SAMPLES)
        rows = encode_stream(network, scenes(cut, sounds, random, rng).reshape(-1).numpy())
        partial = path.with_suffix(".partial.npz")
        labels: dict[str, Any] = {"clip": stream.clip, "position": stream.position}
        np.savez(partial, effort=stream.effort, **labels, **rows)
        partial.replace(path)
        print(f"{part}: stream {number + 1} of {streams}", flush=True)


def _share(base: Path, cache: Path, encoder: Path, prefix: str, streams: int) -> set[str]:
    """Copy the first streams of `base` that `cache` lacks; return the sources of `base`."""
    text = (base / "index.json").read_text("utf-8")
    clips = json.loads(text)
    key = base / FOLDER / "key.json"
    if read_index(cache)[: len(clips)] != clips:
        raise ValueError(f"{cache} does not begin with the clips of {base}; prepare both again")
    if json.loads(key.read_text("utf-8")) != text_digest(VERSION, file_digest(encoder), text):
        raise ValueError(f"{base / FOLDER} is of an earlier set or encoder; compute it again")
    for number in range(streams):
        name = f"{prefix}{number:04}.npz"
        if not (cache / FOLDER / name).exists():
            shutil.copyfile(base / FOLDER / name, cache / FOLDER / name)
    return {source_of(clip) for clip in clips}


ROWS = 140
"""Rows of a piece that count in the loss."""
FIRST_HOPS = 16
"""First hops of a stream, which no piece covers: their context and look-ahead are incomplete."""
NO_SPEECH_CLIP = -1
"""The clip of a row without speech; below: unknown."""
EARLY_HOPS = 1
"""By how much the target faces lead the sound: aligners place phones later than lips begin them,
and an uncertain network answers late."""
LIVE_DELAYS, LIVE_SHARE = (3, 4), 0.5
"""Look-aheads in hops of typical live use, and the share of pieces that have them; the others have
any."""
ACTED_SHARE = 0.75
"""Of the pieces with an actor's voice, those under an emotion played in it."""
UNSPOKEN = OBSERVED_CHANNELS & ~(GESTURE_CHANNELS.amax(0) > 0).numpy()
"""The channels that action units determine and speech does not move, [channels]."""
OPENED = ("jaw", "upper_raise", "lower_depress")
"""The gestures that vocal effort enlarges."""


@dataclass(frozen=True, slots=True)
class EncoderRowBatch:
    """One batch: encoder rows and target faces.

    `rows` [batch, width, context + ROWS] are the encoder's, the last one of the last hop;
    `targets` [batch, ROWS, channels], `observed` [batch, ROWS, gestures] which of them are known.
    """

    rows: Tensor
    conditions: Tensor
    delay_hops: Tensor
    targets: Tensor
    observed: Tensor


@dataclass(frozen=True, slots=True, eq=False)
class _Stream:
    rows_by_delay: tuple[NDArray[np.float16], ...]
    gestures: NDArray[np.float32]
    stress: NDArray[np.float32]
    envelopes: NDArray[np.float32]
    observed: NDArray[np.bool_]
    clips: NDArray[np.int32]
    captured: NDArray[np.float16] | None
    captured_seen: NDArray[np.bool_]

    def acted_in(self, face: slice, played: Mapping[int, Mapping[str, float]]) -> list[int]:
        """Return the clips in the rows `face` whose emotion is known."""
        return [int(clip) for clip in np.unique(self.clips[face]) if int(clip) in played]


class EncoderRowSet:
    """The streams of one part, in memory: 8 MB each. FileNotFoundError where there are none."""

    def __init__(self, cache: Path, part: str) -> None:
        self.corpus = Corpus(cache, part)
        self._index = read_index(cache)
        self.played: dict[int, dict[str, float]] = {
            number: clip["emotion"] for number, clip in enumerate(self._index) if "emotion" in clip
        }
        paths = sorted((cache / FOLDER).glob(f"{part}-[0-9]*[0-9].npz"))
        if not paths:
            raise FileNotFoundError(f"{cache / FOLDER} holds no streams of {part}")
        self.streams = [self._read(path) for path in paths]
        self.key = json.loads((cache / FOLDER / "key.json").read_text("utf-8"))

    def gesture_spread(self) -> Tensor:
        """Return each gesture's standard deviation over the corpus, at least 0.05, [gestures]."""
        return self.corpus.gesture_spread()

    def minutes(self) -> dict[str, float]:
        """Return how much there is of each source, each recording counted once."""
        return self.corpus.minutes()

    def _read(self, path: Path) -> _Stream:
        with np.load(path) as archive:
            rows_by_delay = tuple(archive[f"ear_{delay}"] for delay in range(len(RIGHT_HOPS)))
            clips, positions = archive["clip"], archive["position"].astype(np.float64)
            wider = opening(archive["effort"].astype(np.float32))
        gestures = np.zeros((HOPS, len(GESTURES)), dtype=np.float32)
        stress = np.zeros(HOPS, dtype=np.float32)
        captured, captured_seen = self._captured(clips, positions)
        observed = np.ones((HOPS, len(GESTURES)), dtype=np.bool_)
        observed[clips < NO_SPEECH_CLIP] = False
        for number in np.unique(clips[clips >= 0]):
            at = np.flatnonzero(clips == number)
            clip = self._index[number]
            gestures[at], stress[at] = self._clip_targets(clip, positions[at])
            observable = OBSERVED_GESTURES[source_of(clip)]
            observed[at] = [name in observable for name in GESTURES]
        opened = [list(GESTURES).index(name) for name in OPENED]
        gestures[:, opened] = np.clip(gestures[:, opened] * wider[:, None], 0.0, 1.0)
        envelopes = envelopes_of(np.flatnonzero(stress > SPOKEN), np.arange(HOPS))
        faces = (gestures, stress, envelopes, observed)
        return _Stream(rows_by_delay, *faces, clips, captured, captured_seen)

    def _captured(
        self, clips: NDArray[np.int32], positions: NDArray[np.float64]
    ) -> tuple[NDArray[np.float16] | None, NDArray[np.bool_]]:
        """Return tracked channels [HOPS, channels], None without any, and where there are some."""
        tracked = [
            int(number)
            for number in np.unique(clips[clips >= 0])
            if "captured" in self._index[number]
        ]
        seen = np.isin(clips, tracked)
        if not tracked:
            return None, seen
        captured = np.zeros((HOPS, len(AUDIO_DRIVEN)), dtype=np.float16)
        for number in tracked:
            clip, at = self._index[number], np.flatnonzero(clips == number)
            rows = np.clip(np.rint(positions[at]).astype(np.int64), 0, clip["rows"] - 1)
            captured[at] = self.corpus.captured[clip["captured"] + rows]
        return captured, seen

    def _clip_targets(
        self, clip: dict[str, Any], positions: NDArray[np.float64]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        local = np.clip(positions, 0, clip["rows"] - 1)
        low = np.floor(local).astype(np.int64)
        high = np.minimum(low + 1, clip["rows"] - 1)
        share = (local - low)[:, None]
        gestures, first = self.corpus.gestures, clip["first"]
        blend = gestures[first + low] * (1 - share) + gestures[first + high] * share
        return blend.astype(np.float32), self.corpus.stress[first + low].astype(np.float32)

    def draw(
        self, architecture: EncoderArchitecture, size: int, seed: int, number: int
    ) -> EncoderRowBatch:
        """Return batch `number` of the run `seed`, under emotions and guards of any strength.

        Pieces with an actor's voice mostly have the emotion that the actor played, and his face as
        far as it was tracked and speech does not move it.
        """
        random = np.random.default_rng((seed, number))
        delays = random.integers(0, architecture.delays, size)
        is_live = random.random(size) < LIVE_SHARE
        delays[is_live] = random.choice(LIVE_DELAYS, int(is_live.sum()))
        places = [self._place(architecture, int(delay), random) for delay in delays]
        pieces: list[tuple[NDArray[Any], ...]] = []
        for stream, heard, face in places:
            tracks = (stream.gestures, stream.stress, stream.envelopes, stream.observed)
            pieces.append((heard.T, *(track[face] for track in tracks)))
        rows, gestures, stress, envelopes, observed = (
            torch.from_numpy(np.stack(part)) for part in zip(*pieces, strict=True)
        )
        emotions = draw_emotions(size, len(EMOTIONS), random)
        guards = draw_guards(size, random)
        acted = [
            self._act(stream, face, emotions[row], random)
            for row, (stream, _, face) in enumerate(places)
        ]
        conditions = torch.cat((emotions, guards), 1)
        targets = face_targets(gestures, stress, envelopes, conditions)
        for row, seen in enumerate(acted):
            stream, _, face = places[row]
            if stream.captured is not None and seen.any():
                channels = torch.from_numpy(seen[:, None] & UNSPOKEN)
                tracked = torch.from_numpy(stream.captured[face].astype(np.float32))
                targets[row] = torch.where(channels, tracked, targets[row])
        return EncoderRowBatch(
            rows.float(), conditions, torch.from_numpy(delays), targets, observed
        )

    def _place(
        self, architecture: EncoderArchitecture, delay: int, random: np.random.Generator
    ) -> tuple[_Stream, NDArray[np.float16], slice]:
        """Return a stream, its encoder rows of a piece, and the rows of the piece's faces.

        After n hops the encoder gives row n - late, and the face is that of row n - `delay`.
        """
        stream, context = self.streams[random.integers(len(self.streams))], architecture.window_rows
        encoder_delay = ENCODER_DELAYS[delay]
        hop = int(random.integers(context + FIRST_HOPS, HOPS - ROWS - EARLY_HOPS))
        late = delay_hops(encoder_delay)
        heard = stream.rows_by_delay[encoder_delay][hop - context - late : hop + ROWS - late]
        return stream, heard, slice(hop - delay + EARLY_HOPS, hop - delay + EARLY_HOPS + ROWS)

    def _act(
        self, stream: _Stream, face: slice, emotion: Tensor, random: np.random.Generator
    ) -> NDArray[np.bool_]:
        """Put what an actor plays in the rows `face` into `emotion` [emotions], which it changes.

        Returns in which of the rows a tracked face shows it.
        """
        acted = stream.acted_in(face, self.played)
        if not acted or random.random() >= ACTED_SHARE:
            return np.zeros(face.stop - face.start, dtype=np.bool_)
        weights = self.played[acted[random.integers(len(acted))]]
        emotion.copy_(emotion_row(weights))
        alike = [clip for clip in acted if self.played[clip] == weights]
        return np.asarray(np.isin(stream.clips[face], alike) & stream.captured_seen[face])


def main() -> None:
    """Compute the encoder rows of both parts."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cache", type=Path, default=Path("../cache"))
    parser.add_argument("--encoder", type=Path, default=ENCODER_PATH)
    parser.add_argument(
        "--streams",
        type=int,
        default=240,
        help="number of training streams of 64 s (default: %(default)s)",
    )
    parser.add_argument(
        "--base",
        type=Path,
        metavar="CACHE",
        help="take --shared streams from this cache; the others are of the sources that it lacks",
    )
    parser.add_argument("--shared", type=int, default=0)
    options = parser.parse_args()
    require(parser, options.cache / "index.json", "run cstalk_bridge.models.training.prepare first")
    torch.set_num_threads(1)
    try:
        if options.base is None:
            make(options.cache, options.encoder, "dev", max(1, options.streams // 24))
        shared = (options.base, options.shared)
        make(options.cache, options.encoder, "train", options.streams, *shared)
    except (WeightsError, ValueError, FileNotFoundError) as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
