"""How fast the commands answer that need no network, and whether they leave torch alone."""

from __future__ import annotations

import statistics
import subprocess
import sys
from typing import TYPE_CHECKING

from bridge.bench.figures import Figure, Remark
from bridge.clock.host import host_now

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bridge.bench.options import Options

COMMANDS = (("--help",), ("devices",), ("rigmap", "check", "metahuman"))
RUNS = 5
LIMIT_S = 0.5
PATIENCE_S = 60.0

SCRIPT = """
import sys
from bridge.cli import main
try:
    main(sys.argv[1:])
finally:
    print("torch" in sys.modules, file=sys.stderr)
"""


def measure(_options: Options) -> list[Figure | Remark]:
    """Run each command several times in a new interpreter; the median counts."""
    lines: list[Figure | Remark] = []
    for command in COMMANDS:
        answers = [answer(command) for _ in range(RUNS)]
        name = " ".join(command)
        seconds = statistics.median(took_s for took_s, _ in answers)
        lines.append(Figure(name, seconds, "s", maximum=LIMIT_S))
        with_torch = sum(imports_torch for _, imports_torch in answers)
        lines.append(Figure(f"{name}, runs which import torch", with_torch, "", maximum=0))
    return lines


def answer(command: Sequence[str]) -> tuple[float, bool]:
    """Run one command; return how long it took in seconds, and whether it imported torch."""
    start_s = host_now()
    ended = subprocess.run(
        [sys.executable, "-c", SCRIPT, *command],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )
    return host_now() - start_s, ended.stderr.rstrip().endswith("True")
