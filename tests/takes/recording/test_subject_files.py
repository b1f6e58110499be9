"""Sound that keeps pace with frames, from devices whose clocks do not."""

from __future__ import annotations

import numpy as np
import pytest

from cstalk_bridge.audio.stream import AudioHistory, HistoryPosition
from cstalk_bridge.takes.recording.subject_files import JUMP_S, SoundTrack, stretched
from tests.takes.recording.harness import tone

RATE_HZ = 48_000
PIECE = RATE_HZ // 4


def played(drift: float, pieces: int) -> tuple[SoundTrack, np.ndarray]:
    """Take pieces of a hum from a device that is `drift` too fast."""
    history, track = AudioHistory(RATE_HZ), SoundTrack(RATE_HZ)
    parts = []
    for piece in range(pieces):
        end = int((piece + 2) * PIECE * (1 + drift))
        history.write(tone(RATE_HZ, history.end, end - history.end))
        parts.append(track.take(HistoryPosition(history, piece / 4 * (1 + drift)), PIECE))
    return track, np.concatenate(parts)


def test_samples_are_copied_where_clocks_agree() -> None:
    track, sound = played(0.0, 8)
    assert np.array_equal(sound, tone(RATE_HZ, 0, len(sound)))
    assert (track.jumps, track.missing) == (0, 0)


@pytest.mark.parametrize("drift", [-200e-6, -20e-6, 50e-6, 200e-6])
def test_sound_stays_with_its_frames_for_minutes(drift: float) -> None:
    track, sound = played(drift, 4 * 120)
    assert (track.jumps, track.missing) == (0, 0)
    # A hum of 440 Hz: what is heard at a time is told by its phase, to 1.1 ms either way.
    times_s = np.arange(len(sound)) / RATE_HZ
    turning = np.exp(-2j * np.pi * 440 * (1 + drift) * times_s)
    lag = (sound * turning).reshape(-1, PIECE).mean(axis=1)
    shift_s = np.unwrap(np.angle(lag * 4j)) / (2 * np.pi * 440)
    assert np.abs(shift_s).max() < 0.00125
    assert np.abs(np.diff(sound)).max() < 1.05 * np.abs(np.diff(tone(RATE_HZ, 0, PIECE))).max()


def test_a_jump_is_followed_and_counted() -> None:
    history, track = AudioHistory(RATE_HZ), SoundTrack(RATE_HZ)
    history.write(tone(RATE_HZ, 0, RATE_HZ))
    history.write(tone(RATE_HZ, RATE_HZ, RATE_HZ))
    track.take(HistoryPosition(history, 0.0), PIECE)
    late_s = 0.25 + 2 * JUMP_S
    assert np.array_equal(
        track.take(HistoryPosition(history, late_s), PIECE),
        tone(RATE_HZ, round(late_s * RATE_HZ), PIECE),
    )
    assert track.jumps == 1


def test_where_there_is_no_sound_there_is_silence() -> None:
    history, track = AudioHistory(RATE_HZ), SoundTrack(RATE_HZ)
    history.write(tone(RATE_HZ, 0, PIECE))
    assert not track.take(None, PIECE).any()
    assert not track.take(HistoryPosition(AudioHistory(16_000), 0.0), PIECE).any()
    before = track.take(HistoryPosition(history, -0.125), PIECE)
    assert not before[: PIECE // 2].any()
    assert np.array_equal(before[PIECE // 2 :], tone(RATE_HZ, 0, PIECE // 2))
    assert track.missing == PIECE // 2


@pytest.mark.parametrize("count", [990, 999, 1001, 1010])
def test_stretching_keeps_the_wave(count: int) -> None:
    samples = tone(RATE_HZ, -1, 1003)
    places = np.arange(count) * 1000 / count
    exact = 0.5 * np.sin(2 * np.pi * 440 * places / RATE_HZ)
    np.testing.assert_allclose(stretched(samples, count), exact, atol=1e-4)
