"""The network that hears moods in ONNX Runtime, on one thread of a CPU."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from models.mood.features import HISTORY_SAMPLES, voice_features
from models.mood.graph import build
from models.mood.sizes import INPUTS
from models.mood.usual import Usual, inputs_of
from models.onnx_graph import STEM_REACH, open_session, tap_inputs
from models.timing import HOP_SAMPLES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from models.mood.sizes import Sizes

    Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class MoodPast:
    """What the hops before leave: `inputs` [STEM_REACH, INPUTS], and `blocks` [hops, width]."""

    inputs: Floats
    blocks: Floats


class OnnxMoodNetwork:
    """Inputs to evidence; any number of voices, and of threads, may share it.

    RuntimeError where ONNX Runtime does not take its graph, KeyError for a tensor that is missing.
    """

    def __init__(self, sizes: Sizes, tensors: Mapping[str, Floats]) -> None:
        self.average = tensors["average"]
        """The traits of all voices, [TRAITS]."""
        self._session = open_session(build(sizes, tensors))
        self._dilations = frozenset({1, *sizes.dilations})
        self.silent_past = self._silence(sizes)
        """What endless digital silence leaves behind."""

    def advance(self, inputs: Floats, past: MoodPast) -> tuple[Floats, MoodPast]:
        """Return the evidence of the next hops, [hops, emotions], and the new past.

        `inputs` is float32 [hops, INPUTS]. Evidence is the logarithm of odds, up to one number
        common to all emotions of a hop.
        """
        heard = np.concatenate((past.inputs, inputs))
        taps = tap_inputs(len(inputs), self._dilations)
        given = {"inputs": heard[None], "past": past.blocks[None], **taps}
        odds, blocks = self._session.run(None, given)
        return odds[0], MoodPast(heard[-STEM_REACH:], blocks[0])

    def _silence(self, sizes: Sizes) -> MoodPast:
        silence = voice_features(np.zeros(HISTORY_SAMPLES + HOP_SAMPLES, dtype=np.float32))
        inputs = inputs_of(silence, Usual(self.average).hear(silence))
        nothing = MoodPast(
            np.zeros((STEM_REACH, INPUTS), dtype=np.float32),
            np.zeros((sum(sizes.reaches), sizes.width), dtype=np.float32),
        )
        # After all that an output hears nothing is left of what was before it.
        window = np.tile(inputs, (1 + sizes.past_hops, 1))
        return self.advance(window, nothing)[1]
