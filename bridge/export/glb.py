"""A take as an animation of a head's GLB file.

The head's own file is kept as it is, its animations included; behind its binary data come the
times and, one after the other, the keys of each track. As section 3.11 of the glTF 2.0
specification wants it, the weights of all targets of a mesh stand side by side in a key. Shapes
that no curve moves stay 0.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from bridge.errors import Problem, UserError
from bridge.export.course import open_course
from bridge.export.tracks import tracks
from bridge.heads.glb_file import glb_chunks
from bridge.heads.library import chosen_head
from bridge.heads.reading import open_arkit_head

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bridge.export.course import Course
    from bridge.export.formats import ExportSettings
    from bridge.export.tracks import Track
    from bridge.heads.reading import HeadFile
    from bridge.takes.take import Take

FLOAT: Final = 5126
FLOAT_BYTES: Final = 4
TIMES: Final = 65536
"""Times that are made at once."""


def write_glb_animation(take: Take, settings: ExportSettings) -> Iterator[bytes]:
    """Yield the head's file with the take in it, piece by piece.

    UserError where the head cannot be used, or the file would be longer than GLB allows.
    """
    head = open_arkit_head(chosen_head(settings.head))
    with open_course(take, settings) as course:
        animation = _Animation(head, course, tracks(head, course.moved))
        try:
            yield from glb_chunks(
                animation.document(take.name), animation.pieces(), animation.binary_bytes
            )
        except OverflowError as error:
            remedy = "choose a lower frame rate, or cut the take"
            raise UserError(Problem(take.name, str(error), remedy)) from None


@dataclass(frozen=True, slots=True)
class _Animation:
    """A head, and what is added to it."""

    head: HeadFile
    course: Course
    tracks: list[Track]

    @property
    def start(self) -> int:
        """Where the times begin in the binary chunk."""
        return -(-len(self.head.glb.binary) // FLOAT_BYTES) * FLOAT_BYTES

    @property
    def binary_bytes(self) -> int:
        """Length of the binary chunk."""
        numbers = 1 + sum(track.width for track in self.tracks)
        return self.start + numbers * self.course.rows * FLOAT_BYTES

    def pieces(self) -> Iterator[bytes]:
        """Yield the binary chunk."""
        binary = self.head.glb.binary
        yield binary
        yield bytes(self.start - len(binary))
        for first in range(0, self.course.rows, TIMES):
            yield self._times(first, min(first + TIMES, self.course.rows))
        for track in self.tracks:
            for curves in self.course.blocks():
                yield track.keys(curves).astype("<f4").tobytes()

    def document(self, name: str) -> dict[str, Any]:
        """Return the head's document with the animation of that name added to it."""
        document = copy.deepcopy(self.head.glb.document)
        buffer = (document.get("buffers") or [{}])[0]
        document["buffers"] = [{**buffer, "byteLength": self.binary_bytes}]
        if not self.course.rows:
            return document
        views = document.setdefault("bufferViews", [])
        accessors = document.setdefault("accessors", [])
        offset = self.start

        def added(kind: str, width: int, **bounds: list[float]) -> int:
            nonlocal offset
            size = self.course.rows * width * FLOAT_BYTES
            views.append({"buffer": 0, "byteOffset": offset, "byteLength": size})
            offset += size
            count = self.course.rows * (width if kind == "SCALAR" else 1)
            layout = {"componentType": FLOAT, "count": count, "type": kind}
            accessors.append({"bufferView": len(views) - 1, **layout, **bounds})
            return len(accessors) - 1

        last = np.frombuffer(self._times(self.course.rows - 1, self.course.rows), "<f4")
        times = added("SCALAR", 1, min=[0.0], max=[float(last[0])])
        samplers = [
            {"input": times, "output": added(track.type, track.width)} for track in self.tracks
        ]
        channels = [
            {"sampler": sampler, "target": {"node": node, "path": track.path}}
            for sampler, track in enumerate(self.tracks)
            for node in track.nodes
        ]
        animation = {"name": name, "samplers": samplers, "channels": channels}
        document.setdefault("animations", []).append(animation)
        return document

    def _times(self, first: int, end: int) -> bytes:
        times: bytes = (np.arange(first, end) / self.course.rate.hz).astype("<f4").tobytes()
        return times
