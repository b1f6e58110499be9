"""What telephones and codecs leave of a voice, done to batches.

Samples are `[batch, time]` at 16 kHz within -1..1; all randomness comes from the generator given.
None of it moves sound in time: the codecs' own delays are taken back.
"""

from __future__ import annotations

import io

import numpy as np
import soundfile
import torch
from torch import Tensor

from models.timing import SAMPLE_RATE_HZ

SHARES = {"telephone": 0.08, "bands": 0.12, "opus": 0.01, "mp3": 0.01}
"""Of the rows. Real coders take far longer than all else that is done to a batch: they are few."""
TELEPHONE_HZ = (300.0, 3400.0)
SLOPE_HZ = 150.0  # width of the telephone band's edges
MU = 255.0
LEVELS = 255  # of eight bits, zero among them
FRAME = 640  # the coder's window: 40 ms, half overlapped
BAND_EDGES_HZ = (
    *(0, 100, 200, 300, 400, 510, 630, 770, 920, 1080, 1270, 1480, 1720, 2000, 2320, 2700),
    *(3150, 3700, 4400, 5300, 6400, 8001),
)
"""Zwicker's critical bands."""
CUTOFF_HZ = (3500.0, 8000.0)
STEP = (0.7, 2.6)  # quantiser step against the band's own level: at 2 only its peaks survive
AUDIBLE_DB = -60.0  # bands further under the loudest of a frame are dropped
OPUS_LEVELS = (0.9, 0.96, 1.0)  # about 27, 16 and 7 kbit/s in libsndfile's scale
MP3_LEVELS = (0.7, 0.8, 0.9)


def transmit(samples: Tensor, dice: torch.Generator) -> Tensor:
    """Return the samples with some rows sent through a telephone or a codec (`SHARES`)."""
    draws = torch.rand(len(samples), generator=dice)
    sent = samples.clone()
    low = 0.0
    for kind, share in SHARES.items():
        rows = ((draws >= low) & (draws < low + share)).nonzero()[:, 0]
        low += share
        if len(rows):
            sent[rows] = KINDS[kind](samples[rows], dice)
    return sent.clamp(-1.0, 1.0)


def telephone(samples: Tensor, dice: torch.Generator) -> Tensor:
    """Return 8 kHz telephone sound: band-limited, eight bits on the mu-law of ITU-T G.711."""
    del dice
    length = samples.shape[-1]
    even = length + length % 2
    spectrum = torch.fft.rfft(samples, even)
    hz = torch.arange(spectrum.shape[-1]) * (SAMPLE_RATE_HZ / even)
    band = torch.sigmoid((hz - TELEPHONE_HZ[0]) / SLOPE_HZ * 4)
    band = band * torch.sigmoid((TELEPHONE_HZ[1] - hz) / SLOPE_HZ * 4)
    quarter = even // 4 + 1  # bins up to 4 kHz
    line = torch.fft.irfft((spectrum * band)[:, :quarter], even // 2) / 2
    heard = torch.fft.rfft(mu_law(line))
    wide = torch.zeros_like(spectrum)
    wide[:, : heard.shape[-1]] = heard
    received: Tensor = torch.fft.irfft(wide, even) * 2
    return received[:, :length]


def mu_law(samples: Tensor) -> Tensor:
    """Return samples after compression to eight bits and expansion, within -1..1."""
    pressed = torch.sign(samples) * torch.log1p(MU * samples.abs().clamp(max=1.0)) / np.log1p(MU)
    steps = torch.round(pressed * (LEVELS // 2)) / (LEVELS // 2)
    return torch.sign(steps) * torch.expm1(steps.abs() * np.log1p(MU)) / MU


def bands(samples: Tensor, dice: torch.Generator) -> Tensor:
    """Return sound as a starved transform coder gives it: a lower cut-off, coarse bands, holes."""
    rows = len(samples)
    window = torch.hann_window(FRAME).sqrt()
    spectrum = torch.stft(samples, FRAME, FRAME // 2, window=window, return_complex=True)
    hz = torch.arange(spectrum.shape[1]) * (SAMPLE_RATE_HZ / FRAME)
    edges = torch.tensor(BAND_EDGES_HZ, dtype=torch.float32)
    member = torch.nn.functional.one_hot(torch.bucketize(hz, edges, right=True) - 1).float()
    mean = member / member.sum(0)
    level = torch.einsum("rft,fb->rbt", spectrum.abs().square(), mean).sqrt()
    level = level * (level > level.amax(1, keepdim=True) * 10 ** (AUDIBLE_DB / 20))
    low, high = STEP
    step = low + (high - low) * torch.rand(rows, 1, 1, generator=dice)
    steps = torch.einsum("rbt,fb->rft", level, member) * step
    kept = torch.view_as_real(spectrum) / steps.clamp(min=1e-9)[..., None]
    coded = torch.view_as_complex(torch.round(kept) * steps[..., None])
    low, high = CUTOFF_HZ
    cutoff_hz = low + (high - low) * torch.rand(rows, 1, 1, generator=dice)
    coded = coded * (hz[:, None] <= cutoff_hz)
    length = samples.shape[-1]
    return torch.istft(coded, FRAME, FRAME // 2, window=window, length=length)


def opus(samples: Tensor, dice: torch.Generator) -> Tensor:
    """Return sound that real Opus coded, at 7 to 27 kbit/s."""
    return _coded(samples, ("OGG", "OPUS"), OPUS_LEVELS, dice)


def mp3(samples: Tensor, dice: torch.Generator) -> Tensor:
    """Return sound that real MP3 coded."""
    return _coded(samples, ("MP3", "MPEG_LAYER_III"), MP3_LEVELS, dice)


def _coded(
    samples: Tensor, form: tuple[str, str], levels: tuple[float, ...], dice: torch.Generator
) -> Tensor:
    heard = torch.zeros_like(samples)
    for row, sound in enumerate(samples):
        level = levels[int(torch.randint(len(levels), (1,), generator=dice))]
        file = io.BytesIO()
        soundfile.write(
            file,
            sound.numpy(),
            SAMPLE_RATE_HZ,
            format=form[0],
            subtype=form[1],
            compression_level=level,
        )
        file.seek(0)
        decoded, _ = soundfile.read(file, frames=len(sound), dtype="float32")
        heard[row, : len(decoded)] = torch.from_numpy(decoded)
    return heard


KINDS = {"telephone": telephone, "bands": bands, "opus": opus, "mp3": mp3}
