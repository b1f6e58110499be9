"""The training set on disk, as memory-mapped files that hold all clips in a row.

`samples.i16` is 16 kHz sound, `gestures.f16` [rows, gestures], `phones.u8` and `stress.f16` [rows],
all at 50 Hz; `captured.f16` [captured rows, channels] holds only the clips that a tracker saw.
`index.json` lists per clip: name, part, first row, rows, and where there is one the first row in
`captured.f16` and the emotion played.

A set is built in `<cache>/building`, source by source, and moved to its place at the end: an
interrupted run goes on after the last whole source.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from models.board import AUDIO_DRIVEN
from models.timing import HOP_SAMPLES
from models.training.contents import write_whole
from models.training.rules import GESTURES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from models.training.sources import Clip
    from models.training.targets import Targets

CAPTURED = "captured.f16"
ROW_BYTES = {
    "samples.i16": 2 * HOP_SAMPLES,
    "gestures.f16": 2 * len(GESTURES),
    "phones.u8": 1,
    "stress.f16": 2,
    CAPTURED: 2 * len(AUDIO_DRIVEN),
}
"""Size of one row of each file."""
COPY_BYTES = 16 * 1024 * 1024

Entry = dict[str, Any]


def source_of(clip: Entry) -> str:
    """Return the source of a clip of the index."""
    return str(clip["name"].split("/")[0])


def read_index(cache: Path) -> list[Entry]:
    """Return the clips of a finished set."""
    index: list[Entry] = json.loads((cache / "index.json").read_text("utf-8"))
    return index


class Building:
    """A training set in the making; `plan` is the sources in order, with their content keys."""

    def __init__(self, cache: Path, plan: Sequence[tuple[str, str]]) -> None:
        self.cache = cache
        self.folder = cache / "building"
        self.folder.mkdir(parents=True, exist_ok=True)
        self.log = self.folder / "sources.jsonl"
        self.done = self._whole_sources(plan)
        self.index: list[Entry] = [clip for source in self.done for clip in source["clips"]]
        self.begun = len(self.index)
        self.rows: int = sum(clip["rows"] for clip in self.index)
        self.captured_rows: int = sum(clip["rows"] for clip in self.index if "captured" in clip)
        self.files = {name: (self.folder / name).open("ab") for name in ROW_BYTES}
        for name, file in self.files.items():
            file.truncate(self._count(name) * ROW_BYTES[name])
        write_whole(self.log, "".join(json.dumps(source) + "\n" for source in self.done))

    def __enter__(self) -> Building:
        return self

    def __exit__(self, *error: object) -> None:
        for file in self.files.values():
            file.close()

    def _count(self, name: str) -> int:
        return self.captured_rows if name == CAPTURED else self.rows

    def _whole_sources(self, plan: Sequence[tuple[str, str]]) -> list[dict[str, Any]]:
        """Return the sources that an earlier run finished and that are still as planned."""
        text = self.log.read_text("utf-8") if self.log.exists() else ""
        whole: list[dict[str, Any]] = []
        rows = dict.fromkeys(ROW_BYTES, 0)
        for line, (source, key) in zip(text.splitlines(), plan, strict=False):
            done = json.loads(line)
            for name in ROW_BYTES:
                kept = [c["rows"] for c in done["clips"] if name != CAPTURED or "captured" in c]
                rows[name] += sum(kept)
            sizes = {name: rows[name] * ROW_BYTES[name] for name in ROW_BYTES}
            there = all(self._size(name) >= size for name, size in sizes.items())
            if (done["source"], done["key"]) != (source, key) or not there:
                break
            whole.append(done)
        return whole

    def _size(self, name: str) -> int:
        path = self.folder / name
        size: int = path.stat().st_size if path.exists() else 0
        return size

    def add(
        self,
        clip: Clip,
        samples: NDArray[np.float32],
        targets: Targets,
        emotion: Mapping[str, float] | None = None,
    ) -> None:
        """Append one clip: mono 16 kHz `samples`, its targets, and the emotion played."""
        rows = len(targets.phones)
        entry: Entry = {"name": clip.name, "part": clip.part, "first": self.rows, "rows": rows}
        if emotion is not None:
            entry["emotion"] = dict(emotion)
        whole = np.clip(samples[: rows * HOP_SAMPLES], -1, 1) * 32767
        self.files["samples.i16"].write(whole.astype("<i2").tobytes())
        self.files["gestures.f16"].write(targets.gestures.astype("<f2").tobytes())
        self.files["phones.u8"].write(targets.phones.astype("u1").tobytes())
        self.files["stress.f16"].write(targets.stress.astype("<f2").tobytes())
        if targets.channels is not None:
            entry["captured"] = self.captured_rows
            self.files[CAPTURED].write(targets.channels.astype("<f2").tobytes())
            self.captured_rows += rows
        self.index.append(entry)
        self.rows += rows

    def copy(self, clips: Sequence[Entry]) -> None:
        """Append clips of the finished set in the cache, which lie there in a row."""
        captured = [clip for clip in clips if "captured" in clip]
        for name, file in self.files.items():
            kept, first = (captured, "captured") if name == CAPTURED else (clips, "first")
            if not kept:
                continue
            left = sum(clip["rows"] for clip in kept) * ROW_BYTES[name]
            with (self.cache / name).open("rb") as finished:
                finished.seek(kept[0][first] * ROW_BYTES[name])
                while left > 0:
                    piece = finished.read(min(left, COPY_BYTES))
                    if not piece:
                        raise EOFError(f"{self.cache / name} is shorter than its index says")
                    left -= file.write(piece)
        for clip in clips:
            moved = {**clip, "first": self.rows}
            if "captured" in clip:
                moved["captured"] = self.captured_rows
                self.captured_rows += clip["rows"]
            self.rows += clip["rows"]
            self.index.append(moved)

    def end_source(self, source: str, key: str) -> None:
        """Note that every clip of `source` is there: a later run will not make it again."""
        for file in self.files.values():
            file.flush()
        line = {"source": source, "key": key, "clips": self.index[self.begun :]}
        with self.log.open("a", encoding="utf-8") as log:
            log.write(json.dumps(line) + "\n")
        self.begun = len(self.index)

    def publish(self) -> None:
        """Move the set to its place in the cache."""
        for name, file in self.files.items():
            file.close()
            (self.folder / name).replace(self.cache / name)
        write_whole(self.cache / "index.json", json.dumps(self.index))
        self.log.unlink()
        self.folder.rmdir()
