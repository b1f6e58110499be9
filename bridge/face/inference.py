"""The networks of faces, and the inference thread, which polls all voices and computes their rows.

The thread sleeps until a device has delivered a block or the earliest paced source is due, polls
all sources, and makes one batched step for all voices with a full hop. With several voices a full
hop waits for others that are due within 2 ms, so that subjects in step share one call.
"""

from __future__ import annotations

import math
import sys
import time
from functools import cache
from typing import TYPE_CHECKING, Protocol

import numpy as np

from cstalk_bridge.audio.source import BLOCK_S, HOP_S, HOP_SAMPLES, SourceState
from cstalk_bridge.face.procedural.prosody import track_prosody
from cstalk_bridge.models.errors import Problem, UserError
from cstalk_bridge.models.timing import HOP_MS
from cstalk_bridge.system.worker import CallQueue
from cstalk_bridge.timecode.tick import host_now

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import ArrayLike, NDArray

    from cstalk_bridge.audio.source import AudioConfig, Hop, Source
    from cstalk_bridge.face.emotion import EmotionEstimator, VoiceWeights
    from cstalk_bridge.face.subject import Voice
    from cstalk_bridge.models.cstalk.generator import Generator
    from cstalk_bridge.models.speech_emotion.weights import (
        OnnxSpeechEmotionNetwork,
        SpeechEmotionWeights,
    )
    from cstalk_bridge.monitor.metrics import Metrics, SubjectMetrics


def live_device(device: str) -> str:
    """Return the device of live faces for the setting `auto`, `cpu` or `cuda`.

    `auto` is the CPU: a hop takes a fraction of a millisecond there, and Unreal keeps its GPU.
    """
    return "cpu" if device == "auto" else device


def load_network(weights: Path | None, device: str) -> Generator:
    """Load a weights file, None the shipped one, onto `auto`, `cpu` or `cuda`.

    `auto` is a GPU where there is one. UserError for a file without valid weights, and for a device
    that is not available.
    """
    from cstalk_bridge.models import load_generator
    from cstalk_bridge.models.errors import WeightsError

    try:
        generator = load_generator(weights, device)
    except WeightsError as error:
        raise UserError(Problem("weights", str(error))) from None
    except ValueError as error:
        raise UserError(Problem("device", str(error))) from None
    _limit_torch_threads()
    return generator


def _limit_torch_threads() -> None:
    """Keep torch, where it is used, to one thread: for so small a network two are slower."""
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(1)


@cache
def load_ser_weights() -> SpeechEmotionWeights:
    """Load the weights of speech emotion recognition, once.

    UserError where the file is damaged, and where ONNX Runtime cannot be imported.
    """
    from cstalk_bridge.models.errors import WeightsError

    try:
        from cstalk_bridge.models.speech_emotion.weights import load_speech_emotion

        return load_speech_emotion()
    except WeightsError as error:
        raise UserError(Problem("emotion auto", str(error))) from None
    except _ONNX_FAILURES as error:
        raise _without_onnx_runtime(error) from error


@cache
def open_ser_network() -> OnnxSpeechEmotionNetwork:
    """Return the speech emotion recognition network, one for all voices.

    UserError where its file is damaged, and where ONNX Runtime cannot run it.
    """
    weights = load_ser_weights()
    try:
        from cstalk_bridge.models.speech_emotion.weights import OnnxSpeechEmotionNetwork

        return OnnxSpeechEmotionNetwork(weights.description.sizes, weights.tensors)
    except _ONNX_FAILURES as error:
        raise _without_onnx_runtime(error) from error


_ONNX_FAILURES = (ImportError, OSError, RuntimeError)


def _without_onnx_runtime(error: Exception) -> UserError:
    what = f"ONNX Runtime, which recognises emotions of the voice, cannot be used ({error})"
    remedy = "install onnx and onnxruntime again, or do without auto"
    return UserError(Problem("emotion auto", what, remedy))


def open_emotion_estimator(voice_weights: VoiceWeights) -> EmotionEstimator | None:
    """Return an estimator of a voice's emotion, None where the weights give it no influence.

    UserError as `open_ser_network`, where `auto` is used.
    """
    if not voice_weights.is_active:
        return None
    from cstalk_bridge.face.emotion import EmotionEstimator

    return EmotionEstimator(open_ser_network() if voice_weights.auto else None)


def ser_notice() -> str:
    """Return the licence notice for users of `auto`."""
    licence = load_ser_weights().description.licence
    return f"emotion auto is a research build, {licence}: see models/weights/mood_research.md"


HOPS = 500
"""Hops measured for each number of subjects: ten seconds."""


LOOKAHEAD_MS = 80.0
FIRST_HOPS = 25
"""Warm-up hops before the measured ones."""


def hop_times(
    generator: Generator, subjects: int, hops: int = HOPS, *, is_paced: bool = True
) -> list[float]:
    """Return the duration of each hop in seconds, at the rate of live sound where `is_paced`.

    At that rate caches are cold again at every hop, so that hops cost more than back to back.
    """
    stream = generator.stream(subjects)
    hop = white_noise(subjects, HOP_SAMPLES)
    emotion = np.zeros((subjects, len(generator.emotions)), dtype=np.float32)
    lookahead_ms = np.full(subjects, LOOKAHEAD_MS, dtype=np.float32)
    durations_s = []
    due_s = host_now()
    for _ in range(FIRST_HOPS + hops):
        if is_paced:
            due_s = max(due_s + HOP_S, host_now())
            time.sleep(max(0.0, due_s - host_now()))
        start_s = host_now()
        stream.step(hop, emotion, lookahead_ms, range(subjects))
        durations_s.append(host_now() - start_s)
    return durations_s[FIRST_HOPS:]


def white_noise(subjects: int, samples: int) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    """Return seeded noise at 0.1, float32 `[subjects, samples]`."""
    random = np.random.default_rng(0)
    return 0.1 * random.standard_normal((subjects, samples), dtype=np.float32)


BATCH_WINDOW_S = 0.002
"""How long a full hop waits for other voices: as long as a step of 64 voices takes."""
IDLE_S = 0.2
"""Longest sleep, so that lost sources are opened again and a stop is noticed."""
WARM_UP_HOPS = 25
"""Silent hops before the first real one: after half a second all steps take the same time."""


class SteppedStream(Protocol):
    """What is run for every hop: the network, or what stands in for it.

    The methods are those of `cstalk_bridge.models.cstalk.streaming.Stream`.
    """

    def step(  # noqa: D102 - see the class
        self,
        samples: NDArray[np.float32],
        emotion: NDArray[np.float32],
        lookahead_ms: NDArray[np.float32],
        voices: Sequence[int],
        guards: ArrayLike,
        /,
    ) -> NDArray[np.float32]: ...

    def reset(self, voices: Sequence[int]) -> None: ...  # noqa: D102 - see the class

    def rearranged(self, voices: Sequence[int | None]) -> SteppedStream: ...  # noqa: D102


def warm_up(stream: SteppedStream, voices: Sequence[Voice]) -> None:
    """Run silence through the stream, then reset it, so that the first hop is not the slowest."""
    rows = range(len(voices))
    samples = np.zeros((len(voices), HOP_SAMPLES), dtype=np.float32)
    emotion = np.stack([voice.emotion.at(math.inf) for voice in voices])
    guards = [voice.emotion.guard_at(math.inf) for voice in voices]
    lookahead_ms = np.array([1e3 * v.delay.lookahead_s for v in voices], dtype=np.float32)
    for _ in range(WARM_UP_HOPS):
        stream.step(samples, emotion, lookahead_ms, rows, guards)
    stream.reset(rows)


class InferenceLoop:
    """The work of the inference thread; `run` is its target.

    `voices` and `metrics.subjects` correspond to the rows of `stream`. `wake` is set by devices
    when audio has arrived. Errors of a source or of the network are raised from `run`. `calls` are
    performed between two steps: `change_voices` and `change_source` are for them.
    """

    def __init__(
        self,
        stream: SteppedStream,
        voices: Sequence[Voice],
        metrics: Metrics,
        *,
        wake: threading.Event,
        now: Callable[[], float],
    ) -> None:
        self._stream = stream
        self._voices = tuple(voices)
        self._metrics = metrics
        self._of_rows = metrics.subjects
        self._wake = wake
        self.calls = CallQueue(wake.set)
        self._now = now
        self._segments = [voice.segment for voice in voices]

    def run(self, stop: threading.Event) -> None:
        """Start the sources and step until `stop`; set `wake` after it to end at once."""
        for voice in self._voices:
            voice.source.start()
        due_s = self._now()
        while not stop.is_set():
            self._wake.wait(min(max(0.0, due_s - self._now()), IDLE_S))
            self._wake.clear()
            due_s = self.step()

    def step(self) -> float:
        """Process all audio that has arrived; return the host time of the next step.

        Queued hops of a voice go through the network together, so that the newest face is made next
        however late it is.
        """
        self.calls.perform()
        now_s = self._now()
        for row, voice in enumerate(self._voices):
            self._poll_voice(row, voice, now_s)
        ready = [row for row, voice in enumerate(self._voices) if voice.hops]
        if not ready:
            return self._sources_due_s()
        wait_until_s = self._batch_until_s(ready)
        if wait_until_s > self._now():
            return min(wait_until_s, self._sources_due_s())
        in_step: dict[int, list[int]] = {}
        for row in ready:
            in_step.setdefault(len(self._voices[row].hops), []).append(row)
        for rows in in_step.values():
            self._step(rows)
        return self._sources_due_s()

    def change_voices(self, voices: Sequence[Voice], metrics: Sequence[SubjectMetrics]) -> None:
        """Go on with these voices, those that stay with their past; new ones are started.

        `metrics` are theirs, in the same order.
        """
        rows = {id(voice): row for row, voice in enumerate(self._voices)}
        kept = [rows.get(id(voice)) for voice in voices]
        for voice, row in zip(voices, kept, strict=True):
            if row is None:
                voice.source.start()
        self._segments = [
            voice.segment if row is None else self._segments[row]
            for voice, row in zip(voices, kept, strict=True)
        ]
        self._stream = self._stream.rearranged(kept)
        self._voices, self._of_rows = tuple(voices), tuple(metrics)

    def change_source(self, voice: Voice, source: Source, config: AudioConfig) -> None:
        """Let a voice go on with another source."""
        voice.change_source(source, config)
        metrics = self._of_rows[self._voices.index(voice)]
        metrics.input_state, metrics.input_fault = None, source.fault
        metrics.last_hop_s = metrics.last_voice_s = None

    def _poll_voice(self, row: int, voice: Voice, now_s: float) -> None:
        metrics = self._of_rows[row]
        before, dropped_blocks, dropped_hops = voice.state, voice.dropped_blocks, voice.dropped_hops
        first = metrics.input_state is None
        blocks = voice.poll(now_s)
        if voice.segment is not self._segments[row]:
            self._segments[row] = voice.segment
            self._stream.reset([row])
        if voice.dropped_blocks > dropped_blocks:
            metrics.record_drop("blocks", now_s, voice.dropped_blocks - dropped_blocks)
        if voice.dropped_hops > dropped_hops:
            metrics.record_drop("hops", now_s, voice.dropped_hops - dropped_hops)
        for block in blocks:
            metrics.record_latency("device", max(0.0, block.arrived_s - block.captured_s - BLOCK_S))
        metrics.starved_since_s = voice.starved_since_s
        if voice.state is not before or first:
            source = voice.source
            metrics.set_input(voice.state, source.name, is_device=source.is_device)
            self._report_input(metrics, voice, before, now_s)
        if voice.source.fault != metrics.input_fault:
            self._report_fault(metrics, voice, now_s)

    def _report_input(
        self, metrics: SubjectMetrics, voice: Voice, before: SourceState, now_s: float
    ) -> None:
        name = voice.source.name
        if voice.state is SourceState.LOST:
            text = f"{name} is disconnected; retrying every second"
        elif voice.state is SourceState.ENDED:
            text = f"{name} has ended"
        elif before is SourceState.LOST:
            text = f"{name} is connected again"
        elif before is SourceState.WAITING and voice.state is SourceState.RUNNING:
            text = f"{name} is connected"
        else:
            return
        self._metrics.notice(now_s, text, metrics.name)

    def _report_fault(self, metrics: SubjectMetrics, voice: Voice, now_s: float) -> None:
        """Record why a device is absent, and report it where it is another reason than before."""
        before, metrics.input_fault = metrics.input_fault, voice.source.fault
        if voice.state is SourceState.WAITING and before and metrics.input_fault:
            text = f"still waiting for {voice.source.name}: {metrics.input_fault}"
            self._metrics.notice(now_s, text, metrics.name)

    def _sources_due_s(self) -> float:
        due = [voice.source.next_due_s for voice in self._voices]
        return min((due_s for due_s in due if due_s is not None), default=math.inf)

    def _batch_until_s(self, ready: Sequence[int]) -> float:
        """Return until when the ready hops wait for others; a past time if they need not."""
        limit_s = min(self._voices[row].hops[0].arrived_s for row in ready) + BATCH_WINDOW_S
        others = (voice for voice in self._voices if not voice.hops)
        running = [v.segment.next_hop_s for v in others if v.state is SourceState.RUNNING]
        return limit_s if any(hop_s < limit_s for hop_s in running) else -math.inf

    def _step(self, ready: Sequence[int]) -> None:
        """Make the rows of all waiting hops of the voices in `ready`, which have as many each."""
        voices = [self._voices[row] for row in ready]
        hops = [voice.hops for voice in voices]
        samples = np.stack([np.concatenate([hop.samples for hop in waiting]) for waiting in hops])
        start_s = self._now()
        emotions = [voice.emotion for voice in voices]
        lookahead_hops = [voice.delay.hops_at(start_s) for voice in voices]
        faces = self._stream.step(
            samples,
            np.stack([emotion.at(start_s) for emotion in emotions]),
            HOP_MS * np.array(lookahead_hops, dtype=np.float32),
            ready,
            [emotion.guard_at(start_s) for emotion in emotions],
        )
        ready_s = self._now()
        self._metrics.record_step(ready_s - start_s, len(hops[0]))
        is_finite = np.isfinite(faces.sum(axis=-1))
        for place, (row, voice) in enumerate(zip(ready, voices, strict=True)):
            rows = zip(faces[place], is_finite[place], strict=True)
            voice.put_rows(
                [face if ok else None for face, ok in rows], ready_s, lookahead_hops[place]
            )
            self._record_level(row, hops[place][-1], ready_s)
            if not is_finite[place].all():
                self._reset_voice(row, ready_s)
        self._analyse_voices(voices, hops, samples)

    def _analyse_voices(
        self, voices: Sequence[Voice], hops: Sequence[Sequence[Hop]], samples: NDArray[np.float32]
    ) -> None:
        """Track prosody and estimated emotion of the voices, once all rows are made."""
        segments = [voice.segment for voice in voices]
        prosodies = track_prosody([segment.prosody_tracker for segment in segments], samples)
        for segment, waiting, spoken in zip(segments, hops, prosodies, strict=True):
            for hop, prosody in zip(waiting, spoken, strict=True):
                segment.prosody_line.put(hop.index, prosody)
        for voice, waiting in zip(voices, hops, strict=True):
            if voice.emotion_estimator is not None:
                for hop in waiting:
                    voice.emotion.estimate = voice.emotion_estimator.step(hop.samples)

    def _record_level(self, row: int, hop: Hop, now_s: float) -> None:
        self._of_rows[row].record_level(
            now_s, level_db=hop.level_db, peak_db=hop.peak_db, gate_open=hop.gate_open
        )

    def _reset_voice(self, row: int, now_s: float) -> None:
        """Reset the stream of a voice whose row was not finite: its state may not be, either."""
        self._stream.reset([row])
        metrics = self._of_rows[row]
        if not metrics.drops["values"].recent(now_s):
            text = "the network returned a value that is not finite; the last frame is held"
            self._metrics.notice(now_s, text, metrics.name)
        metrics.record_drop("values", now_s)
