"""The generator in torch: sliding windows on a GPU, and whatever ONNX Runtime does not compute."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from models.baselines.whole import whole_faces
from models.engine import Engine
from models.errors import WeightsError
from models.mel import HISTORY_SAMPLES
from models.network import Generator
from models.passes import Passes
from models.streams import CachedStream, Stream

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from models.engine import Delays, Floats
    from models.face_network import FaceNetwork

    TorchPast = list[Tensor]

PASS_ROWS = {"cpu": 750, "cuda": 48_000}


class TorchNetwork:
    """The cached network. Its past is the end of the sound before, then the network's caches."""

    def __init__(self, network: Generator, device: torch.device) -> None:
        self.conditions = network.architecture.emotions
        self._network = network
        self._device = device

    @torch.inference_mode()
    def silent_past(self, conditions: Floats, delay_hops: Delays) -> TorchPast:
        """Return what endless digital silence leaves behind, as `CachedNetwork` says."""
        tail = torch.zeros(len(conditions), HISTORY_SAMPLES, device=self._device)
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
        told = self._tensor(conditions[:, 0] if is_constant else conditions.swapaxes(1, 2))
        out, _ = self._network(sound, told, self._tensor(delay_hops), caches)
        faces: Floats = self._network.clamp(out).transpose(1, 2).cpu().numpy()
        return faces, [sound[:, -HISTORY_SAMPLES:], *caches]

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
        self, network: Generator, voices: int, device: torch.device, *, use_graph: bool = True
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

    `kind` is the network's name in `models.baselines.NETWORKS`.
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
        if isinstance(self._network, Generator):
            return super().faces(sound, conditions, delay_hops)
        return whole_faces(self._network, sound, conditions, delay_hops)

    def passes(self, conditions: Floats, delay_hops: int) -> Passes[TorchPast]:
        """Return what takes recordings piece by piece; WeightsError where it cannot."""
        network = TorchNetwork(self._streaming(), self._on)
        return Passes(network, conditions, delay_hops, self.pass_rows)

    def stream(self, voices: int) -> Stream:
        """Return a stream: a sliding window on a GPU, cached on a CPU. WeightsError."""
        if self.device == "cuda":
            return WindowStream(self._streaming(), voices, self._on)
        return CachedStream(TorchNetwork(self._streaming(), self._on), voices)

    def _streaming(self) -> Generator:
        if not isinstance(self._network, Generator):
            raise WeightsError(f"a {self._kind} network cannot stream; use weights of a cstalk one")
        return self._network
