from __future__ import annotations

import numpy as np
import pytest

from models.board import AUDIO_DRIVEN
from models.evaluation.action_units import UNITS, units_of
from models.training.action_units import FULL_INTENSITY, GAINS


@pytest.mark.parametrize("unit", [unit for unit in UNITS if unit not in ("AU25", "AU26")])
def test_a_unit_at_full_strength_shows_as_itself_alone(unit: str) -> None:
    shown = units_of(GAINS[unit][None])[0]
    assert shown[UNITS.index(unit)] == pytest.approx(FULL_INTENSITY)
    assert np.delete(shown, UNITS.index(unit)).max() == 0.0


def test_parted_lips_and_a_dropped_jaw_share_the_jaw() -> None:
    face = np.zeros((1, len(AUDIO_DRIVEN)), dtype=np.float32)
    face[0, AUDIO_DRIVEN.index("CTRL_C_jaw.ty")] = 0.4
    shown = units_of(face)[0]
    assert shown[[UNITS.index("AU25"), UNITS.index("AU26")]] == pytest.approx([2.0, 2.0])


def test_one_side_shows_half_and_no_unit_leaves_its_scale() -> None:
    face = np.zeros((2, len(AUDIO_DRIVEN)), dtype=np.float32)
    face[0, AUDIO_DRIVEN.index("CTRL_L_mouth_cornerPull.ty")] = 1.0
    face[1, [AUDIO_DRIVEN.index(f"CTRL_{side}_eye_blink.ty") for side in "LR"]] = 1.0
    shown = units_of(face)
    assert shown[0, UNITS.index("AU12")] == pytest.approx(2.5)
    assert shown[1].max() == 0.0
