"""External timecode and takes, in the running daemon."""

from __future__ import annotations

import io
import json
import os
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile

from cstalk_bridge import daemon
from cstalk_bridge.audio.inputs import SPEECH_PATH
from cstalk_bridge.config.schema import RecordingConfig
from cstalk_bridge.monitor.status_lines import PlainMonitor
from cstalk_bridge.rig.curves import Frame
from cstalk_bridge.rig.load import load_rigmap
from cstalk_bridge.takes.reader import load_take
from cstalk_bridge.takes.recording.recorder import UNTOUCHED_S, Recorder
from cstalk_bridge.takes.take import curves
from cstalk_bridge.timecode.smpte import FRAME_RATES, Timecode
from cstalk_bridge.timecode.tick import host_now
from tests.daemon.running import config, run
from tests.takes.recording.harness import RecorderHarness
from tests.timecode.ltc_sound import labels, sound
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from cstalk_bridge.monitor.metrics import Metrics
    from cstalk_bridge.outputs.livelink_face import Packet
    from cstalk_bridge.takes.take import Take
    from tests.daemon.running import PacketCollector

RATE = FRAME_RATES["25"]
FIRST = "10:20:30:00"


def written_timecode(path: Path, seconds: int) -> Path:
    soundfile.write(path, sound(labels(RATE, FIRST, 25 * seconds), RATE), 48_000)
    return path


def test_packets_carry_the_received_timecode(
    weights: Path,
    tmp_path: Path,
    collector: PacketCollector,
) -> None:
    timecode_input = {"input": str(written_timecode(tmp_path / "ltc.wav", 20))}
    timecode = {"source": "ltc", "mode": "chase", "audio": timecode_input}
    stop = threading.Event()
    reported: list[str] = []

    @contextmanager
    def watch(metrics: Metrics) -> Iterator[None]:
        threading.Timer(4.0, stop.set).start()
        yield
        assert metrics.time_of_day is not None
        reported.append(metrics.time_of_day.text)

    given = config(weights, "test", collector.source.target, fps=RATE, timecode=timecode)
    daemon.run(given, stop=stop, watch=watch, is_urgent=False)
    first = Timecode.from_label(RATE, FIRST).frame
    frames = [packet.frame - first for packet in collector.packets()]
    received_frames = [frame for frame in frames if 0 <= frame < 25 * 20]
    # On a busy machine the file is read unevenly at first, and the chase jams again.
    assert len(received_frames) > 50
    assert np.diff(received_frames[-25:]).tolist() == [1] * 24
    assert reported[0].startswith("LTC 25 10:20:3")


def test_a_take_holds_the_sent_packets_and_their_sound(
    weights: Path,
    tmp_path: Path,
    collector: PacketCollector,
) -> None:
    identifier = ""
    stop = threading.Event()

    @contextmanager
    def watch(metrics: Metrics) -> Iterator[None]:
        nonlocal identifier
        recorder = metrics.recorder
        assert isinstance(recorder, Recorder)
        threading.Timer(0.5, lambda: recorder.start("Scene", 7)).start()
        threading.Timer(1.5, recorder.stop).start()
        threading.Timer(2.0, stop.set).start()
        yield
        recorder.stop()
        assert recorder.last is not None
        identifier = recorder.last.identifier

    given = config(
        weights,
        str(SPEECH_PATH),
        collector.source.target,
        recording=RecordingConfig(folder=tmp_path / "takes"),
        buffer_ms=12.0,
    )
    daemon.run(given, stop=stop, watch=watch, is_urgent=False)
    folder = tmp_path / "takes" / identifier
    document = json.loads((folder / "take.json").read_text("utf-8"))
    assert (document["slate"], document["take"]) == ("Scene", 7)
    curves = (folder / document["subjects"][0]["curves"]).read_text("utf-8").splitlines()
    header, rows = curves[0].split(","), [line.split(",") for line in curves[1:]]
    assert len(rows) == document["frames"] > 20
    sent = {
        Timecode(FRAME_RATES["60"], packet.frame).label: packet
        for packet in collector.packets()
        if packet.values is not None
    }
    jaw = header.index("JawOpen") - 2
    for row in rows:
        packet = sent[row[0].rpartition(".")[0]]
        assert packet.values is not None
        assert abs(float(row[header.index("JawOpen")]) - packet.values[jaw]) < 1e-4
    check_face(load_take(folder), list(sent.values()))
    samples, rate_hz = soundfile.read(folder / document["subjects"][0]["sound"])
    assert abs(len(samples) / rate_hz - len(rows) / 60) < 0.02
    assert np.abs(samples).max() > 0.01
    # A look-ahead of 80 ms, a hop of 20, a buffer of 12, and what resampling takes.
    assert 112.0 <= document["subjects"][0]["delayMs"] < 116.0


def check_face(take: Take, sent: list[Packet]) -> None:
    """Check that a take holds the faces of which packets were made, its emotion and settings."""
    packets = {packet.frame: packet.values for packet in sent}
    rigmap = load_rigmap("livelinkface61")
    board = take.whole_board()
    for row in range(take.rows):
        if (values := packets.get(take.start + row)) is not None:
            again = rigmap.apply(Frame(0.0, board[row], take.head[row]))
            assert again == pytest.approx(values, abs=1e-5)
    weights = take.emotions.weights(take.times_s)
    assert weights == pytest.approx(np.tile([0, 0.7, 0, 0, 0, 0, 0], (take.rows, 1)), abs=1e-6)
    assert take.provenance["lookahead_ms"] == 80
    assert take.provenance["level_head"] == 0.0
    metahuman = load_rigmap("metahuman_animation")
    animation = curves(take, metahuman)
    tongue = ["tongue" in name.lower() for name in metahuman.outputs]
    assert np.ptp(animation[:, tongue], axis=0).max() > 0.01, "the tongue rests"


def test_a_take_interrupted_by_a_kill_is_recovered_at_the_next_start(
    weights: Path,
    tmp_path: Path,
    collector: PacketCollector,
) -> None:
    stage = RecorderHarness(tmp_path / "takes")
    stage.recorder.start("MySlate", 1)
    stage.step(40)
    take = stage.recorder.stop()
    assert take is not None
    interrupted = take.folder.rename(take.folder.with_name(f"{take.folder.name}.recording"))
    long_ago_s = time.time() - 2 * UNTOUCHED_S
    for path in (*interrupted.iterdir(), interrupted):
        os.utime(path, (long_ago_s, long_ago_s))
    stop = threading.Event()
    threading.Timer(0.5, stop.set).start()
    given = config(
        weights,
        "test",
        collector.source.target,
        recording=RecordingConfig(folder=tmp_path / "takes"),
    )
    notices = " ".join(notice.text for notice in run(given, stop).notices())
    assert f"an interrupted take was recovered: {take.folder}" in notices


def test_the_last_word_of_a_run_is_where_the_take_lies(
    weights: Path, tmp_path: Path, collector: PacketCollector
) -> None:
    printed = io.StringIO()
    stop = threading.Event()

    @contextmanager
    def watch(metrics: Metrics) -> Iterator[None]:
        recorder = metrics.recorder
        assert isinstance(recorder, Recorder)

        def stop_during_a_take() -> None:
            recorder.start("Last", 4)
            wait_until(lambda: (take := recorder.take) and take.duration_s > 0.2)
            stop.set()

        threading.Thread(target=stop_during_a_take).start()
        with PlainMonitor(metrics, host_now, printed):
            yield

    given = config(
        weights, "test", collector.source.target, recording=RecordingConfig(folder=tmp_path)
    )
    daemon.run(given, stop=stop, watch=watch, is_urgent=False)
    (take,) = tmp_path.glob("*Last_4*")
    assert printed.getvalue().endswith(f" | the last take is in {take.resolve()}\n")
