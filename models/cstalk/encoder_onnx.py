"""The generator on the speech encoder in ONNX Runtime, on one thread of a CPU. Free of torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cstalk_bridge.models.cstalk.encoder_architecture import ENCODER_DELAYS, ENCODER_HISTORY_SAMPLES
from cstalk_bridge.models.cstalk.encoder_graph import (
    KEPT_COLUMNS,
    build_encoder_hops,
    encoder_inputs,
    kept_of,
)
from cstalk_bridge.models.cstalk.onnx_graph import STEM_REACH, open_session, tap_inputs
from cstalk_bridge.models.cstalk.onnx_network import Films, build_conditions
from cstalk_bridge.models.encoder.log_mel import columns_of
from cstalk_bridge.models.encoder.reach import WINDOW_HOPS
from cstalk_bridge.models.timing import HOP_SAMPLES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cstalk_bridge.models.cstalk.architecture import Tensors
    from cstalk_bridge.models.cstalk.encoder_architecture import EncoderArchitecture
    from cstalk_bridge.models.cstalk.streaming import Delays, Floats


@dataclass(slots=True)
class EncoderPast:
    """What the hops before leave, an array for each thing, all with the voices first.

    The end of their sound [voices, EAR_HISTORY_SAMPLES], its last log-mel columns, then what the
    graph keeps (`cstalk_bridge.models.cstalk.encoder_graph.kept_of`).
    """

    parts: list[Floats]


class EncoderOnnxNetwork:
    """The cached network: log-mel in NumPy, all else in one call of ONNX Runtime.

    RuntimeError where ONNX Runtime does not take its graph.
    """

    def __init__(
        self,
        architecture: EncoderArchitecture,
        tensors: Tensors,
        limits: tuple[Floats, Floats],
        *,
        in_int8: bool = False,
    ) -> None:
        self.architecture = architecture
        self.conditions = architecture.emotions
        self._films = Films(build_conditions(architecture, tensors))
        self._hops = open_session(
            build_encoder_hops(architecture, tensors, *limits, in_int8=in_int8)
        )
        self._dilations = frozenset({1, *architecture.decoder_dilations})
        self._kept = kept_of(architecture)
        self._silent: dict[int, list[Floats]] = {}
        """What endless silence leaves behind by the encoder's delay, but for the decoder's part."""
        self._settled: tuple[tuple[bytes, bytes], EncoderPast] | None = None
        """The last requested conditions and delays, and the past after silence under them."""

    def silent_past(self, conditions: Floats, delay_hops: Delays) -> EncoderPast:
        """Return what endless digital silence leaves behind, as `CachedNetwork` says."""
        key = (conditions.tobytes(), delay_hops.tobytes())
        if self._settled is None or self._settled[0] != key:
            voices = [self._silence(ENCODER_DELAYS[delay]) for delay in delay_hops]
            parts = [np.concatenate(part) for part in zip(*voices, strict=True)]
            # After the decoder's reach of silence no earlier input has any effect.
            hops = self.architecture.past_hops + STEM_REACH + 1
            past = self._after_silence(EncoderPast(parts), conditions, delay_hops, hops)
            self._settled = (key, past)
        return EncoderPast([part.copy() for part in self._settled[1].parts])

    def _silence(self, delay: int) -> list[Floats]:
        if delay not in self._silent:
            silence = np.zeros((1, ENCODER_HISTORY_SAMPLES + 2 * HOP_SAMPLES), dtype=np.float32)
            nothing = [
                silence[:, :ENCODER_HISTORY_SAMPLES],
                columns_of(silence)[:, :KEPT_COLUMNS],
                *(np.zeros((1, *kept.shape), dtype=np.float32) for kept in self._kept),
            ]
            conditions = np.zeros((1, self.conditions), dtype=np.float32)
            hops = np.array([ENCODER_DELAYS.index(delay)], dtype=np.int64)
            settled = self._after_silence(EncoderPast(nothing), conditions, hops, WINDOW_HOPS)
            self._silent[delay] = settled.parts
        return self._silent[delay]

    def _after_silence(
        self, past: EncoderPast, conditions: Floats, delay_hops: Delays, hops: int
    ) -> EncoderPast:
        silence = np.zeros((len(conditions), hops * HOP_SAMPLES), dtype=np.float32)
        repeated = np.repeat(conditions[:, None], hops, axis=1)
        return self.advance(silence, repeated, delay_hops, past)[1]

    def advance(
        self, samples: Floats, conditions: Floats, delay_hops: Delays, past: EncoderPast
    ) -> tuple[Floats, EncoderPast]:
        """Return the faces after each hop and the new past, as `CachedNetwork` says."""
        tail, columns, *kept = past.parts
        sound = np.concatenate((tail, samples), axis=1)
        columns = np.concatenate((columns, columns_of(sound)), axis=1)
        hops = conditions.shape[1]
        delays = tuple(ENCODER_DELAYS[delay] for delay in delay_hops.tolist())
        inputs = {
            "columns": columns,
            "films": self._films.of(conditions, delay_hops),
            **encoder_inputs(hops, delays),
            **tap_inputs(hops, self._dilations),
            **{one.name: array for one, array in zip(self._kept, kept, strict=True)},
        }
        faces, *new = self._hops.run(None, inputs)
        ends = sound[:, -ENCODER_HISTORY_SAMPLES:], columns[:, -KEPT_COLUMNS:]
        return faces, EncoderPast([*ends, *new])

    def chosen(self, past: EncoderPast, voices: Sequence[int]) -> EncoderPast:
        """Return the past of some voices."""
        return EncoderPast([part[list(voices)] for part in past.parts])

    def put(self, past: EncoderPast, voices: Sequence[int], new: EncoderPast) -> None:
        """Write the past of some voices into that of all."""
        for whole, part in zip(past.parts, new.parts, strict=True):
            whole[list(voices)] = part
