"""Compiled maps: the arithmetic, its order, its limits and its speed."""

from __future__ import annotations

import math
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cstalk_bridge.models.board import CHANNEL_INDEX, CHANNELS
from cstalk_bridge.rig.curves import HEAD_AXES, Frame, load_table
from cstalk_bridge.rig.load import load_rigmap, shipped_names
from cstalk_bridge.rig.rigmap import OneEuro, OneEuroState, RigMap

ROOT = Path(__file__).resolve().parents[2]


def frame_of(time_s: float = 0.0, **channels: float) -> Frame:
    """A frame from `C_jaw__ty=0.5` and `head_yaw=0.1`."""
    frame = Frame(time_s)
    for name, value in channels.items():
        if name.startswith("head_"):
            frame.head[HEAD_AXES.index(name.removeprefix("head_"))] = value
        else:
            frame.board[CHANNEL_INDEX["CTRL_" + name.replace("__", ".")]] = value
    return frame


def custom(tmp_path: Path, *curves: str) -> RigMap:
    path = tmp_path / "map.yaml"
    path.write_text("target: custom\ncurves:\n" + "".join(f"  {c}\n" for c in curves))
    return load_rigmap(path)


def limits(rigmap: RigMap, name: str) -> tuple[float, float]:
    """The range of a curve: that of the map, else of its table, else 0..1."""
    if (clamp := rigmap.ruleset.rules[name].config.clamp) is not None:
        return clamp
    curve = load_table(rigmap.target).by_name.get(name)
    return (curve.minimum, curve.maximum) if curve else (0.0, 1.0)


def by_hand(rigmap: RigMap, frame: Frame) -> dict[str, float]:
    """The definition, one curve at a time in plain Python."""
    axes = {c.name: float(np.clip(frame.board[c.index], c.minimum, c.maximum)) for c in CHANNELS}
    axes |= {f"head.{axis}": float(v) for axis, v in zip(HEAD_AXES, frame.head, strict=True)}

    def source(name: str) -> float:
        if name[-1] in "+-":
            return max(0.0, axes[name[:-1]] * (1 if name[-1] == "+" else -1))
        return axes[name]

    def finished(name: str) -> float:
        rule = rigmap.ruleset.rules[name].config
        value = sum(weight * source(other) for other, weight in rule.sources.items())
        if rule.response:
            left, right = zip(*rule.response, strict=True)
            value = float(np.interp(value, left, right))
        value = rule.gain * value + rule.offset
        low, high = limits(rigmap, name)
        value = min(max(value, low), high)
        return value * (finished(rule.times) if rule.times else 1.0)

    return {name: finished(name) for name in rigmap.outputs}


@pytest.mark.parametrize("name", shipped_names())
@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), share=st.floats(0, 1))
def test_shipped_maps_compute_their_definition(name: str, seed: int, share: float) -> None:
    rng = np.random.default_rng(seed)
    board = rng.uniform(-1.2, 1.2, len(CHANNELS)) * (rng.random(len(CHANNELS)) < share)
    frame = Frame(0.0, board.astype(np.float32), rng.uniform(-0.5, 0.5, 6).astype(np.float32))
    rigmap = load_rigmap(name)
    values = rigmap.apply(frame)
    assert values.dtype == np.float32
    assert values.shape == (len(rigmap.outputs),)
    np.testing.assert_allclose(values, list(by_hand(rigmap, frame).values()), atol=2e-5)


@pytest.mark.parametrize("name", shipped_names())
def test_any_input_gives_finite_values_within_range(name: str) -> None:
    rigmap = load_rigmap(name)
    for bad in (np.nan, np.inf, -np.inf, 1e30, -1e30):
        frame = Frame(0.0, np.full(174, bad, np.float32), np.full(6, bad, np.float32))
        values = rigmap.applier().apply(frame)
        for curve, value in zip(rigmap.outputs, values, strict=True):
            low, high = limits(rigmap, curve)
            assert np.float32(low) <= value <= np.float32(high)
    unknown = Frame(0.0, np.full(174, np.nan, np.float32))
    np.testing.assert_array_equal(rigmap.apply(unknown), rigmap.apply(Frame(0.0)))


def test_applying_a_map_does_not_change_the_frame() -> None:
    frame = frame_of(C_jaw__ty=2.0)
    load_rigmap("metahuman").apply(frame)
    assert frame.board[CHANNEL_INDEX["CTRL_C_jaw.ty"]] == 2.0


def test_halves_weights_gain_and_offset(tmp_path: Path) -> None:
    rigmap = custom(
        tmp_path,
        "left: CTRL_C_jaw.tx-",
        "right: CTRL_C_jaw.tx+",
        "whole: {from: CTRL_C_jaw.tx, clamp: [-1, 1]}",
        "mix: {from: {CTRL_C_jaw.ty: 0.5, CTRL_C_jaw.tx-: 0.25}, gain: 0.8, offset: 0.1}",
        "degrees: {from: head.yaw, gain: 57.29578, clamp: [-90, 90]}",
    )
    values = rigmap.apply(frame_of(C_jaw__tx=-0.4, C_jaw__ty=0.6, head_yaw=0.5))
    np.testing.assert_allclose(values, [0.4, 0.0, -0.4, 0.8 * 0.4 + 0.1, 28.6479], rtol=1e-5)
    assert rigmap.outputs == ("left", "right", "whole", "mix", "degrees")


def test_a_response_is_linear_between_its_points_and_constant_outside(tmp_path: Path) -> None:
    rigmap = custom(
        tmp_path,
        "tent: {from: CTRL_C_jaw.ty, response: [[0.2, 0], [0.4, 1], [0.8, 0.5]]}",
        "step: {from: CTRL_C_jaw.ty, response: [[0, 1], [1, 0]], gain: 0.5}",
    )
    for jaw in (0.0, 0.2, 0.3, 0.4, 0.6, 0.8, 1.0):
        expected = [np.interp(jaw, [0.2, 0.4, 0.8], [0, 1, 0.5]), (1 - jaw) / 2]
        np.testing.assert_allclose(rigmap.apply(frame_of(C_jaw__ty=jaw)), expected, atol=1e-6)


def test_products_use_the_final_value_of_a_curve_or_a_source(tmp_path: Path) -> None:
    rigmap = custom(
        tmp_path,
        "close: {from: CTRL_L_mouth_lipsTogetherU.ty, times: open}",
        "open: {from: CTRL_C_jaw.ty, gain: 2}",
        "other: {offset: 1, times: CTRL_C_jaw.tx-}",
    )
    values = rigmap.apply(frame_of(C_jaw__ty=0.4, L_mouth_lipsTogetherU__ty=0.5, C_jaw__tx=-0.25))
    np.testing.assert_allclose(values, [0.4, 0.8, 0.25], rtol=1e-6)
    assert len(values) == 3


def test_smoothing_belongs_to_the_applier_and_precedes_clipping(tmp_path: Path) -> None:
    rigmap = custom(
        tmp_path,
        "soft: {from: CTRL_C_jaw.ty, gain: 4, smooth: {min_cutoff_hz: 5, beta: 0.05}}",
        "hard: CTRL_C_jaw.ty",
    )
    applier = rigmap.applier()
    assert applier.apply(frame_of(0.0))[0] == 0.0
    values = applier.apply(frame_of(1 / 60, C_jaw__ty=0.5))
    assert 0.5 < values[0] < 1.0
    assert values[1] == 0.5
    assert rigmap.apply(frame_of(C_jaw__ty=0.5))[0] == 1.0, "without smoothing"
    assert rigmap.applier().apply(frame_of(9.0, C_jaw__ty=0.5))[0] == 1.0, "a new start"
    applier.reset()
    assert applier.apply(frame_of(2 / 60, C_jaw__ty=0.5))[0] == 1.0


def test_applying_a_full_map_is_fast() -> None:
    rigmap = load_rigmap("metahuman")
    rng = np.random.default_rng(1)
    frame = Frame(0.0, rng.random(174).astype(np.float32))
    costs_s = []
    for _ in range(500):
        start = time.perf_counter()
        rigmap.apply(frame)
        costs_s.append(time.perf_counter() - start)
    median_us = 1e6 * float(np.median(costs_s))
    print(f"metahuman, 251 curves: p50 {median_us:.0f} us")
    assert median_us < 1000


def test_checking_maps_imports_neither_torch_nor_rich() -> None:
    code = (
        "import sys; from cstalk_bridge.rig.load import check_files; "
        "assert not check_files(['metahuman']).problems; "
        "print(sorted({'torch', 'rich', 'sounddevice'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.stdout.strip() == "[]", done.stderr


@pytest.mark.parametrize("name", shipped_names())
def test_a_sequence_equals_its_frames_one_by_one(name: str) -> None:
    rigmap = load_rigmap(name)
    board, head, times_s = random_sequence(40)
    frames = [Frame(*row) for row in zip(times_s, board, head, strict=True)]
    single = np.stack([rigmap.apply(frame) for frame in frames])
    assert np.abs(rigmap.applier().apply_sequence(board, head, times_s) - single).max() < 1e-6


def test_a_sequence_in_pieces_is_smoothed_as_one(tmp_path: Path) -> None:
    rigmap = custom(
        tmp_path,
        "a: {from: CTRL_C_jaw.ty, smooth: {min_cutoff_hz: 1.5, beta: 0.2}}",
        "b: CTRL_L_brow_down.ty",
    )
    board, head, times_s = random_sequence(40)
    one_by_one = rigmap.applier()
    single = [one_by_one.apply(Frame(*row)) for row in zip(times_s, board, head, strict=True)]
    in_pieces = rigmap.applier()
    pieces = [
        in_pieces.apply_sequence(board[s], head[s], times_s[s])
        for s in (slice(25), slice(25, None))
    ]
    assert np.abs(np.concatenate(pieces) - np.stack(single)).max() < 1e-6


def random_sequence(rows: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(5)
    board = rng.uniform(-1.2, 1.2, (rows, len(CHANNELS))).astype(np.float32)
    head = rng.normal(0.0, 0.3, (rows, len(HEAD_AXES))).astype(np.float32)
    return board, head, np.arange(rows) / 60.0


def test_an_applier_takes_over_a_changed_map(tmp_path: Path) -> None:
    before = custom(tmp_path, "open: CTRL_C_jaw.ty")
    applier = before.applier()
    assert applier.apply(frame_of(C_jaw__ty=0.5)) == pytest.approx([0.5])
    after = custom(tmp_path, "open: {from: CTRL_C_jaw.ty, gain: 0.5}")
    assert after.reference == str(tmp_path / "map.yaml")
    applier.change(after)
    assert applier.rigmap is after
    assert applier.apply(frame_of(C_jaw__ty=0.5)) == pytest.approx([0.25])
    with pytest.raises(ValueError, match="other outputs"):
        applier.change(custom(tmp_path, "wide: CTRL_C_jaw.ty"))
    assert applier.rigmap is after


class ScalarOneEuro:
    """One value, one object, textbook form."""

    def __init__(self, min_cutoff_hz: float, beta: float) -> None:
        self.min_cutoff_hz, self.beta = min_cutoff_hz, beta
        self.last: float | None = None
        self.slope = self.time_s = 0.0

    @staticmethod
    def alpha(cutoff_hz: float, period_s: float) -> float:
        tau_s = 1 / (2 * math.pi * cutoff_hz)
        return 1 / (1 + tau_s / period_s)

    def __call__(self, value: float, time_s: float) -> float:
        if self.last is None:
            self.last, self.time_s = value, time_s
            return value
        period_s = time_s - self.time_s
        alpha = self.alpha(1.0, period_s)
        self.slope = alpha * (value - self.last) / period_s + (1 - alpha) * self.slope
        alpha = self.alpha(self.min_cutoff_hz + self.beta * abs(self.slope), period_s)
        self.last = alpha * value + (1 - alpha) * self.last
        self.time_s = time_s
        return self.last


def test_the_filter_equals_the_scalar_filter_on_uneven_times() -> None:
    rng = np.random.default_rng(5)
    cutoffs, betas = rng.uniform(0.2, 20, 40), rng.uniform(0, 2, 40)
    scalars = [ScalarOneEuro(c, b) for c, b in zip(cutoffs, betas, strict=True)]
    filters, state, time_s = OneEuro(cutoffs, betas), OneEuroState(), 100.0
    for _ in range(200):
        values = rng.normal(size=40).astype(np.float32)
        expected = [scalar(float(v), time_s) for scalar, v in zip(scalars, values, strict=True)]
        np.testing.assert_allclose(filters.step(state, values, time_s), expected, rtol=1e-9)
        time_s += rng.uniform(0.004, 0.05)


def test_the_filter_holds_at_equal_times_and_restarts_after_reset() -> None:
    filters, state = OneEuro(np.array([1.0]), np.array([0.0])), OneEuroState()
    zero, one = np.zeros(1, np.float32), np.ones(1, np.float32)
    assert filters.step(state, zero, 5.0) == 0.0
    assert filters.step(state, one, 5.0) == 0.0
    assert filters.step(state, one, 4.0) == 0.0
    assert 0.0 < filters.step(state, one, 5.1)[0] < 1.0
    state.reset()
    assert filters.step(state, one, 4.0) == 1.0


def test_beta_trades_lag_for_jitter() -> None:
    step = np.ones(1, np.float32)
    reached = []
    for beta in (0.0, 1.0):
        filters, state = OneEuro(np.array([1.0]), np.array([beta])), OneEuroState()
        filters.step(state, step * 0, 0.0)
        reached.append(filters.step(state, step, 1 / 60)[0])
    assert reached[0] == pytest.approx(1 / (1 + 60 / (2 * math.pi)))
    assert reached[1] > reached[0] * 2
