from __future__ import annotations

import math
import os

from cstalk_bridge.bench.report import (
    Figure,
    Remark,
    describe_machine,
    figures_of,
    missed,
    spread_of,
)


def test_the_machine_is_named() -> None:
    text = "\n".join(describe_machine())
    assert str(os.cpu_count()) in text
    assert "torch" in text


def test_a_figure_stands_beside_its_limit() -> None:
    assert str(Figure("rate", 60.02, "packets/s", 59.9, 60.1)).split() == [
        *("rate", "60.02", "packets/s", "59.9", "to", "60.1", "met")
    ]
    assert str(Figure("lost", 3, "", maximum=0)).split() == ["lost", "3", "<=", "0", "MISSED"]
    assert str(Figure("greatest", 12345.6, "ms")).split() == ["greatest", "12346", "ms"]


def test_limits_are_inclusive_and_unmeasured_values_miss_them() -> None:
    assert Figure("x", 4.0, "ms", maximum=4.0).is_met
    assert not Figure("x", 4.1, "ms", maximum=4.0).is_met
    assert not Figure("x", 59.8, "Hz", minimum=59.9).is_met
    assert not Figure("x", math.nan, "ms", maximum=4.0).is_met
    assert Figure("x", math.nan, "ms").is_met


def test_durations_become_milliseconds() -> None:
    figures = figures_of("hop", spread_of([0.001] * 99 + [0.1]), p99_ms=1.5)
    assert [round(figure.value, 1) for figure in figures] == [1.0, 2.0, 100.0]
    assert missed([*figures, Remark("nothing")]) == 1
    assert missed(figures_of("hop", spread_of([]), p99_ms=1.5)) == 1
