"""What is opened while the page is: recordings, takes, and wishes for more of them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from bridge.errors import UserError
from bridge.face.emotion import AS_CHOSEN
from bridge.paths import is_file
from bridge.preview.recordings import Recording, Recordings, label_of, new_id, renamed
from bridge.preview.takes import Entry, Takes, entry_of
from bridge.preview.workshop import Workshop
from bridge.takes.emotions import read_emotions, sidecar
from bridge.takes.file import SUFFIX, load_take
from bridge.takes.sound import open_sound

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bridge.audio.channel import Channel
    from bridge.takes.settings import Settings
    from models.generator import Generator

ZIP_MAGIC = b"PK\x03\x04"
"""How the file of a take begins, whatever it is called."""


class Studio:
    """Recordings and takes of a session.

    `load` returns the generator, as for `Workshop`. `usual` is how takes are made where nothing
    else is said. The files of users' recordings are those in `recordings.folder`.
    """

    def __init__(
        self, recordings: Recordings, load: Callable[[], Generator], usual: Settings
    ) -> None:
        self.recordings = recordings
        self.usual = usual
        self.takes = Takes()
        self._workshop = Workshop(load, recordings.named)

    def open(
        self, path: Path, name: str, *, is_ours: bool, channel: Channel = None
    ) -> tuple[Recording | None, Entry | None]:
        """Open a file: a sound gives a recording, a take gives its entry.

        `name` is what the user calls it; `is_ours` says that the file may be removed when it is no
        longer needed, `channel` which one of a recording to use. UserError, in which the file has
        the user's name for it.
        """
        label = label_of(name)
        try:
            if _is_take(path, label):
                return None, self._open_take(path, is_ours=is_ours)
            sound = open_sound(path, channel)
            recording = Recording(new_id(), label, sound, path if is_ours else None, sound.notices)
            self.recordings.add(recording, self.takes.used_recordings())
        except UserError as error:
            if not is_ours:
                raise
            path.unlink(missing_ok=True)
            raise renamed(error, {path: label}) from None
        return recording, None

    def open_named(self, path: Path, channel: Channel = None) -> Entry:
        """Open a file that the command line names, and generate its take. UserError.

        A sidecar beside a recording has the say about its emotions.
        """
        recording, entry = self.open(path, path.name, is_ours=False, channel=channel)
        if entry is not None:
            return entry
        settings, emotions = self.usual, sidecar(path)
        if emotions:
            settings = replace(settings, emotions=read_emotions(emotions), shares=AS_CHOSEN)
        if recording is None:
            raise RuntimeError("a file is neither a recording nor a take")
        return self.generate(recording.id, settings)

    def generate(self, recording_id: str, settings: Settings) -> Entry:
        """Begin a take of a recording; returns at once. RefusalError."""
        recording = self.recordings.get(recording_id)
        notice = "; ".join(recording.notices) or None
        entry = Entry(_slate(recording.name), recording, settings, notice=notice)
        self.takes.add(entry)
        self._workshop.want(entry)
        return entry

    def start(self, notice: Callable[[str], None]) -> None:
        """Let takes be made: not before the page can be served. `notice` is told of our faults."""
        self._workshop.start(notice)

    def close(self) -> None:
        """Stop what is being made, and the worker."""
        for entry in self.takes.all():
            entry.stop.set()
        self._workshop.close()

    def _open_take(self, path: Path, *, is_ours: bool) -> Entry:
        take = load_take(path)
        recording = None
        if take.sound is not None:
            file = path if is_ours else None
            recording = Recording(new_id(), take.name, take.sound, file)
            self.recordings.add(recording, self.takes.used_recordings())
        elif is_ours:
            path.unlink()
        entry = entry_of(take, recording)
        self.takes.add(entry)
        return entry


def _is_take(path: Path, label: str) -> bool:
    if label.lower().endswith(SUFFIX):
        return True
    if not is_file(path):
        return False
    try:
        with path.open("rb") as file:
            return file.read(len(ZIP_MAGIC)) == ZIP_MAGIC
    except OSError:
        return False


def _slate(label: str) -> str:
    """Return a recording's name without the ending of its file."""
    stem, dot, ending = label.rpartition(".")
    return stem.strip() if dot and stem.strip() and len(ending) <= len("flac") else label
