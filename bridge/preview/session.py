"""The session of a page: open heads, recordings and takes, described for the page."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from cstalk_bridge.control.keys import page_keys
from cstalk_bridge.face.emotion import NO_VOICE_WEIGHTS
from cstalk_bridge.face.emotion_trajectory import read_emotions, sidecar
from cstalk_bridge.face.procedural.animation import LEVEL_NAMES, NO_ANIMATION_LEVELS
from cstalk_bridge.heads.reading import list_heads
from cstalk_bridge.models.emotions import EMOTIONS, MAX_WEIGHT
from cstalk_bridge.models.errors import UserError
from cstalk_bridge.preview.recordings import (
    NOT_FOUND,
    Recording,
    Recordings,
    http_error,
    label_of,
    new_id,
    renamed,
)
from cstalk_bridge.preview.takes import (
    MAX_TAKES,
    TakeEntry,
    Takes,
    TakeWorker,
    entry_name,
    entry_of,
)
from cstalk_bridge.settings.table import live_settings, setting, take_settings
from cstalk_bridge.system.files import is_file, is_folder, printable
from cstalk_bridge.system.process import program_version
from cstalk_bridge.takes.file import TAKE_SUFFIX
from cstalk_bridge.takes.reader import load_take, take_subjects
from cstalk_bridge.takes.sound import MAX_SOUND_S, open_sound

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from cstalk_bridge.audio.levels import Channel
    from cstalk_bridge.control.controller import Controller
    from cstalk_bridge.heads.reading import ListedHead
    from cstalk_bridge.models.cstalk.generator import Generator
    from cstalk_bridge.preview.hub import Hub
    from cstalk_bridge.preview.takes import RigMaps
    from cstalk_bridge.settings.declaration import Setting
    from cstalk_bridge.takes.generate import GenerationConfig


GLB_MEDIA_TYPE = "model/gltf-binary"


class Heads:
    """The heads there are, the first of which is shown first."""

    def __init__(self, heads: Sequence[ListedHead]) -> None:
        self._heads = {head.id: head for head in heads}

    def listed(self) -> list[dict[str, str]]:
        """Return the session as the page reads it."""
        return [
            {"id": head.id, "name": printable(head.name), "url": f"/heads/{head.id}.glb"}
            for head in self._heads.values()
        ]

    def path(self, head_id: str) -> Path:
        """Return the file of a head. HttpError where there is none, or no longer."""
        head = self._heads.get(head_id)
        if head is None or not head.path.is_file():
            raise http_error(NOT_FOUND, "head", f"there is no {head_id[:80]!r}", "choose another")
        return head.path


def heads_of(named: Path | None = None) -> Heads:
    """Return the heads of the library. UserError where the named one cannot be shown."""
    if named is not None:
        from cstalk_bridge.heads.reading import open_head

        open_head(named)
    return Heads(list_heads(named))


MAX_FOLDERS = 4
"""Folders by which a page tells takes of one name apart."""

ZIP_MAGIC = b"PK\x03\x04"
"""How the file of a take begins, whatever it is called."""


class SessionLibrary:
    """Recordings and takes of a session.

    `load` returns the generator, as for `TakeWorker`. `defaults` configure takes where nothing
    else is requested. The files of users' recordings are those in `recordings.folder`.
    """

    def __init__(
        self, recordings: Recordings, load: Callable[[], Generator], defaults: GenerationConfig
    ) -> None:
        self.recordings = recordings
        self.defaults = defaults
        self.takes = Takes()
        self._workshop = TakeWorker(load, recordings.named)

    def open(
        self, path: Path, name: str, *, is_ours: bool, channel: Channel = None
    ) -> tuple[Recording | None, TakeEntry | None]:
        """Open a file: a sound gives a recording, a take gives its entry.

        `name` is what the user calls it; `is_ours` means that the file may be removed when it is no
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

    def open_named(
        self, path: Path, channel: Channel = None, subject: str | None = None
    ) -> list[TakeEntry]:
        """Open what the command line names; of a recording the take is generated. UserError.

        A recorded take gives one for each of its subjects, or for one of them. A sidecar beside a
        recording decides its emotions.
        """
        if is_folder(path):
            subjects = take_subjects(path) if subject is None else (subject,)
            entries = [self._open_take(path, is_ours=False, subject=name) for name in subjects]
        else:
            entries = [self._open_file(path, channel)]
        for entry in entries:
            entry.folder = _folder(path)
        return entries

    def _open_file(self, path: Path, channel: Channel) -> TakeEntry:
        recording, entry = self.open(path, path.name, is_ours=False, channel=channel)
        if entry is not None:
            return entry
        settings, emotions = self.defaults, sidecar(path)
        if emotions:
            settings = replace(
                settings, emotions=read_emotions(emotions), voice_weights=NO_VOICE_WEIGHTS
            )
        if recording is None:
            raise RuntimeError("a file is neither a recording nor a take")
        return self.generate(recording.id, settings)

    def generate(self, recording_id: str, settings: GenerationConfig) -> TakeEntry:
        """Begin a take of a recording; returns at once. HttpError."""
        recording = self.recordings.get(recording_id)
        notice = "; ".join(recording.notices) or None
        entry = TakeEntry(_slate(recording.name), recording, settings, notice=notice)
        self.takes.add(entry)
        self._workshop.want(entry)
        return entry

    def start(self, notice: Callable[[str], None]) -> None:
        """Start to make takes, once the page is served. `notice` receives faults of the program."""
        self._workshop.start(notice)

    def close(self) -> None:
        """Stop what is being made, and the worker."""
        for entry in self.takes.all():
            entry.stop.set()
        self._workshop.close()

    def _open_take(self, path: Path, *, is_ours: bool, subject: str | None = None) -> TakeEntry:
        take = load_take(path, subject)
        recording = None
        if take.sound is not None:
            file = path if is_ours else None
            recording = Recording(new_id(), entry_name(take), take.sound, file)
            self.recordings.add(recording, self.takes.used_recordings())
        elif is_ours:
            path.unlink()
        entry = entry_of(take, recording)
        self.takes.add(entry)
        return entry


def _is_take(path: Path, label: str) -> bool:
    if label.lower().endswith(TAKE_SUFFIX):
        return True
    if not is_file(path):
        return False
    try:
        with path.open("rb") as file:
            return file.read(len(ZIP_MAGIC)) == ZIP_MAGIC
    except OSError:
        return False


def _folder(path: Path) -> str:
    """Return the last `MAX_FOLDERS` folders in which a file lies, separated by `/`."""
    whole = path.absolute().parent
    return "/".join(
        printable(name) for name in whole.relative_to(whole.anchor).parts[-MAX_FOLDERS:]
    )


def _slate(label: str) -> str:
    """Return a recording's name without the ending of its file."""
    stem, dot, ending = label.rpartition(".")
    return stem.strip() if dot and stem.strip() and len(ending) <= len("flac") else label


@dataclass(frozen=True, slots=True)
class Session:
    """What a page works with.

    `hub` and `controller` are those of a running bridge, `opened` the ids of takes that the command
    line named.
    """

    library: SessionLibrary
    rigmaps: RigMaps
    heads: Heads
    hub: Hub | None = None
    opened: tuple[str, ...] = ()
    controller: Controller | None = None

    def described(self) -> dict[str, Any]:
        """Return what there is to choose from, for the page; it reads files."""
        from cstalk_bridge.takes.export.formats import FORMATS

        maps, problems = self.rigmaps.listed()
        held = {entry.id: entry.info() for entry in self.library.takes.all()}
        opened = [held[take_id] for take_id in self.opened if take_id in held]
        return {
            "version": program_version(),
            "live": self.hub is not None,
            "emotions": EMOTIONS,
            "max_weight": MAX_WEIGHT,
            "settings": {entry.name: slider(entry) for entry in take_settings()},
            "live_settings": {entry.field_name: slider(entry) for entry in live_settings()},
            "keys": page_keys(),
            "levels": {name: self._level(name) for name in LEVEL_NAMES},
            "rigmaps": maps,
            "problems": problems,
            "heads": self.heads.listed(),
            "formats": [
                {"id": f.id, "label": f.label, "suffix": f.suffix, "target": f.target}
                for f in FORMATS.values()
            ],
            "limits": {
                "upload_bytes": self.library.recordings.max_upload_bytes,
                "take_s": MAX_SOUND_S,
                "takes": MAX_TAKES,
            },
            "takes": opened,
            "compare": [take["id"] for take in opened[:2]] if len(opened) > 1 else [],
        }

    def _level(self, name: str) -> dict[str, Any]:
        return {
            **slider(setting(f"alive.{name}")),
            "off": getattr(NO_ANIMATION_LEVELS, name),
            "usual": getattr(self.library.defaults.levels, name),
        }


def slider(entry: Setting) -> dict[str, Any]:
    """Return a setting of the page; `group` is the first part of its key, "" without one."""
    is_switch = isinstance(entry.default, bool)
    low, high = (0, 1) if is_switch else entry.slider_bounds
    return {
        "label": entry.label,
        "title": entry.help,
        "minimum": low,
        "maximum": high,
        "step": entry.step,
        "default": entry.default,
        "unit": entry.unit,
        "is_switch": is_switch,
        "group": entry.key.partition(".")[0] if "." in entry.key else "",
    }
