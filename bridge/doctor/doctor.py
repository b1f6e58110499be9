"""An examination from its first check to its exit code."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from bridge.audio.file import AUDIO_SUFFIXES
from bridge.audio.source import TEST_SOUND
from bridge.doctor.check import answers
from bridge.doctor.clicks import guides
from bridge.doctor.examination import checks
from bridge.doctor.owners import own_addresses
from bridge.doctor.report import (
    document,
    faults_alone,
    is_faulty,
    plain_guides,
    plain_lines,
    summary,
)
from bridge.process import quiet_libraries

if TYPE_CHECKING:
    from bridge.config.schema import Config
    from bridge.doctor.check import Answer

SPEAK = "Speak now: the microphone is listened to for two seconds."


def examine(config: Config, *, form: str = "picture") -> bool:
    """Examine everything of a config, tell it on standard output, and return whether it is well.

    `form` is `picture`, which is lines where standard output is no terminal, `plain` or `json`.
    """
    with quiet_libraries():
        if form == "json":
            found = list(answers(checks(config)))
            print(document(found, guides(config.subjects, own_addresses())))
        elif form == "plain" or not sys.stdout.isatty():
            found = _plain(config)
        else:
            found = _picture(config)
    return not is_faulty(found)


def _may_be_spoken_to(heard: str) -> bool:
    return heard != TEST_SOUND and not heard.lower().endswith(tuple(AUDIO_SUFFIXES))


def _plain(config: Config) -> list[Answer]:
    found = []
    for answer in answers(checks(config)):
        found.append(answer)
        for line in plain_lines(answer):
            print(line, flush=True)
    print(summary(found))
    for line in plain_guides(guides(config.subjects, own_addresses())):
        print(line)
    return found


def _picture(config: Config) -> list[Answer]:
    from rich.console import Console

    from bridge.doctor.view import findings, guide_views, heading

    console = Console(highlight=False)
    found: list[Answer] = []
    if any(_may_be_spoken_to(subject.audio.input) for subject in config.subjects):
        console.print(SPEAK, style="bold cyan")
    topic = ""
    with console.status("examining ..."):
        for answer in answers(checks(config)):
            found.append(answer)
            if answer.findings and answer.topic != topic:
                topic = answer.topic
                console.print(heading(topic))
            if answer.findings:
                console.print(findings(answer, is_ascii=console.options.ascii_only))
    for view in guide_views(guides(config.subjects, own_addresses())):
        console.print(view)
    console.print(f"\n{summary(found)}", style="bold red" if is_faulty(found) else "bold green")
    for answer in faults_alone(found):
        console.print(findings(answer, is_ascii=console.options.ascii_only))
    return found
