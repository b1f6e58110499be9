"""The `doctor` command: all checks of a config in order, their report, and whether all is well."""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING

from cstalk_bridge.audio.file import AUDIO_SUFFIXES
from cstalk_bridge.audio.source import TEST_SOUND
from cstalk_bridge.diagnostics.audio_check import examine_sound
from cstalk_bridge.diagnostics.checks import Check, run_checks
from cstalk_bridge.diagnostics.clock_check import (
    examine_clock_sync,
    examine_ticks,
    examine_timecode,
)
from cstalk_bridge.diagnostics.face_check import NetworkCheck, RigMapCheck
from cstalk_bridge.diagnostics.frame_check import examine_frame
from cstalk_bridge.diagnostics.network_check import examine_ports, examine_target, own_addresses
from cstalk_bridge.diagnostics.report import (
    is_faulty,
    json_report,
    only_faults,
    plain_guides,
    plain_lines,
    setup_guides,
    summary,
)
from cstalk_bridge.outputs.config import ListeningConfig
from cstalk_bridge.system.process import quiet_libraries

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from cstalk_bridge.config.schema import Config
    from cstalk_bridge.diagnostics.checks import CheckResult, Finding
    from cstalk_bridge.outputs.config import LinkConfig


SOUND, MAPS, NETWORK, LOOPBACK, TIME, FACE = (
    "sound",
    "rig maps",
    "network",
    "loopback",
    "time",
    "face",
)
"""The headings; `loopback` is a frame of every link, sent to this machine."""

LOADING_TIMEOUT_S = 60.0
"""Time limit for what is read from a slow disk, and torch most of all."""

NAMING_TIMEOUT_S = 15.0
"""Time limit for a name server that does not result."""


def all_checks(config: Config) -> list[list[Check]]:
    """Return what to examine: first what waits for others, at once; then what measures, alone."""
    network, maps = NetworkCheck(config), RigMapCheck(config.subjects)
    return [
        [
            Check(SOUND, _subject_names(config), partial(examine_sound, config.subjects)),
            Check(MAPS, "rig maps", maps.examine, LOADING_TIMEOUT_S),
            *_network_checks(config),
            Check(
                TIME, "timecode", _as_list(partial(examine_timecode, config.timecode, config.fps))
            ),
            Check(TIME, "system clock", _as_list(partial(examine_clock_sync, config))),
        ],
        [Check(LOOPBACK, "frames", partial(_examine_frames, config, maps), LOADING_TIMEOUT_S)],
        [Check(FACE, "weights", network.examine_weights, LOADING_TIMEOUT_S)],
        [Check(FACE, "speed", network.examine_speed, LOADING_TIMEOUT_S)],
        [Check(FACE, "ticks", partial(examine_ticks, config.fps))],
    ]


def _network_checks(config: Config) -> Iterator[Check]:
    for link in _links(config):
        if isinstance(link, ListeningConfig):
            continue
        for target in link.targets:
            yield Check(
                NETWORK,
                str(link),
                _as_list(partial(examine_target, link, target)),
                NAMING_TIMEOUT_S,
            )
    yield Check(NETWORK, "ports", partial(examine_ports, config))


def _examine_frames(config: Config, maps: RigMapCheck) -> Iterator[Finding]:
    """Send a frame of every link whose rig map could be loaded."""
    for subject in config.subjects:
        for link in subject.links:
            if rigmap := maps.loaded.get(link.rigmap):
                yield from examine_frame(link, subject.name, rigmap, config.fps)


def _subject_names(config: Config) -> str:
    return ", ".join(subject.name for subject in config.subjects)


def _links(config: Config) -> Iterable[LinkConfig]:
    """Return the links of all subjects, those with the same targets once."""
    found = {str(link): link for subject in config.subjects for link in subject.links}
    return found.values()


def _as_list(examine: Callable[[], Finding]) -> Callable[[], Iterable[Finding]]:
    """Return a check of several findings for one that has a single."""
    return lambda: (examine(),)


SPEAK_PROMPT = "Speak now: the microphone is recorded for two seconds."


def examine(config: Config, *, form: str = "picture") -> bool:
    """Run all checks of a config, print their report, and return whether nothing is at fault.

    `form` is `picture`, plain lines where standard output is not a terminal, `plain` or `json`.
    """
    with quiet_libraries():
        if form == "json":
            found = list(run_checks(all_checks(config)))
            print(json_report(found, setup_guides(config.subjects, own_addresses())))
        elif form == "plain" or not sys.stdout.isatty():
            found = _report_plainly(config)
        else:
            found = _report_picture(config)
    return not is_faulty(found)


def _is_microphone(name: str) -> bool:
    return name != TEST_SOUND and not name.lower().endswith(tuple(AUDIO_SUFFIXES))


def _report_plainly(config: Config) -> list[CheckResult]:
    found = []
    for result in run_checks(all_checks(config)):
        found.append(result)
        for line in plain_lines(result):
            print(line, flush=True)
    print(summary(found))
    for line in plain_guides(setup_guides(config.subjects, own_addresses())):
        print(line)
    return found


def _report_picture(config: Config) -> list[CheckResult]:
    from rich.console import Console

    from cstalk_bridge.diagnostics.report import findings_table, guide_tables, topic_heading

    console = Console(highlight=False)
    found: list[CheckResult] = []
    if any(_is_microphone(subject.audio.input) for subject in config.subjects):
        console.print(SPEAK_PROMPT, style="bold cyan")
    topic = ""
    with console.status("examining ..."):
        for result in run_checks(all_checks(config)):
            found.append(result)
            if result.findings and result.topic != topic:
                topic = result.topic
                console.print(topic_heading(topic))
            if result.findings:
                console.print(findings_table(result, is_ascii=console.options.ascii_only))
    for view in guide_tables(setup_guides(config.subjects, own_addresses())):
        console.print(view)
    console.print(f"\n{summary(found)}", style="bold red" if is_faulty(found) else "bold green")
    for result in only_faults(found):
        console.print(findings_table(result, is_ascii=console.options.ascii_only))
    return found
