"""What the training script writes about the network that it trains."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from models.baselines import NETWORKS
from models.board import AUDIO_DRIVEN
from models.emotions import CONDITIONS, EMOTIONS
from models.errors import WeightsError
from models.teacher import Teacher, fingerprint
from models.timing import ROW_RATE_HZ, SAMPLE_RATE_HZ
from models.training.phones import PHONES
from models.training.sources import credits_of, licence_of
from models.weights_file import Description, build

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from models.face_network import FaceNetwork
    from models.training.batches import Corpus
    from models.training.run import Settings
    from models.wav2vec.network import Wav2Vec


def describe(
    corpus: Corpus,
    settings: Settings,
    cache: Path,
    front_end: Wav2Vec | None = None,
    *,
    correlation: Mapping[str, object] | None = None,
    begun_with: Description | None = None,
) -> Description:
    """Return the description that goes into the weights file.

    `correlation` is the card of the correlation supervision, if there was any; `begun_with` says
    what an earlier round made, where the training goes on from that.
    """
    used: dict[str, object] = asdict(settings)
    if correlation:
        used["correlation"] = dict(correlation)
    if begun_with is not None:
        used["begun_with"] = begun_with.card["training_hash"]
    index = (cache / "index.json").read_bytes()
    minutes = {name: spent for name, spent in corpus.minutes().items() if spent}
    sizes: dict[str, Any] = {
        "phones": len(PHONES),
        "emotions": len(CONDITIONS),
        "channels": len(AUDIO_DRIVEN),
    }
    if front_end is not None:
        sizes |= {"hidden": front_end.sizes.hidden_size, "front_end": fingerprint(front_end)}
    return Description(
        architecture=NETWORKS[settings.network].sizes(**sizes),
        channels=AUDIO_DRIVEN,
        emotions=EMOTIONS,
        sample_rate_hz=SAMPLE_RATE_HZ,
        rate_hz=ROW_RATE_HZ,
        card={
            "licence": licence_under(minutes, correlation, begun_with),
            "data": credits_of(minutes),
            "minutes": minutes,
            "settings": used,
            "training_set": hashlib.sha256(index).hexdigest(),
            "training_hash": hashlib.sha256(index + json.dumps(used).encode()).hexdigest(),
        },
        network=settings.network,
    )


def licence_under(
    sources: Iterable[str], correlation: Mapping[str, object] | None, begun_with: Description | None
) -> str:
    """Return the licence of what learns from `sources`; the rest as in `describe`."""
    cards = (correlation or {}, begun_with.card if begun_with else {})
    return licence_of(sources, [str(card["licence"]) for card in cards if "licence" in card])


def made_with(description: Description) -> dict[str, object]:
    """Return what shapes the weights of a run: its settings, the sizes and the training set."""
    return {
        **description.card["settings"],
        "architecture": asdict(description)["architecture"],
        "training_set": description.card["training_set"],
    }


def beginning(
    description: Description, front_end: Wav2Vec | None, first: FaceNetwork | None = None
) -> FaceNetwork:
    """Return the network that `description` names, untrained, or with the weights of `first`.

    A teacher hears through `front_end`. WeightsError: `first` is another network.
    """
    network = build(description)
    if front_end is not None and isinstance(network, Teacher):
        network.attach(front_end)
    if first is not None:
        if type(first) is not type(network) or first.architecture != description.architecture:
            raise WeightsError("the weights to begin with are those of another network")
        network.load_state_dict(first.state_dict())
    return network
