"""A causal speech encoder: sound to rows of 384 features, 50 a second.

    sound -> log-mel -> two convolutions -> three attention layers over the last 2 s -> features

It has the layers of OpenAI Whisper tiny.en's encoder up to the third, and is distilled from them.
What differs: attention reaches `REACH_HOPS` into the past and, by the delay, up to two hops into
the future (`RIGHT_HOPS`); positions enter by the distance between hops alone; and the delay
is a learned vector. Future is realised as delay: after n hops of sound the network gives row
n - `delay_hops(delay)`, where row i stands for the time i * 20 ms. Whisper levels a recording off
at its loudest value less 8 decades; here the floor is fixed, so that a column depends on 25 ms of
sound and on nothing else.

Layers do not pad: the caller gives the past, as samples or as the caches that an earlier call
returned. `Encoder` runs one delay at a time. In `window_rows` and `next_rows` the delay is data, as
emotion is: a batch of voices with different look-aheads takes one pass, and a pass has one shape,
as a CUDA graph needs. Their rows come in step with the sound: the last one is what the sound so far
lets a voice know, `delay_hops` of its delay before the end. All ways compute the same sums.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from cstalk_bridge.models.features import (
    COLUMNS,
    ENCODER_BANDS,
    ENCODER_HISTORY_SAMPLES,
    FLOOR_DECADES,
    FRAME_SAMPLES,
    FRONT_HOPS,
    LOUDEST,
    MOST_DELAY_HOPS,
    MOST_RIGHT,
    REACH_HOPS,
    RIGHT_HOPS,
    STEP_SAMPLES,
    delay_hops,
    slaney_filters,
)
from cstalk_bridge.models.timing import HOP_SAMPLES

if TYPE_CHECKING:
    from numpy.typing import NDArray


class WhisperMel(nn.Module):
    """Mono 16 kHz sound to log-mel columns, 100 a second, without padding."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("window", torch.hann_window(FRAME_SAMPLES), persistent=False)
        filters = torch.from_numpy(slaney_filters()).T.contiguous()
        self.register_buffer("filters", filters, persistent=False)
        self.window: Tensor
        self.filters: Tensor

    def decades(self, samples: Tensor) -> Tensor:
        """Return log10 of the power in each band, at least -10.

        `[batch, FRAME_SAMPLES + n * STEP_SAMPLES]` samples in -1..1 become `[batch, n + 1,
        ENCODER_BANDS]`; column k covers samples k * STEP_SAMPLES to
        k * STEP_SAMPLES + FRAME_SAMPLES.
        """
        bounded = samples.clamp(-LOUDEST, LOUDEST)
        frames = bounded.unfold(-1, FRAME_SAMPLES, STEP_SAMPLES) * self.window
        spectrum = torch.fft.rfft(frames)
        power = spectrum.real.square() + spectrum.imag.square()
        with torch.autocast(samples.device.type, enabled=False):
            decades: Tensor = (power @ self.filters).clamp(min=1e-10).log10()
        return decades

    def forward(self, samples: Tensor) -> Tensor:
        """Return `decades` above a fixed floor in Whisper's scale, about -1..1.5.

        `[batch, ENCODER_HISTORY_SAMPLES + hops * HOP_SAMPLES]` samples become `[batch,
        ENCODER_BANDS, columns]`, `COLUMNS` of each hop. Column 0 of a hop is centred
        `ENCODER_HISTORY_SAMPLES` - 200 samples before the hop begins.
        """
        columns = self.decades(samples)[
            :, : (samples.shape[-1] - ENCODER_HISTORY_SAMPLES) // STEP_SAMPLES
        ]
        levelled: Tensor = (columns.clamp(min=FLOOR_DECADES) + 4.0) / 4.0
        return levelled.transpose(1, 2)


KERNEL = 3
OFFSET_SCALE = 16.0
HIDDEN = -1e4
"""Added to the score of a hop that a row may not attend to."""
BLOCK_ROWS = 64
"""Rows that attend at a time."""
Caches = list[Tensor]


@dataclass(frozen=True, slots=True)
class EncoderSizes:
    """The sizes that a weights file must name to be rebuilt."""

    width: int = 384
    heads: int = 6
    inner: int = 1536
    layers: int = 3


class Layer(nn.Module):
    """A pre-norm attention layer with scores by content and by distance."""

    def __init__(self, sizes: EncoderSizes) -> None:
        super().__init__()
        width = sizes.width
        self.heads = sizes.heads
        self.attention_norm = nn.LayerNorm(width)
        self.projection = nn.Linear(width, 3 * width)
        self.mix = nn.Linear(width, width)
        self.inner_norm = nn.LayerNorm(width)
        self.inner = nn.Linear(width, sizes.inner)
        self.outer = nn.Linear(sizes.inner, width)
        # Scores by distance move by units: the scale lets them do so at everybody's learning rate.
        self.offset = nn.Parameter(torch.zeros(sizes.heads, REACH_HOPS + 1 + MOST_RIGHT))

    def forward(self, x: Tensor, right: int, caches: Caches | None = None) -> Tensor:
        """Return rows for `x` [batch, time, width], each with `right` hops of future.

        Without caches the last `right` rows have to wait and are left out. With caches the first
        two entries (keys and values of the hops before) and, with a future, a third (inputs and
        queries that wait) precede `x` and come back, renewed, at the end of the list: as many
        rows as hops.
        """
        query, key, value = (self._apart(p) for p in self.projected(x).chunk(3, -1))
        if caches is None:
            before, rows = 0, x.shape[1] - right
            x, query = x[:, :rows], query[:, :, :rows]
        else:
            before, rows = REACH_HOPS, x.shape[1]
            key, value = (torch.cat((caches.pop(0), new), 2) for new in (key, value))
            caches += [key[:, :, rows:], value[:, :, rows:]]
            if right:
                waiting = torch.cat((caches.pop(0), torch.cat((x, self._together(query)), -1)), 1)
                caches.append(waiting[:, rows:])
                x, queries = waiting[:, :rows].chunk(2, -1)
                query = self._apart(queries)
        x = x + self.mix(self._together(self._attended(query, key, value, right, before)))
        added: Tensor = self.outer(functional.gelu(self.inner(self.inner_norm(x))))
        return x + added

    def _attended(
        self, query: Tensor, key: Tensor, value: Tensor, right: int, before: int
    ) -> Tensor:
        """Return what each query attends to, [batch, heads, rows, width of a head].

        `before` keys come before the first query's own. Rows go block by block: few of all the
        keys are within a row's reach.
        """
        rows, parts = query.shape[2], []
        for first in range(0, rows, BLOCK_ROWS):
            count = min(BLOCK_ROWS, rows - first)
            own = first + before
            low, high = max(0, own - REACH_HOPS), own + count + right
            scores = self.scores(count, high - low, right, own - low).to(query.dtype)
            near = (query[:, :, first : first + count], key[:, :, low:high], value[:, :, low:high])
            parts.append(functional.scaled_dot_product_attention(*near, attn_mask=scores))
        return parts[0] if len(parts) == 1 else torch.cat(parts, 2)

    def projected(self, x: Tensor) -> Tensor:
        """Return query, key and value of `x` side by side, [batch, time, 3 * width]."""
        made: Tensor = self.projection(self.attention_norm(x))
        return made

    def content_scores(self, x: Tensor) -> Tensor:
        """Return how much each row of `x` attends to each, by content, [batch, heads, time, time].

        Before the softmax, without what distance adds.
        """
        query, key = (self._apart(p) for p in self.projected(x).chunk(3, -1)[:2])
        scores: Tensor = query @ key.transpose(2, 3) / query.shape[-1] ** 0.5
        return scores

    def scores(self, rows: int, keys: int, right: int, before: int) -> Tensor:
        """Return what distance adds to the scores, [1, heads, rows, keys].

        `before` of the keys come before the first row's own.
        """
        if rows == 1 and before == REACH_HOPS:
            return (OFFSET_SCALE * self.offset[:, :keys])[None, :, None]
        distance = torch.arange(keys)[None] - torch.arange(rows)[:, None] - before
        seen = (distance >= -REACH_HOPS) & (distance <= right)
        place = (distance + REACH_HOPS).clamp(0, REACH_HOPS + MOST_RIGHT).to(self.offset.device)
        added = OFFSET_SCALE * self.offset[:, place]
        return added.masked_fill(~seen.to(added.device), HIDDEN)[None]

    def _apart(self, x: Tensor) -> Tensor:
        return x.view(*x.shape[:2], self.heads, -1).transpose(1, 2)

    def _together(self, x: Tensor) -> Tensor:
        return x.transpose(1, 2).flatten(2)


class Encoder(nn.Module):
    """Sound to features; the features are near zero mean and unit spread over speech."""

    def __init__(self, sizes: EncoderSizes | None = None) -> None:
        super().__init__()
        self.sizes = sizes or EncoderSizes()
        width = self.sizes.width
        self.mel = WhisperMel()
        self.conv1 = nn.Conv1d(ENCODER_BANDS, width, KERNEL)
        self.conv2 = nn.Conv1d(width, width, KERNEL, stride=COLUMNS)
        self.place = nn.Parameter(torch.zeros(width))
        self.delays = nn.Parameter(torch.zeros(len(RIGHT_HOPS), width))
        self.layers = nn.ModuleList(Layer(self.sizes) for _ in range(self.sizes.layers))
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("spread", torch.ones(width))
        self.mean: Tensor
        self.spread: Tensor

    def forward(self, samples: Tensor, delay: int, caches: Caches | None = None) -> Tensor:
        """Return features [batch, rows, width] at an index of `RIGHT_HOPS`.

        `samples` is `[batch, HISTORY_SAMPLES + hops * HOP_SAMPLES]`. Without caches nothing is
        known of what came before, rows = hops - `delay_hops(delay)`, and row 0 stands for the time
        at which the second hop begins. With caches (from `silent_caches` of the same delay, changed
        in place) rows = hops, and the last one stands for `delay_hops(delay)` hops before the end.
        """
        x = self.front(self.mel(samples), caches)
        x = x + (self.place + self.delays[delay])
        for layer, right in zip(self.stack, RIGHT_HOPS[delay], strict=True):
            x = layer(x, right, caches)
        return (x.float() - self.mean) / self.spread

    @property
    def stack(self) -> list[Layer]:
        """The attention layers in order."""
        return cast("list[Layer]", list(self.layers))

    def front(self, columns: Tensor, caches: Caches | None = None) -> Tensor:
        """Return the convolutions' rows [batch, time, width].

        `columns` is log-mel [batch, ENCODER_BANDS, columns].
        """
        if caches is not None:
            columns = torch.cat((caches.pop(0), columns), -1)
            caches.append(columns[..., -2:])
        x = functional.gelu(self.conv1(columns))
        if caches is not None:
            x = torch.cat((caches.pop(0), x), -1)
            caches.append(x[..., -1:])
        else:
            x = x[..., 1:]
        rows: Tensor = functional.gelu(self.conv2(x)).transpose(1, 2)
        return rows

    def silent_caches(self, batch: int, delay: int) -> Caches:
        """Return the caches that endless digital silence leaves behind, for `forward`."""
        hops = self.place.new_zeros(batch, ENCODER_HISTORY_SAMPLES + 3 * HOP_SAMPLES)
        columns = self.mel(hops)
        first = functional.gelu(self.conv1(columns))
        caches = [columns[..., -2:], first[..., -1:]]
        x = self.front(columns) + (self.place + self.delays[delay])
        for layer, right in zip(self.stack, RIGHT_HOPS[delay], strict=True):
            known = REACH_HOPS + right
            query, key, value = layer.projected(x).chunk(3, -1)
            heads = (batch, known, self.sizes.heads, -1)
            caches += [p.expand(-1, known, -1).reshape(heads).transpose(1, 2) for p in (key, value)]
            if right:
                caches.append(torch.cat((x, query), -1).expand(-1, right, -1))
            x = layer(x.expand(-1, known + 1, -1), right)[:, -1:]
        return caches


PASS_HOPS = 1500
"""Hops of one pass over a recording: memory does not grow with its length."""


class EncoderStream:
    """One voice, processed hop by hop from silence on; its state has a fixed size."""

    def __init__(self, encoder: Encoder, delay: int) -> None:
        """`delay` is an index of `cstalk_bridge.models.encoder.network.RIGHT_HOPS`."""
        self._encoder = encoder
        self._delay = delay
        self.reset()

    @property
    def delay_hops(self) -> int:
        """How many hops of sound a row needs after its time began."""
        return delay_hops(self._delay)

    @torch.inference_mode()
    def reset(self) -> None:
        """Forget everything: before the next hop there was silence."""
        self._tail = torch.zeros(1, ENCODER_HISTORY_SAMPLES)
        self._caches = self._encoder.silent_caches(1, self._delay)

    @torch.inference_mode()
    def process(self, sound: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the rows [hops, width] that whole hops of sound, float32 [time], bring.

        The last one stands for the time `delay_hops` before the end of the input.
        ValueError: `sound` is not a number of whole hops, at least one.
        """
        if len(sound) % HOP_SAMPLES or not len(sound):
            raise ValueError(f"{len(sound)} samples: give whole hops of {HOP_SAMPLES}")
        padded = torch.cat((self._tail, torch.from_numpy(np.ascontiguousarray(sound))[None]), 1)
        rows: Tensor = self._encoder(padded, self._delay, self._caches)
        self._tail = padded[:, -ENCODER_HISTORY_SAMPLES:]
        features: NDArray[np.float32] = rows[0].numpy()
        return features


def encode(encoder: Encoder, sound: NDArray[np.float32], delay: int) -> NDArray[np.float32]:
    """Return the rows [rows, width] of a whole recording, float32 [time]; row i is at i * 20 ms.

    Silence is assumed before and after it; there is a row for each hop that it begins.
    """
    late = delay_hops(delay)
    hops = -(-len(sound) // HOP_SAMPLES)
    stream = EncoderStream(encoder, delay)
    padded = np.pad(sound, (0, (hops + late) * HOP_SAMPLES - len(sound))).astype(np.float32)
    step = PASS_HOPS * HOP_SAMPLES
    passes = [stream.process(padded[start : start + step]) for start in range(0, len(padded), step)]
    return np.concatenate(passes)[late - 1 :][:hops] if passes else np.zeros((0, 0), np.float32)


KEPT_KEYS = REACH_HOPS + MOST_RIGHT
"""Hops whose keys and values a layer keeps for the next call."""


def rights_of(delays: Tensor) -> list[Tensor]:
    """Return the future that each layer has, in hops, [batch], of delays [batch]."""
    table = torch.tensor(RIGHT_HOPS, device=delays.device)
    return list(table[delays].unbind(1))


def window_rows(encoder: Encoder, samples: Tensor, delays: Tensor) -> Tensor:
    """Return features [batch, hops - MOST_DELAY_HOPS, width] of sound of which nothing came before.

    `samples` is [batch, HISTORY_SAMPLES + hops * HOP_SAMPLES], `delays` indices of `RIGHT_HOPS`
    [batch]. The last row is that of the last hop.
    """
    x = encoder.front(encoder.mel(samples)) + (encoder.place + encoder.delays[delays])[:, None]
    place = torch.arange(x.shape[1], device=x.device)
    distance = (place[None] - place[:, None])[None]
    for layer, right in zip(encoder.stack, rights_of(delays), strict=True):
        query, key, value = layer.projected(x).chunk(3, -1)
        x = _attended(layer, x, query, (key, value), distance, right)
    late = torch.tensor([delay_hops(d) for d in range(len(RIGHT_HOPS))], device=x.device)[delays]
    rows = torch.arange(MOST_DELAY_HOPS - FRONT_HOPS, x.shape[1], device=x.device)
    shifted = (rows[None] - (late - FRONT_HOPS)[:, None])[..., None]
    x = x.gather(1, shifted.expand(-1, -1, x.shape[2]))
    return (x.float() - encoder.mean) / encoder.spread


def next_rows(encoder: Encoder, samples: Tensor, delays: Tensor, caches: Caches) -> Tensor:
    """Return features [batch, hops, width] of the next hops, and renew `caches` in place.

    Arguments as in `window_rows`; `caches` is what `silent_caches` or an earlier call left, in
    order: each that is taken from its front comes back at its end.
    """
    front = encoder.front(encoder.mel(samples), caches)
    x = front + (encoder.place + encoder.delays[delays])[:, None]
    hops = x.shape[1]
    new = torch.arange(hops, device=x.device)
    keys = torch.arange(-KEPT_KEYS, hops, device=x.device)
    for layer, right in zip(encoder.stack, rights_of(delays), strict=True):
        query, key, value = layer.projected(x).chunk(3, -1)
        key, value = (torch.cat((caches.pop(0), part), 1) for part in (key, value))
        waiting = torch.cat((caches.pop(0), torch.cat((x, query), -1)), 1)
        caches += [key[:, hops:], value[:, hops:], waiting[:, hops:]]
        own = new[None] - right[:, None]
        chosen = waiting.gather(1, (own + MOST_RIGHT)[..., None].expand(-1, -1, waiting.shape[2]))
        x, query = chosen.chunk(2, -1)
        x = _attended(layer, x, query, (key, value), keys - own[..., None], right)
    return (x.float() - encoder.mean) / encoder.spread


def silent_caches(encoder: Encoder, delays: Tensor) -> Caches:
    """Return the caches that endless digital silence leaves behind, for `next_rows`."""
    hops = encoder.place.new_zeros(len(delays), ENCODER_HISTORY_SAMPLES + 3 * HOP_SAMPLES)
    columns = encoder.mel(hops)
    first = functional.gelu(encoder.conv1(columns))
    caches = [columns[..., -2:], first[..., -1:]]
    x = encoder.front(columns) + (encoder.place + encoder.delays[delays])[:, None]
    for layer in encoder.stack:
        query, key, value = layer.projected(x).chunk(3, -1)
        caches += [part.repeat(1, KEPT_KEYS, 1) for part in (key, value)]
        caches.append(torch.cat((x, query), -1).repeat(1, MOST_RIGHT, 1))
        # Whatever the scores are: of values that are all the same the mean is that value.
        x = _finished(layer, x, value)
    return caches


def _attended(
    layer: Layer,
    x: Tensor,
    query: Tensor,
    seen: tuple[Tensor, Tensor],
    distance: Tensor,
    right: Tensor,
) -> Tensor:
    """Return a layer's rows for inputs `x` and `query` [batch, rows, width].

    `seen` are keys and values [batch, keys, width], `distance` [batch or 1, rows, keys] is how many
    hops each key stands after each row, `right` [batch] how many it may.
    """
    right = right[:, None, None]
    within = (distance >= -REACH_HOPS) & (distance <= right)
    place = (distance + REACH_HOPS).clamp(0, REACH_HOPS + MOST_RIGHT)
    added = (OFFSET_SCALE * layer.offset)[:, place].transpose(0, 1)
    scores = added.masked_fill(~within[:, None], HIDDEN)
    query, key, value = (
        part.reshape(*part.shape[:2], layer.heads, -1).transpose(1, 2) for part in (query, *seen)
    )
    found = functional.scaled_dot_product_attention(query, key, value, attn_mask=scores)
    return _finished(layer, x, found.transpose(1, 2).flatten(2))


def _finished(layer: Layer, x: Tensor, found: Tensor) -> Tensor:
    x = x + layer.mix(found)
    added: Tensor = layer.outer(functional.gelu(layer.inner(layer.inner_norm(x))))
    return x + added
