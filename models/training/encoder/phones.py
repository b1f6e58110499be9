"""Train the encoder on phones, through all its layers, while it keeps the teacher's features.

    python -m cstalk_bridge.models.training.encoder.phones \
        --begin-with ../runs/distilled/encoder.safetensors

Linear heads on the features predict the phone and four events of lips and teeth. A run resumes by
itself, and writes the encoder with its heads to --out at every checkpoint. The cache is that of
`cstalk_bridge.models.training.encoder.prepare`.
"""

from __future__ import annotations

import argparse
import copy
import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from cstalk_bridge.models.encoder.weights import load_encoder
from cstalk_bridge.models.errors import WeightsError
from cstalk_bridge.models.features import RIGHT_HOPS
from cstalk_bridge.models.phones import PHONE_INDEX, PHONES
from cstalk_bridge.models.training.alignment import phone_indices, within_sound
from cstalk_bridge.models.training.batches import ALIGNED, UNKNOWN_PHONE
from cstalk_bridge.models.training.encoder.distil import SETTINGS as DISTILLATION
from cstalk_bridge.models.training.encoder.distil import (
    add_arguments,
    checkpoint_of,
    content_of,
    describe,
    drawn_delay,
    features_of,
    layer_loss,
    write_weights,
)
from cstalk_bridge.models.training.encoder.streams import (
    NO_SPEECH,
    EncoderCorpus,
    Streams,
)
from cstalk_bridge.models.training.run import Progress, Run
from cstalk_bridge.models.training.sources import require

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from cstalk_bridge.models.encoder.network import Encoder
    from cstalk_bridge.models.encoder.weights import EncoderDescription
    from cstalk_bridge.models.training.alignment import Segment
    from cstalk_bridge.models.training.encoder.streams import TeacherClip
    from cstalk_bridge.models.training.run import TrainingConfig


EVENTS: dict[str, tuple[str, ...]] = {
    "bilabial": ("B", "M", "P"),
    "labiodental": ("F", "V"),
    "rounding": ("UH", "UW", "W", "SH", "ZH"),
    "sibilant": ("S", "Z", "SH", "ZH"),
}
"""Events of lips and teeth that the phone alone decides, by the phones that have them."""
HEADS: tuple[str, ...] = (*PHONES, *EVENTS)
"""The heads' outputs in order: logits of phones that exclude one another, then of events."""
MIDDLE, EDGE, NEAR = 3.0, 1.0, 0.3
"""How much a row counts: within an event, at its first or last row, up to `NEAR_ROWS` beside it."""
NEAR_ROWS = 2

EVENT_ROWS = torch.tensor([[phone in phones for phone in PHONES] for phones in EVENTS.values()])
"""Whether a phone belongs to an event, [events, phones]."""


class Labels:
    """The phones of each clip of a set, as forced alignment found them; kept once made."""

    def __init__(self, corpus: EncoderCorpus, path: Path) -> None:
        """`path` is the `phones.json` that `cstalk_bridge.models.training.prepare` writes."""
        known: dict[str, list[Segment]] = json.loads(path.read_text("utf-8"))
        self._segments = known
        self._corpus = corpus
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
        spoken = within_sound(clip.source, inside, self._corpus.sound(clip))
        return phone_indices(spoken, clip.rows)


def event_targets(phones: Tensor) -> tuple[Tensor, Tensor]:
    """Return whether each event happens and its weight, [events, streams, rows] each.

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
    phone_error = functional.cross_entropy(
        logits[..., :count].flatten(0, 1), phones.flatten(), ignore_index=UNKNOWN_PHONE
    )
    happens, weights = event_targets(phones)
    apart = functional.binary_cross_entropy_with_logits(
        logits[..., count:].movedim(-1, 0), happens, weights, reduction="sum"
    )
    return phone_error + EVENT_WEIGHT * apart / weights.sum().clamp(min=1.0)


EVENT_WEIGHT = 4.0


def correct_phones(logits: Tensor, phones: Tensor) -> tuple[int, int]:
    """Return the number of correct rows of speech, and of all rows of speech."""
    spoken = phones > PHONE_INDEX["SIL"]
    right = logits[..., : len(PHONES)].argmax(-1) == phones
    return int((right & spoken).sum()), int(spoken.sum())


SETTINGS = replace(
    DISTILLATION, seed=32, steps=1000, warm_up_steps=50, average=0.995, save_every=25
)
"""As the distillation before it, but shorter, with weights that are averaged over fewer steps."""
PHONE_WEIGHT = 0.05
"""Weight against the teacher's layer. At 1, unseen speakers are recognised worse than at 0."""
HEAD_SCALE = 16.0
DEV_BATCHES = 4


class EncoderWithHeads(nn.Module):
    """An encoder and the heads that read it."""

    def __init__(self, encoder: Encoder, heads: nn.Linear | None = None) -> None:
        """`heads` are those of an earlier round; without them heads start at zero."""
        super().__init__()
        self.encoder = encoder
        self.heads = nn.Linear(encoder.sizes.width, len(HEADS))
        for name, tensor in self.heads.named_parameters():
            known = 0.0 if heads is None else heads.state_dict()[name] / HEAD_SCALE
            tensor.data.copy_(torch.as_tensor(known))

    def logits(self, rows: Tensor) -> Tensor:
        """Return the heads' logits of features [..., width], [..., HEADS]."""
        # The scale lets heads, which start at zero, learn faster than the encoder.
        logits: Tensor = HEAD_SCALE * self.heads(rows)
        return logits

    def plain_heads(self) -> nn.Linear:
        """Return the heads without their scale."""
        plain = nn.Linear(self.heads.in_features, self.heads.out_features)
        plain.load_state_dict({n: HEAD_SCALE * t for n, t in self.heads.state_dict().items()})
        return plain


@torch.no_grad()
def phone_accuracy(network: EncoderWithHeads, streams: Streams, seed: int) -> list[float]:
    """Return the share of correct rows of speech by delay, on augmented streams."""
    accuracies = []
    for delay in range(len(RIGHT_HOPS)):
        counts = []
        for number in range(DEV_BATCHES):
            batch = streams.draw(seed, number)
            rows = network.encoder(batch.samples, delay)
            phones = batch.phones[:, 1 : 1 + rows.shape[1]]
            counts.append(correct_phones(network.logits(rows), phones))
        accuracies.append(sum(hit for hit, _ in counts) / max(1, sum(every for _, every in counts)))
    return accuracies


def train(
    cache: Path,
    folder: Path,
    out: Path,
    settings: TrainingConfig,
    initial: EncoderWithHeads,
    initial_card: dict[str, object],
    content: Tensor,
) -> EncoderWithHeads:
    """Run (or finish) the training from `initial`, writing to `out`; return the averaged network.

    `content` are the directions of the teacher's layer that remain targets.

    WeightsError: `folder` holds a run with another configuration.
    """
    corpus, held_out = EncoderCorpus(cache, "train"), EncoderCorpus(cache, "dev")
    path = cache / "phones.json"
    streams = Streams(corpus, Labels(corpus, path), settings.batch)
    dev = Streams(held_out, Labels(held_out, path))
    description = describe(corpus, asdict(settings), initial_card, HEADS)
    provenance = corpus.keys | {"begun_with": initial_card}
    run = Run(folder, settings, lambda: copy.deepcopy(initial), torch.device("cpu"), provenance)
    progress = Progress(run, 20)
    for step in run.steps():
        batch = streams.draw(settings.seed, step)
        network, delay = run.network, drawn_delay(settings.seed, step)
        rows = features_of(network.encoder, batch, delay, settings.precision)
        layer = layer_loss(network.encoder, rows, batch, content)
        phones = phone_loss(network.logits(rows), batch.phones[:, 1 : 1 + rows.shape[1]])
        run.update(layer + PHONE_WEIGHT * phones)
        progress.report(layer=layer, phones=phones)
        if run.step % settings.save_every == 0:
            _write(out, run.average, description)
        if run.step % settings.check_every == 0:
            listed = ", ".join(f"{part:.3f}" for part in phone_accuracy(run.average, dev, 5))
            print(f"  correct rows by delay, dev: {listed}", flush=True)
    _write(out, run.average, description)
    return run.average


def _write(out: Path, network: EncoderWithHeads, description: EncoderDescription) -> None:
    write_weights(out, network.encoder, description, network.plain_heads())


def main() -> None:
    """Train on phones, resuming where an earlier run stopped."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--begin-with",
        type=Path,
        required=True,
        help="encoder weights of distil, or of an earlier round",
    )
    add_arguments(parser, Path("../runs/phones"), SETTINGS)
    parser.add_argument(
        "--out", type=Path, help="weights file to write (default: encoder.safetensors in --runs)"
    )
    options = parser.parse_args()
    checkpoint = checkpoint_of(parser, options)
    require(
        parser,
        options.cache / "phones.json",
        "run cstalk_bridge.models.training.encoder.prepare first",
    )
    torch.set_num_threads(1)
    settings = replace(SETTINGS, seed=options.seed, steps=options.steps)
    out = options.out or options.runs / "encoder.safetensors"
    try:
        encoder, heads, initial_card = load_encoder(options.begin_with)
        kept = heads if initial_card.heads == HEADS else None
        initial = EncoderWithHeads(encoder.requires_grad_().train(), kept)
        content = content_of(checkpoint, options.cache, encoder)
        train(options.cache, options.runs, out, settings, initial, dict(initial_card.card), content)
    except WeightsError as error:
        parser.error(str(error))
    print(f"wrote {out}")


if __name__ == "__main__":
    main()
