"""Features to be probed: mono 16 kHz sound [time] to rows [rows, width], 50 a second.

Row i stands for the time i * 20 ms; every kind gives one row a whole hop.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from models.encoder.mel import COLUMNS, FRAME_SAMPLES, STEP_SAMPLES, WhisperMel
from models.encoder.network import RIGHT_HOPS, delay_hops
from models.encoder.stream import encode
from models.mel import HISTORY_SAMPLES
from models.network import PHONE_DELAY_HOPS
from models.timing import HOP_MS, HOP_SAMPLES, SAMPLE_RATE_HZ
from models.training.encoder.prepare import heard_by, levelled

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from models.encoder.network import Encoder
    from models.network import Generator
    from models.training.encoder.whisper import Whisper

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


def phone_head(generator: Generator) -> Features:
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


def teacher_layer(teacher: Whisper) -> Features:
    """Return the third layer of Whisper, which hears the whole recording."""
    return Features("Whisper layer 3", None, lambda sound: heard_by(teacher, levelled(sound)))


def encoded(name: str, encoder: Encoder, delay: int) -> Features:
    """Return the encoder's features at an index of `RIGHT_HOPS`."""
    future_ms = _ms(FRAME_SAMPLES // 2 + 2 * STEP_SAMPLES) + HOP_MS * sum(RIGHT_HOPS[delay])

    def rows(sound: NDArray[np.float32]) -> NDArray[np.float32]:
        return encode(encoder, sound, delay)[: len(sound) // HOP_SAMPLES]

    return Features(f"{name}, delay {delay_hops(delay) * HOP_MS} ms", future_ms, rows)
