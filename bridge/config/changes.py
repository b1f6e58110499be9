"""The differences between two configs of one run: which settings of which subject, and when each
counts.

A subject is known by its name, so that a renamed one is another: removed and added.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cstalk_bridge.settings.declaration import Scope
from cstalk_bridge.settings.table import setting, single_settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cstalk_bridge.config.schema import Config, SubjectConfig
    from cstalk_bridge.settings.declaration import Effect, Setting


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
