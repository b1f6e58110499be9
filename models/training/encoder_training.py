"""Train the decoder on precomputed speech encoder rows; the encoder stays frozen."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from cstalk_bridge.models.cstalk.architecture import EncoderArchitecture
from cstalk_bridge.models.cstalk.network import EncoderGenerator
from cstalk_bridge.models.encoder.weights import load_encoder
from cstalk_bridge.models.errors import WeightsError
from cstalk_bridge.models.loading import ENCODER_PATH
from cstalk_bridge.models.phones import PHONES
from cstalk_bridge.models.training.corpus import Corpus
from cstalk_bridge.models.training.encoder_rows import EncoderRowSet
from cstalk_bridge.models.training.loss import Loss, face_loss
from cstalk_bridge.models.training.processes import ALONE
from cstalk_bridge.models.training.run import (
    Progress,
    Run,
    TrainingConfig,
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
    from cstalk_bridge.models.training.encoder_rows import EncoderRowBatch
    from cstalk_bridge.models.training.processes import Processes


NETWORK = "cstalk-encoder"
"""The network that is trained this way, a name in `cstalk_bridge.models.baselines.NETWORKS`."""
DROPPED_CHANNELS_SHARE, HISS = 0.35, 0.45
"""Share of the encoder's channels dropped from a piece, and noise on all of them relative to their
spread: both keep the decoder from memorising voices."""
REPORT_EVERY = 100


def on_encoder(network: FaceNetwork, path: Path = ENCODER_PATH) -> EncoderGenerator:
    """Return a network of this kind with the encoder of a file and its phones.

    The encoder and the phone head are frozen. WeightsError: they do not fit.
    """
    if not isinstance(network, EncoderGenerator):
        raise WeightsError(f"a {type(network).__name__} has no speech encoder")
    encoder, heads, description = load_encoder(path)
    if heads is None or description.heads[: len(PHONES)] != PHONES:
        raise WeightsError(f"{path}: its heads do not predict these phones; name another encoder")
    try:
        network.ear.load_state_dict(encoder.state_dict())
    except RuntimeError as error:
        raise WeightsError(f"{path}: of other sizes than the network's; {error}") from error
    weights = {name: tensor[: len(PHONES)] for name, tensor in heads.state_dict().items()}
    network.phone_head.load_state_dict(weights)
    for part in (network.ear, network.phone_head):
        part.requires_grad_(requires_grad=False)
    return network


def train(
    cache: Path,
    folder: Path,
    settings: TrainingConfig,
    device: torch.device,
    *,
    initial: tuple[FaceNetwork, Description] | None = None,
    processes: Processes = ALONE,
) -> tuple[FaceNetwork, Description]:
    """Run (or finish) the training, as `cstalk_bridge.models.training.train.train`.

    The encoder is the shipped one, also of `initial`. WeightsError also where no encoder rows were
    computed.
    """
    initial_network, initial_description = initial or (None, None)
    try:
        rows_set, dev = EncoderRowSet(cache, "train"), Corpus(cache, "dev")
    except FileNotFoundError as error:
        raise WeightsError(
            f"{error}; run cstalk_bridge.models.training.encoder_rows first"
        ) from error
    description = describe(
        rows_set.corpus,
        settings,
        cache,
        initial_description=initial_description,
    )
    description = replace(description, card={**description.card, **_encoder_card()})
    sizes = description.architecture
    if not isinstance(sizes, EncoderArchitecture):
        raise WeightsError(f"a {settings.network} network does not train on an encoder")
    run = Run(
        folder,
        settings,
        lambda: on_encoder(create_network(description, None, initial_network)),
        device,
        provenance_of(description) | {"heard": rows_set.key},
        processes,
    )
    loss, progress = Loss(rows_set, device), Progress(run, REPORT_EVERY)
    for step in run.steps():
        batch = rows_set.draw(sizes, settings.batch, settings.seed, step)
        faces = _faces(run.network, batch, settings, step, device, processes)
        targets, observed = batch.targets.to(device), batch.observed.to(device)
        face = face_loss(loss, faces, targets, observed)
        run.update(face)
        progress.report(face=face)
        if run.step % settings.check_every == 0 and processes.is_first:
            for line in development_report(run.average, dev):
                print(f"  {line}", flush=True)
    return run.average, description


def _encoder_card(path: Path = ENCODER_PATH) -> dict[str, object]:
    """Return the encoder's entries of a card: its notice and its training hash."""
    card = load_encoder(path)[2].card
    known = {"notice": card.get("notice", ""), "encoder": card.get("training_hash", "")}
    return {name: value for name, value in known.items() if value}


def _faces(
    network: EncoderGenerator,
    batch: EncoderRowBatch,
    settings: TrainingConfig,
    step: int,
    device: torch.device,
    processes: Processes = ALONE,
) -> Tensor:
    """Return the faces of a batch, [batch, time, channels], some encoder channels dropped.

    Each of `processes` makes its share of them.
    """
    rng = torch.Generator().manual_seed(settings.seed * 1_000_003 + step)
    shape = (*batch.rows.shape[:2], 1)
    hiss = HISS * torch.randn(batch.rows.shape, generator=rng)
    rows = (batch.rows + hiss) * (torch.rand(shape, generator=rng) >= DROPPED_CHANNELS_SHARE)
    halved = torch.autocast(device.type, dtype=torch.bfloat16)
    share = processes.share
    conditions, delays = share(batch.conditions).to(device), share(batch.delay_hops).to(device)
    with halved if settings.precision == "bf16" else nullcontext():
        channels = network.decode(share(rows).to(device), conditions, delays)
    return processes.gather(channels.float(), len(rows)).transpose(1, 2)
