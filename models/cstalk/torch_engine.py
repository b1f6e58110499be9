"""Networks in torch: sliding windows on a GPU, and whatever ONNX Runtime does not compute.

Networks that keep no caches are given whole recordings.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import torch

from cstalk_bridge.models.cstalk.network import CSTalkNetwork, EncoderGenerator
from cstalk_bridge.models.cstalk.streaming import CachedStream, Engine, Passes, Stream
from cstalk_bridge.models.errors import WeightsError
from cstalk_bridge.models.timing import HOP_S, HOP_SAMPLES, ROW_RATE_HZ

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from cstalk_bridge.models.cstalk.network import FaceNetwork
    from cstalk_bridge.models.cstalk.streaming import Delays, Floats

    TorchPast = list[Tensor]


PIECE_ROWS = 750
"""Rows made at once, of all recordings together, where the network is windowed."""
MAX_WHOLE_S = 600
"""Longest recording, of all of a batch together, for a network that processes it at once."""


@torch.inference_mode()
def recording_faces(
    network: FaceNetwork,
    sounds: NDArray[np.float32],
    conditions: NDArray[np.float32],
    delay_hops: int,
) -> NDArray[np.float32]:
    """Return the faces of recordings of equal length, float32 [batch, rows, channels].

    `sounds` is [batch, rows * HOP_SAMPLES] at 16 kHz, `conditions` those of the network for each
    row, [batch, rows, conditions]; row i is the face of audio time i/50 s. Before and after a
    recording there is silence. ValueError: too long for a network that is not windowed.
    """
    batch, rows = conditions.shape[:2]
    if not network.is_windowed and batch * rows > MAX_WHOLE_S * ROW_RATE_HZ:
        raise ValueError(
            f"{batch * rows * HOP_S:.0f} s of sound: this network processes a recording at once;"
            f" give at most {MAX_WHOLE_S} s"
        )
    window = network.architecture.window_hops
    # Output k is row k - delay: the first one follows a hop of silence.
    count = rows + delay_hops
    lead = network.history_samples + window * HOP_SAMPLES
    samples = np.zeros((batch, lead + (count - 1) * HOP_SAMPLES), dtype=np.float32)
    given = sounds[:, : samples.shape[1] - lead]
    samples[:, lead : lead + given.shape[1]] = given
    places = np.clip(np.arange(count + window - 1) - (window - 1) - delay_hops, 0, rows - 1)
    device = network.minimum.device
    sound = torch.from_numpy(samples).to(device)
    condition_rows = torch.from_numpy(conditions[:, places].swapaxes(1, 2).copy()).to(device)
    delays = torch.full((batch,), delay_hops, device=device)
    most = max(1, PIECE_ROWS // batch) if network.is_windowed else count
    channels = [
        _recording_piece(
            network, sound, condition_rows, delays, slice(first, min(first + most, count))
        )
        for first in range(0, count, most)
    ]
    faces: NDArray[np.float32] = torch.cat(channels, -1).transpose(1, 2).cpu().numpy()
    return faces[:, delay_hops:]


def _recording_piece(
    network: FaceNetwork, sound: Tensor, condition_rows: Tensor, delays: Tensor, outputs: slice
) -> Tensor:
    """Return the clamped `outputs` of all that `sound` could give, [batch, channels, n]."""
    hops = slice(outputs.start, outputs.stop + network.architecture.window_hops - 1)
    samples = slice(hops.start * HOP_SAMPLES, hops.stop * HOP_SAMPLES + network.history_samples)
    channels, _ = network(sound[:, samples], condition_rows[..., hops], delays)
    return network.clamp(channels)


Streamed: TypeAlias = CSTalkNetwork | EncoderGenerator
"""The networks that stream."""
PASS_ROWS = {"cpu": 750, "cuda": 48_000}


class TorchNetwork:
    """The cached network. Its past is the end of the sound before, then the network's caches."""

    def __init__(self, network: Streamed, device: torch.device) -> None:
        self.conditions = network.architecture.emotions
        self._network = network
        self._device = device

    @torch.inference_mode()
    def silent_past(self, conditions: Floats, delay_hops: Delays) -> TorchPast:
        """Return what endless digital silence leaves behind, as `CachedNetwork` says."""
        tail = torch.zeros(len(conditions), self._network.history_samples, device=self._device)
        caches = self._network.silent_caches(self._tensor(conditions), self._tensor(delay_hops))
        return [tail, *caches]

    @torch.inference_mode()
    def advance(
        self, samples: Floats, conditions: Floats, delay_hops: Delays, past: TorchPast
    ) -> tuple[Floats, TorchPast]:
        """Return the faces after each hop and the new past, as `CachedNetwork` says."""
        tail, *caches = past
        sound = torch.cat((tail, self._tensor(samples)), 1)
        is_constant = bool((conditions == conditions[:, :1]).all())
        condition_rows = self._tensor(
            conditions[:, 0] if is_constant else conditions.swapaxes(1, 2)
        )
        out, _ = self._network(sound, condition_rows, self._tensor(delay_hops), caches)
        faces: Floats = self._network.clamp(out).transpose(1, 2).cpu().numpy()
        return faces, [sound[:, -self._network.history_samples :], *caches]

    def chosen(self, past: TorchPast, voices: Sequence[int]) -> TorchPast:
        """Return the past of some voices."""
        return [part[list(voices)] for part in past]

    @torch.inference_mode()
    def put(self, past: TorchPast, voices: Sequence[int], new: TorchPast) -> None:
        """Write the past of some voices into that of all."""
        for place, part in enumerate(new):
            past[place] = past[place].clone()
            past[place][list(voices)] = part

    def _tensor(self, values: Floats | Delays) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(values)).to(self._device)


class WindowStream(Stream):
    """A stream that keeps each voice's last window of sound and runs it whole.

    On a GPU the pass is captured once as a CUDA graph of all voices and replayed;
    `use_graph=False` switches that off. However many hops come at once, one face is made.
    """

    def __init__(
        self, network: Streamed, voices: int, device: torch.device, *, use_graph: bool = True
    ) -> None:
        a = network.architecture
        super().__init__(a.emotions)
        self._network = network
        self._device = device
        self._sound = torch.zeros(voices, a.window_samples, device=device)
        self._emotion = torch.zeros(voices, a.emotions, device=device)
        self._delays = torch.zeros(voices, dtype=torch.long, device=device)
        self._graph: torch.cuda.CUDAGraph | None = None
        if use_graph and device.type == "cuda":
            self._capture()

    def reset(self, voices: Sequence[int]) -> None:
        """Forget the past of some voices."""
        self._sound[list(voices)] = 0.0

    @torch.inference_mode()
    def rearranged(self, voices: Sequence[int | None]) -> WindowStream:
        """Return a stream of these voices with their sound."""
        made = WindowStream(
            self._network, len(voices), self._device, use_graph=self._graph is not None
        )
        for place, voice in enumerate(voices):
            if voice is not None:
                made._sound[place] = self._sound[voice]
                made._emotion[place] = self._emotion[voice]
                made._delays[place] = self._delays[voice]
        return made

    @torch.inference_mode()
    def _advance(
        self, samples: Floats, conditions: Floats, delay_hops: Delays, voices: list[int]
    ) -> Floats:
        index = torch.tensor(voices, device=self._device)
        window = self._sound.shape[1]
        newest = torch.from_numpy(np.ascontiguousarray(samples[:, -window:])).to(self._device)
        kept = self._sound[index, newest.shape[1] :]
        self._sound[index] = torch.cat((kept, newest), 1)
        self._emotion[index] = torch.from_numpy(conditions).to(self._device)
        self._delays[index] = torch.from_numpy(delay_hops).to(self._device)
        if self._graph is None:
            channels = self._run()[index]
        else:
            self._graph.replay()
            channels = self._channels[index]
        faces: Floats = self._network.clamp(channels).transpose(1, 2).cpu().numpy()
        return faces

    def _run(self) -> Tensor:
        channels: Tensor = self._network(self._sound, self._emotion, self._delays)[0]
        return channels

    @torch.inference_mode()
    def _capture(self) -> None:
        side = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(3):
                self._run()
        torch.cuda.current_stream().wait_stream(side)
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph):
            self._channels = self._run()


class TorchEngine(Engine):
    """Any network on a CPU or a GPU; one that is no `Generator` makes whole recordings only.

    `kind` is the network's name in `cstalk_bridge.models.baselines.NETWORKS`.
    """

    def __init__(self, network: FaceNetwork, kind: str, device: torch.device) -> None:
        self.device = device.type
        self.name = f"torch {torch.__version__}"
        self.architecture = network.architecture
        self.pass_rows = PASS_ROWS[device.type]
        self._network = network
        self._kind = kind
        self._on = device

    def faces(self, sound: Floats, conditions: Floats, delay_hops: int) -> Floats:
        """Return the faces of recordings, as `Engine` says."""
        if isinstance(self._network, Streamed):
            return super().faces(sound, conditions, delay_hops)
        return recording_faces(self._network, sound, conditions, delay_hops)

    def passes(self, conditions: Floats, delay_hops: int) -> Passes[TorchPast]:
        """Return what takes recordings piece by piece; WeightsError where it cannot."""
        network = TorchNetwork(self._streaming(), self._on)
        return Passes(network, conditions, delay_hops, self.pass_rows)

    def stream(self, voices: int) -> Stream:
        """Return a stream: a sliding window on a GPU, cached on a CPU. WeightsError."""
        if self.device == "cuda":
            return WindowStream(self._streaming(), voices, self._on)
        return CachedStream(TorchNetwork(self._streaming(), self._on), voices)

    def _streaming(self) -> Streamed:
        if not isinstance(self._network, Streamed):
            raise WeightsError(f"a {self._kind} network cannot stream; use weights of a cstalk one")
        return self._network
