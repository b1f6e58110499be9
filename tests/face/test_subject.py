from __future__ import annotations

import numpy as np
import pytest

from cstalk_bridge.face.procedural.animation import ProceduralAnimation
from cstalk_bridge.face.procedural.compose import NO_ANIMATION_LEVELS, Levels
from cstalk_bridge.face.subject import Route, Subject, show_subjects
from cstalk_bridge.monitor.metrics import LATENCY_PARTS
from cstalk_bridge.outputs.livelink_face import LiveLinkFaceConfig, decode
from cstalk_bridge.outputs.registry import open_link
from cstalk_bridge.rig.load import load_rigmap
from cstalk_bridge.timecode.smpte import FRAME_RATES
from cstalk_bridge.timecode.tick import Tick
from tests.face.scripted import ScriptedSource, scripted_voice
from tests.outputs.receiving import Receiver, receiver

CHANNELS = ("CTRL_C_jaw.ty", "CTRL_L_eye_blink.ty")
START_S = 200.0
LEFT_AFTER_TICK_S = 0.0007
SECONDS = 1.0


def subject_and_its_clock(listening: Receiver) -> tuple[Subject, list[float]]:
    clock_s = [START_S]
    spec = LiveLinkFaceConfig(targets=(listening.target,))
    rigmap = load_rigmap(spec.rigmap)
    link = open_link(spec, "One", rigmap.outputs, FRAME_RATES["60"])
    voice = scripted_voice(lookahead_s=0.08, buffer_s=0.01)
    subject = Subject(
        "One",
        voice,
        ProceduralAnimation(1, NO_ANIMATION_LEVELS),
        [Route(rigmap.applier(), (link,))],
        channels=CHANNELS,
        now=lambda: clock_s[0],
    )
    return subject, clock_s


def live(subject: Subject, clock_s: list[float], seconds: float, start_s: float = START_S) -> None:
    """Blocks every 10 ms, rows with the jaw at 0.5 made 3 ms after their hop, ticks at 60 fps."""
    source = subject.voice.source
    assert isinstance(source, ScriptedSource)
    tick = 0
    for block in range(round(100 * seconds)):
        clock_s[0] = start_s + 0.01 * (block + 1)
        source.put(clock_s[0])
        subject.voice.poll(clock_s[0])
        if subject.voice.hops:
            rows = [np.array([0.5, 0.0], dtype=np.float32)] * len(subject.voice.hops)
            subject.voice.put_rows(rows, clock_s[0] + 0.003, 4)
        while (due_s := start_s + 0.005 + tick / 60) < start_s + 0.01 * (block + 2):
            clock_s[0] = due_s + LEFT_AFTER_TICK_S
            show_subjects([subject], Tick(tick, due_s, 1000 + tick))
            tick += 1


def test_every_tick_sends_the_face_of_its_time() -> None:
    with receiver() as listening:
        subject, clock_s = subject_and_its_clock(listening)
        live(subject, clock_s, SECONDS)
        subject.links[0].close()
        packets = [decode(datagram) for datagram in listening.all_waiting()]
    assert [packet.frame for packet in packets] == list(range(1000, 1000 + len(packets)))
    jaw = load_rigmap("livelinkface61").outputs.index("JawOpen")
    # The very last packet is the face at rest.
    first, last = packets[0].values, packets[-2].values
    assert first is not None
    assert last is not None
    assert first[jaw] == 0.0
    assert last[jaw] == pytest.approx(0.5, abs=1e-3)


def test_the_parts_of_the_latency_add_up_to_hop_buffer_and_tick() -> None:
    with receiver() as listening:
        subject, clock_s = subject_and_its_clock(listening)
        live(subject, clock_s, SECONDS)
        subject.links[0].close()
    total = subject.metrics.total.spread()
    assert total is not None
    # Constant for every packet: one hop, the buffer, and the packet leaving after its tick.
    assert total.median_s == pytest.approx(0.020 + 0.010 + LEFT_AFTER_TICK_S, abs=1e-4)
    assert total.worst_s == pytest.approx(total.median_s, abs=1e-4)
    parts = [name for name in LATENCY_PARTS if subject.metrics.latency[name].spread()]
    assert parts == ["block", "hop", "inference", "buffer", "tick"]
    inference = subject.metrics.latency["inference"].spread()
    assert inference is not None
    assert inference.median_s == pytest.approx(0.003, abs=1e-4)
    assert subject.metrics.drops["late"].total == 0


def test_levels_set_while_it_runs_are_taken_over() -> None:
    with receiver() as listening:
        subject, clock_s = subject_and_its_clock(listening)
        live(subject, clock_s, SECONDS)
        still = [decode(datagram).values for datagram in listening.all_waiting()]
        subject.levels = Levels()
        live(subject, clock_s, SECONDS, START_S + SECONDS)
        alive = [decode(datagram).values for datagram in listening.all_waiting()]
        subject.links[0].close()
    pitch = load_rigmap("livelinkface61").outputs.index("HeadPitch")
    assert not np.array(still)[:, pitch].any()
    assert np.array(alive)[:, pitch].any()
    assert subject.levels == Levels()
