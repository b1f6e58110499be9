"""Forced alignment: when each phone of a known sentence is spoken.

    python -m models.training.align --data ../shared/data --cache ../cache

writes `<cache>/phones.json`: per clip a list of `[start_s, end_s, phone]`. Kokoro clips carry their
own durations; GRID and Kathleen are aligned with PocketSphinx and its US English model. A clip with
a word that its dictionary lacks is left out and counted.
"""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import soundfile

from models.timing import SAMPLE_RATE_HZ
from models.training.phones import FROM_IPA, SILENCE, gestures
from models.training.sources import require

if TYPE_CHECKING:
    from collections.abc import Iterator

Segment = tuple[float, float, str]

PAUSES = ("sil", "sp")
GRID_WORDS = {"z": "zed"}  # GRID's speakers are British, the dictionary is not
ALIGNER_FRAME_S = 0.010
ALIGNER_BIAS_S = 0.010  # PocketSphinx puts phones this early (measured on hand-checked phones)
KOKORO_FRAME_S = 0.025
KOKORO_LATE_FRAMES = 3  # the durations put the first onset this late
KOKORO_SPACE_S = 0.1  # a space between words up to this long is no pause


def align_words(decoder: Any, samples: np.ndarray, words: list[str]) -> list[Segment] | None:
    """Align `words` to mono 16 kHz `samples` (-1..1); None where no alignment was found."""
    if any(decoder.lookup_word(word) is None for word in words):
        return None
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


def _sentences(data: Path) -> Iterator[tuple[str, Path, list[str]]]:
    """Yield the clips that need the aligner: name, audio path, words."""
    for clip, words in json.loads((data / "grid_s1/words.json").read_text("utf-8")).items():
        spoken = [GRID_WORDS.get(word, word) for _, _, word in words if word not in PAUSES]
        yield f"grid_s1/{clip}", data / f"grid_s1/audio/{clip}.opus", spoken
    for clip, text in json.loads((data / "kathleen/transcripts.json").read_text("utf-8")).items():
        words = re.findall(r"[a-z']+", text.lower())
        yield f"kathleen/{clip}", data / f"kathleen/audio/{clip}.opus", words


def align_corpora(data: Path) -> dict[str, list[Segment]]:
    """Align every clip of the training sources under `data`."""
    from pocketsphinx import Decoder

    decoder = Decoder(lm=None, samprate=float(SAMPLE_RATE_HZ), loglevel="FATAL")
    aligned: dict[str, list[Segment]] = {}
    left_out = 0
    for name, path, words in _sentences(data):
        samples, _ = soundfile.read(path, dtype="float32")
        segments = align_words(decoder, samples, words)
        if segments is None:
            left_out += 1
        else:
            aligned[name] = segments
        if (len(aligned) + left_out) % 100 == 0:
            print(f"{len(aligned)} aligned, {left_out} left out", flush=True)
    for line in (data / "kokoro/index.jsonl").read_text("utf-8").splitlines():
        clip = json.loads(line)
        name = f"kokoro/{Path(clip['file']).stem}"
        aligned[name] = kokoro_segments(clip["phones"], clip["frames_25ms"])
    print(f"{len(aligned)} clips aligned, {left_out} left out")
    return aligned


def main() -> None:
    """Align all training sources and write the phones file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--cache", type=Path, default=Path("../cache"))
    options = parser.parse_args()
    for needed in ("grid_s1/words.json", "kathleen/transcripts.json", "kokoro/index.jsonl"):
        require(parser, options.data / needed, "name the data folder with --data")
    options.cache.mkdir(parents=True, exist_ok=True)
    text = json.dumps(align_corpora(options.data))
    (options.cache / "phones.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
