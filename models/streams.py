"""The generator hop by hop, for several voices in one batch.

Two ways of the same sums: `CachedStream` keeps what each layer still needs of the past (cheapest on
a CPU), `WindowStream` keeps the sound and runs the whole window each hop (one graph launch on a
GPU). Both equal the offline pass within 1e-4 while emotion and look-ahead stay as they are; after a
change the window answers at once with the new ones, the caches within one window.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch

from models.features import HISTORY_SAMPLES, HOP_SAMPLES, SAMPLE_RATE_HZ

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from models.network import Generator


class Stream(Protocol):
    """Several voices, each with its own past."""

    def step(
        self,
        samples: NDArray[np.float32],
        emotion: NDArray[np.float32],
        lookahead_ms: NDArray[np.float32],
        rows: Sequence[int],
    ) -> NDArray[np.float32]:
        """Hear one hop of the voices `rows` and return their faces, float32 [rows, channels].

        `samples` is [rows, 320] at 16 kHz, `emotion` weights [rows, emotions], `lookahead_ms`
        [rows] in 0..240, rounded to whole hops. After hearing a voice up to stream time T the
        returned row is its face of T - look-ahead.
        """

    def reset(self, rows: Sequence[int]) -> None:
        """Forget the past of the voices `rows`: they have been silent for ever."""


def _delays(lookahead_ms: NDArray[np.float32]) -> Tensor:
    hops = np.rint(np.asarray(lookahead_ms) * SAMPLE_RATE_HZ / 1000 / HOP_SAMPLES)
    return torch.from_numpy(hops.astype(np.int64))


def _sound(samples: NDArray[np.float32]) -> Tensor:
    """Return finite samples: one NaN would stay in the caches for ever."""
    return torch.from_numpy(np.nan_to_num(samples, posinf=0.0, neginf=0.0).astype(np.float32))


class CachedStream:
    """A stream that keeps each layer's past, of fixed size."""

    def __init__(self, network: Generator, subjects: int, device: torch.device) -> None:
        self._network = network
        self._device = device
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

    @torch.inference_mode()
    def step(
        self,
        samples: NDArray[np.float32],
        emotion: NDArray[np.float32],
        lookahead_ms: NDArray[np.float32],
        rows: Sequence[int],
    ) -> NDArray[np.float32]:
        """Hear one hop; see `Stream.step`."""
        hop = _sound(samples).to(self._device)
        weights = torch.from_numpy(np.ascontiguousarray(emotion, dtype=np.float32)).to(self._device)
        delays = _delays(lookahead_ms).to(self._device)
        self._start_fresh(rows, weights, delays)
        everyone = list(rows) == list(range(len(self._fresh)))
        index = torch.tensor(list(rows), device=self._device)
        tail = self._tail if everyone else self._tail[index]
        caches = self._caches if everyone else [cache[index] for cache in self._caches]
        sound = torch.cat((tail, hop), 1)
        out, _ = self._network(sound, weights, delays, caches)
        if everyone:
            self._tail = sound[:, -HISTORY_SAMPLES:]
        else:
            self._tail[index] = sound[:, -HISTORY_SAMPLES:]
            for kept, new in zip(self._caches, caches, strict=True):
                kept[index] = new
        faces: NDArray[np.float32] = self._network.clamp(out)[..., 0].cpu().numpy()
        return faces

    def _start_fresh(self, rows: Sequence[int], weights: Tensor, delays: Tensor) -> None:
        """Give voices that begin now the past that silence under their own emotion leaves."""
        for position, row in enumerate(rows):
            if not self._fresh[row]:
                continue
            one = slice(position, position + 1)
            silent = self._network.silent_caches(weights[one], delays[one])
            self._caches = [
                torch.cat((kept[:row], new, kept[row + 1 :]))
                for kept, new in zip(self._caches, silent, strict=True)
            ]
            self._tail = self._tail.clone()
            self._tail[row] = 0.0
            self._fresh[row] = False


class WindowStream:
    """A stream that keeps each voice's last window of sound and runs it whole.

    On a GPU the pass is captured once as a CUDA graph of all voices and replayed;
    `use_graph=False` switches that off.
    """

    def __init__(
        self, network: Generator, subjects: int, device: torch.device, *, use_graph: bool = True
    ) -> None:
        self._network = network
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

    @torch.inference_mode()
    def step(
        self,
        samples: NDArray[np.float32],
        emotion: NDArray[np.float32],
        lookahead_ms: NDArray[np.float32],
        rows: Sequence[int],
    ) -> NDArray[np.float32]:
        """Hear one hop; see `Stream.step`."""
        index = torch.tensor(list(rows), device=self._sound.device)
        hop = _sound(samples).to(index.device)
        self._sound[index] = torch.cat((self._sound[index, HOP_SAMPLES:], hop), 1)
        weights = torch.from_numpy(np.ascontiguousarray(emotion, dtype=np.float32))
        self._emotion[index] = weights.to(index.device)
        self._delays[index] = _delays(lookahead_ms).to(index.device)
        if self._graph is not None:
            self._graph.replay()
            faces = self._faces
        else:
            faces = self._run()
        chosen: NDArray[np.float32] = faces[index].cpu().numpy()
        return chosen

    def _run(self) -> Tensor:
        out, _ = self._network(self._sound, self._emotion, self._delays)
        return self._network.clamp(out)[..., -1]

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
            self._faces = self._run()
