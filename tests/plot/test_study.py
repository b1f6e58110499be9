"""The measures of a take, through a rig map."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from cstalk_bridge.plot.measures import jerk
from cstalk_bridge.plot.study import JAW, UNNAMED_REGION, curve_table, examine
from cstalk_bridge.rig.load import load_rigmap
from cstalk_bridge.takes.sound import SampledSound
from cstalk_bridge.takes.take import BLOCK_ROWS, curves
from tests.plot.studies import calm_take, moved, study
from tests.takes.takes import made_take

if TYPE_CHECKING:
    from pathlib import Path


def test_curves_and_times_are_those_of_the_requested_rows() -> None:
    take = made_take(200)
    whole = curves(take, load_rigmap("livelinkface61"))
    part = study(take, rows=slice(50, 120))
    assert np.array_equal(part.curves, whole[50:120])
    assert (part.times_s[0], part.times_s[-1]) == (1.0, 2.38)
    assert (part.start_s, part.end_s) == (1.0, 2.4)


def test_a_segment_late_in_a_long_take_is_that_segment() -> None:
    take = made_take(2 * BLOCK_ROWS + 100)
    rows = slice(BLOCK_ROWS - 3, 2 * BLOCK_ROWS + 7)
    whole = curves(take, load_rigmap("livelinkface61"))
    assert np.array_equal(study(take, rows=rows).curves, whole[rows])


def test_one_closure_and_an_open_mouth_are_measured() -> None:
    found = study(calm_take())
    assert found.closures.tolist() == [[61, 65]]
    assert found.mouth_opening.max() == pytest.approx(0.8, abs=0.01)
    assert found.warnings.kept == ()


def test_roughness_is_that_of_the_roughest_curve_of_a_region() -> None:
    take = moved(calm_take(), JAW, [0.0, 0.9] * 10, slice(100, 120))
    found = study(take)
    column = [curve.name for curve in found.table].index("JawOpen")
    jaw = found.curves[:, column]
    assert found.roughness["jaw"].max() == pytest.approx(np.abs(jerk(jaw, 1.0, 50)).max())
    assert found.roughness["brow"].max() == 0.0
    assert any(finding.curve == "JawOpen" for finding in found.warnings.kept)


def test_without_sound_there_is_no_loudness_and_no_correlation() -> None:
    found = study(replace(calm_take(), sound=None))
    assert found.loudness is None
    assert found.agreement is None


def test_a_mouth_that_follows_the_sound_correlates_with_it() -> None:
    take = calm_take()
    assert take.sound is not None
    rate_hz = take.sound.rate_hz
    opening = study(take).mouth_opening
    times_s = np.arange(take.sound.frames) / rate_hz
    loud = np.interp(times_s, np.arange(take.rows) / 50, opening)
    tone = (10 ** (2 * loud - 2.5) * np.sin(2 * np.pi * 400 * times_s)).astype(np.float32)
    found = study(replace(take, sound=SampledSound(tone, rate_hz))).agreement
    assert found is not None
    assert found.best > 0.98
    assert abs(found.lag_s) <= 0.02


def test_limits_are_those_of_the_map_and_unknown_curves_have_a_region(tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(
        f"target: custom\ncurves:\n  grin: {{from: {JAW}, clamp: [0, 0.5]}}\n", encoding="utf-8"
    )
    (curve,) = curve_table(load_rigmap(path))
    assert (curve.name, curve.region) == ("grin", UNNAMED_REGION)
    assert (curve.minimum, curve.maximum) == (0.0, 0.5)
    clipped = examine(calm_take(), load_rigmap(path), slice(None)).warnings
    assert clipped.counts["clipped"] == 8


def test_a_curve_of_constant_value_is_studied_too(tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    text = f"target: custom\ncurves:\n  still: {{from: {JAW}, clamp: [0, 0]}}\n"
    path.write_text(text, encoding="utf-8")
    found = examine(calm_take(), load_rigmap(path), slice(None))
    assert found.warnings.kept == ()
    assert found.roughness[UNNAMED_REGION].max() == 0.0


@pytest.mark.parametrize("rows", [1, 2, 3, 4, 11])
def test_a_take_of_a_few_rows_can_be_studied(rows: int) -> None:
    found = study(made_take(rows))
    assert len(found.curves) == len(found.mouth_opening) == rows
