"""Augmentation of sound in batches: rooms, microphones, codecs, other voices, breaths, effort.

Vocal effort: a raised voice is louder, brighter and higher, a murmur softer, duller and a little
lower (Traunmüller and Eriksson, JASA 107, 2000; the figures here are round), and a mouth opens with
it: a shout by `OPENS` more, a murmur by `CLOSES` less.
"""

from __future__ import annotations

import io
import math
from typing import TYPE_CHECKING

import numpy as np
import soundfile
import torch
from torch import Tensor

from cstalk_bridge.models.metrics.curves import runs
from cstalk_bridge.models.timing import HOP_SAMPLES, SAMPLE_RATE_HZ

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]


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


def transmit(samples: Tensor, rng: torch.Generator) -> Tensor:
    """Return the samples with some rows sent through a telephone or a codec (`SHARES`)."""
    draws = torch.rand(len(samples), generator=rng)
    sent = samples.clone()
    low = 0.0
    for kind, share in SHARES.items():
        rows = ((draws >= low) & (draws < low + share)).nonzero()[:, 0]
        low += share
        if len(rows):
            sent[rows] = KINDS[kind](samples[rows], rng)
    return sent.clamp(-1.0, 1.0)


def telephone(samples: Tensor, rng: torch.Generator) -> Tensor:
    """Return 8 kHz telephone sound: band-limited, eight bits on the mu-law of ITU-T G.711."""
    del rng
    length = samples.shape[-1]
    even = length + length % 2
    spectrum = torch.fft.rfft(samples, even)
    hz = torch.arange(spectrum.shape[-1]) * (SAMPLE_RATE_HZ / even)
    band = torch.sigmoid((hz - TELEPHONE_HZ[0]) / SLOPE_HZ * 4)
    band = band * torch.sigmoid((TELEPHONE_HZ[1] - hz) / SLOPE_HZ * 4)
    quarter = even // 4 + 1  # bins up to 4 kHz
    line = torch.fft.irfft((spectrum * band)[:, :quarter], even // 2) / 2
    output = torch.fft.rfft(mu_law(line))
    wide = torch.zeros_like(spectrum)
    wide[:, : output.shape[-1]] = output
    received: Tensor = torch.fft.irfft(wide, even) * 2
    return received[:, :length]


def mu_law(samples: Tensor) -> Tensor:
    """Return samples after compression to eight bits and expansion, within -1..1."""
    pressed = torch.sign(samples) * torch.log1p(MU * samples.abs().clamp(max=1.0)) / np.log1p(MU)
    steps = torch.round(pressed * (LEVELS // 2)) / (LEVELS // 2)
    return torch.sign(steps) * torch.expm1(steps.abs() * np.log1p(MU)) / MU


def bands(samples: Tensor, rng: torch.Generator) -> Tensor:
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
    step = low + (high - low) * torch.rand(rows, 1, 1, generator=rng)
    steps = torch.einsum("rbt,fb->rft", level, member) * step
    kept = torch.view_as_real(spectrum) / steps.clamp(min=1e-9)[..., None]
    coded = torch.view_as_complex(torch.round(kept) * steps[..., None])
    low, high = CUTOFF_HZ
    cutoff_hz = low + (high - low) * torch.rand(rows, 1, 1, generator=rng)
    coded = coded * (hz[:, None] <= cutoff_hz)
    length = samples.shape[-1]
    return torch.istft(coded, FRAME, FRAME // 2, window=window, length=length)


def opus(samples: Tensor, rng: torch.Generator) -> Tensor:
    """Return sound that real Opus coded, at 7 to 27 kbit/s."""
    return _coded(samples, ("OGG", "OPUS"), OPUS_LEVELS, rng)


def mp3(samples: Tensor, rng: torch.Generator) -> Tensor:
    """Return sound that real MP3 coded."""
    return _coded(samples, ("MP3", "MPEG_LAYER_III"), MP3_LEVELS, rng)


def _coded(
    samples: Tensor, form: tuple[str, str], levels: tuple[float, ...], rng: torch.Generator
) -> Tensor:
    output = torch.zeros_like(samples)
    for row, sound in enumerate(samples):
        level = levels[int(torch.randint(len(levels), (1,), generator=rng))]
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
        output[row, : len(decoded)] = torch.from_numpy(decoded)
    return output


KINDS = {"telephone": telephone, "bands": bands, "opus": opus, "mp3": mp3}


VOCODER_FRAME = 512  # 32 ms: partials of a low voice are still apart
VOCODER_STEP = 128
THROAT_COEFFICIENTS = 36  # of the cepstrum: what is finer belongs to the voice
FLOOR = 1e-5
PITCH = (0.75, 1.6)
THROAT = (0.88, 1.14)  # men's, women's and children's formants lie about so far apart


def other_voices(samples: Tensor, pitch: Tensor, throat: Tensor) -> Tensor:
    """Return `samples` [batch, time] at 16 kHz with pitch and formants multiplied, [batch] each."""
    window = torch.hann_window(VOCODER_FRAME)
    spectrum = torch.stft(samples, VOCODER_FRAME, VOCODER_STEP, window=window, return_complex=True)
    size = spectrum.abs().clamp(min=FLOOR)
    envelope = _envelope(size)
    advance = _advance(spectrum)
    from_bin = torch.arange(size.shape[1])[None, :, None] / pitch[:, None, None]
    voice = _read_bins((size / envelope).log(), from_bin).exp() * (from_bin <= size.shape[1] - 1)
    moved = _read_bins(advance, from_bin) * pitch[:, None, None]
    phases = torch.cumsum(moved, -1) + (spectrum[..., :1].angle() - moved[..., :1])
    formed = _read_bins(envelope.log(), from_bin * (pitch / throat)[:, None, None]).exp()
    made = torch.polar(voice * formed, phases)
    output: Tensor = torch.istft(
        made, VOCODER_FRAME, VOCODER_STEP, window=window, length=samples.shape[-1]
    )
    return output


def random_voices(samples: Tensor, share: float, rng: torch.Generator) -> Tensor:
    """Return `samples` [batch, time] with a `share` of the rows in another voice."""
    rows = (torch.rand(len(samples), generator=rng) < share).nonzero()[:, 0]
    if not len(rows):
        return samples
    pitch, throat = (_factors(len(rows), *span, rng) for span in (PITCH, THROAT))
    changed = samples.clone()
    changed[rows] = other_voices(samples[rows], pitch, throat)
    return changed


def _factors(rows: int, low: float, high: float, rng: torch.Generator) -> Tensor:
    """Return factors [rows], evenly spread on a logarithmic scale."""
    lowest, widest = math.log(low), math.log(high / low)
    return torch.exp(lowest + widest * torch.rand(rows, generator=rng))


def _envelope(size: Tensor) -> Tensor:
    """Return the smooth envelope of magnitudes [batch, bins, frames]."""
    cepstrum = torch.fft.irfft(size.log(), dim=1)
    cepstrum[:, THROAT_COEFFICIENTS : VOCODER_FRAME - THROAT_COEFFICIENTS + 1] = 0.0
    envelope: Tensor = torch.fft.rfft(cepstrum, dim=1).real.exp()
    return envelope


def _advance(spectrum: Tensor) -> Tensor:
    """Return how far each bin's partial turns from one frame to the next, [batch, bins, frames]."""
    bins = torch.arange(spectrum.shape[1])[None, :, None]
    expected = 2 * math.pi * VOCODER_STEP / VOCODER_FRAME * bins
    turn = torch.diff(spectrum.angle(), dim=-1, prepend=spectrum[..., :1].angle()) - expected
    return expected + torch.remainder(turn + math.pi, 2 * math.pi) - math.pi


def _read_bins(values: Tensor, bins: Tensor) -> Tensor:
    """Return `values` [batch, bins, frames] at fractional `bins` [batch, bins, 1], linearly."""
    last = values.shape[1] - 1
    at = bins.clamp(0, last)
    low = at.floor().long().clamp(max=last - 1)
    share = at - low
    below, above = (values.gather(1, i.expand_as(values)) for i in (low, low + 1))
    return torch.lerp(below, above, share)


BREATH_SHARE = 0.35  # of the crops that have a pause at all
PAUSE_HOPS = 20  # in a shorter pause the mouth may be on its way
MARGIN_HOPS = 4
BREATH_LENGTH_S = (0.12, 0.6)
BELOW_SPEECH_DB = (-38.0, -16.0)  # peak against the peak of the speech around it
BREATH_ALONE_DBFS = (-50.0, -20.0)
RESONANCES_HZ = ((400.0, 900.0), (1200.0, 2300.0), (2600.0, 4800.0))
RESONANCE_WIDTH_HZ = (250.0, 900.0)


def with_breaths(
    sound: NDArray[np.float32], pauses: NDArray[np.bool_], random: np.random.Generator
) -> NDArray[np.float32]:
    """Return `sound` [time] at 16 kHz, at times with breaths where `pauses` [hops] are long.

    The last hop of `pauses` ends with the sound; what lies before the first is left alone.
    """
    if random.random() >= BREATH_SHARE:
        return sound
    output = sound.copy()
    before = len(sound) - len(pauses) * HOP_SAMPLES
    peak = float(np.abs(sound).max())
    for first, end in runs(pauses).tolist():
        if end - first < PAUSE_HOPS:
            continue
        length = int(random.uniform(*BREATH_LENGTH_S) * SAMPLE_RATE_HZ)
        low, high = (first + MARGIN_HOPS) * HOP_SAMPLES, (end - MARGIN_HOPS) * HOP_SAMPLES
        length = min(length, high - low)
        start = before + int(random.integers(low, high - length + 1))
        level_db = random.uniform(*(BELOW_SPEECH_DB if peak > 1e-3 else BREATH_ALONE_DBFS))
        level = (peak if peak > 1e-3 else 1.0) * 10 ** (level_db / 20)
        output[start : start + length] += level * breath(length, random)
    return output


def breath(length: int, random: np.random.Generator) -> NDArray[np.float32]:
    """Return one breath of peak 1: noise through the resonances of an open throat, [time]."""
    frequencies_hz = np.fft.rfftfreq(length, 1 / SAMPLE_RATE_HZ)
    response = np.full(len(frequencies_hz), 0.02)
    for low_hz, high_hz in RESONANCES_HZ:
        offset = (frequencies_hz - random.uniform(low_hz, high_hz)) / random.uniform(
            *RESONANCE_WIDTH_HZ
        )
        response += random.uniform(0.2, 1.0) / (1.0 + np.square(offset))
    noise = np.fft.irfft(np.fft.rfft(random.standard_normal(length)) * response, length)
    turn = random.uniform(0.3, 0.7)
    at = np.linspace(0.0, 1.0, length)
    envelope = np.where(at < turn, at / turn, (1.0 - at) / (1.0 - turn))
    shaped = noise * np.square(np.sin(0.5 * np.pi * envelope))
    return np.asarray(shaped / max(1e-9, float(np.abs(shaped).max())), dtype=np.float32)


AUGMENTATION = 4
"""Version of the augmentation; a run keeps the one it was set up with.

1: equaliser, telephone band, room, level, coloured noise. 2: also voices in the background,
telephones and codecs, and breaths in pauses. 3: also other pitches and vocal tracts.
4: also loud noise without speech.
"""

OTHER_VOICES_SHARE = 0.3
EQ_POINTS = 12
EQ_DB = 4.0
REVERB_SHARE = 0.3
NARROW_SHARE = 0.1
NARROW_BAND_HZ = (280.0, 3500.0)
ROOM_SAMPLES = SAMPLE_RATE_HZ // 2
ROOM_DECAY_S = (0.03, 0.12)
PEAK_DBFS = (-26.0, -1.0)
CLEAN_SHARE = 0.4
SNR_DB = (6.0, 40.0)
VOICES_SHARE = 0.35  # of noisy backgrounds that have the spectrum and the rhythm of voices
VOICES_HZ = (100.0, 500.0)  # long-term speech is flat between these and falls by 9 dB above
SYLLABLES_HZ = 5.0
FLOOR_DBFS = (-90.0, -55.0)  # noise that is always there, as of any microphone
ALONE_DBFS = (-80.0, -30.0)  # noise without speech: of a fan, a street, a gain too high
AUDIBLE = 1e-4  # peak under which a piece holds no voice


def _uniform(rows: int, low: float, high: float, rng: torch.Generator) -> Tensor:
    return low + (high - low) * torch.rand(rows, 1, generator=rng)


def _gain(decibels: Tensor) -> Tensor:
    return torch.pow(10.0, decibels / 20.0)


def coloured_noise(rows: int, samples: int, rng: torch.Generator) -> Tensor:
    """Return noise of unit power whose spectrum falls by 0 to 6 dB an octave."""
    spectrum = torch.fft.rfft(torch.randn(rows, samples, generator=rng))
    tilt = _uniform(rows, 0.0, 1.0, rng)
    position = torch.arange(1, spectrum.shape[-1] + 1) / spectrum.shape[-1]
    noise = torch.fft.irfft(spectrum * position.pow(-tilt), samples)
    unit: Tensor = noise / noise.square().mean(-1, keepdim=True).sqrt()
    return unit


def distort(samples: Tensor, rng: torch.Generator, version: int = AUGMENTATION) -> Tensor:
    """Return clean `samples` with the voices, microphones and lines of a version."""
    if version == 1:
        return level_and_noise(colour(samples, rng), rng)
    if version > 2:
        samples = random_voices(samples, OTHER_VOICES_SHARE, rng)
    alone = ALONE_DBFS if version > 3 else None
    return transmit(level_and_noise(colour(samples, rng), rng, VOICES_SHARE, alone), rng)


def distant_voices(rows: int, samples: int, rng: torch.Generator) -> Tensor:
    """Return noise of unit power with the spectrum of speech, loud and soft as syllables are."""
    spectrum = torch.fft.rfft(torch.randn(rows, samples, generator=rng))
    hz = torch.arange(spectrum.shape[-1]) * (SAMPLE_RATE_HZ / samples)
    low, high = ((hz / edge).square() for edge in VOICES_HZ)
    noise = torch.fft.irfft(spectrum * (low / (1 + low)) * (1 + high).pow(-0.75), samples)
    points = 2 + int(samples / SAMPLE_RATE_HZ * SYLLABLES_HZ)
    envelope = torch.rand(rows, 1, points, generator=rng)
    envelope = torch.nn.functional.interpolate(envelope, samples, mode="linear")[:, 0]
    noise = noise * (1.0 - _uniform(rows, 0.0, 0.9, rng) * envelope)
    unit: Tensor = noise / noise.square().mean(-1, keepdim=True).sqrt()
    return unit


def colour(samples: Tensor, rng: torch.Generator) -> Tensor:
    """Apply a random smooth equaliser, at times a telephone band, at times a room."""
    rows, length = samples.shape
    spectrum = torch.fft.rfft(samples, length + ROOM_SAMPLES)
    response = _equaliser(rows, spectrum.shape[-1], rng) * _rooms(rows, length, rng)
    coloured: Tensor = torch.fft.irfft(spectrum * response, length + ROOM_SAMPLES)
    return coloured[:, :length]


def _equaliser(rows: int, bins: int, rng: torch.Generator) -> Tensor:
    points_db = EQ_DB * torch.randn(rows, 1, EQ_POINTS, generator=rng)
    curve_db = torch.nn.functional.interpolate(points_db, bins, mode="linear")
    frequencies_hz = torch.linspace(0, SAMPLE_RATE_HZ / 2, bins)
    band = (
        (frequencies_hz > NARROW_BAND_HZ[0]) & (frequencies_hz < NARROW_BAND_HZ[1])
    ).float() + 0.01
    narrow = torch.rand(rows, 1, generator=rng) < NARROW_SHARE
    return _gain(curve_db[:, 0]) * torch.where(narrow, band, torch.ones(()))


def _rooms(rows: int, length: int, rng: torch.Generator) -> Tensor:
    """Return spectra of the direct sound, for some rows followed by decaying noise."""
    times_s = torch.arange(ROOM_SAMPLES) / SAMPLE_RATE_HZ
    decay = torch.exp(-times_s / _uniform(rows, *ROOM_DECAY_S, rng))
    room = torch.randn(rows, ROOM_SAMPLES, generator=rng) * decay
    room = room / room.square().sum(-1, keepdim=True).sqrt() * _uniform(rows, 0.1, 0.7, rng)
    room = room * (torch.rand(rows, 1, generator=rng) < REVERB_SHARE)
    room[:, 0] += 1.0
    spectra: Tensor = torch.fft.rfft(room, length + ROOM_SAMPLES)
    return spectra


def level_and_noise(
    samples: Tensor,
    rng: torch.Generator,
    voices_share: float = 0.0,
    alone_dbfs: tuple[float, float] | None = None,
) -> Tensor:
    """Bring speech to a random level and put a random background under it.

    `voices_share` of the backgrounds are distant voices, the others coloured noise. Where nobody
    speaks it is as loud as `alone_dbfs` says, or hardly audible.
    """
    rows, length = samples.shape
    peak = samples.abs().amax(-1, keepdim=True)
    wanted = _gain(_uniform(rows, *PEAK_DBFS, rng))
    speech = torch.where(peak > AUDIBLE, samples * wanted / peak.clamp(min=AUDIBLE), samples)
    power = speech.square().mean(-1, keepdim=True).sqrt().clamp(min=1e-4)
    noise_gain = power / _gain(_uniform(rows, *SNR_DB, rng))
    clean = torch.rand(rows, 1, generator=rng) < CLEAN_SHARE
    noise_gain = torch.where(clean, _gain(_uniform(rows, *FLOOR_DBFS, rng)), noise_gain)
    if alone_dbfs is not None:
        alone = _gain(_uniform(rows, *alone_dbfs, rng))
        noise_gain = torch.where(peak > AUDIBLE, noise_gain, alone)
    noise = coloured_noise(rows, length, rng)
    if voices_share:
        distant = torch.rand(rows, 1, generator=rng) < voices_share
        noise = torch.where(distant & ~clean, distant_voices(rows, length, rng), noise)
    return (speech + noise_gain * noise).clamp(-1.0, 1.0)


OPENS, CLOSES = 0.6, 0.5
SHOUT_OCTAVES, MURMUR_OCTAVES = 0.45, 0.1
SHOUT_DB, MURMUR_DB, LEVEL_SPREAD_DB = 13.0, 11.0, 1.5
TILT_DB, TILT_HZ, TILT_OCTAVES = 3.5, 700.0, (-2.0, 2.5)
"""Decibels an octave at full effort, about this frequency, over these octaves."""
LEAST = 0.05
"""Effort under which nothing is done to the sound."""


def opening(effort: Floats) -> Floats:
    """Return by how much a mouth opens wider at an `effort` of -1 (murmur) to 1 (shout)."""
    return np.asarray(1.0 + np.where(effort > 0, OPENS, CLOSES) * effort, dtype=np.float32)


def with_effort(sound: Floats, effort: float, random: np.random.Generator) -> Floats:
    """Return `sound` [time], mono 16 kHz, as if spoken with an effort of -1 to 1."""
    if abs(effort) < LEAST or len(sound) < SAMPLE_RATE_HZ // 2:
        return sound
    octaves = SHOUT_OCTAVES * max(effort, 0.0) + MURMUR_OCTAVES * min(effort, 0.0)
    pitch = torch.tensor([2.0**octaves], dtype=torch.float32)
    throat = torch.tensor([1.0 + 0.04 * max(effort, 0.0)], dtype=torch.float32)
    made = other_voices(torch.from_numpy(sound)[None], pitch, throat)
    spectrum = torch.fft.rfft(made)
    hz = torch.linspace(0.0, SAMPLE_RATE_HZ / 2, spectrum.shape[-1])
    octaves_up = torch.log2((hz + 150.0) / TILT_HZ).clamp(*TILT_OCTAVES)
    tilted = torch.fft.irfft(
        spectrum * 10.0 ** (TILT_DB * effort * octaves_up / 20.0), made.shape[-1]
    )[0].numpy()
    gain_db = (SHOUT_DB if effort > 0 else MURMUR_DB) * effort
    gain_db += random.normal(0.0, LEVEL_SPREAD_DB)
    before, after = (np.sqrt(np.square(x).mean() + 1e-9) for x in (sound, tilted))
    return np.asarray(tilted * (before / after * 10.0 ** (gain_db / 20.0)), dtype=np.float32)
