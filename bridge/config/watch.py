"""Changes of the config of a run: its files are watched, and two configs are compared.

Unlike the notifications of a system, that also works on network drives, in containers, and for
editors that replace a file by renaming another. A file that is still being written is left alone
until it stays as it is.

A subject is known by its name, so that a renamed one is another: removed and added.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from cstalk_bridge.settings.declaration import Scope
from cstalk_bridge.settings.table import setting, single_settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from cstalk_bridge.config.schema import Config, SubjectConfig
    from cstalk_bridge.settings.declaration import Effect, Setting


if TYPE_CHECKING:
    FileMarks = Mapping[Path, "FileMark | None"]


POLL_S = 0.5
"""Time between two looks."""

MISSING_LOOKS = 6
"""Looks at which a file may be missing: three seconds, in which no editor lets one be."""


class FileMark(NamedTuple):
    """What changes when a file is written or replaced."""

    modified_ns: int
    size: int
    identity: tuple[int, int]


def mark_of(path: Path) -> FileMark | None:
    """Return the mark of a file, None where there is none that can be read."""
    try:
        stat = path.stat()
    except (OSError, ValueError):
        return None
    return FileMark(stat.st_mtime_ns, stat.st_size, (stat.st_dev, stat.st_ino))


class FileWatch:
    """Tells when files have changed and are at rest again; `look` at them every `POLL_S`.

    `known` are marks from when files were read.

    A file that is gone counts as changed once it is missing for `MISSING_LOOKS`.
    """

    def __init__(self, paths: Iterable[Path], known: FileMarks | None = None) -> None:
        self._known = {path: mark_of(path) for path in paths} | dict(known or {})
        self._seen = dict(self._known)
        self._missing = dict.fromkeys(self._known, 0)

    @property
    def paths(self) -> frozenset[Path]:
        """The files that are watched."""
        return frozenset(self._known)

    def follow(self, paths: Iterable[Path]) -> None:
        """Watch these files from now on, those that were watched already as before."""
        wanted = set(paths)
        for path in self._known.keys() - wanted:
            del self._known[path], self._seen[path], self._missing[path]
        for path in wanted - self._known.keys():
            self._known[path] = self._seen[path] = mark_of(path)
            self._missing[path] = 0

    def look(self) -> frozenset[Path]:
        """Return the files that have changed since they were last returned, if all are at rest."""
        before, self._seen = self._seen, {path: mark_of(path) for path in self._known}
        if before != self._seen:
            return frozenset()
        changed = frozenset(filter(self._is_changed, self._known))
        for path in changed:
            self._known[path] = self._seen[path]
        return changed

    def _is_changed(self, path: Path) -> bool:
        mark = self._seen[path]
        self._missing[path] = self._missing[path] + 1 if mark is None else 0
        if mark == self._known[path]:
            return False
        return mark is not None or self._missing[path] >= MISSING_LOOKS


SettingPlace = tuple[str, str]
"""A subject, "" for the whole bridge, and the key of a setting."""


@dataclass(frozen=True, slots=True)
class SettingChange:
    """A setting with another value; `subject` is empty for one of the whole bridge."""

    setting: Setting
    subject: str
    value: Any

    @property
    def place(self) -> SettingPlace:
        """What it is a change of."""
        return self.subject, self.setting.key

    @property
    def label(self) -> str:
        """How users call it: `Hero: audio.gain_db`."""
        return f"{self.subject}: {self.setting.key}" if self.subject else self.setting.key


@dataclass(frozen=True, slots=True)
class ConfigChanges:
    """What leads from one config to another: settings that differ, and subjects by name."""

    settings: tuple[SettingChange, ...]
    added: tuple[str, ...]
    removed: tuple[str, ...]

    def of(self, *effects: Effect) -> tuple[SettingChange, ...]:
        """Return the settings whose changes count then."""
        return tuple(change for change in self.settings if change.setting.effect in effects)


def config_changes(
    before: Mapping[SettingPlace, Any], after: Mapping[SettingPlace, Any]
) -> ConfigChanges:
    """Return the changes from the values of one config to those of another."""
    old, new = _names(before), _names(after)
    return ConfigChanges(
        settings=tuple(
            SettingChange(setting(key), subject, value)
            for (subject, key), value in after.items()
            if (not subject or subject in old) and before.get((subject, key)) != value
        ),
        added=tuple(name for name in new if name not in old),
        removed=tuple(name for name in old if name not in new),
    )


def config_values(config: Config) -> dict[SettingPlace, Any]:
    """Return the value of each setting of a config."""
    values = {("", key): value for key, value in _values(config, Scope.BRIDGE)}
    for subject in config.subjects:
        values |= {(subject.name, key): value for key, value in _values(subject, Scope.SUBJECT)}
    return values


def subjects_of(config: Config) -> dict[str, SubjectConfig]:
    """Return the subjects of a config by their names."""
    return {subject.name: subject for subject in config.subjects}


def _names(values: Mapping[SettingPlace, Any]) -> dict[str, None]:
    return dict.fromkeys(subject for subject, _ in values if subject)


def _values(config: Config | SubjectConfig, scope: Scope) -> Iterator[tuple[str, Any]]:
    for entry in single_settings(scope):
        yield entry.key, value_of(config, entry.key)


def value_of(config: Config | SubjectConfig, key: str) -> Any:
    """Return the value of a setting in a config, or in that of a subject.

    None where what holds it is None, as in a config without remote control.
    """
    value: Any = config
    for name in key.split("."):
        value = getattr(value, name, None)
    return value
