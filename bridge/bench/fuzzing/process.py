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
"""Faults that are told with their place; the others are counted."""


@dataclass(slots=True)
class Result:
    """What came of the inputs of one kind; `faults` say number and error."""

    cases: int = 0
    taken: int = 0
    """Inputs that were taken as valid."""
    slowest_s: float = 0.0
    fault_count: int = 0
    faults: list[str] = field(default_factory=list)


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
                result.fault_count += 1
                if len(result.faults) < MAX_TOLD:
                    result.faults.append(f"input {number}: {_place(error)}")
            result.slowest_s = max(result.slowest_s, time.monotonic() - begun_s)
            result.cases += 1
        faulthandler.cancel_dump_traceback_later()
    return result


def _place(error: Exception) -> str:
    last = traceback.extract_tb(error.__traceback__)[-1]
    words = " ".join(str(error).split())[:300]
    return f"{type(error).__name__} in {Path(last.filename).name}:{last.lineno}: {words}"


def main() -> int:
    """Try what the command line says."""
    from bridge.bench.fuzzing.kinds import KINDS

    name, cases, seed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    print(json.dumps(asdict(tried(KINDS[name], cases, seed))), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
