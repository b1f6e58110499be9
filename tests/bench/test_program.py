from __future__ import annotations

from cstalk_bridge.bench.program import answer


def test_a_command_is_timed_and_its_imports_are_listed() -> None:
    took_s, imports_torch = answer(["--help"])
    assert 0 < took_s < 60
    assert not imports_torch
