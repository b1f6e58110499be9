"""A bridge that runs in a thread, with its controller."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cstalk_bridge.config.schema import Config
from cstalk_bridge.control.controller import Controller, RunContext
from cstalk_bridge.control.server import ControlService
from cstalk_bridge.daemon import open_metrics
from cstalk_bridge.face.inference import InferenceLoop
from cstalk_bridge.face.subject import show_subjects as show_faces
from cstalk_bridge.outputs.livelink_face import Packet, decode
from cstalk_bridge.runtime import open_runtime
from cstalk_bridge.subjects import open_subjects
from cstalk_bridge.timecode.tick import Ticker, host_now
from tests.networks import GUARDED, write_weights
from tests.outputs.receiving import Receiver, receiver
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Future
    from pathlib import Path

    from cstalk_bridge.monitor.metrics import Metrics

TIMEOUT_S = 20.0
"""How long `wait_for` waits, seconds."""


@dataclass
class RunningBridge:
    """A bridge with its controller; `unreal` receives the packets of all subjects."""

    controller: Controller
    metrics: Metrics
    unreal: Receiver
    folder: Path

    def wait_for(self, holds: Callable[[], object]) -> None:
        """Wait until a condition holds."""
        wait_until(holds, TIMEOUT_S, reason=lambda: "\n".join(("notices:", *self.notices)))

    @staticmethod
    def now() -> float:
        """Return the time on the bridge's clock."""
        return host_now()

    def wait_for_take(self, seconds: float = 0.1) -> None:
        """Wait until so much of a take was written."""
        recorder = self.controller.takes.recorder
        self.wait_for(lambda: (take := recorder.take) and take.duration_s > seconds)

    @property
    def notices(self) -> list[str]:
        """The notices so far."""
        return [notice.text for notice in self.metrics.notices()]

    @property
    def control_port(self) -> int:
        """The port of remote control over OSC."""
        (line,) = [text for text in self.notices if text.startswith("remote control over OSC")]
        return int(line.rpartition(":")[2])

    def packet(self) -> Packet:
        """Return the next packet."""
        self.unreal.all_waiting()
        return decode(self.unreal.one())


@contextmanager
def running_bridge(folder: Path, *names: str, **config: object) -> Iterator[RunningBridge]:
    """Run subjects with synthetic vowels as input, as `daemon.run` does, with a small network.

    Not `daemon.run` itself, which redirects standard error while it runs: pytest replaces that with
    every test.
    """
    weights = write_weights(folder / "small.safetensors", GUARDED)
    with receiver() as unreal, ExitStack() as closing:
        subjects = [
            {
                "name": name,
                "audio": {"input": "test"},
                "links": [f"livelink-face://{unreal.target}"],
            }
            for name in names or ("CSTalk",)
        ]
        settings = Config.model_validate(
            {
                "weights": weights,
                "device": "cpu",
                "recording": {"folder": folder / "takes"},
                "subjects": subjects,
                **config,
            }
        )
        yield _started(settings, closing, unreal, folder)


def _started(config: Config, closing: ExitStack, unreal: Receiver, folder: Path) -> RunningBridge:
    controller, stop, wake = Controller(), threading.Event(), threading.Event()
    keyframes = {subject.name: subject.emotions.root for subject in config.subjects}
    control = ControlService(config.control, keyframes, controller, host_now)
    stage = open_runtime(config, closing, wake)
    subjects = [each.subject for each in open_subjects(config, stage, closing)]
    metrics = open_metrics(config, subjects, stage)
    voices = [subject.voice for subject in subjects]
    stream = stage.model.stream(len(voices))
    generator = InferenceLoop(stream, voices, metrics, wake=wake, now=host_now)

    def notice(text: str) -> None:
        metrics.notice(host_now(), text)

    running = RunContext(subjects, notice, stage.model, stage.recorder, stop, host_now, metrics)

    def show() -> None:
        for tick in Ticker(config.fps, now=host_now):
            if stop.is_set():
                return
            show_faces(subjects, tick)

    work: list[Future[None]] = []
    closing.callback(lambda: [thread.result() for thread in work])
    closing.enter_context(controller.connected(running))
    threads = closing.enter_context(ThreadPoolExecutor(2))
    closing.callback(stop.set)
    closing.enter_context(control.started())
    work += [threads.submit(generator.run, stop), threads.submit(show)]
    return RunningBridge(controller, metrics, unreal, folder)
