"""The kinds of inputs that are tried: valid ones, how they are changed, and the door they go to."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from bridge.bench.fuzzing import doors, seeds, sockets
from bridge.bench.fuzzing.mutate import changed_bytes, changed_text, changed_zip

if TYPE_CHECKING:
    import random
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from pathlib import Path

    from bridge.bench.fuzzing.doors import Door
    from bridge.bench.fuzzing.mutate import Change


@dataclass(frozen=True, slots=True)
class Kind:
    """`valid` returns valid inputs, `open` a door below a folder."""

    name: str
    valid: Callable[[], tuple[bytes, ...]]
    change: Change
    open: Callable[[Path], AbstractContextManager[Door]]

    def input(self, chance: random.Random) -> bytes:
        """Return one input; a tenth of them are valid."""
        valid = chance.choice(self.valid())
        return valid if chance.random() < 0.1 else self.change(valid, chance)


def _sound(name: str, suffix: str) -> Kind:
    return Kind(
        name,
        partial(seeds.sounds, name),
        changed_bytes,
        partial(doors.sound_door, suffix=suffix),
    )


def _text(name: str, suffix: str, text: Callable[[], tuple[bytes, ...]], reader: str) -> Kind:
    return Kind(name, text, changed_text, partial(_file_door, suffix=suffix, reader=reader))


def _file_door(folder: Path, suffix: str, reader: str) -> AbstractContextManager[Door]:
    from bridge.config.load import read_config
    from bridge.rig.load import load_rigmap
    from bridge.takes.emotions import read_emotions

    readers: dict[str, Callable[[Path], object]] = {
        "config": read_config,
        "rigmap": lambda path: load_rigmap(str(path)),
        "emotions": read_emotions,
    }
    return doors.file_door(folder, suffix, readers[reader])


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
        Kind("take", seeds.takes, changed_zip, doors.take_door),
        Kind("osc", seeds.messages, changed_bytes, doors.osc_door),
        Kind("device", seeds.conversations, changed_text, sockets.device_door),
        Kind("websocket", seeds.handshakes, changed_bytes, sockets.websocket_door),
    )
}
"""Every kind, in the order in which they are tried."""
