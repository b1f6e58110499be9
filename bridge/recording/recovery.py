"""Takes whose program was killed: what was recorded of them is brought in order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bridge.errors import Problem, UserError
from bridge.paths import is_folder
from bridge.recording import curves_file, wave_file
from bridge.recording.folder import (
    CURVES_SUFFIX,
    SOUND_SUFFIX,
    SUFFIX,
    read_document,
    release,
    write_document,
)
from bridge.recording.ownership import Ownership
from bridge.recording.room import release_reserve
from bridge.whole_file import PARTIAL_SUFFIX

if TYPE_CHECKING:
    from pathlib import Path

UNTOUCHED_S: Final = 10.0
"""Age of the newest file after which nobody records any more: 40 times as long as a recorder
pauses."""

NOTHING: Final = (0, "", "")
"""The length of curves that were not begun."""


def recover(folder: Path, wall_s: float) -> tuple[list[Path], list[Problem]]:
    """Finish the takes below `folder` that were left while recorded, at the system time `wall_s`.

    Half a line and half a sample are cut off, and `take.json` says how long the take became; then
    its folder gets its name. Return those folders, and what could not be mended. A take whose
    program lives, even halted, is left to it.
    """
    found: list[Path] = []
    problems: list[Problem] = []
    for path in sorted(folder.glob(f"*{SUFFIX}")) if is_folder(folder) else []:
        try:
            if path.is_dir() and wall_s - _touched_s(path) >= UNTOUCHED_S:
                with Ownership(path):
                    problems += _mended(path)
                found.append(release(path))
        except BlockingIOError:
            continue
        except UserError as error:
            problems += error.problems
        except OSError as error:
            problems.append(Problem(str(path), f"cannot be recovered: {error}"))
    return found, problems


def _touched_s(path: Path) -> float:
    return max(file.stat().st_mtime for file in (path, *path.iterdir()))


def _mended(path: Path) -> list[Problem]:
    """Bring the files of a take in order; return what is wrong with those that cannot be."""
    for half in path.glob(f".*{PARTIAL_SUFFIX}"):
        half.unlink()
    release_reserve(path)
    problems = []
    lengths = {file.name: curves_file.mend(file) for file in sorted(path.glob(f"*{CURVES_SUFFIX}"))}
    for file in sorted(path.glob(f"*{SOUND_SUFFIX}")):
        try:
            wave_file.mend(file)
        except ValueError as error:
            problems.append(Problem(str(file), f"cannot be mended: {error}"))
    document = read_document(path)
    described = document.get("subjects", [])
    for subject in described if isinstance(described, list) else []:
        if isinstance(subject, dict):
            subject["frames"] = lengths.get(str(subject.get("curves")), NOTHING)[0]
    frames, first, last = next(iter(lengths.values()), NOTHING)
    codes = {"startTimecode": first, "endTimecode": last} if frames else {}
    write_document(path, document | codes | {"frames": frames, "isRecovered": True})
    return problems
