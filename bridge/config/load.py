"""Loads a config file, applies the flags of the command line, and checks the result."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cstalk_bridge.audio.config import AudioConfig
from cstalk_bridge.config.conflicts import conflicts, with_device_ports
from cstalk_bridge.config.schema import Config, SubjectConfig
from cstalk_bridge.document import Document, read_document, validate
from cstalk_bridge.models.errors import Problem, UserError
from cstalk_bridge.settings.declaration import Scope
from cstalk_bridge.settings.table import flag_settings
from cstalk_bridge.system.files import name_key

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic import BaseModel

    from cstalk_bridge.settings.declaration import Setting


DEFAULT_PATH = Path("config.yaml")
"""Read where no config is named, if it exists; otherwise the built-in defaults apply."""


FLAG_NAMES = frozenset(
    {*(entry.option for entry in flag_settings()), "subject", "no_alive", "no_ui"}
)
"""Names in Python of the flags that change a config."""


class ConfigOverrides:
    """Values of command-line flags as typed, by `FLAG_NAMES`; TypeError for another name.

    None, False and an empty tuple change nothing. The settings of a subject are those of the one
    called `subject` where the config has it, else of the first, which `subject` then renames.
    `no_alive` is `alive` with everything off, `no_ui` a run without dashboard. Links replace that
    subject's links. An empty `preview` or `osc_control` means its default address; `osc_allow` adds
    to the config's.
    """

    def __init__(self, **values: object) -> None:
        if unknown := values.keys() - FLAG_NAMES:
            raise TypeError(f"no flag is called {', '.join(sorted(unknown))}")
        self._values = {
            name: value
            for name, value in values.items()
            if value is not None and value is not False and value not in ((), [])
        }

    def get(self, name: str) -> Any:
        """Return the value of a flag, None where it is not given."""
        return self._values.get(name)


def load_config(path: Path | None = None, flags: ConfigOverrides | None = None) -> Config:
    """Return the config of that file, of `DEFAULT_PATH` or the built-in one, with flags over it.

    Each link that listens has its port (`with_device_ports`).
    Raises UserError with every problem of the file, or else every problem of the flags.
    """
    if path is None and not DEFAULT_PATH.exists():
        config = Config()
    else:
        config = read_config(path or DEFAULT_PATH)
    return with_device_ports(override(config, flags or ConfigOverrides()))


def read_config(path: Path) -> Config:
    """Return the config of that file alone. Raises UserError with every problem."""
    document = read_document(path)
    config = validate(Config, document)
    if problems := conflicts(config, document.where):
        raise UserError.of(problems)
    return config


def override(config: Config, flags: ConfigOverrides) -> Config:
    """Return the config with the flags over it. Raises UserError with every problem of theirs."""
    index = _subject_index(config, flags.get("subject"))
    problems: list[Problem] = []
    changes: dict[type[BaseModel], dict[str, object]] = defaultdict(dict)
    for flag, model, key, value in _changed_keys(flags, config, config.subjects[index]):
        try:
            checked = validate(model, Document(flag, {key: value}, {}, {}))
        except UserError as error:
            problems += error.problems
        else:
            changes[model][key] = getattr(checked, key)
    if problems:
        raise UserError.of(problems)
    subjects = list(config.subjects)
    subject = subjects[index].model_copy(update=changes[SubjectConfig])
    audio = subject.audio.model_copy(update=changes[AudioConfig])
    subjects[index] = subject.model_copy(update={"audio": audio})
    changed = config.model_copy(update={**changes[Config], "subjects": tuple(subjects)})
    if found := conflicts(changed, lambda _path: "command line"):
        raise UserError.of(found)
    return changed


def subject_of(flags: ConfigOverrides) -> SubjectConfig:
    """Return the one subject that flags make without a config. UserError, as `override`."""
    return override(Config(), flags).subjects[0]


def _subject_index(config: Config, name: str | None) -> int:
    keys = [name_key(subject.name) for subject in config.subjects]
    return keys.index(name_key(name)) if name and name_key(name) in keys else 0


ChangedKey = tuple[str, "type[Config | SubjectConfig | AudioConfig]", str, object]
"""A flag, the part of the config that it changes, the key in it and its new value."""


def _changed_keys(
    flags: ConfigOverrides, config: Config, subject: SubjectConfig
) -> Iterator[ChangedKey]:
    """Yield what the flags change, settings of the whole bridge first."""
    for entry in flag_settings():
        if (
            entry.scope is Scope.BRIDGE
            and (value := _bridge_value(entry, flags, config)) is not None
        ):
            yield entry.flag, Config, entry.key.partition(".")[0], value
    if flags.get("no_ui"):
        yield "--no-ui", Config, "dashboard", False
    name = flags.get("subject")
    if name is not None and name_key(name) != name_key(subject.name):
        yield "--subject", SubjectConfig, "name", name
    for entry in flag_settings():
        value = flags.get(entry.option)
        if entry.scope is Scope.BRIDGE or value is None:
            continue
        if entry.key == "audio.input":
            yield entry.flag, SubjectConfig, "audio", {**subject.audio.model_dump(), "input": value}
        elif entry.key.startswith("audio."):
            yield entry.flag, AudioConfig, entry.name, value
        else:
            yield entry.flag, SubjectConfig, entry.key, list(value) if entry.is_repeated else value
    if flags.get("no_alive"):
        yield "--no-alive", SubjectConfig, "alive", False


def _bridge_value(entry: Setting, flags: ConfigOverrides, config: Config) -> object:
    """Return the new value of a setting of the bridge; None where no flag changes it.

    Both flags of remote control change the whole of it, under the name of the first.
    """
    if not entry.key.startswith("control."):
        return flags.get(entry.option)
    before, given = config.control, flags.get("osc_control")
    if entry.key != "control.osc" or (given is None and not flags.get("osc_allow")):
        return None
    osc = before.osc if given is None else given or True
    return {"osc": osc, "allow": [*before.allow, *(flags.get("osc_allow") or ())]}
