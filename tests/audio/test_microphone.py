"""Real capture from fake microphones, and every way in which a microphone fails."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import numpy as np
import pytest

from cstalk_bridge.audio.microphone import GUARD_BLOCKS, RING_BLOCKS, BlockRing

if TYPE_CHECKING:
    from collections.abc import Callable

    from cstalk_bridge.bench.microphone import FakeMicrophones
    from tests.audio.conftest import Probe


def block(value: float) -> np.ndarray:
    return np.full((4, 2), value, dtype=np.float32)


def test_blocks_come_out_in_order_with_their_times() -> None:
    ring = BlockRing(4, 2)
    for number in range(3):
        ring.write(block(number), 10.0 + number, 0.012)
    taken = ring.read()
    assert [float(stamped.samples[0, 0]) for stamped in taken] == [0.0, 1.0, 2.0]
    assert [stamped.arrived_s for stamped in taken] == [10.0, 11.0, 12.0]
    assert taken[0].age_s == 0.012
    assert ring.read() == []


def test_blocks_already_read_are_not_changed_by_later_ones() -> None:
    ring = BlockRing(4, 2)
    ring.write(block(1), 0.0, 0.0)
    (taken,) = ring.read()
    for _ in range(RING_BLOCKS):
        ring.write(block(2), 0.0, 0.0)
    assert (taken.samples == 1).all()


def test_the_oldest_blocks_are_dropped_and_counted() -> None:
    ring = BlockRing(4, 2)
    for number in range(RING_BLOCKS + 50):
        ring.write(block(number), float(number), 0.0)
    taken = ring.read()
    assert len(taken) == RING_BLOCKS - GUARD_BLOCKS
    assert taken[-1].arrived_s == RING_BLOCKS + 49
    assert ring.dropped == 50 + GUARD_BLOCKS


def test_skipped_blocks_are_not_counted_as_lost() -> None:
    ring = BlockRing(4, 2)
    ring.write(block(1), 0.0, 0.0)
    ring.skip()
    assert ring.read() == []
    assert ring.dropped == 0


def test_two_threads_exchange_whole_blocks_in_order() -> None:
    ring = BlockRing(64, 2)
    total = 3000
    wake = threading.Event()

    def write() -> None:
        for number in range(total):
            ring.write(np.full((64, 2), number, dtype=np.float32), float(number), 0.0)
            wake.set()

    writer = threading.Thread(target=write)
    writer.start()
    taken = []
    while writer.is_alive():
        wake.wait(0.1)
        wake.clear()
        taken += ring.read()
    taken += ring.read()
    assert all((stamped.samples == stamped.arrived_s).all() for stamped in taken)
    assert len(taken) + ring.dropped == total
    assert taken == sorted(taken, key=lambda stamped: stamped.arrived_s)


def noise(frames: int, channels: int) -> np.ndarray:
    """Noise below 5 kHz which begins and ends softly, int16 [frames, channels] at 48 kHz."""
    random = np.random.default_rng(3)
    spectrum = np.fft.rfft(random.normal(size=(frames, channels)), axis=0)
    spectrum[frames * 5 // 48 :] = 0
    sound = np.fft.irfft(spectrum, frames, axis=0) * np.hanning(frames)[:, None]
    return np.asarray(np.round(sound / np.abs(sound).max() * 20000), dtype=np.int16)


def correlation(recorded: list[float], played: np.ndarray) -> float:
    """The best normalised correlation of a recording at 16 kHz with what was played at 48 kHz."""
    expected = played[::3].astype(float)
    sound = np.array(recorded)
    products = np.correlate(np.pad(sound, 200), expected, "valid")
    return float(products.max() / np.sqrt((expected**2).sum() * (sound**2).sum()))


def test_the_selected_channel_is_captured_with_capture_times(
    fake_microphones: FakeMicrophones, probe: Callable[..., Probe]
) -> None:
    recorder = probe("mic_b", "2")
    assert recorder.next("open")["rate_hz"] == 16000
    recorder.next("running")
    played = noise(24000, 2)
    played_s = fake_microphones.play("mic_b", played)
    time.sleep(0.8)
    end = recorder.end()
    assert end["lengths"] == [160]
    assert end["is_in_order"]
    assert correlation(end["sound"], played[:, 1]) > 0.99
    assert correlation(end["sound"], played[:, 0]) < 0.3
    captured_s, arrived_s = end["first"]
    assert 0.010 - 1e-6 <= arrived_s - captured_s < 0.2
    assert -0.05 < captured_s - played_s < 0.5


def test_without_a_channel_the_pair_is_mixed(
    fake_microphones: FakeMicrophones, probe: Callable[..., Probe]
) -> None:
    recorder = probe("MIC_A")
    assert recorder.next("open")["name"] == "mic_a"
    recorder.next("running")
    played = noise(24000, 2)
    fake_microphones.play("mic_a", played)
    time.sleep(0.8)
    assert correlation(recorder.end()["sound"], played.mean(axis=1)) > 0.99


def kill(microphones: FakeMicrophones) -> None:
    microphones.kill()


def restart(microphones: FakeMicrophones) -> None:
    microphones.restart()


def stall(microphones: FakeMicrophones) -> None:
    microphones.stall("mic_a")


def unstall(microphones: FakeMicrophones) -> None:
    microphones.stall("mic_a", is_stalled=False)


def suspend(microphones: FakeMicrophones) -> None:
    microphones.suspend("mic_a")


def resume(microphones: FakeMicrophones) -> None:
    microphones.suspend("mic_a", is_suspended=False)


LIBPULSE_TIMEOUT_S = 30.0
"""How long libpulse waits for a reply of its server."""

GONE, STALLED = "the device is no longer available", "the device delivered nothing for 1 s"


@pytest.mark.parametrize(
    ("break_it", "restore_it", "faults"),
    [
        # A busy machine may miss its stream for a second before libpulse reports the end.
        pytest.param(kill, restart, {GONE, STALLED}, id="killed server"),
        pytest.param(stall, unstall, {STALLED}, id="stalled writer"),
        pytest.param(suspend, resume, {STALLED}, id="suspended"),
    ],
)
def test_a_microphone_that_disconnects_is_reported_and_reopened(
    fake_microphones: FakeMicrophones,
    probe: Callable[..., Probe],
    break_it: Callable[[FakeMicrophones], None],
    restore_it: Callable[[FakeMicrophones], None],
    faults: set[str],
) -> None:
    recorder = probe("mic_a")
    recorder.next("open")
    recorder.next("running")
    break_it(fake_microphones)
    assert recorder.next("lost")["fault"] in faults
    time.sleep(1.2)
    restore_it(fake_microphones)
    assert recorder.next("running")["fault"] == ""
    played = noise(24000, 2)
    fake_microphones.play("mic_a", played)
    time.sleep(0.8)
    end = recorder.end()
    assert correlation(end["sound"], played.mean(axis=1)) > 0.99
    assert end["longest_poll_s"] < 0.2, "polling never waits for the device"


def test_a_sound_server_that_hangs_does_not_keep_the_program_from_exiting(
    fake_microphones: FakeMicrophones, probe: Callable[..., Probe]
) -> None:
    recorder = probe("mic_a")
    recorder.next("open")
    recorder.next("running")
    fake_microphones.halt()
    assert recorder.next("lost")["fault"] == STALLED
    time.sleep(1.0)
    stopped_s = time.monotonic()
    end = recorder.end()
    assert time.monotonic() - stopped_s < LIBPULSE_TIMEOUT_S / 2
    assert end["longest_poll_s"] < 0.2
    assert recorder.exit_status(LIBPULSE_TIMEOUT_S / 2) == 0


def test_a_device_that_cannot_be_opened_is_refused_in_one_line(
    fake_microphones: FakeMicrophones, probe: Callable[..., Probe]
) -> None:
    unknown = probe("studio").next("refused")["message"]
    assert "'studio'" in unknown or "studio" in unknown
    assert "mic_a" in unknown
    assert "mic_b" in unknown
    ambiguous = probe("mic_").next("refused")["message"]
    assert "2 input devices have 'mic_' in their name" in ambiguous
    beyond = probe("mic_a", "200").next("refused")["message"]
    assert "channel 200 does not exist, 'mic_a' has" in beyond
    fake_microphones.kill()
    gone = probe("mic_a").next("refused")["message"]
    assert "mic_a" in gone
    assert "\n" not in unknown + ambiguous + beyond + gone
