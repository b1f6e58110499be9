"""Section `fuzz`: tries random inputs of each kind in a child process; a crash or a hang is a
fault like any other.

`--cases` of each kind are tried, `--seed` makes others, `--kinds` names some of the kinds.
`python -m cstalk_bridge.bench.fuzzing.runner KIND CASES SEED` tries one kind and prints one line of
JSON at the end. An input depends on kind, seed and its number alone, so that each can be made
again.
"""

from __future__ import annotations

import faulthandler
import json
import os
import random
import subprocess
import sys
import tempfile
import time
import traceback
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from cstalk_bridge.bench.report import Figure, Remark
from cstalk_bridge.document import nearest
from cstalk_bridge.models.errors import Problem, UserError
from cstalk_bridge.system.process import MATH_THREADS

if TYPE_CHECKING:
    from cstalk_bridge.bench.fuzzing.kinds import Kind
    from cstalk_bridge.bench.report import BenchConfig


MODULE = "cstalk_bridge.bench.fuzzing.runner"
SLOWEST_S = 10.0
"""Time that no input may take."""


def measure_fuzz(config: BenchConfig) -> list[Figure | Remark]:
    """Try all kinds, or those that were named. UserError for names that are none."""
    from cstalk_bridge.bench.fuzzing.kinds import KINDS

    names = config.kinds or tuple(KINDS)
    problems = [
        Problem("--kinds", f"there is no kind {name!r}", nearest(name, KINDS))
        for name in names
        if name not in KINDS
    ]
    if problems:
        raise UserError.of(problems)
    lines: list[Figure | Remark] = [Remark(f"seed {config.seed}")]
    total = faults = 0
    for name in names:
        result = run_process(name, config.cases, config.seed)
        print(f"  {name}: {result.cases} inputs, {result.fault_count} faults", flush=True)
        total += result.cases
        faults += result.fault_count
        lines += of_result(name, result, config.cases)
    return [*lines, Figure("inputs in all", total, ""), Figure("faults", faults, "", maximum=0)]


def run_process(name: str, cases: int, seed: int) -> Result:
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
        message = complaints.read()
    lines = done.stdout.splitlines()
    if done.returncode or not lines:
        result = Result()
        result.add(
            "the process", f"it ended with {done.returncode}: {' '.join(message.split())[-600:]}"
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
        *(Remark(f"  {line}") for line in result.fault_lines()),
    ]


STUCK_S = 60.0
"""Time after which an input counts as one that hangs; the process ends then."""

MAX_PLACES = 20
"""Places that are printed; faults at others are counted."""


MAX_MESSAGE_CHARACTERS = 160
"""Characters of an error that are printed."""


@dataclass(slots=True)
class Result:
    """What came of the inputs of one kind.

    `faults` holds, by place in the program, their count and the text of the first.
    """

    cases: int = 0
    taken: int = 0
    """Inputs that were taken as valid."""
    slowest_s: float = 0.0
    fault_count: int = 0
    faults: dict[str, tuple[int, str]] = field(default_factory=dict)

    def add(self, place: str, words: str) -> None:
        """Count a fault."""
        self.fault_count += 1
        count, first = self.faults.get(place, (0, words))
        if count or len(self.faults) < MAX_PLACES:
            self.faults[place] = (count + 1, first)

    def fault_lines(self) -> list[str]:
        """Return a line for each place."""
        return [f"{count} in {place}: {first}" for place, (count, first) in self.faults.items()]


def input_of(kind: Kind, seed: int, number: int) -> bytes:
    """Return an input by its number."""
    return kind.input(random.Random(f"{kind.name} {seed} {number}"))


def try_inputs(kind: Kind, cases: int, seed: int) -> Result:
    """Try so many inputs of a kind."""
    result = Result()
    with tempfile.TemporaryDirectory() as name, kind.open(Path(name)) as door:
        for number in range(cases):
            data = input_of(kind, seed, number)
            faulthandler.dump_traceback_later(STUCK_S, exit=True)
            begun_s = time.monotonic()
            try:
                door(data)
                result.taken += 1
            except UserError:
                pass
            except Exception as error:  # noqa: BLE001 - it is what is looked for
                words = " ".join(str(error).split())[:MAX_MESSAGE_CHARACTERS]
                result.add(_place(error), f"input {number}, {type(error).__name__}: {words}")
            result.slowest_s = max(result.slowest_s, time.monotonic() - begun_s)
            result.cases += 1
        faulthandler.cancel_dump_traceback_later()
    return result


def _place(error: Exception) -> str:
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{Path(last.filename).name}:{last.lineno}"


def main() -> int:
    """Try what the command line says."""
    from cstalk_bridge.bench.fuzzing.kinds import KINDS

    name, cases, seed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    print(json.dumps(asdict(try_inputs(KINDS[name], cases, seed))), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
