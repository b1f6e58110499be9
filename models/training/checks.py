"""What a generator does on recordings it never heard.

    python -m models.training.checks --cache ../cache

prints the figures of the shipped weights on the held-out test part; training prints those of the
development part as it goes. `closures` is the share of p b m during which the lips seal, `false
closures` the share of vowels in whose middle they do; `loudness r` is what loudness alone reaches
where `jaw r` is the network's; the rest are means of board values.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from models.board import AUDIO_DRIVEN
from models.features import HISTORY_SAMPLES
from models.shipped import DEFAULT_PATH
from models.timing import HOP_SAMPLES
from models.training.batches import Corpus
from models.training.energy import relative_loudness, smooth
from models.training.phones import INDEX as PHONE
from models.training.phones import SILENCE, VOWELS
from models.training.rules import GESTURES
from models.training.sources import require
from models.weights_file import load_network

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from models.face_network import FaceNetwork

DELAYS_HOPS = (1, 4, 8, 12)
CLOSED = 0.5  # lips_together beyond this seals the lips
CLOSERS = [PHONE[phone] for phone in "PBM"]
OPEN_VOWELS = [PHONE[phone] for phone in ("AA", "AE", "AO")]
ROUND = [PHONE[phone] for phone in ("W", "UW")]
SPREAD = [PHONE[phone] for phone in ("IY", "S", "EH")]


def column(gesture: str) -> int:
    """Return the output column of a gesture's first channel."""
    return AUDIO_DRIVEN.index(GESTURES[gesture].channels[0])


@torch.inference_mode()
def rows_of(
    network: FaceNetwork, samples: NDArray[np.float32], delay_hops: int
) -> NDArray[np.float32]:
    """Return the neutral face of a whole recording, [rows, channels], row i at i/50 s."""
    rows = len(samples) // HOP_SAMPLES
    lead = (network.architecture.window_hops - 1) * HOP_SAMPLES + HISTORY_SAMPLES
    # The first output is the face of one hop less the delay; one more of each closes the ends.
    sound = np.pad(samples[: rows * HOP_SAMPLES], (lead + HOP_SAMPLES, delay_hops * HOP_SAMPLES))
    emotion = torch.zeros(1, network.architecture.emotions)
    out, _ = network(torch.from_numpy(sound)[None], emotion, torch.tensor([delay_hops]))
    return network.clamp(out)[0].T.numpy()[delay_hops : delay_hops + rows]


def _runs(phones: NDArray[np.int64], wanted: list[int]) -> list[tuple[int, int]]:
    hit = np.concatenate(([False], np.isin(phones, wanted), [False])).astype(np.int8)
    edges = np.flatnonzero(np.diff(hit))
    return list(zip(edges[::2], edges[1::2], strict=True))


def figures(
    network: FaceNetwork, corpus: Corpus, source: str, delay_hops: int, most: int = 50
) -> dict[str, float]:
    """Return held-out figures of one source: correlation, closures, silence, rounding."""
    faces, truths, phones, loudness = [], [], [], []
    for clip in corpus.by_source[source][:most]:
        window = slice(clip["first"], clip["first"] + clip["rows"])
        samples = np.asarray(corpus.samples[window], dtype=np.float32).ravel() / 32768.0
        faces.append(rows_of(network, samples, delay_hops))
        loudness.append(smooth(relative_loudness(samples), 5))
        truths.append(np.asarray(corpus.gestures[window], dtype=np.float32))
        phones.append(np.asarray(corpus.phones[window], dtype=np.int64))
    face, truth, phone = np.concatenate(faces), np.concatenate(truths), np.concatenate(phones)
    names = list(GESTURES)
    true_jaw, true_purse = (truth[:, names.index(name)] for name in ("jaw", "purse"))
    jaw, lips, purse = (face[:, column(name)] for name in ("jaw", "lips_together", "purse"))
    found = {
        "jaw r": float(np.corrcoef(jaw, true_jaw)[0, 1]),
        "loudness r": float(np.corrcoef(np.concatenate(loudness), true_jaw)[0, 1]),
        "purse r": float(np.corrcoef(purse, true_purse)[0, 1]),
    }
    return found | _by_phone(phone, jaw, lips, purse) if phone.any() else found


def _by_phone(
    phone: NDArray[np.int64],
    jaw: NDArray[np.float32],
    lips: NDArray[np.float32],
    purse: NDArray[np.float32],
) -> dict[str, float]:
    """Return what the curves, each [rows], do on which phones."""
    closures = [lips[max(0, a - 1) : b + 1].max() > CLOSED for a, b in _runs(phone, CLOSERS)]
    vowels = [(a, b) for a, b in _runs(phone, [PHONE[vowel] for vowel in VOWELS]) if b - a > 5]
    pauses = [(a, b) for a, b in _runs(phone, [PHONE[SILENCE]]) if b - a > 25]
    means: dict[str, NDArray[Any]] = {
        "closures": np.array(closures),
        "false closures": np.array([lips[a + 2 : b - 2].max() > CLOSED for a, b in vowels]),
        "jaw in silence": np.concatenate([jaw[a + 12 : b - 8] for a, b in pauses]),
        "jaw on open vowels": jaw[np.isin(phone, OPEN_VOWELS)],
        "purse on w uw": purse[np.isin(phone, ROUND)],
        "purse on iy s eh": purse[np.isin(phone, SPREAD)],
    }
    return {name: float(np.mean(values)) for name, values in means.items()}


def print_figures(network: FaceNetwork, corpus: Corpus, source: str) -> None:
    """Print the figures of one source at each of `DELAYS_HOPS`."""
    for delay_hops in DELAYS_HOPS:
        found = figures(network, corpus, source, delay_hops)
        text = ", ".join(f"{name} {value:.3f}" for name, value in found.items())
        print(f"  {source}, look-ahead {delay_hops * 20} ms: {text}", flush=True)


def main() -> None:
    """Print the figures of a weights file on the test part."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cache", type=Path, default=Path("../cache"))
    parser.add_argument("--weights", type=Path, default=DEFAULT_PATH)
    options = parser.parse_args()
    require(parser, options.cache / "index.json", "run models.training.prepare first")
    network, _ = load_network(options.weights, torch.device("cpu"))
    corpus = Corpus(options.cache, "test")
    for source, clips in corpus.by_source.items():
        if clips:
            print_figures(network, corpus, source)


if __name__ == "__main__":
    main()
