"""Hostile inputs by chance: does any of them make the program fault, crash or hang?

`--cases` of each kind are tried, `--seed` makes others. `--kinds` names some of the kinds.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from typing import TYPE_CHECKING

from bridge.bench.figures import Figure, Remark
from bridge.bench.fuzzing.process import Result
from bridge.document import nearest
from bridge.errors import Problem, UserError
from bridge.process import MATH_THREADS

if TYPE_CHECKING:
    from bridge.bench.options import Options

MODULE = "bridge.bench.fuzzing.process"
SLOWEST_S = 10.0
"""Time that no input may take."""


def measure(options: Options) -> list[Figure | Remark]:
    """Try all kinds, or those that were named. UserError for names that are none."""
    from bridge.bench.fuzzing.kinds import KINDS

    names = options.kinds or tuple(KINDS)
    problems = [
        Problem("--kinds", f"there is no kind {name!r}", nearest(name, KINDS))
        for name in names
        if name not in KINDS
    ]
    if problems:
        raise UserError.of(problems)
    lines: list[Figure | Remark] = [Remark(f"seed {options.seed}")]
    total = faults = 0
    for name in names:
        result = tried(name, options.cases, options.seed)
        print(f"  {name}: {result.cases} inputs, {result.fault_count} faults", flush=True)
        total += result.cases
        faults += result.fault_count
        lines += of_result(name, result, options.cases)
    return [*lines, Figure("inputs in all", total, ""), Figure("faults", faults, "", maximum=0)]


def tried(name: str, cases: int, seed: int) -> Result:
    """Try inputs of one kind in a process of its own; a crash or a hang counts as one fault."""
    command = [sys.executable, "-m", MODULE, name, str(cases), str(seed)]
    environment = {**os.environ, **MATH_THREADS}
    with tempfile.TemporaryFile("w+") as complaints:
        done = subprocess.run(
            command,
            check=False,
            stdout=subprocess.PIPE,
            stderr=complaints,
            text=True,
            env=environment,
        )
        complaints.seek(0)
        said = complaints.read()
    lines = done.stdout.splitlines()
    if done.returncode or not lines:
        result = Result()
        result.add(
            "the process", f"it ended with {done.returncode}: {' '.join(said.split())[-600:]}"
        )
        return result
    return Result(**json.loads(lines[-1]))


def of_result(name: str, result: Result, cases: int) -> list[Figure | Remark]:
    """Return what came of one kind."""
    return [
        Figure(f"{name}: inputs", result.cases, "", minimum=cases),
        Figure(f"{name}: taken as valid", result.taken, ""),
        Figure(f"{name}: slowest", 1e3 * result.slowest_s, "ms", maximum=1e3 * SLOWEST_S),
        Figure(f"{name}: faults of the program", result.fault_count, "", maximum=0),
        *(Remark(f"  {line}") for line in result.told()),
    ]
