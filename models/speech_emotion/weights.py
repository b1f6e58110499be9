"""Speech emotion weights files, validated on reading, and their network in ONNX Runtime on one
CPU thread.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cstalk_bridge.models.cstalk.onnx_graph import (
    STEM_REACH,
    Graph,
    GraphBlock,
    open_session,
    tap_inputs,
    taps_values,
    tensor_info,
)
from cstalk_bridge.models.emotions import EMOTIONS
from cstalk_bridge.models.errors import WeightsError
from cstalk_bridge.models.features import BANDS, KERNEL
from cstalk_bridge.models.speech_emotion.features import (
    HISTORY_SAMPLES,
    MOTIONS,
    TRAITS,
    SpeakerBaseline,
    network_inputs,
    voice_features,
)
from cstalk_bridge.models.timing import HOP_SAMPLES, SAMPLE_RATE_HZ
from cstalk_bridge.models.weights_format import read_tensors, write_tensors

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray
    from onnx import ModelProto

    Floats = NDArray[np.float32]


INPUTS = BANDS + TRAITS + MOTIONS
"""Inputs for each hop, in the order of
`cstalk_bridge.models.speech_emotion.features.network_inputs`."""


@dataclass(frozen=True, slots=True)
class SpeechEmotionSizes:
    """The sizes of the network, as a weights file names them."""

    width: int = 48
    dilations: tuple[int, ...] = (1, 2, 4, 8, 16)

    @property
    def past_hops(self) -> int:
        """Hops before its own that an output depends on."""
        return KERNEL - 1 + sum(self.reaches)

    @property
    def reaches(self) -> list[int]:
        """Hops before its own that each block needs of its inputs."""
        return [(KERNEL - 1) * dilation for dilation in self.dilations]

    def tensor_shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shape of every tensor of the network, by its name in a weights file."""
        width = self.width
        shapes: dict[str, tuple[int, ...]] = {
            "average": (TRAITS,),
            "stem.conv.weight": (width, INPUTS, KERNEL),
            "stem.conv.bias": (width,),
            "head.weight": (len(EMOTIONS), width, 1),
            "head.bias": (len(EMOTIONS),),
        }
        for number in range(len(self.dilations)):
            block = f"blocks.{number}"
            shapes[f"{block}.gain"] = (width, 1)
            shapes[f"{block}.conv.conv.weight"] = (width, width, KERNEL)
            shapes[f"{block}.conv.conv.bias"] = (width,)
            shapes[f"{block}.mix.weight"] = (width, width, 1)
            shapes[f"{block}.mix.bias"] = (width,)
        return shapes


FORMAT = "cstalk-mood-1"
DEFAULT_PATH = Path(__file__).parents[1] / "weights" / "mood_research.safetensors"
"""The shipped weights: a research build."""
MAX_WIDTH, MAX_DILATION, MAX_LAYERS = 1024, 1000, 32
"""Largest sizes of a network, which bound the memory that a file can claim."""


@dataclass(frozen=True, slots=True)
class SpeechEmotionDescription:
    """The description in a weights file.

    `emotions` are in the order of the evidence; `card` holds data, licence, minutes, figures.
    """

    sizes: SpeechEmotionSizes
    card: Mapping[str, Any]
    emotions: tuple[str, ...] = EMOTIONS
    sample_rate_hz: int = SAMPLE_RATE_HZ
    hop_samples: int = HOP_SAMPLES

    @property
    def licence(self) -> str:
        """The licence of the weights."""
        return str(self.card.get("licence", "unknown"))


@dataclass(frozen=True, slots=True, eq=False)
class SpeechEmotionWeights:
    """The tensors of a network by name, and the description that they fit."""

    tensors: Mapping[str, NDArray[np.float32]] = field(repr=False)
    description: SpeechEmotionDescription = field(repr=False)


def save_speech_emotion(
    path: Path, tensors: Mapping[str, NDArray[np.float32]], description: SpeechEmotionDescription
) -> None:
    """Write tensors and their description; an existing file is replaced whole."""
    write_tensors(path, tensors, FORMAT, asdict(description))


def load_speech_emotion(path: Path | None = None) -> SpeechEmotionWeights:
    """Read speech emotion weights (None: the shipped ones); WeightsError names the fault."""
    path = path or DEFAULT_PATH
    tensors, fields = read_tensors(path, FORMAT)
    description = _described(path, fields)
    shapes = {name: tensor.shape for name, tensor in tensors.items()}
    if shapes != description.sizes.tensor_shapes():
        raise WeightsError(f"{path}: the tensors do not fit the description; fetch it again")
    return SpeechEmotionWeights(tensors, description)


def _described(path: Path, fields: Mapping[str, Any]) -> SpeechEmotionDescription:
    try:
        sizes = SpeechEmotionSizes(
            int(fields["sizes"]["width"]), tuple(map(int, fields["sizes"]["dilations"]))
        )
        description = SpeechEmotionDescription(
            sizes=sizes,
            card=dict(fields["card"]),
            emotions=tuple(fields["emotions"]),
            sample_rate_hz=int(fields["sample_rate_hz"]),
            hop_samples=int(fields["hop_samples"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise WeightsError(
            f"{path}: its description is damaged ({error!r}); fetch it again"
        ) from error
    if (description.emotions, description.sample_rate_hz, description.hop_samples) != (
        EMOTIONS,
        SAMPLE_RATE_HZ,
        HOP_SAMPLES,
    ):
        raise WeightsError(
            f"{path}: made for other emotions or rates than this version's; use weights made for"
            " this version"
        )
    reaches = sizes.dilations
    fits = 1 <= sizes.width <= MAX_WIDTH and 1 <= len(reaches) <= MAX_LAYERS
    if not fits or not all(1 <= reach <= MAX_DILATION for reach in reaches):
        raise WeightsError(f"{path}: its sizes are out of range; fetch it again")
    return description


def build_graph(
    sizes: SpeechEmotionSizes, tensors: Mapping[str, NDArray[np.float32]]
) -> ModelProto:
    """Return the ONNX graph; KeyError for a missing tensor."""
    graph = Graph(tensors)
    blocks = [GraphBlock(f"blocks.{n}", dilation) for n, dilation in enumerate(sizes.dilations)]
    pasts = graph.split("past", sizes.reaches, axis=1)
    stem = graph.linear(graph.taps("inputs", 1, INPUTS), "stem.conv")
    graph.linear(graph.stack(stem, blocks, pasts), "head", output="odds")
    past = ("voices", sum(sizes.reaches), sizes.width)
    return graph.model(
        [
            tensor_info("inputs", ("voices", "input_hops", INPUTS)),
            tensor_info("past", past),
            *taps_values({1, *sizes.dilations}),
        ],
        [tensor_info("odds", ("voices", "hops", len(EMOTIONS))), tensor_info("new_past", past)],
    )


@dataclass(frozen=True, slots=True, eq=False)
class SpeechEmotionPast:
    """State of a stream: the last `inputs` [STEM_REACH, INPUTS] and `blocks` [hops, width]."""

    inputs: Floats
    blocks: Floats


class OnnxSpeechEmotionNetwork:
    """Inputs to evidence; streams and threads may share it.

    RuntimeError where ONNX Runtime rejects the graph, KeyError for a missing tensor.
    """

    def __init__(self, sizes: SpeechEmotionSizes, tensors: Mapping[str, Floats]) -> None:
        self.average = tensors["average"]
        """The mean traits of all speakers, [TRAITS]."""
        self._session = open_session(build_graph(sizes, tensors))
        self._dilations = frozenset({1, *sizes.dilations})
        self.silent_past = self._silence(sizes)
        """The state after endless digital silence."""

    def advance(self, inputs: Floats, past: SpeechEmotionPast) -> tuple[Floats, SpeechEmotionPast]:
        """Return the evidence of the next hops, [hops, emotions], and the new past.

        `inputs` is float32 [hops, INPUTS]. Evidence is log odds, up to a constant of each
        hop.
        """
        padded = np.concatenate((past.inputs, inputs))
        taps = tap_inputs(len(inputs), self._dilations)
        given = {"inputs": padded[None], "past": past.blocks[None], **taps}
        odds, blocks = self._session.run(None, given)
        return odds[0], SpeechEmotionPast(padded[-STEM_REACH:], blocks[0])

    def _silence(self, sizes: SpeechEmotionSizes) -> SpeechEmotionPast:
        silence = voice_features(np.zeros(HISTORY_SAMPLES + HOP_SAMPLES, dtype=np.float32))
        inputs = network_inputs(silence, SpeakerBaseline(self.average).update(silence))
        empty = SpeechEmotionPast(
            np.zeros((STEM_REACH, INPUTS), dtype=np.float32),
            np.zeros((sum(sizes.reaches), sizes.width), dtype=np.float32),
        )
        # After the whole receptive field the empty state has no effect.
        window = np.tile(inputs, (1 + sizes.past_hops, 1))
        return self.advance(window, empty)[1]
