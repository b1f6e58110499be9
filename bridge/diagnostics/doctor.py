"""The `doctor` command: all checks of a config in order, its own checks of clock, ticks, rig maps
and network, and the exit code.
"""

from __future__ import annotations

import hashlib
import itertools
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from cstalk_bridge.audio.inputs import AUDIO_SUFFIXES
from cstalk_bridge.audio.source import TEST_SOUND
from cstalk_bridge.diagnostics.audio_check import examine_sound
from cstalk_bridge.diagnostics.network_check import (
    examine_frame,
    examine_ports,
    examine_target,
    own_addresses,
)
from cstalk_bridge.diagnostics.report import (
    Check,
    Finding,
    fault,
    faults_of,
    is_faulty,
    json_report,
    ok,
    only_faults,
    plain_guides,
    plain_lines,
    run_checks,
    setup_guides,
    summary,
    warning,
)
from cstalk_bridge.face.emotion import check_face_settings
from cstalk_bridge.face.inference import live_device, load_network
from cstalk_bridge.models.errors import UserError
from cstalk_bridge.models.loading import weights_path
from cstalk_bridge.models.timing import HOP_S, MAX_LOOKAHEAD_MS
from cstalk_bridge.outputs.protocol import ListeningConfig
from cstalk_bridge.rig.load import load_rigmap
from cstalk_bridge.system.addresses import is_loopback
from cstalk_bridge.system.priority import Role, priority_summary, with_priorities
from cstalk_bridge.system.process import SWITCH_INTERVAL_S, quiet_libraries
from cstalk_bridge.timecode.chase import SyncState
from cstalk_bridge.timecode.system_clock import ClockReference, Discipline, system_discipline
from cstalk_bridge.timecode.tick import Ticker, host_now
from cstalk_bridge.timecode.time_of_day import open_time_of_day

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from cstalk_bridge.config.schema import Config, SubjectConfig
    from cstalk_bridge.diagnostics.report import CheckResult
    from cstalk_bridge.models.cstalk.generator import Generator
    from cstalk_bridge.outputs.protocol import LinkConfig
    from cstalk_bridge.rig.rigmap import RigMap
    from cstalk_bridge.timecode.chase import SyncStatus
    from cstalk_bridge.timecode.smpte import FrameRate
    from cstalk_bridge.timecode.time_of_day import TimecodeConfig


TIMECODE_S = 2.5
"""How long linear timecode is read; it locks after a fifth of a second."""

TICKS_S = 1.5
MAX_LATENESS_S = 0.004
"""Lateness, p99, that a run keeps on a machine with nothing else to do."""

SYNCHRONISE = {
    "win32": "w32tm /resync, or switch on Settings > Time & language > Set time automatically",
    "darwin": "switch on System Settings > General > Date & Time > Set time automatically",
}
SYNCHRONISE_ELSEWHERE = "timedatectl set-ntp true, or install chrony"


def examine_timecode(config: TimecodeConfig, rate: FrameRate) -> Finding:
    """Read the source of timecode. UserError where it cannot be opened."""
    if config.source == "system":
        return ok("timecode", f"the system clock's time of day, at {rate} frames/s")
    time_of_day = open_time_of_day(config, rate)
    try:
        threading.Event().wait(TIMECODE_S)
        return judge_timecode(time_of_day.text, time_of_day.status(host_now()), rate)
    finally:
        time_of_day.close()


def judge_timecode(text: str, status: SyncStatus, rate: FrameRate) -> Finding:
    """Report whether valid timecode arrives."""
    if status.sync is SyncState.LOST:
        what = f"{text}: no valid timecode arrives"
        return fault(
            "timecode", what, "check the cable, its channel (timecode.audio) and its level"
        )
    return ok("timecode", f"{text} arrives, frames leave at {rate} frames/s")


def examine_clock_sync(config: Config) -> Finding:
    """Check what synchronises the system clock."""
    hosts = {
        target.host for each in config.subjects for link in each.links for target in link.targets
    }
    return judge_clock_sync(system_discipline(), is_alone=all(map(is_loopback, hosts)))


def judge_clock_sync(
    discipline: Discipline, *, is_alone: bool, platform: str = sys.platform
) -> Finding:
    """Report whether other machines can have the same time; `is_alone`: there are no others."""
    if discipline.steering is ClockReference.UNKNOWN:
        return ok("system clock", "this system does not report what synchronises it")
    if discipline.steering is not ClockReference.NONE:
        return ok("system clock", f"synchronised by {discipline}")
    remedy = SYNCHRONISE.get(platform, SYNCHRONISE_ELSEWHERE)
    if is_alone:
        what = "not synchronised, which matters only where several machines share a time"
        return ok("system clock", what)
    what = "not synchronised, so its timecode drifts from that of other machines"
    return warning("system clock", what, remedy)


def examine_ticks(rate: FrameRate) -> Iterator[Finding]:
    """Tick as a run does, and report the lateness of ticks and their priority."""
    lateness_s: list[float] = []
    priorities: list[str] = []

    def tick() -> None:
        ticks = itertools.islice(Ticker(rate, now=host_now), round(TICKS_S * rate.hz))
        lateness_s.extend(tick.lateness_s for tick in ticks)

    tasks = with_priorities(
        {Role.FACES: lambda: None, Role.TICKS: tick},
        lambda obtained: priorities.append(priority_summary(obtained)),
    )
    before = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    try:
        with ThreadPoolExecutor(len(tasks)) as threads:
            for done in [threads.submit(task) for task in tasks.values()]:
                done.result()
    finally:
        sys.setswitchinterval(before)
    yield judge_ticks(lateness_s, rate)
    yield from (ok("priority", priority) for priority in priorities)


def judge_ticks(lateness_s: list[float], rate: FrameRate) -> Finding:
    """Report whether frames leave evenly on a machine with that lateness."""
    median_s, p99_s = np.percentile(lateness_s, (50, 99)).tolist()
    what = (
        f"{rate} a second, late by {1e3 * median_s:.1f} ms, p99 {1e3 * p99_s:.1f} "
        f"(good: below {1e3 * MAX_LATENESS_S:.0f})"
    )
    remedy = "close other programs; a higher priority (see below) helps"
    if p99_s >= float(rate.frame_s):
        return fault("ticks", f"{what}: more than a whole frame", remedy)
    return warning("ticks", what, remedy) if p99_s >= MAX_LATENESS_S else ok("ticks", what)


@dataclass(slots=True)
class RigMapCheck:
    """The rig maps of some subjects; one check loads them, others use what is `loaded`.

    Whether a map fits its links is seen when a frame is sent through it (`frames`).
    """

    subjects: Sequence[SubjectConfig]
    loaded: dict[str, RigMap] = field(default_factory=dict)

    def examine(self) -> Iterator[Finding]:
        """Load every rig map once."""
        users: dict[str, set[str]] = {}
        for subject in self.subjects:
            for link in subject.links:
                users.setdefault(link.rigmap, set()).add(link.protocol)
        for name, protocols in users.items():
            try:
                self.loaded[name] = rigmap = load_rigmap(name)
            except UserError as error:
                yield from faults_of(error, name)
                continue
            yield ok(name, f"{len(rigmap.outputs)} outputs for {', '.join(sorted(protocols))}")
            yield from (warning(each.where, each.what, each.remedy) for each in rigmap.warnings)


HOPS = 100
"""Hops that are measured: two seconds."""

HASH_CHARACTERS = 12

COMFORTABLE_SHARE = 0.75
"""Share of a hop's 20 ms up to which there is room for Unreal beside it, and for bad moments."""


@dataclass(slots=True)
class NetworkCheck:
    """The network of a config, once it could be loaded; one check loads it, another uses it."""

    config: Config
    generator: Generator | None = None

    def examine_weights(self) -> Iterator[Finding]:
        """Load the weights, and report what they are and where they run."""
        config = self.config
        path = weights_path(config.weights)
        self.generator = generator = load_network(config.weights, live_device(config.device))
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()[:HASH_CHARACTERS]
        licence = generator.card.get("licence", "licence unknown")
        yield ok(
            "weights",
            f"{path.name}, SHA-256 {digest}, {licence}; look-ahead {config.lookahead_ms} of "
            f"0 to {MAX_LOOKAHEAD_MS} ms; {', '.join(generator.emotions)}",
        )
        try:
            check_face_settings(generator, {each.name: each for each in config.subjects})
        except UserError as error:
            yield from (fault(each.where, each.what, each.remedy) for each in error.problems)
        yield ok("device", _device(generator, config.device))
        if generator.engine.notice:
            yield warning("device", generator.engine.notice, "install onnx and onnxruntime again")

    def examine_speed(self) -> Iterator[Finding]:
        """Step the network at the rate of live sound, for all subjects, and time each hop."""
        if self.generator is None:
            return
        from cstalk_bridge.face.inference import hop_times

        subjects = len(self.config.subjects)
        yield judge_speed(hop_times(self.generator, subjects, HOPS), subjects)


def judge_speed(hops_s: list[float], subjects: int) -> Finding:
    """Report whether a network that takes so long for each hop keeps up with live sound."""
    median_s, p99_s = np.percentile(hops_s, (50, 99)).tolist()
    hop_ms = 1e3 * HOP_S
    voices = "1 subject" if subjects == 1 else f"{subjects} subjects"
    what = (
        f"a hop of {voices} takes {1e3 * median_s:.1f} ms, p99 {1e3 * p99_s:.1f}, of the "
        f"{hop_ms:.0f} there are: {HOP_S / median_s:.1f} times real time"
    )
    if median_s >= HOP_S:
        return fault("speed", what, "close other programs, use fewer subjects, or a faster machine")
    if p99_s >= COMFORTABLE_SHARE * HOP_S:
        remedy = "close other programs; buffer_ms: auto hides what is left"
        return warning("speed", what, remedy)
    return ok("speed", what)


def _device(generator: Generator, asked: str) -> str:
    name = f"{generator.device} ({generator.engine.name})"
    if generator.device == "cuda":
        import torch

        name = f"{torch.cuda.get_device_name()}, {name}"
    if asked != "auto":
        return f"{name}, as asked"
    return f"{name}, chosen because a hop takes little there and Unreal keeps its GPU"


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
