"""`daemon.run` with real sound, threads and sockets, and a small untrained network."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile

from cstalk_bridge import daemon
from cstalk_bridge.audio.source import AudioConfig
from cstalk_bridge.config.schema import AUTO_BUFFER, SubjectConfig
from cstalk_bridge.models import load_generator
from cstalk_bridge.models.board import CHANNEL_INDEX
from cstalk_bridge.models.emotions import MOUTH_GUARD
from cstalk_bridge.models.errors import UserError
from cstalk_bridge.models.loading import DEFAULT_PATH
from cstalk_bridge.outputs.livelink_face import LiveLinkFaceConfig
from cstalk_bridge.outputs.udp import Target
from cstalk_bridge.rig.curves import Frame, neutral_board
from cstalk_bridge.rig.load import load_rigmap
from cstalk_bridge.system.priority import Role, priority_summary, raise_priority
from cstalk_bridge.timecode.smpte import FRAME_RATES
from tests.daemon.running import EMOTION, config, run, speech
from tests.networks import UNGUARDED, write_weights

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from tests.daemon.running import PacketCollector

GUARDS = {"small": 0.9, "default": MOUTH_GUARD}


def offline_curves(weights: Path, recording: Path, mouth_guard: float) -> NDArray[np.float32]:
    """The curves of the recording at 1 kHz, [milliseconds, 61], from the offline generator."""
    model = load_generator(weights, "cpu")
    samples, rate_hz = soundfile.read(recording, dtype="float32")
    rows = model.generate(samples, rate_hz, EMOTION, 80, mouth_guard)
    rigmap = load_rigmap("livelinkface61")
    columns = [CHANNEL_INDEX[name] for name in model.channels]
    curves = []
    for place in np.arange(0, len(rows) - 1, 0.05):
        before = int(place)
        board = neutral_board()
        board[columns] = rows[before] + (place - before) * (rows[before + 1] - rows[before])
        curves.append(rigmap.apply(Frame(0.0, board)))
    return np.stack(curves)


@pytest.mark.parametrize("kind", ["small", "default"])
def test_a_recording_is_sent_as_the_offline_generator_computes_it(
    weights: Path, recording: Path, collector: PacketCollector, tmp_path: Path, kind: str
) -> None:
    """Every packet carries the face of one constant time ago, from the first to the last."""
    if kind == "default":
        weights, recording = DEFAULT_PATH, speech(tmp_path / "speech.wav")
    guard = GUARDS[kind]
    run(config(weights, str(recording), collector.source.target, guard, buffer_ms=120))
    packets = collector.packets()
    curves = offline_curves(weights, recording, guard)
    values = np.stack([p.values for p in packets if p.values is not None])
    assert len(values) == len(packets)
    # 2 s from the middle: the start blends in from rest, the end is a face at rest.
    first, count = 60, 120
    shown = values[first : first + count]
    steps = np.arange(count) * 1000 / 60
    errors = {
        start: np.abs(shown - curves[np.rint(start + steps).astype(int)])
        for start in range(len(curves) - 2000)
    }
    best = min(errors.values(), key=lambda error: float(error.mean()))
    spread = float(curves.std(axis=0).max())
    assert spread > 0.02
    assert float(best.mean()) < 0.02 * spread
    assert float(best.max()) < 0.5 * spread


def test_a_mouth_guard_unknown_to_the_weights_is_refused_at_the_start(tmp_path: Path) -> None:
    weights = write_weights(tmp_path / "w.safetensors", UNGUARDED)
    with pytest.raises(UserError, match=r"CSTalk: mouth guard 0\.2.*trained without"):
        run(config(weights, "test", Target(host="127.0.0.1", port=9), 0.2))


def test_frame_numbers_increase_by_one_and_the_last_face_is_at_rest(
    weights: Path, recording: Path, collector: PacketCollector
) -> None:
    buffer_ms = 12.0
    metrics = run(config(weights, str(recording), collector.source.target, buffer_ms=buffer_ms))
    packets = collector.packets()
    assert {p.subject for p in packets} == {"CSTalk"}
    assert np.diff([p.frame for p in packets]).tolist() == [1] * (len(packets) - 1)
    assert 3.0 * 60 <= len(packets) <= 3.5 * 60
    assert any(p.values is not None and np.any(p.values) for p in packets)
    last = packets[-1].values
    assert last is not None
    assert not last.any()
    subject = metrics.subjects[0]
    total = subject.total.spread()
    assert total is not None
    parts = [spread.median_s for name, p in subject.latency.items() if (spread := p.spread())]
    assert len(parts) == 6
    # The promised part is constant: one hop and the buffer.
    assert total.median_s >= 0.020 + 1e-3 * buffer_ms


@pytest.mark.parametrize("rate", ["24", "29.97df", "50"])
def test_every_frame_rate_ticks(weights: Path, collector: PacketCollector, rate: str) -> None:
    stop = threading.Event()
    timer = threading.Timer(1.0, stop.set)
    timer.start()
    run(config(weights, "test", collector.source.target, fps=FRAME_RATES[rate]), stop)
    packets = collector.packets()
    assert len(packets) >= 5
    assert np.diff([p.frame for p in packets]).tolist() == [1] * (len(packets) - 1)
    assert packets[0].rate_numerator == FRAME_RATES[rate].numerator
    assert packets[0].rate_denominator == FRAME_RATES[rate].denominator


def test_a_live_subject_continues_when_the_recording_of_another_ends(
    weights: Path, tmp_path: Path, collector: PacketCollector
) -> None:
    short = tmp_path / "short.wav"
    soundfile.write(short, np.full(1600, 0.1), 16_000)
    links = (LiveLinkFaceConfig(targets=(collector.source.target,)),)
    subjects = tuple(
        SubjectConfig(name=name, audio=AudioConfig(input=audio), links=links)
        for name, audio in (("Recorded", str(short)), ("Live", "test"))
    )
    stop = threading.Event()
    threading.Timer(1.5, stop.set).start()
    metrics = run(config(weights, "test", collector.source.target, subjects=subjects), stop)
    packets = collector.packets()
    counts = [sum(p.subject == name for p in packets) for name in ("Recorded", "Live")]
    assert counts[0] == counts[1] > 60
    assert "has ended" in " ".join(notice.text for notice in metrics.notices())


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM to be caught")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_run_with_a_face_at_rest(
    weights: Path, collector: PacketCollector, number: signal.Signals
) -> None:
    target = collector.source.target
    program = (
        "import sys; from cstalk_bridge.daemon import run; "
        "from cstalk_bridge.config.schema import Config; "
        "sys.exit(run(Config.model_validate_json(sys.argv[1])))"
    )
    spec = config(weights, "test", target).model_dump(mode="json")
    spec |= {"fps": "60", "buffer_ms": AUTO_BUFFER}
    process = subprocess.Popen([sys.executable, "-c", program, json.dumps(spec)])
    try:
        while not collector.datagrams and process.poll() is None:
            collector.over.wait(0.05)
        collector.over.wait(0.3)
        process.send_signal(number)
        assert process.wait(10) == 0
    finally:
        process.kill()
    last = collector.packets()[-1].values
    assert last is not None
    assert not last.any()


def test_one_notice_reports_the_priority_of_tick_and_face_threads(
    weights: Path, collector: PacketCollector, tmp_path: Path
) -> None:
    path = tmp_path / "short.wav"
    soundfile.write(path, np.zeros(1_600), 16_000)
    given = config(weights, str(path), collector.source.target)
    metrics = run(given, is_urgent=True)
    with ThreadPoolExecutor(1) as ticks, ThreadPoolExecutor(1) as faces:
        threads = {Role.TICKS: ticks, Role.FACES: faces}
        here = {role: each.submit(raise_priority, role).result() for role, each in threads.items()}
    texts = [notice.text for notice in metrics.notices()]
    assert [text for text in texts if "priority" in text] == [priority_summary(here)]


def test_damaged_weights_are_a_user_error(tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.safetensors"
    damaged.write_bytes(b"no weights")
    with pytest.raises(UserError, match="damaged"):
        daemon.run(config(damaged, "test", Target(host="127.0.0.1", port=9)))


def test_a_missing_file_is_a_user_error(weights: Path, tmp_path: Path) -> None:
    missing = str(tmp_path / "missing.wav")
    with pytest.raises(UserError, match="missing"):
        daemon.run(config(weights, missing, Target(host="127.0.0.1", port=9)))
