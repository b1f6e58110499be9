"""Checks of a run that need neither weights nor threads: rig maps, links, audio inputs, files.

A mistake is reported before anything heavy is loaded. A device that a config names may be missing:
it is waited for. One that was typed on the command line is there, or the name is a mistake.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cstalk_bridge.audio.devices import MICROPHONE
from cstalk_bridge.audio.inputs import check_file, file_of
from cstalk_bridge.audio.source import CLAPS, TEST_SOUND
from cstalk_bridge.models.errors import Problem, UserError
from cstalk_bridge.models.loading import LIGHT, weights_path
from cstalk_bridge.outputs.protocol import ListeningConfig
from cstalk_bridge.outputs.registry import open_link
from cstalk_bridge.rig.load import load_rigmap
from cstalk_bridge.settings.table import setting
from cstalk_bridge.system.files import is_file

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cstalk_bridge.config.schema import Config
    from cstalk_bridge.rig.rigmap import RigMap


def check_run(config: Config, *, typed_input: str | None = None) -> None:
    """Raise UserError with all that keeps a config from running.

    `typed_input` is the audio input of the command line, None without one.
    """
    problems = [
        *_weights_problems(config),
        *_link_problems(config),
        *_input_problems(config),
        *(_typed_problems(typed_input) if typed_input else ()),
    ]
    if problems:
        raise UserError.of(dict.fromkeys(problems))


def _weights_problems(config: Config) -> Iterator[Problem]:
    if not is_file(weights_path(config.weights)):
        remedy = f"check the path, or write `{LIGHT}` for the light weights"
        yield Problem(str(config.weights), "no such weights file", remedy)


def _link_problems(config: Config) -> Iterator[Problem]:
    """Yield what is wrong with rig maps and links; links at which others connect open later."""
    rigmaps: dict[str, RigMap | None] = {}
    for subject in config.subjects:
        for link in subject.links:
            if link.rigmap not in rigmaps:
                rigmaps[link.rigmap] = None
                try:
                    rigmaps[link.rigmap] = load_rigmap(link.rigmap)
                except UserError as error:
                    yield from error.problems
            rigmap = rigmaps[link.rigmap]
            if rigmap is None or isinstance(link, ListeningConfig):
                continue
            try:
                open_link(link, subject.name, rigmap.outputs, config.fps).close()
            except UserError as error:
                yield from error.problems


def _input_problems(config: Config) -> Iterator[Problem]:
    for subject in config.subjects:
        path = file_of(subject.audio.input)
        if path is None:
            continue
        try:
            check_file(path, subject.audio.channel)
        except UserError as error:
            yield from error.problems


def _typed_problems(name: str) -> Iterator[Problem]:
    if name in {MICROPHONE, TEST_SOUND, CLAPS} or file_of(name) is not None:
        return
    from cstalk_bridge.audio.devices import list_devices, select_device

    try:
        select_device(list_devices(), name)
    except UserError as error:
        for problem in error.problems:
            flag = setting("audio.input").flag
            remedy = f"{problem.remedy}; one that is named in the config is waited for"
            yield Problem(f"{flag} {problem.where}", problem.what, remedy)
