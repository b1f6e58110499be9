"""Teach the encoder phones, through all its layers, and keep what the teacher hears beside them.

    python -m cstalk_bridge.models.training.encoder.phones \
        --begin-with ../runs/distilled/encoder.safetensors

Linear heads on the features are asked for the phone and for four events of lips and teeth. It
resumes by itself, and writes the encoder with its heads to --out at every checkpoint. The cache is
that of `cstalk_bridge.models.training.encoder.prepare`.
"""

from __future__ import annotations

import argparse
import copy
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from cstalk_bridge.models.encoder.reach import RIGHT_HOPS
from cstalk_bridge.models.encoder.weights import load_encoder
from cstalk_bridge.models.errors import WeightsError
from cstalk_bridge.models.phones import PHONE_INDEX, PHONES
from cstalk_bridge.models.training.alignment import phone_indices, within_sound
from cstalk_bridge.models.training.batches import ALIGNED, UNKNOWN_PHONE
from cstalk_bridge.models.training.encoder.distil import (
    content_of,
    describe,
    drawn_delay,
    features_of,
    layer_loss,
    write_weights,
)
from cstalk_bridge.models.training.encoder.streams import (
    FOLDER,
    NO_SPEECH,
    STREAMS,
    EncoderCorpus,
    Streams,
)
from cstalk_bridge.models.training.run import Progress, Run, TrainingConfig
from cstalk_bridge.models.training.sources import require

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from cstalk_bridge.models.encoder.network import Encoder
    from cstalk_bridge.models.encoder.weights import EncoderDescription
    from cstalk_bridge.models.training.alignment import Segment
    from cstalk_bridge.models.training.encoder.streams import TeacherClip


EVENTS: dict[str, tuple[str, ...]] = {
    "bilabial": ("B", "M", "P"),
    "labiodental": ("F", "V"),
    "rounding": ("UH", "UW", "W", "SH", "ZH"),
    "sibilant": ("S", "Z", "SH", "ZH"),
}
"""What lips and teeth do that nothing but the phone decides, by the phones that do it."""
HEADS: tuple[str, ...] = (*PHONES, *EVENTS)
"""The heads' outputs in order: logits of phones that exclude one another, then of events."""
MIDDLE, EDGE, NEAR = 3.0, 1.0, 0.3
"""How much a row counts: within an event, at its first or last row, up to `NEAR_ROWS` beside it."""
NEAR_ROWS = 2

EVENT_ROWS = torch.tensor([[phone in phones for phone in PHONES] for phones in EVENTS.values()])
"""Whether a phone belongs to an event, [events, phones]."""


class Labels:
    """The phones of each clip of a set, as forced alignment found them; kept once made."""

    def __init__(self, taught: EncoderCorpus, path: Path) -> None:
        """`path` is the `phones.json` that `cstalk_bridge.models.training.prepare` writes."""
        known: dict[str, list[Segment]] = json.loads(path.read_text("utf-8"))
        self._segments = known
        self._taught = taught
        self._kept: dict[tuple[str, int, float], NDArray[np.int64]] = {}

    def __call__(self, clip: TeacherClip) -> NDArray[np.int64]:
        """Return the phone of each row of a clip, [rows]; `UNKNOWN_PHONE` where none is known."""
        key = (clip.name, clip.copy, clip.offset_s)
        if key not in self._kept:
            self._kept[key] = self._rows(clip)
        return self._kept[key]

    def _rows(self, clip: TeacherClip) -> NDArray[np.int64]:
        if clip.source == NO_SPEECH:
            return np.zeros(clip.rows, dtype=np.int64)
        if clip.source not in ALIGNED or clip.name not in self._segments:
            return np.full(clip.rows, UNKNOWN_PHONE, dtype=np.int64)
        moved = [
            ((start_s - clip.offset_s) / clip.speed, (end_s - clip.offset_s) / clip.speed, phone)
            for start_s, end_s, phone in self._segments[clip.name]
        ]
        inside = [(max(0.0, a), b, phone) for a, b, phone in moved if b > 0]
        spoken = within_sound(clip.source, inside, self._taught.sound(clip))
        return phone_indices(spoken, clip.rows)


def event_targets(phones: Tensor) -> tuple[Tensor, Tensor]:
    """Return whether each event goes on and how much that counts, [events, streams, rows] each.

    `phones` is [streams, rows]. An aligner's edges are not sharp: rows beside an event count
    little, its middle counts most. Nothing counts where the phone is unknown.
    """
    known = phones != UNKNOWN_PHONE
    happens = (EVENT_ROWS[:, phones.clamp(min=0)] & known).float()
    last = happens.shape[-1]
    padded = functional.pad(happens, (1, 1))
    inner = torch.minimum(padded[..., :last], padded[..., 2:]) * happens
    near = functional.max_pool1d(happens, 2 * NEAR_ROWS + 1, 1, NEAR_ROWS)
    weights = torch.where(near > 0, NEAR, 1.0)
    weights = torch.where(happens > 0, EDGE + (MIDDLE - EDGE) * inner, weights)
    return happens, weights * known


def phone_loss(logits: Tensor, phones: Tensor) -> Tensor:
    """Return how far `logits` [streams, rows, HEADS] are from `phones` [streams, rows]."""
    count = len(PHONES)
    told = functional.cross_entropy(
        logits[..., :count].flatten(0, 1), phones.flatten(), ignore_index=UNKNOWN_PHONE
    )
    happens, weights = event_targets(phones)
    apart = functional.binary_cross_entropy_with_logits(
        logits[..., count:].movedim(-1, 0), happens, weights, reduction="sum"
    )
    return told + EVENT_WEIGHT * apart / weights.sum().clamp(min=1.0)


EVENT_WEIGHT = 4.0


def phones_right(logits: Tensor, phones: Tensor) -> tuple[int, int]:
    """Return how many rows of speech are told right, and how many there are."""
    spoken = phones > PHONE_INDEX["SIL"]
    right = logits[..., : len(PHONES)].argmax(-1) == phones
    return int((right & spoken).sum()), int(spoken.sum())


SETTINGS = TrainingConfig(
    seed=32,
    steps=1000,
    batch=STREAMS,
    learning_rate=3e-4,
    warm_up_steps=50,
    average=0.995,
    check_every=500,
    save_every=25,
    network="encoder",
)
PHONE_WEIGHT = 0.05
"""Against the teacher's layer. At 1 people who did not train are heard worse than without it."""
HEAD_SCALE = 16.0
DEV_BATCHES = 4


class EncoderWithHeads(nn.Module):
    """An encoder and the heads that read it."""

    def __init__(self, encoder: Encoder, heads: nn.Linear | None = None) -> None:
        """`heads` are those of an earlier round; without them heads begin at nothing."""
        super().__init__()
        self.encoder = encoder
        self.heads = nn.Linear(encoder.sizes.width, len(HEADS))
        for name, tensor in self.heads.named_parameters():
            known = 0.0 if heads is None else heads.state_dict()[name] / HEAD_SCALE
            tensor.data.copy_(torch.as_tensor(known))

    def logits(self, rows: Tensor) -> Tensor:
        """Return what the heads say of features [..., width], [..., HEADS]."""
        # The scale makes heads, which begin at nothing, learn faster than the encoder may.
        said: Tensor = HEAD_SCALE * self.heads(rows)
        return said

    def plain_heads(self) -> nn.Linear:
        """Return the heads without their scale."""
        plain = nn.Linear(self.heads.in_features, self.heads.out_features)
        plain.load_state_dict({n: HEAD_SCALE * t for n, t in self.heads.state_dict().items()})
        return plain


@torch.no_grad()
def phone_accuracy(hearing: EncoderWithHeads, streams: Streams, seed: int) -> list[float]:
    """Return the share of rows of speech told right by delay, on augmented streams."""
    shares = []
    for delay in range(len(RIGHT_HOPS)):
        counts = []
        for number in range(DEV_BATCHES):
            batch = streams.draw(seed, number)
            rows = hearing.encoder(batch.samples, delay)
            phones = batch.phones[:, 1 : 1 + rows.shape[1]]
            counts.append(phones_right(hearing.logits(rows), phones))
        shares.append(sum(hit for hit, _ in counts) / max(1, sum(every for _, every in counts)))
    return shares


def learn(
    cache: Path,
    folder: Path,
    out: Path,
    settings: TrainingConfig,
    first: EncoderWithHeads,
    begun_with: dict[str, object],
    content: Tensor,
) -> EncoderWithHeads:
    """Run (or finish) the training from `first`, writing to `out`; return the averaged network.

    `content` are the directions of the teacher's layer that stay asked for.

    WeightsError: `folder` holds a run that was begun otherwise.
    """
    taught, held_out = EncoderCorpus(cache, "train"), EncoderCorpus(cache, "dev")
    path = cache / "phones.json"
    streams = Streams(taught, Labels(taught, path), settings.batch)
    dev = Streams(held_out, Labels(held_out, path))
    description = describe(taught, asdict(settings), begun_with, HEADS)
    made_with = taught.keys | {"begun_with": begun_with}
    run = Run(folder, settings, lambda: copy.deepcopy(first), torch.device("cpu"), made_with)
    progress = Progress(run, 20)
    for step in run.steps():
        batch = streams.draw(settings.seed, step)
        network, delay = run.network, drawn_delay(settings.seed, step)
        rows = features_of(network.encoder, batch, delay, settings.precision)
        layer = layer_loss(network.encoder, rows, batch, content)
        phones = phone_loss(network.logits(rows), batch.phones[:, 1 : 1 + rows.shape[1]])
        run.update(layer + PHONE_WEIGHT * phones)
        progress.tell(layer=layer, phones=phones)
        if run.step % settings.save_every == 0:
            _write(out, run.average, description)
        if run.step % settings.check_every == 0:
            shares = ", ".join(f"{share:.3f}" for share in phone_accuracy(run.average, dev, 5))
            print(f"  rows right at each delay, dev: {shares}", flush=True)
    _write(out, run.average, description)
    return run.average


def _write(out: Path, hearing: EncoderWithHeads, description: EncoderDescription) -> None:
    write_weights(out, hearing.encoder, description, hearing.plain_heads())


def main() -> None:
    """Teach phones, resuming where an earlier run stopped."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--begin-with", type=Path, required=True, help="what distil, or an earlier round, wrote"
    )
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--whisper", type=Path, help="default: whisper_tiny_en in --data")
    parser.add_argument("--cache", type=Path, default=Path("../cache"))
    parser.add_argument("--runs", type=Path, default=Path("../runs/phones"))
    parser.add_argument("--out", type=Path, help="default: encoder.safetensors in --runs")
    parser.add_argument("--seed", type=int, default=SETTINGS.seed)
    parser.add_argument("--steps", type=int, default=SETTINGS.steps)
    options = parser.parse_args()
    checkpoint = options.whisper or options.data / "whisper_tiny_en/encoder_f16.npz"
    require(parser, checkpoint, "the encoder of Whisper tiny.en teaches; name it with --whisper")
    require(
        parser, options.cache / FOLDER, "run cstalk_bridge.models.training.encoder.prepare first"
    )
    require(
        parser,
        options.cache / "phones.json",
        "run cstalk_bridge.models.training.encoder.prepare first",
    )
    torch.set_num_threads(1)
    settings = TrainingConfig(**asdict(SETTINGS) | {"seed": options.seed, "steps": options.steps})
    out = options.out or options.runs / "encoder.safetensors"
    try:
        encoder, heads, begun_with = load_encoder(options.begin_with)
        kept = heads if begun_with.heads == HEADS else None
        first = EncoderWithHeads(encoder.requires_grad_().train(), kept)
        content = content_of(checkpoint, options.cache, encoder)
        learn(options.cache, options.runs, out, settings, first, dict(begun_with.card), content)
    except WeightsError as error:
        parser.error(str(error))
    print(f"wrote {out}")


if __name__ == "__main__":
    main()
