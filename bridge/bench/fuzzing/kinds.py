"""The kinds of inputs: valid seeds, the mutations that change bytes, text and zip members, and
the target of each.
"""

from __future__ import annotations

import io
import re
import zipfile
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from cstalk_bridge.bench.fuzzing import seeds, targets

if TYPE_CHECKING:
    import random
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from pathlib import Path

    from cstalk_bridge.bench.fuzzing.targets import Target

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
    """`valid` returns valid inputs, `open` a door below a folder."""

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
        partial(seeds.sounds, name),
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
        _text("yaml", ".yaml", lambda: (seeds.CONFIG.encode(),), "config"),
        _text("rigmap", ".yaml", seeds.rigmaps, "rigmap"),
        _text("csv", ".csv", lambda: (seeds.EMOTIONS.encode(),), "emotions"),
        Kind("take", seeds.takes, changed_zip, targets.take_target),
        Kind("osc", seeds.messages, changed_bytes, targets.osc_target),
        Kind("device", seeds.conversations, changed_text, targets.device_target),
        Kind("websocket", seeds.handshakes, changed_bytes, targets.websocket_target),
    )
}
"""Every kind, in the order in which they are tried."""
