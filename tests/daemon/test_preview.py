"""Browsers show the curve values that a running daemon sends in its packets."""

from __future__ import annotations

import json
import struct
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from websockets.sync.client import connect

from cstalk_bridge import daemon
from cstalk_bridge.config.schema import Config
from cstalk_bridge.rig import ARKIT_MAP
from tests.daemon.running import PacketCollector
from tests.outputs.receiving import receiver

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from cstalk_bridge.monitor.metrics import Metrics

HEADER = struct.Struct("<BBHId")
WANTED = 45


class Watcher:
    """Reads the page's WebSocket while the daemon runs; stops the daemon after enough frames."""

    def __init__(self, stop: threading.Event) -> None:
        self.frames: list[tuple[int, np.ndarray]] = []
        self.introduction: dict[str, Any] | None = None
        self._stop = stop

    @contextmanager
    def __call__(self, metrics: Metrics) -> Iterator[None]:
        (url,) = [
            notice.text.rpartition(" ")[2]
            for notice in metrics.notices()
            if "http://" in notice.text
        ]
        thread = threading.Thread(target=self._watch, args=(url,))
        thread.start()
        yield
        thread.join()

    def _watch(self, url: str) -> None:
        try:
            with connect(url.replace("http", "ws", 1) + "live", open_timeout=20) as live:
                while len(self.frames) < WANTED:
                    message = live.recv(10)
                    if isinstance(message, str):
                        document = json.loads(message)
                        # State and meters come in between, and have a kind.
                        if "kind" not in document:
                            self.introduction = document
                        continue
                    assert self.introduction is not None
                    kind, subjects, curves, number, _ = HEADER.unpack_from(message)
                    assert (kind, subjects, curves) == (1, 2, 61)
                    values = np.frombuffer(message, "<f4", offset=HEADER.size)
                    self.frames.append((number, values.reshape(subjects, curves)))
        finally:
            self._stop.set()


def test_browsers_receive_the_packet_values_of_each_subject(weights: Path) -> None:
    stop = threading.Event()
    watcher = Watcher(stop)
    with receiver() as source:
        collector = PacketCollector(source)
        link = f"livelink-face://{source.target}?rigmap={ARKIT_MAP}"
        subjects = [
            {"name": name, "audio": {"input": "test"}, "emotion": emotion, "links": [link]}
            for name, emotion in (("A", {}), ("B", {"happy": 1.0}))
        ]
        given = {"weights": weights, "preview": "127.0.0.1:0", "subjects": subjects}
        config = Config.model_validate({**given, "device": "cpu"})
        assert daemon.run(config, stop=stop, watch=watcher, is_urgent=False) == 0
        packets = collector.packets()
    assert len(watcher.frames) == WANTED
    assert watcher.introduction is not None
    assert watcher.introduction["subjects"] == [{"name": "A"}, {"name": "B"}]
    for index, name in enumerate("AB"):
        sent = [p.values for p in packets if p.subject == name and p.values is not None]
        shown = [values[index] for _, values in watcher.frames]
        first = next(n for n, values in enumerate(sent) if np.array_equal(values, shown[0]))
        numbers = [first + number - watcher.frames[0][0] for number, _ in watcher.frames]
        assert all(
            np.array_equal(sent[n], values) for n, values in zip(numbers, shown, strict=True)
        )
        assert np.ptp(shown, axis=0).max() > 0.01
