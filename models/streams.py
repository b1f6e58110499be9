"""The generator hop by hop, for several voices in one batch.

Two ways of the same sums: `CachedStream` keeps what each layer still needs of the past (cheapest on
a CPU), `WindowStream` keeps the sound and runs the whole window each hop (one graph launch on a
GPU). Both equal the offline pass within 1e-4 while emotion and look-ahead stay as they are; after a
change the window answers at once with the new ones, the caches within one window.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

import numpy as np
import torch

from models.conditions import conditions
from models.emotions import MOUTH_GUARD
from models.features import HISTORY_SAMPLES
from models.timing import HOP_MS, HOP_SAMPLES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray
    from torch import Tensor

    from models.network import Generator


class Stream(ABC):
    """Several voices, each with its own past, of a size that does not grow."""

    def __init__(self, network: Generator, device: torch.device) -> None:
        self._network = network
        self._device = device

    @torch.inference_mode()
    def step(
        self,
        samples: NDArray[np.float32],
        emotion: NDArray[np.float32],
        lookahead_ms: NDArray[np.float32],
        rows: Sequence[int],
        mouth_guard: ArrayLike = MOUTH_GUARD,
    ) -> NDArray[np.float32]:
        """Hear one hop of the voices `rows` and return their faces, float32 [rows, channels].

        `samples` is [rows, 320] at 16 kHz, of which what is not finite counts as silence,
        `emotion` weights [rows, emotions], `lookahead_ms` [rows] in 0..240, rounded to whole hops,
        `mouth_guard` one for all or [rows], 0..1 (ValueError as `models.conditions` tells).
        After hearing a voice up to stream time T the returned row is its face of T - look-ahead.
        """
        # One NaN would stay in the past for ever.
        hop = self._tensor(np.nan_to_num(samples, posinf=0.0, neginf=0.0))
        hops_late = np.rint(np.asarray(lookahead_ms) / HOP_MS)
        delays = torch.from_numpy(hops_late.astype(np.int64)).to(self._device)
        told = conditions(emotion, mouth_guard, self._network.architecture.emotions)
        channels = self._hear(hop, self._tensor(told), delays, list(rows))
        faces: NDArray[np.float32] = self._network.clamp(channels)[..., 0].cpu().numpy()
        return faces

    @abstractmethod
    def reset(self, rows: Sequence[int]) -> None:
        """Forget the past of the voices `rows`: they have been silent for ever."""

    @abstractmethod
    def _hear(self, hop: Tensor, emotion: Tensor, delays: Tensor, rows: list[int]) -> Tensor:
        """Return the channels of `rows` after their next hop, [rows, channels, 1]."""

    def _tensor(self, values: ArrayLike) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32)).to(self._device)


class CachedStream(Stream):
    """A stream that keeps each layer's past."""

    def __init__(self, network: Generator, subjects: int, device: torch.device) -> None:
        super().__init__(network, device)
        self._tail = torch.zeros(subjects, HISTORY_SAMPLES, device=device)
        self._fresh = [True] * subjects
        with torch.inference_mode():
            nothing = torch.zeros(subjects, network.architecture.emotions, device=device)
            none = torch.zeros(subjects, dtype=torch.long, device=device)
            self._caches = network.silent_caches(nothing, none)

    def reset(self, rows: Sequence[int]) -> None:
        """Forget the past of the voices `rows`."""
        for row in rows:
            self._fresh[row] = True

    def _hear(self, hop: Tensor, emotion: Tensor, delays: Tensor, rows: list[int]) -> Tensor:
        self._start_fresh(rows, emotion, delays)
        channels: Tensor
        if rows == list(range(len(self._fresh))):
            sound = torch.cat((self._tail, hop), 1)
            channels, _ = self._network(sound, emotion, delays, self._caches)
            self._tail = sound[:, -HISTORY_SAMPLES:]
            return channels
        index = torch.tensor(rows, device=self._device)
        caches = [cache[index] for cache in self._caches]
        sound = torch.cat((self._tail[index], hop), 1)
        channels, _ = self._network(sound, emotion, delays, caches)
        self._tail[index] = sound[:, -HISTORY_SAMPLES:]
        for kept, new in zip(self._caches, caches, strict=True):
            kept[index] = new
        return channels

    def _start_fresh(self, rows: list[int], emotion: Tensor, delays: Tensor) -> None:
        """Give voices that begin now the past that silence under their own emotion leaves."""
        for position, row in enumerate(rows):
            if not self._fresh[row]:
                continue
            one = slice(position, position + 1)
            silent = self._network.silent_caches(emotion[one], delays[one])
            self._caches = [
                torch.cat((kept[:row], new, kept[row + 1 :]))
                for kept, new in zip(self._caches, silent, strict=True)
            ]
            self._tail = self._tail.clone()
            self._tail[row] = 0.0
            self._fresh[row] = False


class WindowStream(Stream):
    """A stream that keeps each voice's last window of sound and runs it whole.

    On a GPU the pass is captured once as a CUDA graph of all voices and replayed;
    `use_graph=False` switches that off.
    """

    def __init__(
        self, network: Generator, subjects: int, device: torch.device, *, use_graph: bool = True
    ) -> None:
        super().__init__(network, device)
        a = network.architecture
        self._sound = torch.zeros(subjects, a.window_samples, device=device)
        self._emotion = torch.zeros(subjects, a.emotions, device=device)
        self._delays = torch.zeros(subjects, dtype=torch.long, device=device)
        self._graph: torch.cuda.CUDAGraph | None = None
        if use_graph and device.type == "cuda":
            self._capture()

    def reset(self, rows: Sequence[int]) -> None:
        """Forget the past of the voices `rows`."""
        self._sound[list(rows)] = 0.0

    def _hear(self, hop: Tensor, emotion: Tensor, delays: Tensor, rows: list[int]) -> Tensor:
        index = torch.tensor(rows, device=self._device)
        self._sound[index] = torch.cat((self._sound[index, HOP_SAMPLES:], hop), 1)
        self._emotion[index] = emotion
        self._delays[index] = delays
        if self._graph is None:
            return self._run()[index]
        self._graph.replay()
        return self._channels[index]

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
