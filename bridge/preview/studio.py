"""Where takes are made while the page is open: one thread that owns the network."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import numpy as np

from bridge.errors import Problem, UserError
from bridge.network import check_guards
from bridge.preview.recordings import Recording, Recordings, label_of, new_id, renamed
from bridge.preview.takes import Entry, Takes, entry_of
from bridge.takes.emotions import read_emotions, sidecar
from bridge.takes.file import SUFFIX, load_take
from bridge.takes.generate import StoppedError, generate_take
from bridge.takes.settings import Settings, settings_in
from bridge.takes.sound import open_sound, pieces

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from bridge.takes.sound import Sound
    from models.generator import Generator

SILENCE = 10.0 ** (-60.0 / 20.0)
"""Peak, of full scale, below which a recording holds no voice: -60 dBFS."""

SILENT = "The recording is silent, so the face rests. Was the right channel recorded?"

ZIP_MAGIC = b"PK\x03\x04"
"""How the file of a take begins, whatever it is called."""

CLOSE_S = 5.0
"""Time given to the worker at the end; a network that is being loaded cannot be stopped."""


class Studio:
    """Recordings and takes of a session.

    `load` returns the generator; it is called in the worker's thread when the first take is asked
    for, and may import torch. `notice` is told of faults of ours. The files of users' recordings
    are those in `recordings.folder`.
    """

    def __init__(self, recordings: Recordings, load: Callable[[], Generator]) -> None:
        self.recordings = recordings
        self.takes = Takes()
        self.notice: Callable[[str], None] = lambda _text: None
        self._load = load
        self._generator: Generator | None = None
        self._wanted: list[Entry] = []
        self._changed = threading.Condition()
        self._is_closing = False
        self._worker = threading.Thread(target=self._work, name="studio", daemon=True)

    def open(
        self, path: Path, name: str, *, is_ours: bool
    ) -> tuple[Recording | None, Entry | None]:
        """Open a file: a sound gives a recording, a take gives its entry.

        `name` is what the user calls it; `is_ours` says that the file may be removed when it is no
        longer needed. UserError, in which the file has the user's name for it.
        """
        label = label_of(name)
        try:
            if _is_take(path, label):
                return None, self._open_take(path, is_ours=is_ours)
            recording = Recording(new_id(), label, open_sound(path), path if is_ours else None)
            self.recordings.add(recording, self.takes.used_recordings())
        except UserError as error:
            if not is_ours:
                raise
            path.unlink(missing_ok=True)
            raise renamed(error, {path: label}) from None
        return recording, None

    def open_named(self, path: Path, emotion: Mapping[str, float]) -> Entry:
        """Open a file that the command line names, and generate its take. UserError.

        `emotion`, in which the voice may have a say, is that of a recording without a sidecar.
        """
        recording, entry = self.open(path, path.name, is_ours=False)
        if entry is not None:
            return entry
        emotions = sidecar(path)
        settings = Settings(read_emotions(emotions)) if emotions else settings_in(emotion)
        if recording is None:
            raise RuntimeError("a file is neither a recording nor a take")
        return self.generate(recording.id, settings)

    def generate(self, recording_id: str, settings: Settings) -> Entry:
        """Begin a take of a recording; returns at once. RefusalError."""
        recording = self.recordings.get(recording_id)
        entry = Entry(_slate(recording.name), recording, settings)
        self.takes.add(entry)
        with self._changed:
            # Without what was dropped meanwhile there are no more than the takes that are held.
            self._wanted = [*(other for other in self._wanted if not other.stop.is_set()), entry]
            self._changed.notify()
        return entry

    def start(self) -> None:
        """Let the worker make what is wanted: not before the page can be served."""
        self._worker.start()

    def close(self) -> None:
        """Stop what is being made, and the worker."""
        for entry in self.takes.all():
            entry.stop.set()
        with self._changed:
            self._is_closing = True
            self._changed.notify()
        if self._worker.is_alive():
            self._worker.join(CLOSE_S)

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

    def _work(self) -> None:
        while (entry := self._next()) is not None:
            if not entry.stop.is_set():
                self._make(entry)

    def _next(self) -> Entry | None:
        """Wait for the next wanted take; None at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._wanted or self._is_closing)
            return None if self._is_closing else self._wanted.pop(0)

    def _make(self, entry: Entry) -> None:
        """Make one take; whatever goes wrong is told of it."""
        try:
            self._generate(entry)
        except StoppedError:
            self._fail(entry, Problem(entry.name, "stopped"))
        except UserError as error:
            self._fail(entry, *self.recordings.named(error).problems)
        except Exception as error:  # noqa: BLE001 - the worker outlives a fault, and tells it
            what = f"a fault of the program: {type(error).__name__}: {error}"
            self.notice(f"preview, {entry.name}: {what}")
            self._fail(entry, Problem(entry.name, what))

    def _generate(self, entry: Entry) -> None:
        recording = entry.recording
        if recording is None:
            raise RuntimeError("a take is generated of a recording")

        def progress(share: float) -> None:
            entry.progress = share

        if _is_silent(recording.sound, entry.stop):
            entry.notice = SILENT
        generator = self._loaded()
        check_guards(generator, {entry.name: entry.settings.mouth_guard})
        entry.take = generate_take(
            generator,
            recording.sound,
            entry.settings,
            slate=entry.name,
            progress=progress,
            stop=entry.stop,
        )
        entry.name = entry.take.name
        entry.progress = 1.0
        entry.state = "ready"

    def _loaded(self) -> Generator:
        from models.errors import WeightsError

        if self._generator is None:
            try:
                self._generator = self._load()
            except (WeightsError, ValueError) as error:
                raise UserError(Problem("weights", str(error))) from None
        return self._generator

    def _fail(self, entry: Entry, *problems: Problem) -> None:
        entry.problems = problems
        entry.state = "failed"


def _is_take(path: Path, label: str) -> bool:
    if label.lower().endswith(SUFFIX):
        return True
    try:
        with path.open("rb") as file:
            return file.read(len(ZIP_MAGIC)) == ZIP_MAGIC
    except OSError:
        return False


def _is_silent(sound: Sound, stop: threading.Event) -> bool:
    """Whether all samples are below `SILENCE`; reads up to the first that is not."""
    for piece in pieces(sound):
        if stop.is_set():
            raise StoppedError
        if np.abs(piece).max(initial=0.0) >= SILENCE:
            return False
    return True


def _slate(label: str) -> str:
    """Return a recording's name without the ending of its file."""
    stem, dot, ending = label.rpartition(".")
    return stem.strip() if dot and stem.strip() and len(ending) <= len("flac") else label
