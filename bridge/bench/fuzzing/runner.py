"""Section `fuzz`: tries mutations of valid inputs of each kind in a child process; a crash or a
hang is a fault of the program.

`--cases` of each kind are tried, `--seed` makes others, `--kinds` selects kinds.
`python -m cstalk_bridge.bench.fuzzing.runner KIND CASES SEED` tries one kind and prints one line
of JSON at the end. An input depends on kind, seed and its number alone, so each can be reproduced.
"""

from __future__ import annotations

import faulthandler
import io
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import time
import traceback
import zipfile
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from cstalk_bridge.bench.fuzzing import targets
from cstalk_bridge.bench.report import Figure, Remark
from cstalk_bridge.document import nearest
from cstalk_bridge.models.errors import Problem, UserError
from cstalk_bridge.system.process import MATH_THREADS

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from cstalk_bridge.bench.fuzzing.targets import Target
    from cstalk_bridge.bench.report import BenchConfig

    Change = Callable[[bytes, random.Random], bytes]


MAX_CHANGES = 6
MAX_BYTES = 1 << 17
"""Size beyond which an input is no longer made larger."""

NUMBERS = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
"""Where sizes, counts and signs turn over."""

WORD = re.compile(rb"[^\s:,{}\[\]\"]+")

WORDS: tuple[bytes, ...] = (
    b"", b"0", b"-1", b"1e400", b".nan", b"-.inf", b"NaN", b"Infinity", b"null", b"~", b"true",
    b"9" * 400, b"9" * 5000, b"190:20:30", b"0x" + b"f" * 99, b"0b1", b"1_000", b"2001-12-14",
    b"!!timestamp 2001-99-99", b"!!python/object:os.system", b"!!binary x", b"!!set {a}", b"*a",
    b"&a [*a]", b"<<: {a: 1}", b"[" * 200, b"{a: " * 200, b"x" * 131_073, b"\"", b"'", b"|", b"- ",
    b"\xff\xfe", b"\x00", b"\xed\xa0\x80", "\N{ZERO WIDTH SPACE}".encode(), "é".encode(),
    b"../../x", b"C:\\x", b"NUL", b"a" * 300, b"-0.0", b"1e-400", b"5e-324", b"9223372036854775808",
)  # fmt: skip
"""What stands in a text where something else was expected."""


def changed_bytes(data: bytes, chance: random.Random) -> bytes:
    """Return the data with a few changes that know nothing of its form."""
    changed = bytearray(data)
    for _ in range(chance.randint(1, MAX_CHANGES)):
        chance.choice(BYTE_CHANGES)(changed, chance)
    return bytes(changed)


def changed_text(data: bytes, chance: random.Random) -> bytes:
    """Return the text with other words, lines twice, gone or elsewhere, and now and then bytes."""
    for _ in range(chance.randint(1, MAX_CHANGES)):
        match chance.randrange(5):
            case 0 | 1:
                data = _other_word(data, chance)
            case 2:
                data = _moved_line(data, chance)
            case 3:
                place = chance.randint(0, len(data))
                data = data[:place] + chance.choice(WORDS) + data[place:]
            case _:
                data = changed_bytes(data, chance)
    return data


def changed_zip(data: bytes, chance: random.Random) -> bytes:
    """Return the zip with one member changed, or the whole file; members stay uncompressed."""
    if chance.random() < 0.3:
        return changed_bytes(data, chance)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    name = chance.choice(list(members))
    change: Change = changed_text if name.endswith(".json") else changed_bytes
    members[name] = change(members[name], chance)
    if chance.random() < 0.1:
        del members[chance.choice(list(members))]
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        for each, content in members.items():
            archive.writestr(each, content)
    return packed.getvalue()


def _other_word(data: bytes, chance: random.Random) -> bytes:
    words = list(WORD.finditer(data))
    if not words:
        return data
    word = chance.choice(words)
    return data[: word.start()] + chance.choice(WORDS) + data[word.end() :]


def _moved_line(data: bytes, chance: random.Random) -> bytes:
    lines = data.splitlines(keepends=True)
    if not lines or len(data) > MAX_BYTES:
        return data
    line = lines.pop(chance.randrange(len(lines)))
    for _ in range(chance.randrange(3)):
        lines.insert(chance.randint(0, len(lines)), line)
    return b"".join(lines)


def _flip(data: bytearray, chance: random.Random) -> None:
    if data:
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)


def _set_number(data: bytearray, chance: random.Random) -> None:
    size = chance.choice((1, 2, 4, 8))
    if len(data) >= size:
        place = chance.randrange(len(data) - size + 1)
        number = chance.choice(NUMBERS) & ((1 << 8 * size) - 1)
        order: tuple[str, str] = ("big", "little")
        data[place : place + size] = number.to_bytes(size, chance.choice(order))  # type: ignore[arg-type]


def _insert(data: bytearray, chance: random.Random) -> None:
    if len(data) < MAX_BYTES:
        place = chance.randint(0, len(data))
        data[place:place] = chance.randbytes(chance.randint(1, 64))


def _repeat(data: bytearray, chance: random.Random) -> None:
    if data and len(data) < MAX_BYTES:
        start = chance.randrange(len(data))
        piece = data[start : start + chance.randint(1, 256)]
        place = chance.randint(0, len(data))
        data[place:place] = piece * chance.randint(1, 4)


def _remove(data: bytearray, chance: random.Random) -> None:
    if data:
        start = chance.randrange(len(data))
        del data[start : start + chance.randint(1, 64)]


def _cut(data: bytearray, chance: random.Random) -> None:
    del data[chance.randint(0, len(data)) :]


BYTE_CHANGES = (_flip, _flip, _set_number, _set_number, _insert, _repeat, _remove, _cut)


@dataclass(frozen=True, slots=True)
class Kind:
    """`valid` returns valid inputs, `open` opens a target in a folder."""

    name: str
    valid: Callable[[], tuple[bytes, ...]]
    change: Change
    open: Callable[[Path], AbstractContextManager[Target]]

    def input(self, chance: random.Random) -> bytes:
        """Return one input; a tenth of them are valid."""
        valid = chance.choice(self.valid())
        return valid if chance.random() < 0.1 else self.change(valid, chance)


def _sound(name: str, suffix: str) -> Kind:
    return Kind(
        name,
        partial(targets.sounds, name),
        changed_bytes,
        partial(targets.sound_target, suffix=suffix),
    )


def _text(name: str, suffix: str, text: Callable[[], tuple[bytes, ...]], reader: str) -> Kind:
    return Kind(name, text, changed_text, partial(_file_target, suffix=suffix, reader=reader))


def _file_target(folder: Path, suffix: str, reader: str) -> AbstractContextManager[Target]:
    from cstalk_bridge.config.load import read_config
    from cstalk_bridge.face.emotion_trajectory import read_emotions
    from cstalk_bridge.rig.load import load_rigmap

    readers: dict[str, Callable[[Path], object]] = {
        "config": read_config,
        "rigmap": lambda path: load_rigmap(str(path)),
        "emotions": read_emotions,
    }
    return targets.file_target(folder, suffix, readers[reader])


KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        _sound("wav", ".wav"),
        _sound("flac", ".flac"),
        _sound("ogg", ".ogg"),
        _sound("mp3", ".mp3"),
        _text("yaml", ".yaml", lambda: (targets.CONFIG.encode(),), "config"),
        _text("rigmap", ".yaml", targets.rigmaps, "rigmap"),
        _text("csv", ".csv", lambda: (targets.EMOTIONS.encode(),), "emotions"),
        Kind("take", targets.takes, changed_zip, targets.take_target),
        Kind("osc", targets.messages, changed_bytes, targets.osc_target),
        Kind("device", targets.conversations, changed_text, targets.device_target),
        Kind("websocket", targets.handshakes, changed_bytes, targets.websocket_target),
    )
}
"""Every kind, in the order in which they are tried."""


MODULE = "cstalk_bridge.bench.fuzzing.runner"
SLOWEST_S = 10.0
"""Time that no input may take."""


def measure_fuzz(config: BenchConfig) -> list[Figure | Remark]:
    """Try all kinds, or those that were named. UserError for names that are none."""

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
    with tempfile.TemporaryDirectory() as name, kind.open(Path(name)) as target:
        for number in range(cases):
            data = input_of(kind, seed, number)
            faulthandler.dump_traceback_later(STUCK_S, exit=True)
            begun_s = time.monotonic()
            try:
                target(data)
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
    """Fuzz the kind that the command line names."""

    name, cases, seed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    print(json.dumps(asdict(try_inputs(KINDS[name], cases, seed))), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
