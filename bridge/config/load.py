"""Loads a config file, puts the flags of the command line over it, and checks the whole."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from cstalk_bridge.audio.config import AudioConfig
from cstalk_bridge.config.conflicts import conflicts, with_device_ports
from cstalk_bridge.config.schema import Config, SubjectConfig
from cstalk_bridge.document import Document, read_document, validate
from cstalk_bridge.errors import Problem, UserError
from cstalk_bridge.system.files import name_key

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import BaseModel


DEFAULT_PATH = Path("config.yaml")
"""Read when no config is named and it exists; else the built-in defaults hold."""

M = TypeVar("M", bound="BaseModel")


@dataclass(frozen=True, slots=True)
class ConfigOverrides:
    """What the command line says, as typed; None or empty where it says nothing.

    `audio`, `channel`, `emotion`, `emotions`, `mouth_guard`, `transition_ms`, `seed`, `alive` and
    `links` are about one subject: the one called `subject` where the config has it, else the first,
    which `subject` then renames. `no_alive` is `alive` with everything off. `links` replace that
    subject's links. An empty `preview` or `osc_control` means its usual place; `osc_allow` adds to
    the config's.
    """

    audio: str | None = None
    channel: str | None = None
    links: tuple[str, ...] = ()
    subject: str | None = None
    fps: str | None = None
    lookahead_ms: str | None = None
    emotion: str | None = None
    emotions: str | None = None
    mouth_guard: str | None = None
    transition_ms: str | None = None
    seed: str | None = None
    alive: str | None = None
    no_alive: bool = False
    device: str | None = None
    weights: str | None = None
    preview: str | None = None
    osc_control: str | None = None
    osc_allow: tuple[str, ...] = ()
    no_ui: bool = False


def load_config(path: Path | None = None, flags: ConfigOverrides | None = None) -> Config:
    """Return the config of that file, of `DEFAULT_PATH` or the built-in one, with flags over it.

    Each link that listens has its port (`device_ports`).
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
    index = _subject_index(config, flags.subject)
    given = _overridden_keys(flags, config, config.subjects[index])
    problems: list[Problem] = []
    changes: dict[type[BaseModel], dict[str, object]] = defaultdict(dict)
    for flag, (model, key, value) in given.items():
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


def _overridden_keys(
    flags: ConfigOverrides, config: Config, subject: SubjectConfig
) -> Mapping[str, tuple[type[Config | SubjectConfig | AudioConfig], str, object]]:
    """Return, by flag, the part of the config and its key which it sets, and to what."""
    is_meant = name_key(flags.subject or "") == name_key(subject.name)
    audio = {**subject.audio.model_dump(), "input": flags.audio}
    table: dict[str, tuple[type[Config | SubjectConfig | AudioConfig], str, object]] = {
        "--fps": (Config, "fps", flags.fps),
        "--lookahead-ms": (Config, "lookahead_ms", flags.lookahead_ms),
        "--device": (Config, "device", flags.device),
        "--weights": (Config, "weights", flags.weights),
        "--preview": (Config, "preview", flags.preview),
        "--osc-control": (Config, "control", _control(flags, config)),
        "--no-ui": (Config, "dashboard", False if flags.no_ui else None),
        "--subject": (SubjectConfig, "name", None if is_meant else flags.subject),
        "--audio": (SubjectConfig, "audio", audio if flags.audio is not None else None),
        "--channel": (AudioConfig, "channel", flags.channel),
        "--emotion": (SubjectConfig, "emotion", flags.emotion),
        "--emotions": (SubjectConfig, "emotions", flags.emotions),
        "--mouth-guard": (SubjectConfig, "mouth_guard", flags.mouth_guard),
        "--transition-ms": (SubjectConfig, "transition_ms", flags.transition_ms),
        "--seed": (SubjectConfig, "seed", flags.seed),
        "--alive": (SubjectConfig, "alive", flags.alive),
        "--no-alive": (SubjectConfig, "alive", False if flags.no_alive else None),
        "--link": (SubjectConfig, "links", list(flags.links) or None),
    }
    return {flag: entry for flag, entry in table.items() if entry[2] is not None}


def _control(flags: ConfigOverrides, config: Config) -> dict[str, object] | None:
    """Return the config's remote control with the flags over it, None without such flags."""
    if flags.osc_control is None and not flags.osc_allow:
        return None
    before = config.control
    osc = before.osc if flags.osc_control is None else flags.osc_control or True
    return {"osc": osc, "allow": [*before.allow, *flags.osc_allow]}
