from __future__ import annotations

import math
import sys
import threading
from dataclasses import asdict
from typing import TYPE_CHECKING, cast

import numpy as np
import pytest

from cstalk_bridge.audio.preprocessing import MAX_HOPS
from cstalk_bridge.audio.source import BLOCK_S, HOP_S, SourceState
from cstalk_bridge.face.emotion import VoiceWeights
from cstalk_bridge.face.inference import (
    BATCH_WINDOW_S,
    InferenceLoop,
    live_device,
    load_network,
    open_emotion_estimator,
    open_ser_network,
    warm_up,
)
from cstalk_bridge.face.timeline import ReadTiming
from cstalk_bridge.models.emotions import MOUTH_GUARD
from cstalk_bridge.models.errors import UserError
from cstalk_bridge.monitor.metrics import Metrics, SubjectMetrics
from cstalk_bridge.timecode.smpte import FRAME_RATES
from tests.face.scripted import CountingStream, ScriptedSource, scripted_voice
from tests.networks import GUARDED, write_weights

if TYPE_CHECKING:
    from pathlib import Path

    from cstalk_bridge.face.subject import Voice
    from cstalk_bridge.face.timeline import TimelineReading
    from cstalk_bridge.models.cstalk.streaming import Stream


def test_live_faces_are_computed_on_the_cpu_by_default() -> None:
    assert [live_device(name) for name in ("auto", "cpu", "cuda")] == ["cpu", "cpu", "cuda"]


def test_an_invalid_device_is_a_problem_of_the_device_and_a_bad_file_one_of_the_weights(
    tmp_path: Path,
) -> None:
    with pytest.raises(UserError, match="device"):
        load_network(write_weights(tmp_path / "w.safetensors", GUARDED), "tpu")
    with pytest.raises(UserError) as caught:
        load_network(tmp_path / "none.safetensors", "cpu")
    assert [problem.where for problem in caught.value.problems] == ["weights"]


@pytest.mark.parametrize("missing", ["onnx", "onnxruntime"])
def test_without_onnx_runtime_emotion_estimation_is_refused_with_advice_and_arousal_works(
    monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    for module in (
        "cstalk_bridge.models.cstalk.onnx_graph",
        "cstalk_bridge.models.speech_emotion.weights",
        "cstalk_bridge.models.speech_emotion.weights",
    ):
        monkeypatch.delitem(sys.modules, module, raising=False)
    monkeypatch.setitem(sys.modules, missing, None)
    open_ser_network.cache_clear()
    with pytest.raises(UserError, match=r"emotion auto: ONNX Runtime.*install onnx and.* again"):
        open_emotion_estimator(VoiceWeights(auto=1.0))
    assert open_emotion_estimator(VoiceWeights(arousal=1.0)) is not None


START_S = 50.0


class Scene:
    """An inference loop over scripted voices, on a simulated clock."""

    def __init__(self, subjects: int, rows_made: int | None = None) -> None:
        self.now_s = START_S
        self.voices = [scripted_voice(lookahead_s=0.0, buffer_s=0.0) for _ in range(subjects)]
        self.stream = CountingStream(subjects, rows_made)
        subject_metrics = [SubjectMetrics(f"subject {row}") for row in range(subjects)]
        self.metrics = Metrics(subject_metrics, FRAME_RATES["60"], buffer_ms=0)
        self.wake = threading.Event()
        self.loop = InferenceLoop(
            cast("Stream", self.stream),
            self.voices,
            self.metrics,
            wake=self.wake,
            now=lambda: self.now_s,
        )

    def source(self, row: int) -> ScriptedSource:
        source = self.voices[row].source
        assert isinstance(source, ScriptedSource)
        return source

    def receive(self, row: int, level: float = 0.0, blocks: int = 2) -> None:
        for _ in range(blocks):
            self.source(row).put(self.now_s, level)


def newest(voice: Voice) -> list[float]:
    timeline = voice.segment.timeline
    values = timeline.at(timeline.newest_s).values
    assert values is not None
    return values.tolist()


def row_of(voice: Voice, number: int) -> list[float]:
    values = voice.segment.timeline.at(number * HOP_S).values
    assert values is not None
    return values.tolist()


def test_every_full_hop_becomes_a_row() -> None:
    scene = Scene(1)
    scene.receive(0, 0.25, blocks=5)
    scene.loop.step()
    assert sum(scene.stream.hops) == 2
    assert newest(scene.voices[0]) == [0.25, 1.0]
    assert row_of(scene.voices[0], 1) == [0.25, 0.0]
    assert scene.metrics.inference.spread() is not None
    assert scene.metrics.subjects[0].last_hop_s == scene.now_s


def test_hops_skipped_by_a_late_generator_are_counted_also_after_a_loss() -> None:
    scene = Scene(1)
    left_out = scene.metrics.subjects[0].drops["hops"]
    scene.receive(0, blocks=2 * MAX_HOPS + 2)
    scene.loop.step()
    assert left_out.total == 1
    scene.source(0).state = SourceState.LOST
    scene.loop.step()
    scene.source(0).state = SourceState.RUNNING
    scene.receive(0, blocks=2 * MAX_HOPS + 4)
    scene.loop.step()
    assert left_out.total == 3


def test_gathered_hops_go_through_the_network_in_one_call() -> None:
    scene = Scene(1)
    scene.receive(0, 0.25, blocks=2 * 37)
    scene.loop.step()
    assert scene.stream.calls == [[0]]
    assert scene.stream.hops == [37]
    assert [row_of(scene.voices[0], number) for number in (1, 19, 37)] == [
        [0.25, 0.0],
        [0.25, 18.0],
        [0.25, 36.0],
    ]
    assert scene.voices[0].hops == []


def test_voices_with_as_many_waiting_hops_share_a_call_and_each_gets_its_own_rows() -> None:
    scene = Scene(4)
    for row, hops in enumerate((1, 3, 1, 3)):
        scene.receive(row, 0.1 * (row + 1), blocks=2 * hops)
    scene.loop.step()
    assert sorted(row for call in scene.stream.calls for row in call) == [0, 1, 2, 3]
    assert len(scene.stream.calls) == 2
    for row, hops in enumerate((1, 3, 1, 3)):
        np.testing.assert_allclose(newest(scene.voices[row]), [0.1 * (row + 1), hops - 1])
        assert scene.voices[row].segment.timeline.newest_s == pytest.approx(hops * HOP_S)
        assert scene.metrics.subjects[row].last_hop_s == scene.now_s


def test_only_the_newest_hops_are_computed_and_the_rest_is_counted() -> None:
    scene = Scene(1)
    scene.receive(0, 0.25, blocks=2 * (MAX_HOPS + 17))
    scene.loop.step()
    assert scene.stream.hops == [MAX_HOPS]
    assert scene.metrics.subjects[0].drops["hops"].total == 17
    timeline = scene.voices[0].segment.timeline
    assert timeline.newest_s == pytest.approx((MAX_HOPS + 17) * HOP_S)
    assert newest(scene.voices[0]) == [0.25, MAX_HOPS - 1.0]


def test_a_stream_that_computes_only_the_newest_row_suffices() -> None:
    scene = Scene(1, rows_made=1)
    scene.receive(0, 0.25)
    scene.loop.step()
    scene.receive(0, 0.5, blocks=8)
    scene.loop.step()
    assert newest(scene.voices[0]) == [0.5, 4.0]
    # The rows of the other hops lie on the line from the row before.
    np.testing.assert_allclose(row_of(scene.voices[0], 3), [0.375, 2.0], rtol=1e-6)


def test_prosody_is_tracked_hop_by_hop_whatever_the_batch_size() -> None:
    random = np.random.default_rng(4)
    levels = [0.3 * random.random() if number % 40 < 25 else 0.0 for number in range(160)]
    voices = []
    for at_once, rows_made in ((2, None), (2 * 8, None), (2 * 20, 1)):
        stall = Stall(rows_made)
        for number, level in enumerate(levels, 1):
            stall.sound(1, level)
            if number % at_once == 0:
                stall.scene.now_s = START_S + BLOCK_S * number
                stall.scene.loop.step()
        voices.append(stall.voice)
    for host_s in np.arange(START_S + 0.1, START_S + 1.5, 0.02):
        first, *others = (voice.at(host_s).prosody for voice in voices)
        for other in others:
            assert asdict(other) == pytest.approx(asdict(first), rel=1e-9)
    assert voices[0].at(START_S + 0.5).prosody.level > 0.0


def test_one_invalid_row_of_several_holds_the_row_before_it() -> None:
    scene = Scene(1)
    for level in (0.25, 1.0, 0.5):
        scene.receive(0, level)
    scene.loop.step()
    assert [row_of(scene.voices[0], number)[0] for number in (1, 2, 3)] == [0.25, 0.25, 0.5]
    assert scene.metrics.subjects[0].drops["values"].total == 1
    scene.receive(0, 0.5)
    scene.loop.step()
    assert newest(scene.voices[0]) == [0.5, 0.0], "the voice begins anew"


class Stall:
    """A voice with input on time, whose loop then stalls for a while."""

    def __init__(self, rows_made: int | None = None) -> None:
        self.scene = Scene(1, rows_made)
        self.voice = self.scene.voices[0]
        self.received = 0

    def sound(self, blocks: int, level: float = 0.25, *, at_once_s: float | None = None) -> None:
        """Deliver blocks on time, or all of them at a host time."""
        for _ in range(blocks):
            self.received += 1
            on_time_s = START_S + BLOCK_S * self.received
            self.scene.source(0).put(on_time_s if at_once_s is None else at_once_s, level)

    def live(self, blocks: int) -> None:
        for _ in range(blocks):
            self.sound(1)
            self.scene.now_s = START_S + BLOCK_S * self.received
            self.scene.loop.step()

    def shown(self, host_s: float) -> TimelineReading:
        reading = self.voice.at(host_s).face
        assert reading is not None
        return reading


def test_after_a_stall_of_three_seconds_the_face_is_current_with_the_next_turn() -> None:
    stall = Stall()
    stall.live(200)
    before_s = stall.voice.segment.clock.stream_time(stall.scene.now_s)
    stall.sound(300)
    stall.scene.now_s += 3.0
    late = stall.shown(stall.scene.now_s)
    assert late.timing is ReadTiming.LATE
    assert late.late_s == pytest.approx(2.98, abs=0.01)
    stall.scene.loop.step()
    live = stall.shown(stall.scene.now_s)
    assert live.timing is ReadTiming.LIVE
    assert live.values is not None
    # 50 of the 150 hops were left out; the face is that of one hop before the newest.
    np.testing.assert_allclose(live.values, [0.25, 100 + 98], atol=1e-3)
    after_s = stall.voice.segment.clock.stream_time(stall.scene.now_s)
    assert after_s - before_s == pytest.approx(3.0, abs=1e-9)
    assert stall.voice.segment.clock.resyncs == 0
    assert stall.voice.starved_since_s is None
    stall.live(200)
    assert stall.shown(stall.scene.now_s).timing is ReadTiming.LIVE
    assert stall.voice.segment.clock.stream_time(START_S) == pytest.approx(0.0, abs=1e-6)


def test_sound_delayed_three_seconds_by_a_driver_moves_no_face_in_time() -> None:
    stall = Stall()
    stall.live(200)
    for _ in range(299):
        stall.scene.now_s += BLOCK_S
        stall.scene.loop.step()
    assert stall.scene.metrics.subjects[0].starved_since_s is not None
    stall.scene.now_s += BLOCK_S
    stall.sound(300, at_once_s=stall.scene.now_s)
    stall.scene.loop.step()
    assert stall.scene.metrics.subjects[0].starved_since_s is None
    assert stall.shown(stall.scene.now_s).timing is ReadTiming.LIVE
    stall.live(200)
    assert stall.voice.segment.clock.resyncs == 0
    assert stall.voice.segment.clock.stream_time(START_S) == pytest.approx(0.0, abs=1e-6)
    assert stall.shown(stall.scene.now_s).timing is ReadTiming.LIVE


@pytest.mark.parametrize("is_device", [True, False])
def test_metrics_know_which_sources_can_be_unplugged(*, is_device: bool) -> None:
    scene = Scene(1)
    scene.source(0).is_device = is_device
    scene.receive(0)
    scene.loop.step()
    assert scene.metrics.subjects[0].is_device is is_device


def test_hops_complete_at_the_same_time_share_one_step() -> None:
    scene = Scene(3)
    for row in (0, 1, 2):
        scene.receive(row, 0.1 * row)
    scene.loop.step()
    assert scene.stream.calls == [[0, 1, 2]]


def test_a_complete_hop_waits_briefly_for_one_that_is_due() -> None:
    scene = Scene(2)
    scene.receive(0)
    scene.receive(1)
    scene.loop.step()
    scene.now_s += 0.020
    scene.receive(0)
    back_s = scene.loop.step()
    assert scene.stream.calls == [[0, 1]]
    assert back_s <= scene.now_s + BATCH_WINDOW_S
    scene.now_s += 0.002
    scene.receive(1)
    scene.loop.step()
    assert scene.stream.calls == [[0, 1], [0, 1]]


def test_a_complete_hop_does_not_wait_longer_nor_for_a_voice_out_of_step() -> None:
    scene = Scene(2)
    scene.receive(0)
    scene.receive(1)
    scene.loop.step()
    scene.now_s += 0.020
    scene.receive(0)
    scene.loop.step()
    scene.now_s += BATCH_WINDOW_S
    scene.loop.step()
    assert scene.stream.calls == [[0, 1], [0]]
    scene.now_s += 0.006
    scene.receive(1)
    scene.loop.step()
    assert scene.stream.calls[2:] == [[1]]


def test_a_row_that_is_not_finite_holds_the_face_and_resets_the_stream() -> None:
    scene = Scene(2)
    for level in (0.25, 1.0, 0.5):
        scene.now_s += 0.020
        scene.receive(0, level)
        scene.receive(1, 0.125)
        scene.loop.step()
        values = newest(scene.voices[0])
        assert values[0] == (0.5 if level == 0.5 else 0.25)
    assert values == [0.5, 0.0]
    assert newest(scene.voices[1]) == [0.125, 2.0]
    assert scene.metrics.subjects[0].drops["values"].total == 1
    assert scene.metrics.subjects[1].drops["values"].total == 0
    assert "not finite" in scene.metrics.notices()[-1].text


def test_a_device_that_disconnects_and_returns_is_reported_and_resets_the_stream() -> None:
    scene = Scene(1)
    scene.receive(0, 0.5, blocks=6)
    scene.loop.step()
    scene.source(0).state = SourceState.LOST
    scene.loop.step()
    assert scene.metrics.subjects[0].input_state is SourceState.LOST
    scene.now_s += 3.0
    scene.source(0).state = SourceState.RUNNING
    scene.receive(0, 0.25)
    scene.loop.step()
    assert newest(scene.voices[0]) == [0.25, 0.0]
    notices = [notice.text for notice in scene.metrics.notices()]
    assert len(notices) == 2
    assert "disconnected" in notices[0]
    assert "connected again" in notices[1]


def test_lost_blocks_are_counted() -> None:
    scene = Scene(1)
    scene.source(0).dropped_blocks = 3
    scene.receive(0)
    scene.loop.step()
    assert scene.metrics.subjects[0].drops["blocks"].total == 3


def test_an_emotion_reaches_the_network_as_it_fades() -> None:
    scene = Scene(1)
    happy = np.eye(7, dtype=np.float32)[1]
    scene.voices[0].emotion.change(happy, START_S, over_s=0.04)
    for _ in range(3):
        scene.receive(0)
        scene.loop.step()
        scene.now_s += 0.020
    assert [emotion[0, 1] for emotion in scene.stream.emotions] == [0.0, 0.5, 1.0]


def test_each_voice_has_its_own_mouth_guard() -> None:
    scene = Scene(2)
    scene.voices[1].emotion.change_guard(0.9, now_s=0.0, over_s=0.0)
    warm_up(cast("Stream", scene.stream), scene.voices)
    scene.receive(1)
    scene.loop.step()
    scene.receive(0)
    scene.receive(1)
    scene.loop.step()
    guards = scene.stream.guards
    assert guards[0] == [MOUTH_GUARD, 0.9]
    assert guards[-2:] == [[0.9], [MOUTH_GUARD, 0.9]]


def test_warm_up_leaves_no_state() -> None:
    scene = Scene(2)
    warm_up(cast("Stream", scene.stream), scene.voices)
    scene.receive(0, 0.5)
    scene.receive(1, 0.5)
    scene.loop.step()
    assert newest(scene.voices[0]) == [0.5, 0.0]


def test_without_paced_sources_the_loop_sleeps_until_woken() -> None:
    assert Scene(1).loop.step() == math.inf


def test_the_thread_starts_its_sources_and_ends_on_stop() -> None:
    scene = Scene(1)
    stop = threading.Event()
    stop.set()
    scene.loop.run(stop)
    assert scene.source(0).starts == 1
