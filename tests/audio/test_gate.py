from __future__ import annotations

import numpy as np

from bridge.audio.gate import NoiseGate
from bridge.audio.level import amplitude
from bridge.audio.spec import GateSpec

SPEC = GateSpec(enabled=True, open_db=-50, close_db=-56, hold_ms=100)


def block(db: float) -> np.ndarray:
    """10 ms at 16 kHz of a square wave, so that its RMS level is its amplitude's."""
    signs = np.where(np.arange(160) % 2, 1.0, -1.0)
    return np.asarray(signs * amplitude(db), dtype=np.float32)


def states(gate: NoiseGate, levels_db: list[float]) -> list[bool]:
    opened = []
    for level_db in levels_db:
        gate.push(block(level_db))
        opened.append(gate.is_open)
    return opened


def test_between_the_two_levels_it_stays_as_it_is() -> None:
    gate = NoiseGate(SPEC, 16000)
    assert states(gate, [-53] * 20) == [False] * 20
    assert states(gate, [-49]) == [True]
    assert states(gate, [-53] * 50) == [True] * 50


def test_it_closes_after_the_hold_and_not_before() -> None:
    gate = NoiseGate(SPEC, 16000)
    assert states(gate, [-30, *[-60] * 9]) == [True] * 10
    assert states(gate, [-60]) == [False]


def test_a_sound_within_the_hold_starts_it_anew() -> None:
    gate = NoiseGate(SPEC, 16000)
    assert states(gate, [-30, *[-60] * 9, -55, *[-60] * 9]) == [True] * 20


def test_the_block_that_opens_it_is_heard_from_its_start() -> None:
    gate = NoiseGate(SPEC, 16000)
    assert not gate.push(block(-60)).any()
    heard = gate.push(block(-20))
    assert heard[0] != 0
    assert np.array_equal(heard[32:], block(-20)[32:]), "open after 2 ms"
    assert np.array_equal(gate.push(block(-20)), block(-20))


def test_it_opens_and_closes_without_a_click() -> None:
    gate = NoiseGate(SPEC, 16000)
    steady = np.full(160, amplitude(-20), dtype=np.float32)
    quiet = np.full(160, amplitude(-57), dtype=np.float32)
    heard = np.concatenate([gate.push(steady)] + [gate.push(quiet) for _ in range(14)])
    steps = np.abs(np.diff(heard[:160]))
    assert steps.max() <= amplitude(-20) / 32 * 1.01
    assert np.abs(np.diff(heard[161:])).max() <= amplitude(-57) / 160 * 1.01
    assert heard[-1] == 0


def test_a_disabled_gate_is_open_and_changes_nothing() -> None:
    gate = NoiseGate(GateSpec(enabled=False), 16000)
    assert gate.is_open
    assert np.array_equal(gate.push(block(-90)), block(-90))
    assert gate.is_open
