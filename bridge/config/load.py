"""Loads a config file, applies command-line flags, and checks the result for conflicts between
keys.

Each MetaHuman device gets a port of its own, because Unreal's Live Link Face source takes only the
first subject of a device.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cstalk_bridge.audio.passthrough import PassthroughConfig
from cstalk_bridge.audio.source import CLAPS, GATE_MODES, AudioConfig
from cstalk_bridge.config.schema import Config, SubjectConfig
from cstalk_bridge.config.watch import mark_of
from cstalk_bridge.document import Document, read_document, validate
from cstalk_bridge.models.errors import Problem, UserError
from cstalk_bridge.outputs.protocol import ListeningConfig, listening
from cstalk_bridge.outputs.registry import protocol_of
from cstalk_bridge.settings.declaration import Scope
from cstalk_bridge.settings.table import flag_settings
from cstalk_bridge.system.files import name_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pydantic import BaseModel

    from cstalk_bridge.config.watch import FileMark
    from cstalk_bridge.document import KeyPath
    from cstalk_bridge.outputs.protocol import LinkConfig
    from cstalk_bridge.settings.declaration import Setting


SharedAddress = tuple[str, str, int]
"""Where frames arrive that do not name their subject: address space, host, port."""


def conflicts(config: Config, where: Callable[[KeyPath], str]) -> list[Problem]:
    """Return one problem per clash; `where` gives a place for a path such as ("subjects", 0)."""
    return [
        *_same_names(config, where),
        *_same_targets(config, where),
        *_same_addresses(config, where),
        *_control_loops(config, where),
    ]


def _same_names(config: Config, where: Callable[[KeyPath], str]) -> Iterator[Problem]:
    names = [subject.name for subject in config.subjects]
    keys = list(map(name_key, names))
    for index, key in enumerate(keys):
        first = keys.index(key)
        if first != index:
            place = where(("subjects", index, "name"))
            what = f"subject {first + 1} is called {names[first]!r} too"
            remedy = "give every subject its own name; case does not count"
            yield Problem(place, what, remedy)


def _same_targets(config: Config, where: Callable[[KeyPath], str]) -> Iterator[Problem]:
    for index, subject in enumerate(config.subjects):
        first: dict[str, int] = {}
        for number, link in enumerate(subject.links):
            place = where(("subjects", index, "links", number))
            for target in map(str, link.targets):
                if first.setdefault(target, number) != number:
                    what = f"link {first[target] + 1} of {subject.name!r} sends to {target} too"
                    yield Problem(place, what, "give each link its own port")


def _same_addresses(config: Config, where: Callable[[KeyPath], str]) -> Iterator[Problem]:
    """Two subjects may share a target only where the frames of its protocol name their subject."""
    first: dict[SharedAddress, str] = {}
    for index, subject in enumerate(config.subjects):
        for number, link in enumerate(subject.links):
            protocol = protocol_of(link)
            space = protocol.address_space(link)
            if space is None:
                continue
            for target in link.targets:
                owner = first.setdefault((space, target.host, target.port), subject.name)
                if owner != subject.name:
                    place = where(("subjects", index, "links", number))
                    what = f"{owner!r} sends the same {protocol.label} addresses to {target}"
                    yield Problem(place, what, protocol.sharing_remedy(target, subject.name))


def _control_loops(config: Config, where: Callable[[KeyPath], str]) -> Iterator[Problem]:
    """Yield links to the address of remote control, which would receive the bridge's own curves."""
    control = config.control.osc
    if control is None:
        return
    for index, subject in enumerate(config.subjects):
        for number, link in enumerate(subject.links):
            for target in () if isinstance(link, ListeningConfig) else link.targets:
                if (target.host, target.port) == (control.host, control.port):
                    what = f"the link sends to {target}, where remote control listens"
                    remedy = "change the port of one of them"
                    yield Problem(where(("subjects", index, "links", number)), what, remedy)


def with_device_ports(config: Config) -> Config:
    """Return the config with a port for each link that listens and names none.

    It is the default port, or the next one at which no other link listens, in the order of the
    subjects. Ports that are named stay, even where links share one.
    """
    taken = {link.targets[0].port for link in listening_links(config) if not link.takes_next_port}

    def placed(link: LinkConfig) -> LinkConfig:
        if not isinstance(link, ListeningConfig) or not link.takes_next_port:
            return link
        port = protocol_of(link).default_port
        while port in taken:
            port += 1
        taken.add(port)
        target = link.targets[0].model_copy(update={"port": port})
        return link.model_copy(update={"targets": (target,)})

    subjects = [
        subject.model_copy(update={"links": tuple(placed(link) for link in subject.links)})
        for subject in config.subjects
    ]
    return config.model_copy(update={"subjects": tuple(subjects)})


def with_claps(config: Config, *, keeps_input: bool = False) -> Config:
    """Return the config with claps as the sound of every subject, which no gate holds back.

    With `keeps_input` the sound stays what it is.
    """
    subjects = []
    for subject in config.subjects:
        gate = subject.audio.gate.model_copy(update={"enabled": False})
        sound = {} if keeps_input else {"input": CLAPS, "channel": None}
        audio = subject.audio.model_copy(update={"gate": gate, **sound})
        subjects.append(subject.model_copy(update={"audio": audio}))
    return config.model_copy(update={"subjects": tuple(subjects)})


def listening_links(config: Config) -> Iterator[ListeningConfig]:
    """Yield the links of all subjects at which somebody connects to us."""
    for subject in config.subjects:
        yield from listening(subject.links)


def shared_devices(config: Config) -> dict[str, list[SubjectConfig]]:
    """Return the places at which more than one subject is offered, with these subjects."""
    offered: dict[str, list[SubjectConfig]] = {}
    for subject in config.subjects:
        for link in listening(subject.links):
            offered.setdefault(str(link), []).append(subject)
    return {place: subjects for place, subjects in offered.items() if len(subjects) > 1}


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


class ConfigFile:
    """The config file of a run, read at its start and again when it has changed, with its flags.

    `path` is None for `DEFAULT_PATH`, which need not exist at the start.
    """

    def __init__(self, path: Path | None, flags: ConfigOverrides) -> None:
        self.watched = path or DEFAULT_PATH
        self.mark: FileMark | None = None
        """The mark of the file as it was read at the start."""
        self._path = path
        self._flags = flags
        self._is_own_subject = False

    @property
    def shown(self) -> str:
        """Its name for the user."""
        return str(self.watched)

    def read(self) -> Config:
        """Return the config for the start. UserError as `load_config`."""
        self.mark = mark_of(self.watched)
        config = load_config(self._path, self._flags)
        self._is_own_subject = self.mark is not None and self._names_subject()
        return config

    def read_again(self) -> Config:
        """Return the config of the changed file. UserError where it says nothing, too."""
        if mark_of(self.watched) is None:
            what = "is gone; the bridge keeps its settings"
            raise UserError(Problem(self.shown, what, "put it back"))
        if not read_document(self.watched).data:
            raise UserError(Problem(self.shown, "is empty", "write at least one setting"))
        config = load_config(self.watched, self._flags)
        if self._is_own_subject and not self._names_subject():
            name = self._flags.get("subject")
            what = f"no subject is called {name!r}, which --subject names"
            raise UserError(Problem(self.shown, what, "restart the bridge without --subject"))
        return config

    def _names_subject(self) -> bool:
        """Whether the file has the subject that a flag names."""
        name = self._flags.get("subject")
        if name is None:
            return False
        keys = {name_key(subject.name) for subject in read_config(self.watched).subjects}
        return name_key(name) in keys


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
    parts = {
        "audio": subject.audio.model_copy(update=changes[AudioConfig]),
        "passthrough": subject.passthrough.model_copy(update=changes[PassthroughConfig]),
    }
    subjects[index] = subject.model_copy(update=parts)
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


_PARTS: dict[str, type[AudioConfig | PassthroughConfig]] = {
    "audio": AudioConfig,
    "passthrough": PassthroughConfig,
}
"""The parts of a subject whose keys have flags."""

ChangedKey = tuple[
    str, "type[Config | SubjectConfig | AudioConfig | PassthroughConfig]", str, object
]
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
        elif (part := _PARTS.get(entry.key.partition(".")[0])) and "." in entry.key:
            yield entry.flag, part, entry.name, _part_value(entry, value, subject)
        else:
            yield entry.flag, SubjectConfig, entry.key, list(value) if entry.is_repeated else value
    if flags.get("no_alive"):
        yield "--no-alive", SubjectConfig, "alive", False


def _part_value(entry: Setting, value: object, subject: SubjectConfig) -> object:
    """Return the new value of a key of a subject's part; a mode keeps the levels of the gate."""
    if entry.key != "audio.gate" or value not in GATE_MODES:
        return value
    return subject.audio.gate.model_dump() | GATE_MODES[str(value)]


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
