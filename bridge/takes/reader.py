"""The reader of takes: one file, `NAME.take`, or the folder of a recorded take, as one object."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cstalk_bridge.system.files import is_folder
from cstalk_bridge.takes.file import CURVES_SUFFIX, TAKE_SUFFIX, load_take_file
from cstalk_bridge.takes.recording.folder import RECORDING_SUFFIX
from cstalk_bridge.takes.recording.reading import folder_subjects, is_take_folder, load_folder

if TYPE_CHECKING:
    from pathlib import Path

    from cstalk_bridge.takes.take import Take


def is_take(path: Path) -> bool:
    """Whether a path names a take: a `.take` file, or the folder of a recorded one."""
    if is_folder(path):
        return is_take_folder(path) or any(path.glob(f"*{CURVES_SUFFIX}"))
    return path.suffix.lower() == TAKE_SUFFIX


def take_stem_of(path: Path) -> str:
    """Return the name of a take's file or folder without what it ends in."""
    name = path.resolve().name if is_folder(path) else path.stem
    return name.removesuffix(RECORDING_SUFFIX)


def take_subjects(path: Path) -> tuple[str, ...]:
    """Return the subjects of a take, of which each can be loaded; none of a file.

    UserError for a folder that is no take.
    """
    return tuple(each.name for each in folder_subjects(path)) if is_folder(path) else ()


def load_take(path: Path, subject: str | None = None) -> Take:
    """Read a take: a file, or one subject of a folder, by default its first.

    Its sound is read whenever it is needed. `notices` of the take say what a broken-off one lacks.
    UserError for what cannot be read, is no take, is damaged, too large or of another version, and
    for a subject that it does not have.
    """
    return load_folder(path, subject) if is_folder(path) else load_take_file(path)


__all__ = [
    "RECORDING_SUFFIX",
    "is_take",
    "is_take_folder",
    "load_take",
    "take_stem_of",
    "take_subjects",
]
