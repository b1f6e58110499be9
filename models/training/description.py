"""The description of a network to be trained, and the network that it names."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from cstalk_bridge.models.baselines import NETWORKS
from cstalk_bridge.models.baselines.teacher import Teacher, fingerprint
from cstalk_bridge.models.board import AUDIO_DRIVEN
from cstalk_bridge.models.cstalk.architecture import Description
from cstalk_bridge.models.emotions import CONDITIONS, EMOTIONS
from cstalk_bridge.models.errors import WeightsError
from cstalk_bridge.models.loading import build_network
from cstalk_bridge.models.phones import PHONES
from cstalk_bridge.models.timing import ROW_RATE_HZ, SAMPLE_RATE_HZ
from cstalk_bridge.models.training.sources import credits_of, licence_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from cstalk_bridge.models.cstalk.network import FaceNetwork
    from cstalk_bridge.models.training.corpus import Corpus
    from cstalk_bridge.models.training.run import TrainingConfig
    from cstalk_bridge.models.wav2vec import Wav2Vec


def describe(
    corpus: Corpus,
    settings: TrainingConfig,
    cache: Path,
    front_end: Wav2Vec | None = None,
    *,
    correlation: Mapping[str, object] | None = None,
    initial_description: Description | None = None,
) -> Description:
    """Return the description that goes into the weights file.

    `correlation` is the card of the correlation supervision, if there is any; `initial_description`
    describes the weights of an earlier round that the training continues from.
    """
    used: dict[str, object] = asdict(settings)
    if correlation:
        used["correlation"] = dict(correlation)
    if initial_description is not None:
        used["begun_with"] = initial_description.card["training_hash"]
    index = (cache / "index.json").read_bytes()
    minutes = {name: spent for name, spent in corpus.minutes().items() if spent}
    sizes: dict[str, Any] = {
        "phones": len(PHONES),
        "emotions": len(CONDITIONS),
        "channels": len(AUDIO_DRIVEN),
    }
    if front_end is not None:
        sizes |= {"hidden": front_end.hidden_size, "front_end": fingerprint(front_end)}
    return Description(
        architecture=NETWORKS[settings.network].sizes(**sizes),
        channels=AUDIO_DRIVEN,
        emotions=EMOTIONS,
        sample_rate_hz=SAMPLE_RATE_HZ,
        rate_hz=ROW_RATE_HZ,
        card={
            "licence": licence_under(minutes, correlation, initial_description),
            "data": credits_of(minutes),
            "minutes": minutes,
            "settings": used,
            "training_set": hashlib.sha256(index).hexdigest(),
            "training_hash": hashlib.sha256(index + json.dumps(used).encode()).hexdigest(),
        },
        network=settings.network,
    )


def licence_under(
    sources: Iterable[str],
    correlation: Mapping[str, object] | None,
    initial_description: Description | None,
) -> str:
    """Return the licence of weights trained on `sources`; the rest as in `describe`."""
    cards = (correlation or {}, initial_description.card if initial_description else {})
    return licence_of(sources, [str(card["licence"]) for card in cards if "licence" in card])


def provenance_of(description: Description) -> dict[str, object]:
    """Return what determines the weights of a run: its settings, the sizes and the training set."""
    return {
        **description.card["settings"],
        "architecture": asdict(description)["architecture"],
        "training_set": description.card["training_set"],
    }


def create_network(
    description: Description, front_end: Wav2Vec | None, initial: FaceNetwork | None = None
) -> FaceNetwork:
    """Return the network that `description` names, untrained, or with the weights of `initial`.

    A teacher takes its features from `front_end`. WeightsError: `initial` is another network.
    """
    network = build_network(description)
    if front_end is not None and isinstance(network, Teacher):
        network.attach(front_end)
    if initial is not None:
        if type(initial) is not type(network) or initial.architecture != description.architecture:
            raise WeightsError("the initial weights are those of another network")
        network.load_state_dict(initial.state_dict())
    return network
