"""Tries inputs of one kind, in a process of its own: a crash is a fault like any other.

`python -m bridge.bench.fuzzing.process KIND CASES SEED` prints one line of JSON at the end. An
input depends on kind, seed and its number alone, so that each can be made again.
"""

from __future__ import annotations

import faulthandler
import json
import random
import sys
import tempfile
import time
import traceback
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from bridge.errors import UserError

if TYPE_CHECKING:
    from bridge.bench.fuzzing.kinds import Kind

STUCK_S = 60.0
"""Time after which an input counts as one that hangs; the process ends then."""

MAX_TOLD = 20
"""Places that are told; faults at others are counted."""


MAX_WORDS = 160
"""Characters of an error that are told."""


@dataclass(slots=True)
class Result:
    """What came of the inputs of one kind.

    `faults` say, by the place in the program, how many there were, and the first: number and words.
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
        if count or len(self.faults) < MAX_TOLD:
            self.faults[place] = (count + 1, first)

    def told(self) -> list[str]:
        """Return a line for each place."""
        return [f"{count} in {place}: {first}" for place, (count, first) in self.faults.items()]


def input_of(kind: Kind, seed: int, number: int) -> bytes:
    """Return an input by its number."""
    return kind.input(random.Random(f"{kind.name} {seed} {number}"))


def tried(kind: Kind, cases: int, seed: int) -> Result:
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
                words = " ".join(str(error).split())[:MAX_WORDS]
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
    from bridge.bench.fuzzing.kinds import KINDS

    name, cases, seed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    print(json.dumps(asdict(tried(KINDS[name], cases, seed))), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
