"""Forced alignment of known sentences, and their phones as segments and as rows."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import soundfile

from cstalk_bridge.models.files import write_file
from cstalk_bridge.models.phones import FROM_IPA, PHONES, SILENCE, gestures
from cstalk_bridge.models.timing import HOP_S, HOP_SAMPLES, ROW_RATE_HZ, SAMPLE_RATE_HZ
from cstalk_bridge.models.training.sources import code_digest

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray


RANGE_DB = 40.0  # below the clip's loud parts by this much counts as silent
QUIET_DB = 35.0
"""A hop this far under the loud ones of its clip is no speech."""


def relative_loudness(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return loudness in 0..1 at each row of mono 16 kHz `samples`, [time].

    1 is the clip's 95th percentile, 0 is `RANGE_DB` under it; each row averages 40 ms around it.
    """
    frames = len(samples) // HOP_SAMPLES
    padded = np.pad(samples, (HOP_SAMPLES, HOP_SAMPLES))
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * HOP_SAMPLES)[::HOP_SAMPLES]
    power = np.square(windows[:frames]).mean(1) + 1e-10
    level_db = 10.0 * np.log10(power)
    loud_db = np.percentile(level_db, 95)
    loudness = np.clip(1.0 + (level_db - loud_db) / RANGE_DB, 0.0, 1.0)
    return np.asarray(loudness, dtype=np.float32)


def smooth(curve: NDArray[np.float32], frames: int) -> NDArray[np.float32]:
    """Return `curve` [time] under a centred Hann window of `frames` rows."""
    window = np.hanning(frames + 2)[1:-1]
    smoothed = np.convolve(curve, window / window.sum(), mode="same")[: len(curve)]
    return np.asarray(smoothed, dtype=np.float32)


def speech_span(sound: NDArray[np.float32]) -> tuple[float, float]:
    """Return when speech begins and ends in a clean clip [time] of 16 kHz, in seconds.

    Of hops of 20 ms, the first and the last whose power is within `QUIET_DB` of the clip's 95th
    percentile; (0, 0) where the clip is digital silence.
    """
    hops = len(sound) // HOP_SAMPLES
    power = np.square(sound[: hops * HOP_SAMPLES].reshape(-1, HOP_SAMPLES)).mean(1)
    if not power.any():
        return 0.0, 0.0
    loud = np.flatnonzero(power > np.percentile(power[power > 0], 95) / 10 ** (QUIET_DB / 10))
    return float(loud[0] * HOP_S), float((loud[-1] + 1) * HOP_S)


Segment = tuple[float, float, str]
"""Start and end of a phone in seconds, and its name in `PHONES`."""


def frame_times_s(frames: int) -> NDArray[np.float64]:
    """Return the audio time of each row."""
    return np.arange(frames) / ROW_RATE_HZ


def fill_gaps(segments: Sequence[Segment], end_s: float) -> list[Segment]:
    """Return `segments` with silence wherever no phone was aligned, from 0 to `end_s`."""
    filled: list[Segment] = []
    clock_s = 0.0
    for start_s, stop_s, phone in [*segments, (end_s, end_s, SILENCE)]:
        if start_s - clock_s > 1 / ROW_RATE_HZ:
            filled.append((clock_s, start_s, SILENCE))
        if stop_s > start_s:
            filled.append((start_s, stop_s, phone))
        clock_s = max(clock_s, stop_s)
    return filled


def phone_indices(segments: Sequence[Segment], frames: int) -> NDArray[np.int64]:
    """Return the phone at each row's time, [time]; silence where none is aligned."""
    indices = np.zeros(frames, dtype=np.int64)
    times_s = frame_times_s(frames)
    for start_s, end_s, phone in segments:
        first, last = np.searchsorted(times_s, (start_s, end_s))
        indices[first:last] = PHONES.index(phone)
    return indices


def within_sound(
    source: str, segments: Sequence[Segment], sound: NDArray[np.float32]
) -> list[Segment]:
    """Return a clip's segments as far as its `sound` (mono, 16 kHz) goes.

    The last phone of a Kokoro source's durations holds the pause after the sentence.
    """
    if not source.startswith("kokoro"):
        return list(segments)
    end_s = speech_span(sound)[1]
    return [
        (start_s, min(stop_s, end_s), phone)
        for start_s, stop_s, phone in segments
        if start_s < end_s
    ]


PAUSES = ("sil", "sp")
GRID_WORDS = {"z": "zed"}  # GRID's speakers are British, the dictionary is not
RAVDESS_SENTENCES = {"01": "kids are talking by the door", "02": "dogs are sitting by the door"}
RAVDESS_PEAK = 0.7  # its calm clips are too quiet for the aligner as they are
ALIGNER_FRAME_S = 0.010
ALIGNER_BIAS_S = 0.010  # PocketSphinx puts phones this early (measured on hand-checked phones)
ROOM_S = 0.2  # quiet noise around a clip that begins or ends too abruptly for the aligner
ROOM_LEVEL = 1e-3
KOKORO_FRAME_S = 0.025
KOKORO_LATE_FRAMES = 3  # the durations put the first onset this late
KOKORO_SPACE_S = 0.1  # a space between words up to this long is no pause
SAVE_EVERY = 200


@dataclass(frozen=True, slots=True)
class Sentence:
    """A recording whose words are known; its sound is brought to `peak` first where one is set."""

    name: str
    path: Path
    words: tuple[str, ...]
    peak: float | None = None

    def key(self, version: str) -> str:
        """Return a digest of everything that its alignment depends on."""
        facts = json.dumps((version, self.words, self.peak)).encode()
        return hashlib.sha256(facts + self.path.read_bytes()).hexdigest()[:32]

    def samples(self) -> np.ndarray:
        """Read the sound, mono 16 kHz."""
        samples, _ = soundfile.read(self.path, dtype="float32")
        if self.peak is not None:
            samples *= self.peak / max(1e-3, float(np.abs(samples).max()))
        return np.asarray(samples)


def align_words(decoder: Any, samples: np.ndarray, words: list[str]) -> list[Segment] | None:
    """Align `words` to mono 16 kHz `samples` (-1..1); None where no alignment was found."""
    if any(decoder.lookup_word(word) is None for word in words):
        return None
    aligned = _align(decoder, samples, words)
    if aligned is not None:
        return aligned
    room = np.random.default_rng(0).normal(0, ROOM_LEVEL, (2, int(ROOM_S * SAMPLE_RATE_HZ)))
    padded = _align(decoder, np.concatenate((room[0], samples, room[1])), words)
    end_s = len(samples) / SAMPLE_RATE_HZ
    return padded and [
        (max(0.0, start_s - ROOM_S), min(end_s, stop_s - ROOM_S), phone)
        for start_s, stop_s, phone in padded
        if stop_s > ROOM_S and start_s < end_s + ROOM_S
    ]


def _align(decoder: Any, samples: np.ndarray, words: list[str]) -> list[Segment] | None:
    raw = (np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes()
    decoder.set_align_text(" ".join(words))
    try:
        _decode(decoder, raw)
        decoder.set_alignment()
        _decode(decoder, raw)
    except RuntimeError:
        return None
    alignment = decoder.get_alignment()
    if alignment is None:
        return None
    return [
        part
        for word in alignment
        for phone in word
        for part in _split(
            phone.start * ALIGNER_FRAME_S + ALIGNER_BIAS_S,
            (phone.start + phone.duration) * ALIGNER_FRAME_S + ALIGNER_BIAS_S,
            gestures(phone.name),
        )
    ]


def _split(start_s: float, end_s: float, phones: tuple[str, ...]) -> list[Segment]:
    edges = np.linspace(start_s, end_s, len(phones) + 1)
    return [
        (float(a), float(b), phone) for a, b, phone in zip(edges, edges[1:], phones, strict=False)
    ]


def _decode(decoder: Any, raw: bytes) -> None:
    decoder.start_utt()
    decoder.process_raw(raw, full_utt=True)
    decoder.end_utt()


def kokoro_segments(symbols: str, frames_25ms: list[int]) -> list[Segment]:
    """Turn the synthesiser's own durations (one entry more at each end) into segments."""
    counts = [max(0, frames_25ms[0] - KOKORO_LATE_FRAMES), *frames_25ms[1:]]
    edges_s = np.cumsum(counts) * KOKORO_FRAME_S
    segments: list[Segment] = [(0.0, float(edges_s[0]), SILENCE)]
    for symbol, start_s, end_s in zip(symbols, edges_s[:-2], edges_s[1:-1], strict=True):
        if symbol in FROM_IPA:
            segments.append((float(start_s), float(end_s), FROM_IPA[symbol]))
        elif symbol != " " or end_s - start_s <= KOKORO_SPACE_S:
            segments[-1] = (segments[-1][0], float(end_s), segments[-1][2])
        else:
            segments.append((float(start_s), float(end_s), SILENCE))
    segments.append((float(edges_s[-2]), float(edges_s[-1]), SILENCE))
    return segments


def index_lines(folder: Path) -> list[dict[str, Any]]:
    """Return the lines of a Kokoro folder's index; a last line cut short is left out."""
    text = (folder / "index.jsonl").read_text("utf-8")
    return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]


def sentences_of(source: str, folder: Path) -> Iterator[Sentence]:
    """Yield the recordings of a source that need the aligner."""
    if source == "grid_s1":
        for clip, spoken_words in json.loads((folder / "words.json").read_text("utf-8")).items():
            words = tuple(
                GRID_WORDS.get(word, word) for _, _, word in spoken_words if word not in PAUSES
            )
            yield Sentence(f"{source}/{clip}", folder / f"audio/{clip}.opus", words)
    elif source == "kathleen":
        for clip, text in json.loads((folder / "transcripts.json").read_text("utf-8")).items():
            words = tuple(re.findall(r"[a-z']+", text.lower()))
            yield Sentence(f"{source}/{clip}", folder / f"audio/{clip}.opus", words)
    elif source == "ravdess":
        for path in sorted(folder.glob("audio/*.opus")):
            words = tuple(RAVDESS_SENTENCES[path.stem.split("-")[4]].split())
            yield Sentence(f"{source}/{path.stem}", path, words, RAVDESS_PEAK)


class Aligner:
    """PocketSphinx, and what it found before, kept in one file a source under `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.version = code_digest("alignment")
        self._decoder: Any = None

    def align(self, source: str, sentences: list[Sentence]) -> dict[str, list[Segment]]:
        """Return the segments by clip name of those that could be aligned; resumes by itself."""
        path = self.folder / f"{source}.json"
        known = json.loads(path.read_text("utf-8")) if path.exists() else {}
        keys = {sentence.name: sentence.key(self.version) for sentence in sentences}
        missing = [sentence for sentence in sentences if keys[sentence.name] not in known]
        for count, sentence in enumerate(missing, 1):
            known[keys[sentence.name]] = self._segments(sentence)
            if count % SAVE_EVERY == 0:
                write_file(path, json.dumps(known), parents=True)
                print(f"{source}: {count} of {len(missing)} aligned", flush=True)
        known = {key: known[key] for key in keys.values()}
        write_file(path, json.dumps(known), parents=True)
        return {
            name: [(a, b, phone) for a, b, phone in known[key]]
            for name, key in keys.items()
            if known[key]
        }

    def _segments(self, sentence: Sentence) -> list[Segment] | None:
        from pocketsphinx import Decoder

        if self._decoder is None:
            # Live means of the cepstrum would make a clip depend on those before it.
            rate_hz = float(SAMPLE_RATE_HZ)
            self._decoder = Decoder(lm=None, samprate=rate_hz, cmn="batch", loglevel="FATAL")
        return align_words(self._decoder, sentence.samples(), list(sentence.words))


def segments_of(source: str, folder: Path, aligner: Aligner) -> dict[str, list[Segment]]:
    """Return the segments of every clip of `source` that can be had, by clip name."""
    if source.startswith("kokoro"):
        return {
            f"{source}/{line['file'].rsplit('.', 1)[0]}": kokoro_segments(
                line["phones"], line["frames_25ms"]
            )
            for line in index_lines(folder)
            if (folder / line["file"]).exists()
        }
    return aligner.align(source, list(sentences_of(source, folder)))
