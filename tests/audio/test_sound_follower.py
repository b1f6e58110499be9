"""The sound that follows a face, by clocks of the test's own."""

from __future__ import annotations

import numpy as np
import pytest

from cstalk_bridge.audio.sound_follower import Interpolator, SoundFollower
from cstalk_bridge.audio.stream import AudioHistory, HistoryPosition


def sine_in_a_history(rate_hz: int, frequency_hz: float) -> AudioHistory:
    history = AudioHistory(rate_hz)
    times_s = np.arange(rate_hz) / rate_hz
    history.write(np.asarray(0.5 * np.sin(2 * np.pi * frequency_hz * times_s), dtype=np.float32))
    return history


def residue_db(sound: np.ndarray, radians: float) -> float:
    """Return what is left of a sound without the sine of that frequency, relative to it."""
    count = np.arange(len(sound))
    waves = np.stack([np.sin(radians * count), np.cos(radians * count)], axis=1)
    strengths, *_ = np.linalg.lstsq(waves, sound.astype(np.float64), rcond=None)
    residue = sound - waves @ strengths
    return float(20 * np.log10(np.std(residue) / (np.hypot(*strengths) / np.sqrt(2))))


@pytest.mark.parametrize(
    ("input_hz", "output_hz"), [(48000, 48000), (16000, 48000), (44100, 48000), (48000, 44100)]
)
@pytest.mark.parametrize("share", [0.02, 0.3, 0.8])
def test_a_sine_stays_a_sine_at_a_rate_that_is_a_little_off(
    input_hz: int, output_hz: int, share: float
) -> None:
    frequency_hz = share * min(input_hz, output_hz) / 2
    history = sine_in_a_history(input_hz, frequency_hz)
    step = input_hz / output_hz * 1.0002
    interpolator = Interpolator(input_hz, output_hz)
    pieces = []
    place = 500.3
    for _ in range(50):
        piece = interpolator.read(history, place, step, output_hz // 100)
        assert piece.missing == 0
        pieces.append(piece.samples)
        place += step * (output_hz // 100)
    sound = np.concatenate(pieces)
    assert residue_db(sound, 2 * np.pi * frequency_hz / input_hz * step) < -80.0
    assert 0.48 < float(np.abs(sound).max()) < 0.51


def test_samples_that_have_not_come_yet_are_silent_and_counted() -> None:
    history = sine_in_a_history(48000, 440.0)
    read = Interpolator(48000, 48000).read(history, 48000 - 100.0, 1.0, 480)
    assert 380 <= read.missing <= 400
    assert not read.samples[-300:].any()


RATE_HZ = 48000
BLOCK = RATE_HZ // 100
FACE_DELAY_S = 0.106


class Room:
    """A microphone and an output device whose clocks are off, and a face in step with the host.

    The microphone writes `1 + input_ppm` seconds of stream in a host second; the device plays a
    block of 10 ms in a little less time where `output_ppm` is above 0.
    """

    def __init__(
        self, *, input_ppm: float = 0.0, output_ppm: float = 0.0, lead_s: float = 0.04
    ) -> None:
        self.delay_s = FACE_DELAY_S
        self.lead_s = lead_s
        self.jitter_s = 0.0
        self.now_s = 0.0
        self.follower = SoundFollower(RATE_HZ, self.position_at, lambda _host_s: self.delay_s)
        self.history = AudioHistory(RATE_HZ)
        self._input = 1.0 + 1e-6 * input_ppm
        self._block_s = 0.01 / (1.0 + 1e-6 * output_ppm)
        self._random = np.random.default_rng(0)
        self.is_speaking = True

    def position_at(self, host_s: float) -> HistoryPosition:
        return HistoryPosition(self.history, (host_s - self.delay_s) * self._input)

    def run(self, seconds: float) -> np.ndarray:
        """Play for a while; return what was played, where a sample's value is its own time."""
        played = []
        end_s = self.now_s + seconds
        while self.now_s < end_s:
            self._speak()
            jitter_s = self._random.uniform(-1.0, 1.0) * self.jitter_s
            block = self.follower.render(self.now_s, self.now_s + self.lead_s + jitter_s, BLOCK)
            played.append(block)
            self.now_s += self._block_s
        return np.concatenate(played)

    def _speak(self) -> None:
        """Write what the microphone has recorded: a slow ramp, which encodes its time."""
        end = int(self.now_s * self._input * RATE_HZ)
        if self.is_speaking and end > self.history.end:
            times_s = np.arange(self.history.end, end) / RATE_HZ
            self.history.write(np.asarray(times_s * 1e-3, dtype=np.float32))

    def distance_s(self, last: float) -> float:
        """Return how far the sample that is played at the end of a run is from its face."""
        played_s = last * 1e3
        wanted_s = self.position_at(self.now_s + self.lead_s).stream_s
        return played_s - wanted_s


@pytest.mark.parametrize(("input_ppm", "output_ppm"), [(200.0, -200.0), (-150.0, 100.0)])
def test_clocks_that_are_off_are_followed_within_a_millisecond(
    input_ppm: float, output_ppm: float
) -> None:
    room = Room(input_ppm=input_ppm, output_ppm=output_ppm)
    room.jitter_s = 0.003
    room.run(20.0)
    for _ in range(5):
        assert abs(room.distance_s(float(room.run(2.0)[-1]))) < 0.0025
    assert room.follower.jumps == room.follower.underruns == 0
    assert abs(room.follower.bend) < 0.002


def test_a_longer_delay_is_jumped_to_and_a_slightly_longer_one_is_played_to() -> None:
    room = Room()
    room.run(2.0)
    room.follower.extra_s = 0.2
    played = room.run(2.0)
    assert room.follower.jumps == 1
    assert room.distance_s(float(played[-1])) == pytest.approx(-0.2, abs=2e-3)
    room.follower.extra_s = 0.22
    played = room.run(10.0)
    assert room.follower.jumps == 1
    assert room.distance_s(float(played[-1])) == pytest.approx(-0.22, abs=2e-3)


def test_a_buffer_that_grows_and_shrinks_is_followed_as_it_does() -> None:
    room = Room()
    room.jitter_s = 0.003
    room.run(10.0)
    room.delay_s += 0.006
    played = room.run(0.8)
    assert abs(room.distance_s(float(played[-1]))) < 0.002
    for _ in range(40):
        room.delay_s -= 0.005 * 0.02
        assert abs(room.distance_s(float(room.run(0.02)[-1]))) < 0.002
    assert room.follower.jumps == 0


def test_a_device_with_too_much_lead_is_late_by_the_difference_and_reports_it() -> None:
    room = Room(lead_s=0.15)
    played = room.run(5.0)
    assert room.follower.late_s == pytest.approx(0.15 + 0.01 + 0.012 - FACE_DELAY_S, abs=1e-3)
    assert room.distance_s(float(played[-1])) == pytest.approx(-room.follower.late_s, abs=2e-3)
    assert room.follower.underruns == 0
    assert room.follower.delay_s(room.now_s) == pytest.approx(FACE_DELAY_S + room.follower.late_s)


def test_a_gap_of_the_sound_counts_and_its_end_is_silence() -> None:
    room = Room()
    room.run(2.0)
    room.is_speaking = False
    room.run(2.0)
    assert 0 < room.follower.underruns < 40
    assert not room.run(0.5).any()


def test_a_single_long_lead_does_not_make_the_sound_late() -> None:
    room = Room()
    room.run(3.0)
    room.lead_s = 0.5
    room.run(0.02)
    room.lead_s = 0.04
    played = room.run(1.0)
    assert room.follower.late_s == 0.0
    assert room.distance_s(float(played[-1])) == pytest.approx(0.0, abs=3e-3)


def test_a_level_is_faded_to_and_nothing_is_beyond_full_scale() -> None:
    room = Room()
    room.run(1.0)
    room.follower.level = 500.0
    played = room.run(0.05)
    assert played[BLOCK:].max() == pytest.approx(0.49, abs=0.01)
    assert np.abs(np.diff(played)).max() < 2e-3
    room.follower.level = 1e6
    assert room.run(0.05).max() == 1.0


def test_before_any_sound_there_is_silence() -> None:
    follower = SoundFollower(RATE_HZ, lambda _host_s: None, lambda _host_s: FACE_DELAY_S)
    assert not follower.render(0.0, 0.04, BLOCK).any()
