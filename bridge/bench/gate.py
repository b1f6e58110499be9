"""Section `gate`: what opens the gate of voices, how much of a first syllable it keeps back, and
what it costs.

Sounds that are no speech are made here by chance from a seed. The speech is the bundled recording,
and recordings of a folder where one is named.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from cstalk_bridge.audio.inputs import SPEECH_PATH
from cstalk_bridge.audio.preprocessing import Preprocessor
from cstalk_bridge.audio.source import HOP_RATE_HZ, HOP_S, HOP_SAMPLES, Block, GateConfig
from cstalk_bridge.audio.voice_gate import VoiceDetector, VoiceGate
from cstalk_bridge.bench.report import Figure, Remark
from cstalk_bridge.face.timeline import MIN_BUFFER_S, Timeline
from cstalk_bridge.timecode.tick import host_now

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from cstalk_bridge.audio.source import Hop
    from cstalk_bridge.bench.report import BenchConfig
    from cstalk_bridge.models.cstalk.generator import Generator

    Floats = NDArray[np.floating]


VOICE: Final = GateConfig(enabled=True, voice=True)
SOUND_S: Final = 12.0
LEVELS_DB: Final = (-25.0, -40.0)
ROOM_DB: Final = -65.0
TICKS_HZ: Final = 60.0
LOOKAHEAD_MS: Final = 80
JAW: Final = "CTRL_C_jaw.ty"
VISIBLE: Final = 0.05
"""Opening of the jaw that can be seen. One that is less than half as wide is lost."""

ONSET_S: Final = 0.12
"""How long before the detector is certain of it speech may have begun."""

SYLLABLE_S: Final = 0.30
"""Length of a first syllable, from there on."""

SPEECH_DB: Final = -26.0
"""Level of recordings, as of a microphone that is set well."""

CERTAIN: Final = 0.5
MAX_RECORDINGS: Final = 100
"""Recordings of a folder that are chosen by the seed."""

RECORDING_S: Final = 1.2
"""How much of a recording is used after its first speech."""


def at_level(sound: Floats, level_db: float) -> Floats:
    """Return a sound at an RMS level in dBFS."""
    return np.asarray(sound * 10 ** (level_db / 20) / np.sqrt(np.mean(np.square(sound)) + 1e-20))


def band(sound: Floats, low_hz: float, high_hz: float) -> Floats:
    """Return what a sound has between two frequencies."""
    spectrum = np.fft.rfft(sound)
    frequencies_hz = np.fft.rfftfreq(len(sound), 1 / HOP_RATE_HZ)
    spectrum[(frequencies_hz < low_hz) | (frequencies_hz > high_hz)] = 0.0
    return np.fft.irfft(spectrum, len(sound))


def _hits(rng: np.random.Generator, count: int, every_s: float, fall_s: float) -> Floats:
    """Return noise that begins every so often, not quite regularly, and falls."""
    sound = np.zeros(count)
    for begin_s in np.arange(0.2, count / HOP_RATE_HZ - 0.2, every_s):
        begin = round((begin_s + rng.uniform(0.0, 0.2 * every_s)) * HOP_RATE_HZ)
        length = min(round(6 * fall_s * HOP_RATE_HZ), count - begin)
        fall = np.exp(-np.arange(length) / (fall_s * HOP_RATE_HZ))
        sound[begin : begin + length] += rng.uniform(0.5, 1.2) * rng.standard_normal(length) * fall
    return sound


def _tones(pitches_hz: list[float], note_s: float, fall: float) -> Floats:
    """Return notes of eight harmonics one after another, each of which falls."""
    after_s = np.arange(round(note_s * HOP_RATE_HZ)) / HOP_RATE_HZ
    notes = [
        np.sum([np.sin(2 * np.pi * pitch_hz * h * after_s) / h for h in range(1, 9)], axis=0)
        * np.exp(-fall * after_s)
        for pitch_hz in pitches_hz
    ]
    return np.tile(np.concatenate(notes), round(SOUND_S / (note_s * len(notes))))


def _pulses(every_s: float, length_s: float) -> Floats:
    """Return an envelope that opens every so often, with ramps of 10 ms."""
    after_s = np.arange(round(SOUND_S * HOP_RATE_HZ)) / HOP_RATE_HZ % every_s
    return np.clip(np.minimum(after_s, length_s - after_s) / 0.01, 0.0, 1.0)


def sounds_without_speech(seed: int) -> dict[str, Floats]:
    """Return sounds of a desk and of music by name, each [samples] at 16 kHz."""
    rng = np.random.default_rng(seed)
    count = round(SOUND_S * HOP_RATE_HZ)
    time_s = np.arange(count) / HOP_RATE_HZ
    noise = rng.standard_normal(count)
    melody = _tones(rng.choice([262.0, 294.0, 330.0, 392.0, 440.0, 523.0], 24).tolist(), 0.5, 3.0)
    chords = sum((_tones([pitch_hz], 0.5, 0.0) for pitch_hz in (220.0, 277.0, 330.0)), 0.0 * noise)
    drums = band(_hits(rng, count, 0.4, 0.04), 40, 6000)
    return {
        "keys": band(_hits(rng, count, 0.13, 0.006), 300, 7500),
        "claps": band(_hits(rng, count, 0.5, 0.017), 500, 7500),
        "beeps": np.sin(2 * np.pi * 1000 * time_s) * _pulses(1.0, 0.3),
        "breath": band(noise, 400, 5000) * np.clip(np.sin(2 * np.pi * 0.3 * time_s), 0, 1),
        "coughs": band(noise, 200, 6000) * _pulses(1.7, 0.22),
        "chords": chords,
        "melody": melody,
        "drums": drums,
        "band": at_level(chords, -20) + at_level(melody, -20) + at_level(drums, -22),
        "whistle": np.sin(2 * np.pi * 1500 * time_s - 68 * np.cos(2 * np.pi * 0.7 * time_s)),
        "hum": np.asarray(sum(np.sin(2 * np.pi * 50 * k * time_s) / k for k in range(1, 6))),
        "fan": band(np.cumsum(noise) - np.linspace(0, noise.sum(), count), 30, 7000),
        "noise": noise,
    }


def open_share(sound: Floats) -> float:
    """Return for which part of a sound the gate is open."""
    preprocessor = Preprocessor(HOP_RATE_HZ, gate=VOICE)
    is_open = [hop.gate_open for hops in _hops(preprocessor, sound) for hop in hops[-1:]]
    return float(np.mean(is_open))


def _hops(preprocessor: Preprocessor, sound: Floats) -> Iterator[list[Hop]]:
    """Yield the hops that each hop of a sound gives."""
    samples = np.asarray(sound, dtype=np.float32)
    for begin in range(0, len(samples) - HOP_SAMPLES + 1, HOP_SAMPLES):
        preprocessor.push(Block(samples[begin : begin + HOP_SAMPLES], 0.0, 0.0))
        yield preprocessor.take_hops()


def shown_jaw(generator: Generator, sound: Floats, gate: GateConfig) -> Floats:
    """Return the jaw at every tick, [ticks], as a run shows it: at tick / `TICKS_HZ` s."""
    stream, preprocessor = generator.stream(1), Preprocessor(HOP_RATE_HZ, gate=gate)
    timeline = Timeline(len(generator.channels))
    emotion = np.zeros((1, len(generator.emotions)), dtype=np.float32)
    lookahead_ms = np.array([LOOKAHEAD_MS], dtype=np.float32)
    jaw, shown = generator.channels.index(JAW), list[float]()
    for number, hops in enumerate(_hops(preprocessor, sound), 1):
        samples = np.concatenate([hop.samples for hop in hops])[None]
        rows = stream.step(samples, emotion, lookahead_ms, [0])[0]
        for hop, row in zip(hops, rows, strict=True):
            timeline.put(hop.index + 1 - round(1e-3 * LOOKAHEAD_MS / HOP_S), row)
        # The row is ready at the latest when the buffer ends; the ticks until the next hop read it.
        while len(shown) / TICKS_HZ < number * HOP_S + MIN_BUFFER_S + HOP_S:
            values = timeline.at(len(shown) / TICKS_HZ - shown_delay_s()).values
            shown.append(0.0 if values is None else float(values[jaw]))
    return np.array(shown)


def shown_delay_s() -> float:
    """Return how long after its sound a face is shown."""
    return 1e-3 * LOOKAHEAD_MS + HOP_S + MIN_BUFFER_S + VOICE.lead_s


def lost_onset_ms(generator: Generator, sound: Floats) -> float | None:
    """Return for how long the gate keeps the mouth from opening for the first syllable of a sound.

    It is compared with an ideal gate, which opens `ONSET_S` before speech is certain. None where
    there is no speech in it.
    """
    detector, samples = VoiceDetector(), np.asarray(sound, dtype=np.float32)
    hops = samples[: len(samples) // HOP_SAMPLES * HOP_SAMPLES].reshape(-1, HOP_SAMPLES)
    certain = (n for n, hop in enumerate(hops) if detector.step(hop, is_urgent=True) >= CERTAIN)
    first = next(certain, None)
    if first is None:
        return None
    begins_s = first * HOP_S - ONSET_S
    samples = samples[: round((begins_s + RECORDING_S) * HOP_RATE_HZ)]
    ideal = samples.copy()
    ideal[: round(begins_s * HOP_RATE_HZ)] = 0.0
    wanted = shown_jaw(generator, ideal, GateConfig())
    gated = shown_jaw(generator, samples, VOICE)
    times_s = np.arange(len(wanted)) / TICKS_HZ - shown_delay_s()
    inside = (times_s >= begins_s) & (times_s < begins_s + SYLLABLE_S)
    wanted, gated = (jaw[inside] - np.median(jaw[times_s < begins_s]) for jaw in (wanted, gated))
    is_lost = (wanted > VISIBLE) & (gated < 0.5 * wanted)
    return 1e3 / TICKS_HZ * float(np.sum(is_lost))


def recordings(folder: Path | None, seed: int) -> Iterator[Floats]:
    """Yield the bundled speech and recordings of a folder, each [samples], after a second of room.

    They are at 16 kHz; the seed chooses which.
    """
    import soundfile
    import soxr

    found = [] if folder is None else sorted(folder.rglob("*.*"))
    found = [path for path in found if path.suffix in {".wav", ".flac", ".ogg", ".opus"}]
    rng = np.random.default_rng(seed)
    chosen = [found[number] for number in rng.permutation(len(found))[:MAX_RECORDINGS]]
    for path in (SPEECH_PATH, *chosen):
        sound, rate_hz = soundfile.read(path, dtype="float32", always_2d=True)
        mono = soxr.resample(sound.mean(axis=1), rate_hz, HOP_RATE_HZ)
        room = at_level(rng.standard_normal(HOP_RATE_HZ + len(mono)), ROOM_DB)
        room[HOP_RATE_HZ:] += at_level(mono, SPEECH_DB)
        yield room


def hop_cost_ms(sound: Floats) -> float:
    """Return the median time that the gate takes for a hop while it is closed."""
    gate, durations_s = VoiceGate(), []
    samples = np.asarray(sound, dtype=np.float32)
    for begin in range(0, len(samples) - HOP_SAMPLES + 1, HOP_SAMPLES):
        before_s = host_now()
        gate.push(samples[begin : begin + HOP_SAMPLES], ROOM_DB, VOICE)
        durations_s.append(host_now() - before_s)
    return 1e3 * float(np.median(durations_s))


def measure_gate(config: BenchConfig) -> list[Figure | Remark]:
    """Measure what opens the gate that should not, what it cuts off, and what it costs."""
    from cstalk_bridge.models import load_generator

    rng = np.random.default_rng(config.seed)
    lines: list[Figure | Remark] = []
    for name, sound in sounds_without_speech(config.seed).items():
        room = at_level(rng.standard_normal(len(sound)), ROOM_DB)
        share = max(open_share(at_level(sound, level_db) + room) for level_db in LEVELS_DB)
        lines.append(Figure(f"open at {name}", share, "of time", maximum=0.0))
    generator = load_generator(device="cpu")
    found = (lost_onset_ms(generator, sound) for sound in recordings(config.data, config.seed))
    lost_ms = [lost for lost in found if lost is not None]
    cut = [lost for lost in lost_ms if lost > 0.0]
    return [
        *lines,
        Remark(f"first syllables at a look-ahead of {LOOKAHEAD_MS} ms: {len(lost_ms)} recordings"),
        Figure("recordings with a visible loss", len(cut) / len(lost_ms), "of them", maximum=0.0),
        Figure("greatest loss", max(lost_ms), "ms"),
        Figure("cost while closed, median", hop_cost_ms(room), "ms a hop"),
    ]
