from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from cstalk_bridge.audio.source import HOP_RATE_HZ, HOP_S, HOP_SAMPLES
from cstalk_bridge.face.sync_test import ClapStream
from cstalk_bridge.models import load_generator

if TYPE_CHECKING:
    from cstalk_bridge.models.cstalk.generator import Generator

HOPS = 60
GUARDS = [0.45]


@pytest.fixture(scope="module")
def generator() -> Generator:
    return load_generator(device="cpu")


@pytest.mark.parametrize("clap_s", [0.5, 0.5071, 0.513, 0.5199])
@pytest.mark.parametrize("lookahead_ms", [20.0, 80.0])
def test_the_mouth_is_half_open_at_the_clap_wherever_it_lies(
    generator: Generator, clap_s: float, lookahead_ms: float
) -> None:
    stream = ClapStream(generator.stream(1), generator.channels)
    sound = np.zeros(HOPS * HOP_SAMPLES, dtype=np.float32)
    begin = round(clap_s * HOP_RATE_HZ)
    sound[begin : begin + 400] = 0.5
    jaw = generator.channels.index("CTRL_C_jaw.ty")
    emotion = np.zeros((1, len(generator.emotions)), dtype=np.float32)
    delay = np.array([lookahead_ms], dtype=np.float32)
    rows = [
        stream.step(hop[None], emotion, delay, [0], GUARDS)[0, -1, jaw]
        for hop in sound.reshape(HOPS, HOP_SAMPLES)
    ]
    times_s = HOP_S * np.arange(1, HOPS + 1) - 1e-3 * lookahead_ms
    around = (times_s > clap_s - 0.1) & (times_s < clap_s + 0.1)
    half_open_s = np.interp(0.5, np.array(rows)[around], times_s[around])
    assert half_open_s == pytest.approx(clap_s, abs=1e-4)
    assert rows[0] == rows[-1] == 0.0


def test_a_hop_of_many_is_as_hops_one_by_one(generator: Generator) -> None:
    sound = np.zeros(10 * HOP_SAMPLES, dtype=np.float32)
    sound[1000:1200] = 0.5
    emotion = np.zeros((1, len(generator.emotions)), dtype=np.float32)
    delay = np.array([40.0], dtype=np.float32)
    whole = ClapStream(generator.stream(1), generator.channels)
    single = ClapStream(generator.stream(1), generator.channels)
    at_once = whole.step(sound[None], emotion, delay, [0], GUARDS)
    one_by_one = [
        single.step(hop[None], emotion, delay, [0], GUARDS)[:, -1] for hop in sound.reshape(10, -1)
    ]
    assert np.allclose(at_once[0], np.concatenate(one_by_one))
    single.reset([0])
    rested = single.step(np.zeros((1, HOP_SAMPLES), dtype=np.float32), emotion, delay, [0], GUARDS)
    assert not rested[0, -1, generator.channels.index("CTRL_C_jaw.ty")]
