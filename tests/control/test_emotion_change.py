"""The face during a change of emotion, with the shipped weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cstalk_bridge.face.emotion import EmotionState
from cstalk_bridge.face.inference import load_network
from cstalk_bridge.models.emotions import MAX_WEIGHT
from cstalk_bridge.models.timing import HOP_S

if TYPE_CHECKING:
    from cstalk_bridge.models.cstalk.generator import Generator


HOP_SAMPLES = 320
CHANGE_S, OVER_S, END_S = 1.5, 1.5, 4.0
MAX_STEP = 0.06
FPS = 60.0


@pytest.fixture(scope="module")
def network() -> Generator:
    return load_network(None, "cpu")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({}, {"happy": 1.0}),
        ({"happy": 1.0}, {"disgusted": 1.0}),
        ({"sad": 1.0}, {"angry": 1.0}),
        ({"surprised": 1.0}, {"fearful": 0.5, "sad": 0.5}),
    ],
)
def test_no_frame_of_a_silent_face_jumps(
    network: Generator, before: dict[str, float], after: dict[str, float]
) -> None:
    state = EmotionState(network.emotion_vector(before))
    stream = network.stream(1)
    noise = np.random.default_rng(0).uniform(-5e-4, 5e-4, HOP_SAMPLES).astype(np.float32)
    rows = []
    for hop in range(round(END_S / HOP_S)):
        now_s = hop * HOP_S
        if hop == round(CHANGE_S / HOP_S):
            state.change(network.emotion_vector(after), now_s, OVER_S)
        lookahead_ms = np.full(1, 80.0, dtype=np.float32)
        rows.append(stream.step(noise[None], state.at(now_s)[None], lookahead_ms, [0])[0, -1])
    changing = np.array(rows)[round((CHANGE_S - 0.2) / HOP_S) :]
    times_s = np.arange(0.0, (len(changing) - 1) * HOP_S, 1.0 / FPS)
    hops_s = np.arange(len(changing)) * HOP_S
    frames = np.stack([np.interp(times_s, hops_s, channel) for channel in changing.T], axis=1)
    assert np.abs(frames[-1] - frames[0]).max() > 0.2  # it changes at all
    assert np.abs(np.diff(frames, axis=0)).max() < MAX_STEP


WEIGHTS = st.lists(st.floats(0.0, MAX_WEIGHT, width=32), min_size=7, max_size=7)


@given(WEIGHTS, WEIGHTS, st.floats(0.01, 60.0))
def test_every_weight_moves_monotonically_to_its_target(
    before: list[float], after: list[float], over_s: float
) -> None:
    start, end = (np.array(mix, dtype=np.float32) for mix in (before, after))
    state = EmotionState(start)
    state.change(end, 10.0, over_s)
    curve = np.array([state.at(10.0 + over_s * share) for share in np.linspace(0.0, 1.0, 50)])
    steps = np.diff(curve, axis=0) * np.sign(end - start)
    assert steps.min() >= -1e-6
    np.testing.assert_array_equal(curve[-1], end)
