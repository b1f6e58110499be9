"""Each part of a face comes up and fades in its own time, and stays between nothing and all."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.board import AUDIO_DRIVEN
from models.regions import REGION_OF
from models.timing import ROW_RATE_HZ
from models.training.swells import STRESS_LIFTS, SWELL_OF, SWELLS, swells_of

BROW = list(SWELLS).index("brow")
NAMES = list(AUDIO_DRIVEN)


def course(spoken: range | list[int], rows: range) -> dict[str, np.ndarray]:
    found = swells_of(np.array(spoken), np.array(rows))
    assert found.shape == (len(rows), len(SWELLS))
    return dict(zip(SWELLS, found.T, strict=True))


def test_a_phrase_brings_a_part_up_and_its_end_lets_it_fade() -> None:
    swells = course(range(50, 151), range(400))
    for name, swell in SWELLS.items():
        risen = 1.0 - math.exp(-1.0 / swell.rise_s)
        assert swells[name][:51].max() == 0.0
        assert swells[name][100] == pytest.approx(risen, abs=1e-6)
        whole = 1.0 - math.exp(-2.0 / swell.rise_s)
        faded = whole * math.exp(-1.0 / swell.fade_s)
        assert swells[name][150 + ROW_RATE_HZ] == pytest.approx(faded, abs=1e-6)


def test_parts_come_and_go_one_after_the_other() -> None:
    swells = course(range(50, 151), range(400))
    assert swells["nose"][60] > swells["eyelid_cheek"][60] > swells["brow"][60]
    assert swells["nose"][200] < swells["eyelid_cheek"][200] < swells["brow"][200]


def test_a_second_phrase_goes_on_from_what_the_first_left() -> None:
    once, twice = (course(spoken, range(300))["brow"] for spoken in ([*range(50)], TWO_PHRASES))
    assert twice[100] == pytest.approx(once[100], abs=1e-6)
    assert (np.diff(twice[100:151]) > 0).all()


TWO_PHRASES = [*range(50), *range(100, 151)]


def test_every_channel_has_the_course_of_its_part() -> None:
    parts = dict(zip(NAMES, [list(SWELLS)[place] for place in SWELL_OF.tolist()], strict=True))
    assert parts["CTRL_L_brow_down.ty"] == "brow"
    assert parts["CTRL_R_eye_cheekRaise.ty"] == "eyelid_cheek"
    assert parts["CTRL_L_nose.ty"] == "nose"
    assert parts["CTRL_L_mouth_cornerPull.ty"] == parts["CTRL_C_jaw.ty"] == "mouth"
    lifted = {REGION_OF[name] for name, lift in zip(NAMES, STRESS_LIFTS, strict=True) if lift}
    assert lifted == {"eyelid_cheek", "nose"}


def test_nobody_who_says_nothing_swells() -> None:
    assert swells_of(np.array([]), np.arange(9)).tolist() == [[0.0] * len(SWELLS)] * 9


@given(st.lists(st.integers(0, 999), unique=True), st.lists(st.floats(-50, 1500), max_size=9))
def test_a_swell_is_a_share_and_never_jumps(spoken: list[int], rows: list[float]) -> None:
    at = np.array(sorted(rows))
    swells = swells_of(np.array(sorted(spoken)), at)
    assert ((swells >= 0.0) & (swells <= 1.0)).all()
    slow = swells[:, BROW]
    assert (np.abs(np.diff(slow)) <= np.diff(at) / ROW_RATE_HZ / SWELLS["brow"].rise_s + 1e-5).all()
