"""Teach the encoder phones, through all its layers, and keep what the teacher hears beside them.

    python -m models.training.encoder.phones --begin-with ../runs/distilled/encoder.safetensors

Linear heads on the features are asked for the phone and for four events of lips and teeth. It
resumes by itself, and writes the encoder with its heads to --out at every checkpoint. The cache is
that of `models.training.encoder.prepare`.
"""

from __future__ import annotations

import argparse
import copy
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import nn

from models.encoder.network import RIGHT_HOPS
from models.encoder.weights import load
from models.errors import WeightsError
from models.training.encoder.card import describe, write_weights
from models.training.encoder.distil import content_of, drawn_delay, features_of, layer_loss
from models.training.encoder.labels import HEADS, Labels, phone_loss, phones_right
from models.training.encoder.streams import STREAMS, Streams
from models.training.encoder.taught import FOLDER, TaughtSet
from models.training.progress import Progress
from models.training.run import Run, Settings
from models.training.sources import require

if TYPE_CHECKING:
    from torch import Tensor

    from models.encoder.network import Encoder
    from models.encoder.weights import EncoderDescription

SETTINGS = Settings(
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


class Hearing(nn.Module):
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
def right(hearing: Hearing, streams: Streams, seed: int) -> list[float]:
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
    settings: Settings,
    first: Hearing,
    begun_with: dict[str, object],
    content: Tensor,
) -> Hearing:
    """Run (or finish) the training from `first`, writing to `out`; return the averaged network.

    `content` are the directions of the teacher's layer that stay asked for.

    WeightsError: `folder` holds a run that was begun otherwise.
    """
    taught, held_out = TaughtSet(cache, "train"), TaughtSet(cache, "dev")
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
            shares = ", ".join(f"{share:.3f}" for share in right(run.average, dev, 5))
            print(f"  rows right at each delay, dev: {shares}", flush=True)
    _write(out, run.average, description)
    return run.average


def _write(out: Path, hearing: Hearing, description: EncoderDescription) -> None:
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
    require(parser, options.cache / FOLDER, "run models.training.encoder.prepare first")
    require(parser, options.cache / "phones.json", "run models.training.encoder.prepare first")
    torch.set_num_threads(1)
    settings = Settings(**asdict(SETTINGS) | {"seed": options.seed, "steps": options.steps})
    out = options.out or options.runs / "encoder.safetensors"
    try:
        encoder, heads, begun_with = load(options.begin_with)
        kept = heads if begun_with.heads == HEADS else None
        first = Hearing(encoder.requires_grad_().train(), kept)
        content = content_of(checkpoint, options.cache, encoder)
        learn(options.cache, options.runs, out, settings, first, dict(begun_with.card), content)
    except WeightsError as error:
        parser.error(str(error))
    print(f"wrote {out}")


if __name__ == "__main__":
    main()
