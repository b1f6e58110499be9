"""The training set on disk: memory-mapped files of all clips in a row, and a manifest.

`samples.i16` is 16 kHz sound, `gestures.f16` [rows, gestures], `phones.u8` and `stress.f16` [rows],
all at 50 Hz; `captured.f16` [captured rows, channels] holds only the clips that a tracker measured.
`index.json` lists per clip: name, part, first row, rows, and where there is one the first row in
`captured.f16` and the emotion played. A set is built in `<cache>/building`, source by source, and
moved to its place at the end: an interrupted run continues after the last whole source.

`manifest.json` gives the provenance and the licences of the set, for cards and checks. Per source:
title, licence, whether the default weights may learn from it, files, bytes, a digest of them, clips
and minutes by part, and the clips left out because they have no alignment. `key` is a digest of
everything that its part of the set depends on.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from cstalk_bridge.models.board import AUDIO_DRIVEN
from cstalk_bridge.models.files import write_file
from cstalk_bridge.models.timing import HOP_S, HOP_SAMPLES
from cstalk_bridge.models.training.rules import GESTURES
from cstalk_bridge.models.training.sources import SOURCES, file_digest, files_digest
from cstalk_bridge.models.training.targets import OBSERVED_GESTURES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from cstalk_bridge.models.training.sources import Clip
    from cstalk_bridge.models.training.targets import Targets


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


class CorpusWriter:
    """A training set under construction; `plan` lists the sources in order, with content keys."""

    def __init__(self, cache: Path, plan: Sequence[tuple[str, str]]) -> None:
        self.cache = cache
        self.folder = cache / "building"
        self.folder.mkdir(parents=True, exist_ok=True)
        self.log = self.folder / "sources.jsonl"
        self.done = self._whole_sources(plan)
        self.index: list[Entry] = [clip for source in self.done for clip in source["clips"]]
        self.source_start = len(self.index)
        self.rows: int = sum(clip["rows"] for clip in self.index)
        self.captured_rows: int = sum(clip["rows"] for clip in self.index if "captured" in clip)
        self.files = {name: (self.folder / name).open("ab") for name in ROW_BYTES}
        for name, file in self.files.items():
            file.truncate(self._count(name) * ROW_BYTES[name])
        write_file(
            self.log, "".join(json.dumps(source) + "\n" for source in self.done), parents=True
        )

    def __enter__(self) -> CorpusWriter:
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
        """Append one clip: mono 16 kHz `samples`, its targets, and the emotion played.

        Of the samples only the rows that have targets are kept; nothing is added without any.
        """
        rows, first = len(targets.phones), targets.first
        if not rows:
            return
        entry: Entry = {"name": clip.name, "part": clip.part, "first": self.rows, "rows": rows}
        if emotion is not None:
            entry["emotion"] = dict(emotion)
        kept = samples[first * HOP_SAMPLES : (first + rows) * HOP_SAMPLES]
        whole = np.clip(kept, -1, 1) * 32767
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
        """Record that `source` is complete: a later run skips it."""
        for file in self.files.values():
            file.flush()
        line = {"source": source, "key": key, "clips": self.index[self.source_start :]}
        with self.log.open("a", encoding="utf-8") as log:
            log.write(json.dumps(line) + "\n")
        self.source_start = len(self.index)

    def publish(self) -> None:
        """Move the set to its place in the cache."""
        for name, file in self.files.items():
            file.close()
            (self.folder / name).replace(self.cache / name)
        write_file(self.cache / "index.json", json.dumps(self.index), parents=True)
        self.log.unlink()
        self.folder.rmdir()


MANIFEST_NAME = "manifest.json"
MANIFEST_FORMAT = 1
PARTS = ("train", "dev", "test")


def files_of(source: str, folder: Path) -> list[Path]:
    """Return the files of a source that the preparation reads."""
    facts = [folder / fact for fact in SOURCES[source].facts]
    return sorted([*folder.glob(SOURCES[source].sound), *(p for p in facts if p.exists())])


def source_digest(source: str, folder: Path) -> str:
    """Return a digest of all those files."""
    return files_digest(folder, files_of(source, folder))


def describe_source(
    source: str, folder: Path, digest: str, key: str, clips: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """Return the manifest's entry of one source whose `clips` are those of the index."""
    facts = SOURCES[source]
    files = files_of(source, folder)
    recordings = len(list(folder.glob(facts.sound)))
    by_part = {part: [clip["rows"] for clip in clips if clip["part"] == part] for part in PARTS}
    return {
        "title": facts.title,
        "licence": facts.licence,
        "default": facts.default,
        "files": len(files),
        "bytes": sum(path.stat().st_size for path in files),
        "sha256": digest,
        "clips": {part: len(rows) for part, rows in by_part.items()},
        "minutes": {part: round(sum(rows) * HOP_S / 60, 2) for part, rows in by_part.items()},
        "left_out": recordings - len(clips),
        "key": key,
    }


def write_manifest(cache: Path, sources: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Write and return the manifest of the finished set in `cache`."""
    files = {name: file_digest(cache / name) for name in (*ROW_BYTES, "index.json", "phones.json")}
    manifest = {"format": MANIFEST_FORMAT, "sources": dict(sources), "files": files}
    write_file(cache / MANIFEST_NAME, json.dumps(manifest, indent=1), parents=True)
    return manifest


def read_manifest(cache: Path) -> dict[str, Any]:
    """Return the manifest in `cache`; an empty one where there is none of this format."""
    path = cache / MANIFEST_NAME
    manifest = json.loads(path.read_text("utf-8")) if path.exists() else {}
    known: dict[str, Any] = (
        manifest if manifest.get("format") == MANIFEST_FORMAT else {"sources": {}}
    )
    return known


def card_rows(manifest: Mapping[str, Any]) -> list[str]:
    """Return a Markdown table of the sources that train, for a model card."""
    sources = [source for source in manifest["sources"].values() if source["minutes"]["train"]]
    return ["| source | minutes | licence |", "|---|---|---|"] + [
        f"| {source['title']} | {source['minutes']['train']} | {source['licence']} |"
        for source in sources
    ]


SOURCE_SHARES = {
    "grid_s1": 0.3,
    "kathleen": 0.13,
    "kokoro": 0.45,
    "facegood": 0.12,
    "ravdess": 0.25,
    "strangers": 0.3,
}
"""How often a source is drawn against the others that are there; `SYNTHETIC` share Kokoro's."""
SYNTHETIC = ("kokoro", "kokoro_more")


class Corpus:
    """The clips of one part (train, dev, test), read from the cache that `prepare` wrote."""

    def __init__(self, cache: Path, part: str) -> None:
        def mapped(name: str, dtype: str, *columns: int) -> NDArray[Any]:
            return np.memmap(cache / name, dtype=dtype, mode="r").reshape(-1, *columns)

        self.samples = mapped("samples.i16", "<i2", HOP_SAMPLES)
        self.gestures = mapped("gestures.f16", "<f2", len(GESTURES))
        self.phones = mapped("phones.u8", "u1")
        self.stress = mapped("stress.f16", "<f2")
        self.captured = np.zeros((0, len(AUDIO_DRIVEN)), dtype="<f2")
        if (cache / CAPTURED).exists() and (cache / CAPTURED).stat().st_size:
            self.captured = mapped(CAPTURED, "<f2", len(AUDIO_DRIVEN))
        self.clips = [clip for clip in read_index(cache) if clip["part"] == part]
        self.by_source = {
            source: [c for c in self.clips if c["name"].startswith(f"{source}/")]
            for source in OBSERVED_GESTURES
        }
        self.probabilities = self._probabilities()

    def _probabilities(self) -> dict[str, float]:
        rows = {name: sum(c["rows"] for c in clips) for name, clips in self.by_source.items()}
        synthetic = sum(rows[name] for name in SYNTHETIC)
        weights = {
            name: SOURCE_SHARES["kokoro"] * rows[name] / synthetic
            if name in SYNTHETIC
            else SOURCE_SHARES[name]
            for name in OBSERVED_GESTURES
            if rows[name]
        }
        return {name: weight / sum(weights.values()) for name, weight in weights.items()}

    def minutes(self) -> dict[str, float]:
        """Return how much there is of each source."""
        return {
            source: round(sum(c["rows"] for c in clips) * HOP_S / 60, 1)
            for source, clips in self.by_source.items()
        }

    def gesture_spread(self) -> Tensor:
        """Return each gesture's standard deviation over the corpus, at least 0.05, [gestures]."""
        every = np.asarray(self.gestures[::7], dtype=np.float32)
        return torch.from_numpy(every.std(0)).clamp(min=0.05)
