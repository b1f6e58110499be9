"""Measures of synthetic signals whose results are known."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from matplotlib.text import Text

from cstalk_bridge.models.board import CHANNEL_INDEX, CHANNELS
from cstalk_bridge.plot.figure import draw
from cstalk_bridge.plot.measures import (
    MAX_JERK,
    MAX_KEPT,
    MAX_LAG_S,
    MAX_SPEED,
    STROKE_S,
    WARNING_KINDS,
    CurveWarnings,
    agreement,
    closures,
    find_warnings,
    jerk,
    measure_eyes_and_head,
    mouth_opening,
    rms,
    speed,
)
from cstalk_bridge.plot.panels import THEMES
from cstalk_bridge.rig.curves import Frame, load_table
from cstalk_bridge.rig.load import load_rigmap
from tests.plot.studies import calm_take, moved, study

if TYPE_CHECKING:
    from cstalk_bridge.takes.take import Take


RATE_HZ = 50.0


def speech_like(seconds: float = 4.0, seed: int = 1) -> np.ndarray:
    """Return a curve that moves like speech: noise below 6 Hz, 0..1."""
    noise = np.random.default_rng(seed).normal(size=round(seconds * RATE_HZ) + 8)
    smooth = np.convolve(noise, np.hanning(9), "valid")
    return ((smooth - smooth.min()) / np.ptp(smooth)).astype(np.float32)


def test_the_jerk_of_a_cubic_is_exact_at_every_row() -> None:
    times_s = np.arange(200) / RATE_HZ
    values: Any = 0.02 * times_s**3 - 0.1 * times_s**2 + 0.3 * times_s
    assert jerk(values, 1.0, RATE_HZ) == pytest.approx(np.full(197, 6 * 0.02), rel=1e-4)
    assert jerk(values, 2.0, RATE_HZ) == pytest.approx(np.full(197, 3 * 0.02), rel=1e-4)


def test_the_limits_are_the_peaks_of_a_minimum_jerk_stroke() -> None:
    rate_hz = 20_000.0
    t = np.arange(round(STROKE_S * rate_hz) + 1) / rate_hz / STROKE_S
    stroke: Any = 10 * t**3 - 15 * t**4 + 6 * t**5
    assert np.abs(speed(stroke, 1.0, rate_hz)).max() == pytest.approx(MAX_SPEED, rel=1e-3)
    assert np.abs(jerk(stroke, 1.0, rate_hz)).max() == pytest.approx(MAX_JERK, rel=1e-2)


def test_speed_counts_ranges_per_second() -> None:
    assert speed(np.array([0, 0.5, 0.5], np.float32), 2.0, RATE_HZ) == pytest.approx([12.5, 0])


@pytest.mark.parametrize("late_rows", [-9, -3, 0, 4, 15])
def test_the_lag_of_a_late_mouth_is_found(late_rows: int) -> None:
    loudness = speech_like() * 60 - 70
    opening = np.roll(speech_like(), late_rows)
    found = agreement(opening, loudness, RATE_HZ)
    assert found is not None
    assert found.lag_s == pytest.approx(late_rows / RATE_HZ)
    assert found.best == pytest.approx(1.0, abs=1e-4)
    assert found.together <= found.best


def test_the_correlation_is_pearsons() -> None:
    a, b = speech_like(seed=1), speech_like(seed=2)
    found = agreement(a, b, RATE_HZ)
    assert found is not None
    assert found.together == pytest.approx(np.corrcoef(a, b)[0, 1], abs=1e-5)
    assert abs(found.lag_s) <= MAX_LAG_S


def test_a_face_at_rest_or_three_rows_have_no_correlation() -> None:
    assert agreement(np.zeros(200, np.float32), speech_like(), RATE_HZ) is None
    assert agreement(speech_like()[:3], speech_like()[:3], RATE_HZ) is None


def test_the_opening_is_that_of_the_arkit_map() -> None:
    board = np.random.default_rng(3).uniform(0, 1, len(CHANNELS)).astype(np.float32)
    rigmap = load_rigmap("livelinkface61")
    sent = dict(zip(rigmap.outputs, rigmap.apply(Frame(0.0, board)), strict=True))
    lips = np.mean(
        [board[place] for name, place in CHANNEL_INDEX.items() if "lipsTogether" in name]
    )
    opening = mouth_opening(board[CHANNEL_INDEX["CTRL_C_jaw.ty"]], lips)
    assert opening == pytest.approx(sent["JawOpen"] - sent["MouthClose"], abs=1e-6)


def test_closures_are_the_times_of_sealed_lips() -> None:
    lips = np.array([0, 0.6, 0.9, 0.4, 0, 1], np.float32)
    assert closures(lips).tolist() == [[1, 3], [5, 6]]


def test_rms_of_a_sine_and_of_no_samples() -> None:
    assert rms(np.sin(np.arange(628) / 100).astype(np.float32)) == pytest.approx(0.7071, abs=1e-3)
    assert rms(np.zeros(0, np.float32)) == 0.0


ALL = slice(None)


def looking(seconds: float = 4.0) -> Take:
    """A take that looks to its left and up after 1 s, back after 3 s, and blinks once between."""
    take = calm_take(seconds)
    rows = take.rows
    eyes = {f"CTRL_{side}_eye.{axis}": np.zeros(rows) for side in "LR" for axis in ("tx", "ty")}
    for name, values in eyes.items():
        values[50:150] = 0.25 if name.endswith("tx") else 0.2
    board = np.concatenate((take.board, np.stack([*eyes.values()], axis=1)), axis=1)
    take = replace(take, channels=(*take.channels, *eyes), board=board.astype(np.float32))
    for side in "LR":
        take = moved(take, f"CTRL_{side}_eye_blink.ty", 0.9, slice(100, 106))
    head = take.head.copy()
    head[100:, 0] = np.radians(4.0)
    return replace(take, head=head)


def test_gaze_is_the_sum_of_eyes_and_head() -> None:
    found = measure_eyes_and_head(looking(), ALL)
    np.testing.assert_allclose(found.gaze_deg[[0, 60, 120]], [[0, 0], [10, 6], [14, 6]], atol=1e-4)
    np.testing.assert_allclose(found.head_deg[[0, 120], 0], [0, 4], atol=1e-4)
    np.testing.assert_array_equal(found.blinks, [[100, 106]])
    np.testing.assert_allclose(found.shifts_deg, np.hypot(10, 6), rtol=1e-4)
    assert found.mutual_share == pytest.approx(0.5)
    assert not found.is_still
    assert measure_eyes_and_head(calm_take(), ALL).is_still


def test_the_picture_shows_looks_head_and_blinks() -> None:
    texts = [
        text.get_text()
        for text in draw([study(looking())], THEMES["dark"], "livelinkface61").findobj(Text)
    ]
    for label in (
        "gaze",
        "gaze target",
        "head",
        "blinks",
        "50% on the partner",
        "15 per minute",
    ):
        assert label in texts
    still = [
        text.get_text()
        for text in draw([study(calm_take())], THEMES["dark"], "livelinkface61").findobj(Text)
    ]
    assert not {"gaze", "gaze target", "head", "blinks"} & {*still}


def test_eyes_that_look_to_one_side_are_no_finding() -> None:
    found = {finding.curve for finding in study(looking()).warnings.kept}
    assert not [curve for curve in found if "Look" in curve or "EyeYaw" in curve]


TABLE = load_table("livelinkface61").curves
COLUMN = {curve.name: column for column, curve in enumerate(TABLE)}


def calm(seconds: float = 4.0) -> np.ndarray:
    """Return curves that move gently, the same on both sides."""
    times_s = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    wave = 0.4 + 0.3 * np.sin(2 * np.pi * 2 * times_s)
    return np.repeat(wave[:, None], len(TABLE), axis=1).astype(np.float32)


def found(curves: np.ndarray, start_s: float = 0.0) -> CurveWarnings:
    # Mirrored signs (head yaw) would make the same wave uneven: rotations rest here.
    curves = curves.copy()
    curves[:, COLUMN["HeadYaw"] :] = 0.0
    return find_warnings(curves, TABLE, RATE_HZ, start_s)


def test_a_calm_take_has_no_findings() -> None:
    result = found(calm())
    assert result.kept == ()
    assert sum(result.counts.values()) == 0


def test_a_value_at_its_limit_is_clipped() -> None:
    curves = calm()
    curves[:, COLUMN["JawOpen"]] = np.minimum(curves[:, COLUMN["JawOpen"]] * 2, 1.0)
    findings = found(curves).kept
    assert {finding.kind for finding in findings} == {"clipped"}
    assert findings[0].size == pytest.approx(findings[0].end_s - findings[0].start_s)
    assert len(findings) == 8, "once a cycle of the 2 Hz wave"


def test_a_short_closure_is_not_clipping() -> None:
    curves = calm()
    curves[:, COLUMN["MouthClose"]] = 0.4
    curves[::40, COLUMN["MouthClose"]] = 0.45
    curves[50:52, COLUMN["MouthClose"]] = [0.7, 0.7]
    assert found(curves).counts["clipped"] == 0


def test_a_curve_that_stays_away_from_rest_is_stuck() -> None:
    curves = calm()
    curves[50:120, COLUMN["MouthPucker"]] = curves[50, COLUMN["MouthPucker"]]
    finding = next(f for f in found(curves).kept if f.kind == "stuck")
    assert (finding.curve, finding.start_s) == ("MouthPucker", 1.0)
    assert finding.size == pytest.approx(69 / RATE_HZ)
    curves[:, COLUMN["MouthPucker"]] = 0.0
    assert found(curves).counts["stuck"] == 0, "at rest is no fault"


def test_a_difference_between_the_sides_is_reported_once() -> None:
    curves = calm()
    curves[100:130, COLUMN["MouthSmileRight"]] += 0.3
    uneven = [f for f in found(curves).kept if f.kind == "uneven"]
    assert [f.curve for f in uneven] == ["MouthSmileLeft"]
    assert (uneven[0].start_s, uneven[0].end_s) == (2.0, 2.6)
    assert uneven[0].size == pytest.approx(0.3, abs=1e-5)


def test_a_step_is_reported_at_its_time_and_not_again_as_jerk() -> None:
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
    assert result.counts == {**dict.fromkeys(WARNING_KINDS, 0), "jerk": 1}
    assert result.kept[0].start_s == pytest.approx(2.0, abs=0.06)


def test_stored_findings_are_bounded_and_all_are_counted() -> None:
    curves = np.tile(np.array([0, 0, 0, 0, 0, 0, 0, 1], np.float32), 600)[:, None].repeat(3, axis=1)
    result = find_warnings(curves, load_table("vrm").curves[:3], RATE_HZ)
    assert result.counts["step"] == 3 * 600
    assert len(result.kept) == MAX_KEPT


@pytest.mark.parametrize("rows", [0, 1, 2, 3, 4])
def test_a_take_of_a_few_rows_is_examined_too(rows: int) -> None:
    assert find_warnings(calm()[:rows], TABLE, RATE_HZ).kept == ()


@pytest.mark.parametrize(("way", "steps"), [(0.6, 0), (0.9, 1)])
def test_a_lid_may_close_faster_than_a_mouth_but_not_at_once(way: float, steps: int) -> None:
    curves = calm()
    for side in ("Left", "Right"):
        curves[:, COLUMN[f"EyeBlink{side}"]] = 0.05
        curves[100:, COLUMN[f"EyeBlink{side}"]] = 0.05 + way
    assert found(curves).counts["step"] == 2 * steps
