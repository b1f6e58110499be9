"""The sections of `cstalk-bridge bench`, and the run that measures and prints them."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

from cstalk_bridge.bench.report import Figure, Remark, describe_machine, missed
from cstalk_bridge.models.errors import Problem, UserError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cstalk_bridge.bench.report import BenchConfig


@dataclass(frozen=True, slots=True)
class Section:
    """One thing that is measured: `measure_<name>` of a module of this package."""

    name: str
    module: str
    summary: str

    def measure(self, config: BenchConfig) -> list[Figure | Remark]:
        """Measure it and return what came out."""
        module = import_module(f"cstalk_bridge.bench.{self.module}")
        measured: list[Figure | Remark] = getattr(module, f"measure_{self.name}")(config)
        return measured


SECTIONS: dict[str, Section] = {
    section.name: section
    for section in (
        Section("startup", "program", "start-up time of the commands that need no network"),
        Section("generator", "program", "the network: one hop, and offline, on one core"),
        Section(
            "alive",
            "animation",
            "the animated face compared with what is known of people, and its cost",
        ),
        Section(
            "render",
            "program",
            "recordings to takes: one long and many short ones, compared with the network alone",
        ),
        Section(
            "daemon", "program", "the daemon with one face: CPU, memory, time to the first packet"
        ),
        Section("packets", "packets", "packets at 60 fps: rate, order, lateness of ticks"),
        Section("busy", "load", "a face on a busy machine, with a slow network, and after a stall"),
        Section("faces", "load", "how many faces this machine can drive; 64 of them"),
        Section("links", "load", "4 subjects to 8 targets, some unreachable: lateness of ticks"),
        Section(
            "preview", "preview", "eight browsers: frame rate, latency, and the cost to the ticks"
        ),
        Section("control", "floods", "remote control under a flood of hostile datagrams"),
        Section("device", "floods", "the MetaHuman device under a flood of hostile connections"),
        Section(
            "switchboard",
            "switchboard",
            "remote control by Switchboard's messages: replies, heartbeats, takes",
        ),
        Section(
            "takes",
            "takes",
            "100 takes whose program is killed; sound and curves of a whole one",
        ),
        Section(
            "fuzz",
            "fuzzing.runner",
            "random hostile files, datagrams and connections: faults of the program",
        ),
        Section("gate", "gate", "the gate of voices: what opens it, first syllables, and its cost"),
        Section(
            "passthrough",
            "passthrough",
            "the sound on a virtual cable against the packets of the face",
        ),
        Section(
            "latency", "packets", "a vowel into a fake microphone: latency beyond the look-ahead"
        ),
        Section("soak", "soak", "a long run: memory, drift, losses"),
        Section(
            "churn", "soak", "a long run with clients that come and go, and takes: memory, replies"
        ),
    )
}
"""Every section, in the order in which they run."""


def run_bench(names: Sequence[str], config: BenchConfig) -> int:
    """Measure and print the sections of these names, all without names.

    Returns 1 when a limit was missed, else 0. Raises UserError for names that are none.
    """
    from cstalk_bridge.document import nearest

    problems = [
        Problem("bench", f"there is no section {name!r}", nearest(name, SECTIONS))
        for name in names
        if name not in SECTIONS
    ]
    if problems:
        raise UserError.of(problems)
    print("\n".join(describe_machine()))
    failures = 0
    for name in names or SECTIONS:
        section = SECTIONS[name]
        print(f"\n{name}: {section.summary}", flush=True)
        lines = section.measure(config)
        print("\n".join(map(str, lines)), flush=True)
        failures += missed(lines)
    print(f"\n{failures} limits missed" if failures else "\nall limits met")
    return 1 if failures else 0
