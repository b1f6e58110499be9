"""The fuzzing itself: every kind begins with valid inputs, makes them again, and sees faults."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from cstalk_bridge.bench.fuzzing import runner
from cstalk_bridge.bench.fuzzing.runner import KINDS, Kind, measure_fuzz, run_process
from cstalk_bridge.bench.report import BenchConfig
from cstalk_bridge.models.errors import Problem, UserError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from cstalk_bridge.bench.fuzzing.targets import Target

FILES = ("wav", "flac", "ogg", "mp3", "yaml", "rigmap", "csv", "take")


@pytest.mark.parametrize("name", FILES)
def test_seed_inputs_are_valid(name: str, tmp_path: Path) -> None:
    kind = KINDS[name]
    with kind.open(tmp_path) as target:
        for valid in kind.valid():
            target(valid)


@pytest.mark.parametrize("name", KINDS)
def test_inputs_are_reproducible_by_seed(name: str) -> None:
    kind = KINDS[name]
    made = [runner.input_of(kind, 1, number) for number in range(20)]
    assert made == [runner.input_of(kind, 1, number) for number in range(20)]
    assert made != [runner.input_of(kind, 2, number) for number in range(20)]
    assert len(set(made)) > 10


def kind_of(target: Target) -> Kind:
    @contextmanager
    def opened(_folder: Path) -> Iterator[Target]:
        yield target

    return replace(KINDS["csv"], open=opened)


def test_only_user_errors_are_not_faults() -> None:
    numbers = iter(range(30))

    def target(_data: bytes) -> None:
        match next(numbers) % 3:
            case 0:
                raise UserError(Problem("x", "is wrong"))
            case 1:
                raise ZeroDivisionError("of ours")

    result = runner.try_inputs(kind_of(target), 30, 0)
    assert (result.cases, result.taken, result.fault_count) == (30, 10, 10)
    (line,) = result.fault_lines()
    assert line.startswith("10 in test_fuzz.py:")
    assert line.endswith("input 1, ZeroDivisionError: of ours")


@pytest.mark.parametrize("name", ["wav", "device", "websocket"])
def test_a_process_fuzzes_one_kind(name: str) -> None:
    result = run_process(name, 20, 5)
    assert (result.cases, result.faults) == (20, {})


def test_an_unknown_kind_is_named() -> None:
    with pytest.raises(UserError, match="there is no kind 'wave'; did you mean `wav`"):
        measure_fuzz(BenchConfig(kinds=("wave",)))
