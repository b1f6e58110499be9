"""Captured curves come as board values above the talker's own rest."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from models.training.captured_mouths import CURVES, JAW_GAIN, SLIDERS, CapturedMouths
from models.training.sources import GRID_CURVES

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def mouths(tmp_path: Path) -> CapturedMouths:
    for source in ("grid_s1", "facegood"):
        (tmp_path / source).mkdir()
    talker = np.tile(np.float16([0.1, 0.02, 0.0]), (30, 1))
    talker[10:20] = [0.5, 0.25, 0.2]
    names = np.array(["jawOpen", "mouthClose", "mouthPucker"])
    np.savez(tmp_path / "grid_s1" / GRID_CURVES, names=names, a=talker)
    sliders = sorted({name for mix in SLIDERS.values() for name in mix})
    solved = np.zeros((30, len(sliders)), np.float16)
    solved[:, sliders.index("mouth_stretch_c")] = 0.4
    solved[:, sliders.index("mouth_oo_c")] = 0.5
    np.savez(tmp_path / "facegood/curves.npz", names=np.array(sliders), b=solved)
    return CapturedMouths({s: tmp_path / s for s in ("grid_s1", "facegood")})


def test_the_tracked_talker_is_taken_above_his_silence(mouths: CapturedMouths) -> None:
    phones = np.zeros(50, np.int64)
    phones[20:38] = 3
    curves = dict(zip(CURVES, mouths.grid("a", phones).T, strict=True))
    assert curves["jaw"][28] == pytest.approx(JAW_GAIN * 0.4, abs=1e-3)
    assert curves["together"][28] == pytest.approx(0.5, abs=1e-3)
    assert abs(curves["jaw"][:15]).max() < 1e-3
    assert curves["pucker"][28] == pytest.approx(0.4, abs=1e-3)


def test_the_solved_talker_has_jaw_and_purse(mouths: CapturedMouths) -> None:
    curves = mouths.facegood("b", 40)
    assert curves[:, 0] == pytest.approx(0.4, abs=1e-3)
    assert curves[:, 1] == pytest.approx(0.35, abs=1e-3)
    assert curves[:, 2].max() == 0.0
