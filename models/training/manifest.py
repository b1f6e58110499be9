"""`manifest.json`: what a training set was made of, on what terms, for cards and checks.

Per source: title, licence, whether the default weights may learn from it, files, bytes, a digest of
them, clips and minutes by part, and the clips left out for want of an alignment. `key` is a digest
of everything that its part of the set depends on.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from models.timing import HOP_S
from models.training.contents import file_digest, files_digest, write_whole
from models.training.sources import SOURCES
from models.training.store import ROW_BYTES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

NAME = "manifest.json"
FORMAT = 1
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
    manifest = {"format": FORMAT, "sources": dict(sources), "files": files}
    write_whole(cache / NAME, json.dumps(manifest, indent=1))
    return manifest


def read_manifest(cache: Path) -> dict[str, Any]:
    """Return the manifest in `cache`; an empty one where there is none of this format."""
    path = cache / NAME
    manifest = json.loads(path.read_text("utf-8")) if path.exists() else {}
    known: dict[str, Any] = manifest if manifest.get("format") == FORMAT else {"sources": {}}
    return known


def card_rows(manifest: Mapping[str, Any]) -> list[str]:
    """Return a Markdown table of the sources that train, for a model card."""
    sources = [source for source in manifest["sources"].values() if source["minutes"]["train"]]
    return ["| source | minutes | licence |", "|---|---|---|"] + [
        f"| {source['title']} | {source['minutes']['train']} | {source['licence']} |"
        for source in sources
    ]
