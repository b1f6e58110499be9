"""Recordings that train and test the networks: their files, and digests of code and data.

`SOURCES` is the table of the recordings. A preparation finds what changed by the digests. The
licence of a default source allows commercial use of what is trained on it; the others are read for
a research build and for evaluation only. Folders and files are those of the data set's README.
"""

from __future__ import annotations

import ast
import hashlib
import json
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

import numpy as np
import soundfile

from cstalk_bridge.models.timing import ROW_RATE_HZ, SAMPLE_RATE_HZ

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable
    from pathlib import Path

    from numpy.typing import NDArray


PACKAGE = "cstalk_bridge.models"
"""The package into which a digest follows imports."""


def code_digest(module: str) -> str:
    """Return a digest of a module of `cstalk_bridge.models.training` and of all it depends on.

    Its dependencies are the modules of `cstalk_bridge.models` that it imports, and the tables that
    those name. Line endings make no difference. Raises FileNotFoundError for a module that does not
    exist.
    """
    files = resources.files(PACKAGE)
    contents: dict[str, bytes] = {}
    first = f"training/{module}.py"
    waiting = [first]
    while waiting:
        name = waiting.pop()
        if name in contents or not (name == first or files.joinpath(name).is_file()):
            continue
        contents[name] = files.joinpath(name).read_bytes().replace(b"\r\n", b"\n")
        if name.endswith(".py"):
            waiting += _named_files(contents[name], name.rpartition("/")[0])
    digest = hashlib.sha256()
    for name, content in sorted(contents.items()):
        digest.update(name.encode() + b"\0" + content)
    return digest.hexdigest()


def _named_files(code: bytes, folder: str) -> list[str]:
    names = []
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(f"{PACKAGE}."):
            path = str(node.module).removeprefix(f"{PACKAGE}.").replace(".", "/")
            names += [f"{path}.py", *(f"{path}/{alias.name}.py" for alias in node.names)]
        elif isinstance(node, ast.Constant) and str(node.value).endswith((".csv", ".json")):
            names.append(f"{folder}/{node.value!s}".lstrip("/"))
    return names


def files_digest(folder: Path, paths: Iterable[Path]) -> str:
    """Return a digest of the files `paths` under `folder`, names and contents."""
    digest = hashlib.sha256()
    for path in sorted(paths):
        digest.update(f"{path.relative_to(folder).as_posix()} {file_digest(path)}\n".encode())
    return digest.hexdigest()


def file_digest(path: Path) -> str:
    """Return the SHA-256 of one file of any size."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def text_digest(*texts: str) -> str:
    """Return the SHA-256 of several texts, in order."""
    digest = hashlib.sha256()
    for text in texts:
        digest.update(f"{len(text)}:{text}".encode())
    return digest.hexdigest()


GRID_FPS, GRID_LATE_S = 25.0, 0.0
GRID_CURVES = "curves_unsmoothed.npz"
"""Tracked frame by frame: the tracker's own time filter would delay and flatten it."""
FACEGOOD_FPS, FACEGOOD_LATE_S = 30.0, 0.070
RAVDESS_FPS = 29.97
PEOPLE = "speakers.json"
"""Of the news readers: the number of the person in each clip."""


@dataclass(frozen=True, slots=True)
class Source:
    """One set of recordings: what it is, on what terms, and its files.

    `sound` and `facts` are patterns below its folder: recordings, and their metadata.
    `default` is whether the default weights may be trained on it.
    """

    title: str
    licence: str
    sound: str
    facts: tuple[str, ...]
    default: bool = True


SOURCES = {
    "grid_s1": Source(
        "GRID corpus, speaker s1 (Cooke et al. 2006)",
        "CC BY 4.0",
        "audio/*.opus",
        ("words.json", GRID_CURVES),
    ),
    "kathleen": Source(
        "CMU ARCTIC sentences read by Kathleen", "CC0", "audio/*.opus", ("transcripts.json",)
    ),
    "kokoro": Source("Kokoro-82M speech", "Apache-2.0 model", "*.opus", ("index.jsonl",)),
    "facegood": Source("FACEGOOD Audio2Face curves", "MIT", "*.flac", ("curves.npz",)),
    "kokoro_more": Source(
        "Kokoro-82M speech of mixed voices", "Apache-2.0 model", "*.opus", ("index.jsonl",)
    ),
    "ravdess": Source(
        "RAVDESS, acted emotional speech (Livingstone and Russo 2018)",
        "CC BY-NC-SA 4.0",
        "audio/*.opus",
        ("action_units_frames.npz",),
        default=False,
    ),
    "strangers": Source(
        "36 tracked news readers (Essa-Ramzy/Arabic-Lip-Reading)",
        "research only (broadcasts whose rights are not cleared)",
        "audio/*.opus",
        ("curves.npz", PEOPLE),
        default=False,
    ),
}
"""By name, in the order of the training set."""

OUR_LICENCE = "Apache-2.0"
"""Licence of weights whose sources require nothing more."""


@dataclass(frozen=True, slots=True)
class Clip:
    """One recording: its `name` is `<source>/<file stem>`; `part` is train, dev or test."""

    name: str
    path: Path
    part: str

    @property
    def source(self) -> str:
        """The key in `SOURCES`."""
        return self.name.split("/")[0]

    def samples(self) -> NDArray[np.float32]:
        """Read the sound: mono, 16 kHz, -1..1."""
        samples, rate_hz = soundfile.read(self.path, dtype="float32")
        if rate_hz != SAMPLE_RATE_HZ:
            raise ValueError(f"{self.path}: {rate_hz} Hz, expected {SAMPLE_RATE_HZ} Hz")
        return np.asarray(samples, dtype=np.float32)


def require(parser: argparse.ArgumentParser, path: Path, hint: str) -> None:
    """End the command with one line and exit code 2 where `path` is missing."""
    if not path.exists():
        parser.error(f"{path}: there is no such file; {hint}")


@cache
def held_out() -> dict[str, dict[str, list[str]]]:
    """Return what never trains: by part (dev, test), the clips, voices or actors by source."""
    text = (
        resources.files("cstalk_bridge.models.training").joinpath("split.json").read_text("utf-8")
    )
    split: dict[str, dict[str, list[str]]] = json.loads(text)
    return split


def part_of(name: str, person: str = "") -> str:
    """Return whether the clip `name` trains or is held out (`split.json`).

    `person` is who speaks, where the name does not say it (`people_of`).
    """
    source, stem = name.split("/")
    if source == "strangers" and not person:
        return "test"
    for part, names in held_out().items():
        voice = source.startswith("kokoro") and stem.split("__")[0] in names.get(
            "kokoro_voices", ()
        )
        actor = source == "ravdess" and stem.split("-")[-1] in names.get("ravdess_actors", ())
        stranger = source == "strangers" and person in names.get("strangers_people", ())
        if stem in names.get(source, ()) or voice or actor or stranger:
            return part
    return "train"


def people_of(source: str, folder: Path) -> dict[str, str]:
    """Return the person in each clip, by file stem; empty for a source whose names say it.

    ValueError where the table cannot be read.
    """
    if source != "strangers":
        return {}
    people: dict[str, int] = json.loads((folder / PEOPLE).read_text("utf-8"))
    return {stem: f"{number:02}" for stem, number in people.items()}


def folders_of(
    data: Path, more_speech: Path | None = None, *, research: bool = False
) -> dict[str, Path]:
    """Return the folder of each source to be read, in the order of `SOURCES`.

    `more_speech` is what `cstalk_bridge.models.training.synthesis` made; only `research` reads
    sources whose licence keeps them out of the default weights. Folders that are missing are left
    out.
    """
    folders = {
        name: data / name
        for name, source in SOURCES.items()
        if name != "kokoro_more" and (source.default or research)
    }
    if more_speech is not None:
        folders["kokoro_more"] = more_speech
    return {name: folders[name] for name in SOURCES if name in folders and folders[name].is_dir()}


def clips_of(source: str, folder: Path) -> list[Clip]:
    """Return the recordings of one source, sorted by name."""
    paths = sorted(folder.glob(SOURCES[source].sound))
    people = people_of(source, folder)
    return [
        Clip(name := f"{source}/{path.stem}", path, part_of(name, people.get(path.stem, "")))
        for path in paths
    ]


def find_clips(
    data: Path, more_speech: Path | None = None, *, research: bool = False
) -> list[Clip]:
    """Return every clip of `folders_of`, sorted by name; FileNotFoundError where there is none."""
    folders = folders_of(data, more_speech, research=research)
    clips = [clip for source, folder in folders.items() for clip in clips_of(source, folder)]
    if not clips:
        raise FileNotFoundError(f"{data}: no recordings found; name the data folder with --data")
    return clips


def licence_of(sources: Iterable[str], inherited: Iterable[str] = ()) -> str:
    """Return the licence of weights trained on `sources`, keys of `SOURCES` or ours.

    `inherited` are licences of networks that began or supervised the training: those that are not
    ours stay. Several licences are joined by `; `: all of them hold.
    """
    known = [SOURCES[name] for name in sources if name in SOURCES]
    required = [source.licence for source in known if not source.default]
    parts = (part for licence in (*required, *inherited) for part in licence.split("; "))
    strict = dict.fromkeys(part for part in parts if part != OUR_LICENCE)
    return "; ".join(strict) or OUR_LICENCE


def credits_of(sources: Iterable[str]) -> dict[str, str]:
    """Return title and licence of each source, as the weights file quotes them."""
    return {name: f"{SOURCES[name].title}, {SOURCES[name].licence}" for name in sources}


def face_curves(
    archive: Any, clip: str, late_s: float, fps: float, frames: int
) -> NDArray[np.float32]:
    """Return captured curves at each row's audio time, [time, curves].

    `late_s` is how far the capture lags the sound; gaps in tracking are bridged linearly.
    """
    captured = archive[clip].astype(np.float32)
    tracked = ~np.isnan(captured).any(1)
    capture_times_s = np.arange(len(captured)) / fps - late_s
    times_s = np.arange(frames) / ROW_RATE_HZ
    columns = [
        np.interp(times_s, capture_times_s[tracked], column[tracked]) for column in captured.T
    ]
    return np.stack(columns, 1).astype(np.float32)
