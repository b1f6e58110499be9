"""Each kind of finding, where it was put and nowhere else."""

from __future__ import annotations

import numpy as np
import pytest

from bridge.plot.findings import KINDS, MOST_KEPT, Findings, find
from bridge.rig.tables import load_table

RATE_HZ = 50.0
TABLE = load_table("livelinkface61").curves
COLUMN = {curve.name: column for column, curve in enumerate(TABLE)}


def calm(seconds: float = 4.0) -> np.ndarray:
    """Return curves that move gently, the same on both sides."""
    times_s = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    wave = 0.4 + 0.3 * np.sin(2 * np.pi * 2 * times_s)
    return np.repeat(wave[:, None], len(TABLE), axis=1).astype(np.float32)


def found(curves: np.ndarray, start_s: float = 0.0) -> Findings:
    # Mirrored signs (head yaw) would make the same wave uneven: rotations rest here.
    curves = curves.copy()
    curves[:, COLUMN["HeadYaw"] :] = 0.0
    return find(curves, TABLE, RATE_HZ, start_s)


def test_a_calm_take_has_no_findings() -> None:
    result = found(calm())
    assert result.kept == ()
    assert sum(result.counts.values()) == 0


def test_a_value_on_its_limit_is_clipped() -> None:
    curves = calm()
    curves[:, COLUMN["JawOpen"]] = np.minimum(curves[:, COLUMN["JawOpen"]] * 2, 1.0)
    kept = found(curves).kept
    assert {finding.kind for finding in kept} == {"clipped"}
    assert kept[0].size == pytest.approx(kept[0].end_s - kept[0].start_s)
    assert len(kept) == 8, "once a cycle of the 2 Hz wave"


def test_a_short_closure_is_no_clipping() -> None:
    curves = calm()
    curves[:, COLUMN["MouthClose"]] = 0.4
    curves[::40, COLUMN["MouthClose"]] = 0.45
    curves[50:52, COLUMN["MouthClose"]] = [0.7, 0.7]
    assert found(curves).counts["clipped"] == 0


def test_a_curve_that_stands_still_away_from_rest_is_stuck() -> None:
    curves = calm()
    curves[50:120, COLUMN["MouthPucker"]] = curves[50, COLUMN["MouthPucker"]]
    finding = next(f for f in found(curves).kept if f.kind == "stuck")
    assert (finding.curve, finding.start_s) == ("MouthPucker", 1.0)
    assert finding.size == pytest.approx(69 / RATE_HZ)
    curves[:, COLUMN["MouthPucker"]] = 0.0
    assert found(curves).counts["stuck"] == 0, "at rest is no fault"


def test_a_side_of_its_own_is_told_once() -> None:
    curves = calm()
    curves[100:130, COLUMN["MouthSmileRight"]] += 0.3
    uneven = [f for f in found(curves).kept if f.kind == "uneven"]
    assert [f.curve for f in uneven] == ["MouthSmileLeft"]
    assert (uneven[0].start_s, uneven[0].end_s) == (2.0, 2.6)
    assert uneven[0].size == pytest.approx(0.3, abs=1e-5)


def test_a_step_is_told_at_its_time_and_not_again_as_jerk() -> None:
    curves = calm()
    curves[100:, COLUMN["CheekPuff"]] = 0.98 * (curves[100:, COLUMN["CheekPuff"]] > 0)
    result = found(curves, start_s=10.0)
    step = next(f for f in result.kept if f.kind == "step")
    assert step.curve == "CheekPuff"
    assert step.start_s == pytest.approx(10 + 99.5 / RATE_HZ)
    assert step.size == pytest.approx((0.98 - curves[99, COLUMN["CheekPuff"]]) * RATE_HZ, rel=1e-4)
    assert result.counts["jerk"] == 0


def test_a_tremble_is_jerk() -> None:
    curves = calm()
    curves[100:110, COLUMN["JawOpen"]] += np.tile([0.15, -0.15], 5).astype(np.float32)
    result = found(curves)
    assert result.counts == {**dict.fromkeys(KINDS, 0), "jerk": 1}
    assert result.kept[0].start_s == pytest.approx(2.0, abs=0.06)


def test_what_is_kept_is_bounded_and_everything_is_counted() -> None:
    curves = np.tile(np.float32([0, 0, 0, 0, 0, 0, 0, 1]), 600)[:, None].repeat(3, axis=1)
    result = find(curves, load_table("vrm").curves[:3], RATE_HZ)
    assert result.counts["step"] == 3 * 600
    assert len(result.kept) == MOST_KEPT


@pytest.mark.parametrize("rows", [0, 1, 2, 3, 4])
def test_a_take_of_a_few_rows_is_examined_too(rows: int) -> None:
    assert find(calm()[:rows], TABLE, RATE_HZ).kept == ()


@pytest.mark.parametrize(("way", "steps"), [(0.6, 0), (0.9, 1)])
def test_a_lid_may_shut_faster_than_a_mouth_but_not_at_once(way: float, steps: int) -> None:
    curves = calm()
    for side in ("Left", "Right"):
        curves[:, COLUMN[f"EyeBlink{side}"]] = 0.05
        curves[100:, COLUMN[f"EyeBlink{side}"]] = 0.05 + way
    assert found(curves).counts["step"] == 2 * steps
