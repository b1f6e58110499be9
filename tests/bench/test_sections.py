from __future__ import annotations

from importlib import import_module

import pytest

from cstalk_bridge.bench.report import BenchConfig
from cstalk_bridge.bench.sections import SECTIONS, run_bench
from cstalk_bridge.models.errors import UserError


def test_unknown_sections_are_all_named() -> None:
    with pytest.raises(UserError, match=r"'pakets'(.|\n)*'nothing'"):
        run_bench(["pakets", "nothing"], BenchConfig())


def test_every_section_has_its_module() -> None:
    for name in SECTIONS:
        module = import_module(f"cstalk_bridge.bench.{SECTIONS[name].module}")
        assert callable(getattr(module, f"measure_{name}"))
