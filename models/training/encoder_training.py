"""Teach faces on what the speech encoder heard: its rows are read, and it stays as it is."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import torch

from cstalk_bridge.models.cstalk.encoder_architecture import EncoderArchitecture
from cstalk_bridge.models.cstalk.encoder_network import EncoderGenerator
from cstalk_bridge.models.encoder.weights import load_encoder
from cstalk_bridge.models.errors import WeightsError
from cstalk_bridge.models.loading import ENCODER_PATH
from cstalk_bridge.models.phones import PHONES
from cstalk_bridge.models.training.corpus import Corpus
from cstalk_bridge.models.training.encoder_batches import HeardSet
from cstalk_bridge.models.training.loss import Loss, face_loss
from cstalk_bridge.models.training.run import Progress, Run, TrainingConfig
from cstalk_bridge.models.training.train import (
    create_network,
    describe,
    development_report,
    provenance_of,
)

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from cstalk_bridge.models.cstalk.architecture import Description
    from cstalk_bridge.models.cstalk.network import FaceNetwork
    from cstalk_bridge.models.training.encoder_batches import HeardBatch
    from cstalk_bridge.models.training.loss import CorrelationSupervision


NETWORK = "cstalk-encoder"
"""The network that learns so, a name in `cstalk_bridge.models.baselines.NETWORKS`."""
UNHEARD_SHARE, HISS = 0.25, 0.3
"""Of the encoder's channels, which a piece does without, and noise in all of them against their
spread: the decoder is not to know voices by heart."""
TOLD_EVERY = 100


def on_encoder(network: FaceNetwork, path: Path = ENCODER_PATH) -> EncoderGenerator:
    """Return a network of this kind with the encoder of a file and its phones.

    The encoder and the phone head are set not to learn. WeightsError: they do not fit.
    """
    if not isinstance(network, EncoderGenerator):
        raise WeightsError(f"a {type(network).__name__} has no speech encoder")
    encoder, heads, description = load_encoder(path)
    if heads is None or description.heads[: len(PHONES)] != PHONES:
        raise WeightsError(f"{path}: its heads do not tell our phones; name another encoder")
    try:
        network.ear.load_state_dict(encoder.state_dict())
    except RuntimeError as error:
        raise WeightsError(f"{path}: of other sizes than the network's; {error}") from error
    told = {name: tensor[: len(PHONES)] for name, tensor in heads.state_dict().items()}
    network.phone_head.load_state_dict(told)
    for part in (network.ear, network.phone_head):
        part.requires_grad_(requires_grad=False)
    return network


def learn(
    cache: Path,
    folder: Path,
    settings: TrainingConfig,
    device: torch.device,
    *,
    supervision: CorrelationSupervision | None = None,
    first: tuple[FaceNetwork, Description] | None = None,
) -> tuple[FaceNetwork, Description]:
    """Run (or finish) the training, as `cstalk_bridge.models.training.train.train`.

    The encoder is the shipped one, also of `first`. WeightsError also where nothing was heard.
    """
    begun, begun_with = first or (None, None)
    try:
        heard, dev = HeardSet(cache, "train"), Corpus(cache, "dev")
    except FileNotFoundError as error:
        raise WeightsError(
            f"{error}; run cstalk_bridge.models.training.encoder_rows first"
        ) from error
    correlation = supervision.card if supervision else None
    description = describe(
        heard.corpus, settings, cache, correlation=correlation, begun_with=begun_with
    )
    description = replace(description, card={**description.card, **_told_of_encoder()})
    sizes = description.architecture
    if not isinstance(sizes, EncoderArchitecture):
        raise WeightsError(f"a {settings.network} network does not learn on an encoder")
    run = Run(
        folder,
        settings,
        lambda: on_encoder(create_network(description, None, begun)),
        device,
        provenance_of(description) | {"heard": heard.key},
    )
    loss, progress = Loss(heard, device), Progress(run, TOLD_EVERY)
    for step in run.steps():
        batch = heard.draw(sizes, settings.batch, settings.seed, step)
        faces = _faces(run.network, batch, settings, step, device)
        targets, observed = batch.targets.to(device), batch.observed.to(device)
        face = face_loss(loss, faces, targets, observed)
        if supervision:
            term = partial(supervision, step=step)
            face = face + term(faces, batch.conditions[:, : len(description.emotions)].to(device))
        run.update(face)
        progress.tell(face=face)
        if run.step % settings.check_every == 0:
            for line in development_report(run.average, dev):
                print(f"  {line}", flush=True)
    return run.average, description


def _told_of_encoder(path: Path = ENCODER_PATH) -> dict[str, object]:
    """Return what a card says of the encoder: whose notice it bears, and how it was trained."""
    card = load_encoder(path)[2].card
    known = {"notice": card.get("notice", ""), "encoder": card.get("training_hash", "")}
    return {name: value for name, value in known.items() if value}


def _faces(
    network: EncoderGenerator,
    batch: HeardBatch,
    settings: TrainingConfig,
    step: int,
    device: torch.device,
) -> Tensor:
    """Return the faces of a batch, [batch, time, channels], some channels of it unheard."""
    dice = torch.Generator().manual_seed(settings.seed * 1_000_003 + step)
    shape = (*batch.rows.shape[:2], 1)
    hiss = HISS * torch.randn(batch.rows.shape, generator=dice)
    rows = (batch.rows + hiss) * (torch.rand(shape, generator=dice) >= UNHEARD_SHARE)
    halved = torch.autocast(device.type, dtype=torch.bfloat16)
    with halved if settings.precision == "bf16" else nullcontext():
        told = (batch.conditions.to(device), batch.delay_hops.to(device))
        channels = network.decode(rows.to(device), *told)
    return channels.float().transpose(1, 2)
