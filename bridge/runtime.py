"""What the subjects of a run share: the network, output servers, recorder, preview, health and
rig maps.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from cstalk_bridge.face.emotion import check_face_settings
from cstalk_bridge.face.inference import live_device, load_network
from cstalk_bridge.face.subject import show_subjects
from cstalk_bridge.outputs.registry import OutputServers
from cstalk_bridge.preview.server import open_health, open_preview
from cstalk_bridge.rig.load import load_rigmap
from cstalk_bridge.system.worker import CallQueue
from cstalk_bridge.takes.recording.recorder import Recorder
from cstalk_bridge.timecode.tick import host_now

if TYPE_CHECKING:
    import threading
    from collections.abc import Sequence
    from contextlib import ExitStack
    from threading import Event

    from cstalk_bridge.config.schema import Config
    from cstalk_bridge.control.controller import Controller
    from cstalk_bridge.face.subject import Subject
    from cstalk_bridge.models.cstalk.generator import Generator
    from cstalk_bridge.monitor.metrics import Metrics
    from cstalk_bridge.preview.server import HealthServer, Preview
    from cstalk_bridge.rig.rigmap import RigMap
    from cstalk_bridge.timecode.tick import Ticker
    from cstalk_bridge.timecode.time_of_day import TimeOfDay


@dataclass(frozen=True, slots=True)
class Runtime:
    """What the subjects share. `wake` is set when a sound device has given something."""

    model: Generator
    servers: OutputServers
    recorder: Recorder
    preview: Preview | None
    health: HealthServer | None
    wake: threading.Event
    rigmaps: dict[str, RigMap] = field(default_factory=dict)

    def rigmap(self, name: str) -> RigMap:
        """Return a rig map by name or path, the same to all; UserError as `load_rigmap`."""
        if name not in self.rigmaps:
            self.rigmaps[name] = load_rigmap(name)
        return self.rigmaps[name]


def open_runtime(
    config: Config, closing: ExitStack, wake: threading.Event, controller: Controller | None = None
) -> Runtime:
    """Open what is shared, closed by `closing`; UserError for what the user can mend."""
    model = load_network(config.weights, live_device(config.device))
    check_face_settings(model, {subject.name: subject for subject in config.subjects})
    preview = _open_preview(config, closing, controller)
    recorder = Recorder(config.recording.folder, config.fps)
    closing.callback(recorder.close)
    servers = OutputServers(recorder)
    closing.callback(servers.close)
    health = None
    if config.health is not None and controller is not None:
        health = closing.enter_context(open_health(config.health, controller))
    return Runtime(model, servers, recorder, preview, health, wake)


def _open_preview(
    config: Config, closing: ExitStack, controller: Controller | None
) -> Preview | None:
    """Open the preview that the config asks for; it loads a network of its own, if ever needed."""
    if config.preview is None:
        return None
    opening = open_preview(
        config.preview,
        load=partial(load_network, config.weights, live_device(config.device)),
        subjects=[subject.name for subject in config.subjects],
        rate_hz=config.fps.hz,
        controller=controller,
    )
    return closing.enter_context(opening)


class TickLoop:
    """Shows subjects tick by tick; `run` is the target of the tick thread.

    `calls` are performed between two ticks; they may replace `subjects`.
    """

    def __init__(
        self, ticker: Ticker, subjects: Sequence[Subject], time_of_day: TimeOfDay, metrics: Metrics
    ) -> None:
        self.subjects = tuple(subjects)
        self.calls = CallQueue()
        self._ticker = ticker
        self._time_of_day = time_of_day
        self._metrics = metrics

    def run(self, stop: Event) -> None:
        """Show the faces of every tick until `stop`, or until all recordings have ended."""
        for tick in self._ticker:
            self.calls.perform()
            if stop.is_set() or all(each.is_finished(tick.due_s) for each in self.subjects):
                return
            show_subjects(self.subjects, self._time_of_day.stamp(tick))
            self._metrics.record_tick(tick, self._ticker.skipped, host_now())
