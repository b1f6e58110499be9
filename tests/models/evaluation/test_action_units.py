from __future__ import annotations

import numpy as np
import pytest

from models.board import AUDIO_DRIVEN
from models.evaluation.action_units import MOUTH, UNITS, UPPER, couplings, units_of
from models.regions import REGIONS


def face(**sliders: float) -> np.ndarray:
    row = np.zeros((2, len(AUDIO_DRIVEN)), dtype=np.float32)
    for slider, value in sliders.items():
        for index, name in enumerate(AUDIO_DRIVEN):
            if name.split("_", 2)[2].startswith(slider):
                row[:, index] = value
    return row


def unit(name: str, made: np.ndarray) -> float:
    return float(units_of(made)[0, UNITS.index(name)])


def test_both_sides_at_full_are_the_strongest_unit() -> None:
    assert unit("AU12", face(mouth_cornerPull=1.0)) == pytest.approx(5.0)
    assert unit("AU01", face(brow_raiseIn=0.4)) == pytest.approx(2.0)
    assert unit("AU05", face(eye_blink=-0.6)) == pytest.approx(3.0)


def test_no_unit_leaves_its_scale() -> None:
    assert unit("AU05", face(eye_blink=1.0)) == 0.0
    assert unit("AU25", face(jaw=1.0, mouth_lowerLipDepress=1.0)) == 5.0


def test_lips_held_together_do_not_part() -> None:
    open_jaw = face(**{"jaw.ty": 0.4})
    assert unit("AU25", open_jaw) == pytest.approx(2.0)
    assert unit("AU25", open_jaw + face(mouth_lipsTogether=0.4)) == pytest.approx(0.0, abs=1e-6)
    assert unit("AU26", open_jaw + face(mouth_lipsTogether=0.4)) == pytest.approx(2.0)


def test_upper_face_and_mouth_share_no_unit() -> None:
    assert {UNITS[i] for i in UPPER} == {"AU01", "AU02", "AU04", "AU05", "AU06", "AU07"}
    assert not set(UPPER) & set(MOUTH)
    assert {"AU12", "AU15", "AU25", "AU26"} <= {UNITS[i] for i in MOUTH}


def test_units_that_move_together_couple_their_regions() -> None:
    random = np.random.default_rng(0)
    course = np.zeros((400, len(UNITS)), dtype=np.float32)
    course[:, UNITS.index("AU01")] = 2 + random.standard_normal(400)
    course[:, UNITS.index("AU09")] = 0.5 * course[:, UNITS.index("AU01")]
    course[:, UNITS.index("AU26")] = 2 + random.standard_normal(400)
    found = couplings([course])
    brow, nose, jaw = (REGIONS.index(name) for name in ("brow", "nose", "jaw_chin"))
    assert found[brow, nose] == pytest.approx(1.0)
    assert found[brow, jaw] < 0.2
    assert np.isnan(found[REGIONS.index("tongue")]).all()
