from __future__ import annotations

import numpy as np

from bridge.audio.block import Block
from bridge.audio.mute import Mute

LOUD = Block(np.ones(160, dtype=np.float32), captured_s=1.0, arrived_s=1.01)


def test_an_open_mute_passes_blocks_as_they_are() -> None:
    assert Mute().over(LOUD) is LOUD


def test_a_muted_voice_fades_out_is_silent_and_fades_in() -> None:
    mute = Mute()
    mute.is_muted = True
    fading, silent = mute.over(LOUD), mute.over(LOUD)
    mute.is_muted = False
    rising, open_again = mute.over(LOUD), mute.over(LOUD)
    assert (fading.samples[0], fading.samples[-1]) == (1.0, 0.0)
    assert np.abs(np.diff(fading.samples)).max() < 0.01
    assert not silent.samples.any()
    np.testing.assert_array_equal(rising.samples, fading.samples[::-1])
    assert open_again is LOUD
    assert (silent.captured_s, silent.arrived_s) == (1.0, 1.01)
