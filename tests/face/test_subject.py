from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from cstalk_bridge.audio.preprocessing import MAX_HOPS
from cstalk_bridge.audio.source import BLOCK_S, HOP_S, AudioConfig, Block, SourceState
from cstalk_bridge.face.procedural.animation import NO_ANIMATION_LEVELS, Levels, ProceduralAnimation
from cstalk_bridge.face.subject import STARVED_S, Route, StreamSegment, Subject, show_subjects
from cstalk_bridge.face.timeline import ReadTiming
from cstalk_bridge.monitor.metrics import LATENCY_PARTS
from cstalk_bridge.outputs.livelink_face import LiveLinkFaceConfig, decode
from cstalk_bridge.outputs.registry import open_link
from cstalk_bridge.rig.load import load_rigmap
from cstalk_bridge.timecode.smpte import FRAME_RATES
from cstalk_bridge.timecode.tick import Tick
from tests.face.scripted import ScriptedSource, scripted_voice
from tests.outputs.receiving import Receiver, receiver

if TYPE_CHECKING:
    from cstalk_bridge.face.subject import Voice


START_S = 100.0


def scripted(voice: Voice) -> ScriptedSource:
    source = voice.source
    assert isinstance(source, ScriptedSource)
    return source


def take_all(voice: Voice, now_s: float, newest: int | None = None) -> None:
    """Take a row of every hop that waits, or of the newest so many; that of hop k is [k, 0]."""
    if voice.hops:
        hops = voice.hops[-(newest or len(voice.hops)) :]
        rows = [np.array([hop.index, 0], dtype=np.float32) for hop in hops]
        voice.put_rows(rows, now_s, voice.delay.hops_at(now_s))


def feed(voice: Voice, blocks: int, start_s: float = START_S) -> float:
    """Feed blocks on time; the row of hop k is [k, 0]. Return the host time after them."""
    now_s = start_s
    for number in range(blocks):
        now_s = start_s + 0.01 * (number + 1)
        scripted(voice).put(now_s)
        voice.poll(now_s)
        take_all(voice, now_s)
    return now_s


def test_the_face_is_that_of_a_constant_time_ago() -> None:
    voice = scripted_voice(lookahead_s=0.08, buffer_s=0.01)
    now_s = feed(voice, 100)
    for ago_s in (0.0, 0.003, 0.01, 0.1, 0.5):
        reading = voice.at(now_s - ago_s).face
        assert reading is not None
        assert reading.timing is ReadTiming.LIVE
        assert reading.values is not None
        # The row after hop k is the face of (k + 1) hops less the look-ahead.
        hop = (1.0 - ago_s - 0.11) * 50 - 1 + 0.08 * 50
        assert reading.values[0] == pytest.approx(hop, abs=1e-3)


def test_before_any_sound_there_is_nothing_to_read() -> None:
    voice = scripted_voice()
    assert voice.at(START_S).face is None
    assert not voice.is_finished(START_S)


def test_a_recording_ends_once_its_last_face_was_shown() -> None:
    voice = scripted_voice(lookahead_s=0.08, buffer_s=0.01)
    now_s = feed(voice, 30)
    voice.source.close()
    voice.poll(now_s + 0.01)
    take_all(voice, now_s)
    last_s = now_s + 0.11
    reading = voice.at(last_s).face
    assert reading is not None
    assert reading.timing is ReadTiming.LIVE
    assert reading.values is not None
    assert reading.values[0] == pytest.approx(0.3 * 50 - 1 + 4, abs=1e-3)
    assert not voice.is_finished(last_s - 0.001)
    assert voice.is_finished(last_s + 0.001)


def test_a_source_that_returns_starts_a_new_stream_segment() -> None:
    voice = scripted_voice()
    now_s = feed(voice, 50)
    source = voice.source
    assert isinstance(source, ScriptedSource)
    source.state = SourceState.LOST
    voice.poll(now_s + 1.0)
    voice.poll(now_s + 1.1)
    assert source.reopenings == 2
    lost = voice.segment
    reading = voice.at(now_s + 1.1).face
    assert reading is not None
    assert reading.timing is ReadTiming.LATE
    # The newest row is of 0.5 s less the look-ahead, and the face due of 0.11 s ago.
    assert reading.late_s == pytest.approx(1.1 + 0.5 - 0.11 - (0.5 - 0.08), abs=1e-3)
    assert voice.starved_since_s == now_s + 1.0
    source.state = SourceState.RUNNING
    now_s = feed(voice, 20, now_s + 5.0)
    assert voice.segment is not lost
    assert voice.starved_since_s is None
    reading = voice.at(now_s).face
    assert reading is not None
    assert reading.timing is ReadTiming.LIVE


def test_lost_blocks_are_processed_as_silence_so_that_time_continues() -> None:
    voice = scripted_voice()
    now_s = feed(voice, 50)
    source = voice.source
    assert isinstance(source, ScriptedSource)
    source.dropped_blocks = 20
    feed(voice, 20, now_s + 0.2)
    assert voice.segment.received_s == pytest.approx(0.9)
    assert voice.segment.clock.resyncs == 0
    assert voice.segment.clock.stream_time(now_s + 0.4) == pytest.approx(0.9, abs=1e-3)


def test_rows_keep_their_time_when_hops_were_skipped() -> None:
    voice = scripted_voice(lookahead_s=0.0, buffer_s=0.0)
    hops = MAX_HOPS + 50
    for number in range(2 * hops):
        scripted(voice).put(START_S + 0.01 * (number + 1))
    end_s = START_S + hops * HOP_S
    voice.poll(end_s)
    take_all(voice, end_s)
    assert voice.dropped_hops == 50
    assert voice.segment.timeline.newest_s == pytest.approx(hops * HOP_S)
    reading = voice.at(end_s).face
    assert reading is not None
    assert reading.values is not None
    assert reading.values[0] == pytest.approx(hops - 2.0, abs=1e-3)


@pytest.mark.parametrize("lookahead_s", [0.0, 0.02, 0.24])
def test_every_face_is_available_while_the_look_ahead_changes(lookahead_s: float) -> None:
    voice = scripted_voice(lookahead_s=0.08, buffer_s=0.01)
    now_s = feed(voice, 100)
    voice.delay.change(lookahead_s, now_s)
    source = voice.source
    assert isinstance(source, ScriptedSource)
    shown = [voice.at(now_s).face]
    for number in range(150):
        block_s = now_s + 0.01 * (number + 1)
        source.put(block_s)
        voice.poll(block_s)
        if voice.hops:
            hops = voice.delay.hops_at(block_s)
            rows = [np.array([hop.index + 1 - hops, 0], dtype=np.float32) for hop in voice.hops]
            voice.put_rows(rows, block_s, hops)
        shown += [voice.at(block_s - 0.005).face, voice.at(block_s).face]
    assert {reading.timing for reading in shown if reading is not None} == {ReadTiming.LIVE}
    rows = [reading.values[0] for reading in shown if reading and reading.values is not None]
    paces = np.diff(rows[-280:]) / (0.005 * 50)
    assert paces.min() > 0.79
    assert paces.max() < 1.21
    assert rows[-1] == pytest.approx((2.5 - 0.03 - lookahead_s) * 50, abs=0.01)


def test_a_row_without_its_hop_is_refused() -> None:
    voice = scripted_voice()
    with pytest.raises(ValueError, match="1 rows of 0 hops"):
        voice.put_rows([None], 0.0, 0)
    for _ in range(2):
        scripted(voice).put(START_S)
    voice.poll(START_S)
    with pytest.raises(ValueError, match="0 rows of 1 hops"):
        voice.put_rows([], START_S, 0)
    with pytest.raises(ValueError, match="2 rows of 1 hops"):
        voice.put_rows([None, None], START_S, 0)


def test_hops_queue_for_the_generator_and_the_newest_are_kept() -> None:
    voice = scripted_voice()
    # Half the bound is not yet taken when as much and three more arrive.
    for hops in (MAX_HOPS // 2, MAX_HOPS // 2 + 3):
        for _ in range(2 * hops):
            scripted(voice).put(START_S)
        voice.poll(START_S)
    assert [hop.index for hop in voice.hops] == list(range(3, MAX_HOPS + 3))
    assert voice.dropped_hops == 3
    take_all(voice, START_S)
    assert voice.hops == []


def test_hops_without_a_row_leave_no_gap() -> None:
    whole, window = scripted_voice(), scripted_voice()
    for voice, newest in ((whole, None), (window, 1)):
        feed(voice, 40)
        for number in range(40, 60):
            scripted(voice).put(START_S + 0.01 * (number + 1), level=0.5)
        voice.poll(START_S + 0.6)
        take_all(voice, START_S + 0.6, newest)
    for ago_s in np.arange(0.0, 0.3, 0.007):
        at_s = START_S + 0.6 - ago_s
        expected, given = whole.at(at_s).face, window.at(at_s).face
        assert expected is not None
        assert given is not None
        assert given.timing is ReadTiming.LIVE
        # The rows left out lie on the line between those that were made.
        assert given.values is not None
        assert expected.values is not None
        np.testing.assert_allclose(given.values, expected.values, atol=1e-3)


def test_a_silent_device_starves_a_voice_and_a_late_generator_does_not() -> None:
    voice = scripted_voice()
    now_s = feed(voice, 100)
    # Nothing was read for three seconds, while sound kept arriving.
    for number in range(300):
        scripted(voice).put(now_s + BLOCK_S * (number + 1))
    now_s += 3.0
    voice.poll(now_s)
    assert voice.starved_since_s is None
    take_all(voice, now_s)
    # From here on nothing arrives, though it is read.
    asked_s = [now_s + 0.001 * step for step in range(1, 1000)]
    starved_s: list[float] = []
    for at_s in asked_s:
        voice.poll(at_s)
        if voice.starved_since_s is not None:
            starved_s.append(at_s)
    assert starved_s[0] == pytest.approx(now_s + STARVED_S, abs=0.0021)
    assert len(starved_s) > 700
    assert voice.starved_since_s == starved_s[0]
    # A late block ends the starvation.
    for number in range(100):
        scripted(voice).put(now_s + BLOCK_S * (number + 1))
    voice.poll(now_s + 1.0)
    assert voice.starved_since_s is None


def test_a_voice_without_any_input_yet_is_not_starved() -> None:
    voice = scripted_voice()
    voice.poll(START_S)
    voice.poll(START_S + 60.0)
    assert voice.starved_since_s is None


CHANNELS = ("CTRL_C_jaw.ty", "CTRL_L_eye_blink.ty")
TICKS_START_S = 200.0
LEFT_AFTER_TICK_S = 0.0007
SECONDS = 1.0


def subject_and_its_clock(listening: Receiver) -> tuple[Subject, list[float]]:
    clock_s = [TICKS_START_S]
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


def live(
    subject: Subject, clock_s: list[float], seconds: float, start_s: float = TICKS_START_S
) -> None:
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


def test_levels_changed_during_a_run_take_effect() -> None:
    with receiver() as listening:
        subject, clock_s = subject_and_its_clock(listening)
        live(subject, clock_s, SECONDS)
        still = [decode(datagram).values for datagram in listening.all_waiting()]
        subject.levels = Levels()
        live(subject, clock_s, SECONDS, TICKS_START_S + SECONDS)
        animated = [decode(datagram).values for datagram in listening.all_waiting()]
        subject.links[0].close()
    pitch = load_rigmap("livelinkface61").outputs.index("HeadPitch")
    assert not np.array(still)[:, pitch].any()
    assert np.array(animated)[:, pitch].any()
    assert subject.levels == Levels()


def test_audio_of_a_device_that_was_waited_for_is_there_at_16_khz_too() -> None:
    """A take that began before it was there has 16 kHz; the sound is at the same stream time."""
    segment = StreamSegment(48_000, AudioConfig(), 2, was_waiting=True)
    times_s = np.arange(48_000) / 48_000
    tone = (0.5 * np.sin(2 * np.pi * 220 * times_s)).astype(np.float32)
    for number in range(100):
        samples = tone[number * 480 : (number + 1) * 480]
        segment.push(Block(samples, number * 0.01, (number + 1) * 0.01))
    at_card, at_take = segment.recorded_at(0.4), segment.recorded_at(0.4, 16_000)
    assert (at_card.history.rate_hz, at_take.history.rate_hz) == (48_000, 16_000)
    start = round(at_take.stream_s * 16_000)
    heard = at_take.history.read(start, 1600)
    expected = 0.5 * np.sin(2 * np.pi * 220 * (0.4 + np.arange(1600) / 16_000))
    np.testing.assert_allclose(heard, expected, atol=0.01)
