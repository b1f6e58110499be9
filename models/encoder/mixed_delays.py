"""The speech encoder on batches in which every voice has a delay of its own.

`cstalk_bridge.models.encoder.network` runs one delay at a time. Here the delay is data, as emotion
is: a batch of voices with different look-aheads takes one pass, and a pass has one shape, as a CUDA
graph needs. The sums are the same. Rows come in step with the sound: the last one is what the sound
so far lets a voice know, `delay_hops` of its delay before the end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional

from cstalk_bridge.models.encoder.log_mel import HISTORY_SAMPLES
from cstalk_bridge.models.encoder.network import HIDDEN, OFFSET_SCALE
from cstalk_bridge.models.encoder.reach import (
    FRONT_HOPS,
    MOST_DELAY_HOPS,
    MOST_RIGHT,
    REACH_HOPS,
    RIGHT_HOPS,
    delay_hops,
)
from cstalk_bridge.models.timing import HOP_SAMPLES

if TYPE_CHECKING:
    from cstalk_bridge.models.encoder.network import Caches, Encoder, Layer


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
    hops = encoder.place.new_zeros(len(delays), HISTORY_SAMPLES + 3 * HOP_SAMPLES)
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
