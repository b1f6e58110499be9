"""Train the generator, or a network to measure it against.

    python -m cstalk_bridge.models.training.prepare                   # once: phones and targets
    python -m cstalk_bridge.models.training.train \
        --runs ../runs      # resumes by itself; writes the weights

On two CPU cores the run takes under two hours; with a GPU, `--device cuda`. The same seed and
settings give the same sequence of batches, also after an interruption. What the weights are worth
`python -m cstalk_bridge.models.evaluation` says.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from cstalk_bridge.models.baselines import NETWORKS
from cstalk_bridge.models.baselines.teacher import Teacher, fingerprint
from cstalk_bridge.models.board import AUDIO_DRIVEN, jaw, opening, pucker, together
from cstalk_bridge.models.cstalk.architecture import Description
from cstalk_bridge.models.cstalk.torch_engine import recording_faces
from cstalk_bridge.models.emotions import CONDITIONS, EMOTIONS
from cstalk_bridge.models.errors import WeightsError
from cstalk_bridge.models.loading import DEFAULT_PATH, build_network, load_network, save_network
from cstalk_bridge.models.metrics.closures import CLOSERS, NO_CLOSURES, OPEN_VOWELS, closures
from cstalk_bridge.models.metrics.curves import pearson
from cstalk_bridge.models.phones import PHONES
from cstalk_bridge.models.timing import ROW_RATE_HZ, SAMPLE_RATE_HZ
from cstalk_bridge.models.training import encoder_training
from cstalk_bridge.models.training.batches import draw
from cstalk_bridge.models.training.corpus import Corpus, read_index, source_of
from cstalk_bridge.models.training.encoder_training import NETWORK
from cstalk_bridge.models.training.loss import (
    CORRELATION_WEIGHT,
    CorrelationSupervision,
    Loss,
    loss_of,
)
from cstalk_bridge.models.training.rules import GESTURES
from cstalk_bridge.models.training.run import (
    PRECISIONS,
    MixedPrecisionNetwork,
    Progress,
    Run,
    TrainingConfig,
    precision_on,
)
from cstalk_bridge.models.training.sources import OUR_LICENCE, credits_of, licence_of, require
from cstalk_bridge.models.wav2vec import load_wav2vec

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from cstalk_bridge.models.cstalk.network import FaceNetwork
    from cstalk_bridge.models.training.corpus import Entry
    from cstalk_bridge.models.wav2vec import Wav2Vec


@dataclass(frozen=True, slots=True)
class TrainingRequest:
    """What is to be trained, on what, and where it goes."""

    settings: TrainingConfig
    device: torch.device
    cache: Path
    runs: Path
    out: Path
    wav2vec: Path | None
    correlation: Path | None
    correlation_weight: float
    begin_with: Path | None


def create_parser(about: str | None) -> argparse.ArgumentParser:
    """Return the command line."""
    parser = argparse.ArgumentParser(
        description=about, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cache", type=Path, default=Path("../cache"))
    parser.add_argument("--network", default=NETWORK, choices=NETWORKS)
    parser.add_argument("--wav2vec", type=Path, help="checkpoint folder, for --network teacher")
    parser.add_argument("--runs", type=Path, help="default: ../runs/default, or ../runs/NETWORK")
    parser.add_argument("--out", type=Path, help="default: the shipped weights, or in --runs")
    parser.add_argument("--begin-with", type=Path, help="weights to go on from in a further round")
    parser.add_argument(
        "--seed", type=_count, default=TrainingConfig().seed, help="of a further round"
    )
    parser.add_argument("--steps", type=_count, default=TrainingConfig().steps)
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--precision", choices=PRECISIONS, help="default: bf16 where it can be had")
    parser.add_argument(
        "--correlation", type=Path, help="what cstalk_bridge.models.training.correlation wrote"
    )
    parser.add_argument("--correlation-weight", type=float, default=CORRELATION_WEIGHT)
    return parser


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no count; give a whole number from 1")
    return int(text)


def parse_arguments(
    parser: argparse.ArgumentParser, words: Sequence[str] | None = None
) -> TrainingRequest:
    """Return what `words` (None: the process's own) ask for; exits where they cannot be done."""
    given = parser.parse_args(words)
    require(parser, given.cache / "index.json", "run cstalk_bridge.models.training.prepare first")
    if (given.network == "teacher") != (given.wav2vec is not None):
        parser.error("--network teacher needs --wav2vec FOLDER, and no other network takes it")
    if given.network == "cstalk-uncorrelated" and given.correlation is not None:
        parser.error("cstalk-uncorrelated is trained without --correlation; use --network cstalk")
    if given.device == "cuda" and not torch.cuda.is_available():
        parser.error("there is no CUDA GPU; use --device cpu")
    device = torch.device(given.device)
    precision = given.precision or precision_on(device)
    is_ours = given.network == NETWORK
    runs = given.runs or Path("../runs", "default" if is_ours else given.network)
    out = given.out or (DEFAULT_PATH if is_ours else runs / f"{given.network}.safetensors")
    return TrainingRequest(
        settings=TrainingConfig(
            seed=given.seed, steps=given.steps, network=given.network, precision=precision
        ),
        device=device,
        cache=given.cache,
        runs=runs,
        out=out,
        wav2vec=given.wav2vec,
        correlation=given.correlation,
        correlation_weight=given.correlation_weight,
        begin_with=given.begin_with,
    )


def describe(
    corpus: Corpus,
    settings: TrainingConfig,
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
        sizes |= {"hidden": front_end.hidden_size, "front_end": fingerprint(front_end)}
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


def provenance_of(description: Description) -> dict[str, object]:
    """Return what shapes the weights of a run: its settings, the sizes and the training set."""
    return {
        **description.card["settings"],
        "architecture": asdict(description)["architecture"],
        "training_set": description.card["training_set"],
    }


def create_network(
    description: Description, front_end: Wav2Vec | None, first: FaceNetwork | None = None
) -> FaceNetwork:
    """Return the network that `description` names, untrained, or with the weights of `first`.

    A teacher hears through `front_end`. WeightsError: `first` is another network.
    """
    network = build_network(description)
    if front_end is not None and isinstance(network, Teacher):
        network.attach(front_end)
    if first is not None:
        if type(first) is not type(network) or first.architecture != description.architecture:
            raise WeightsError("the weights to begin with are those of another network")
        network.load_state_dict(first.state_dict())
    return network


DELAY_HOPS = 3
MOST_CLIPS = 25  # of a source
JAW_GESTURE, PURSE_GESTURE = (list(GESTURES).index(name) for name in ("jaw", "purse"))


def development_report(network: FaceNetwork, dev: Corpus) -> Iterator[str]:
    """Yield a line for each source with clips in `dev`: the neutral face at 60 ms of look-ahead.

    Jaw and purse are compared with the training targets, median r over clips; closures are those
    of `cstalk_bridge.models.evaluation`, which says the rest, from the captured faces.
    """
    for source, clips in dev.by_source.items():
        if clips:
            yield f"{source}: {development_figures(network, dev, clips[:MOST_CLIPS])}"


def development_figures(network: FaceNetwork, dev: Corpus, clips: Sequence[Entry]) -> str:
    """Return the figures of some clips of `dev`, in words."""
    lips, jaws, purses = NO_CLOSURES, [], []
    for clip in clips:
        rows = slice(clip["first"], clip["first"] + clip["rows"])
        face = neutral_face(network, dev, rows)
        targets = np.asarray(dev.gestures[rows], dtype=np.float32)
        jaws.append(pearson(jaw(face), targets[:, JAW_GESTURE]))
        purses.append(pearson(pucker(face), targets[:, PURSE_GESTURE]))
        phones = np.asarray(dev.phones[rows], dtype=np.int64)
        lips += closures(together(face), opening(face), phones, CLOSERS, OPEN_VOWELS)
    text = f"jaw r {np.median(jaws):.3f}, purse r {np.median(purses):.3f}"
    if lips.closers:
        text += f", closures {lips.rate:.1%}, false ones {lips.false_rate:.1%}"
    return text


def neutral_face(network: FaceNetwork, dev: Corpus, rows: slice) -> NDArray[np.float32]:
    """Return the face of `rows` of `dev` without any emotion, [rows, channels]."""
    sound = np.asarray(dev.samples[rows], dtype=np.float32).reshape(1, -1) / 32768.0
    shape = (1, rows.stop - rows.start, network.architecture.emotions)
    nothing = np.zeros(shape, dtype=np.float32)
    faces: NDArray[np.float32] = recording_faces(network, sound, nothing, DELAY_HOPS)[0]
    return faces


PHONE_WEIGHT = 0.1
TOLD_EVERY = 100  # steps


def train(
    cache: Path,
    folder: Path,
    settings: TrainingConfig,
    device: torch.device,
    front_end: Wav2Vec | None = None,
    *,
    supervision: CorrelationSupervision | None = None,
    first: tuple[FaceNetwork, Description] | None = None,
) -> tuple[FaceNetwork, Description]:
    """Run (or finish) the training; return the averaged network and its description.

    A teacher, and nothing else, needs a `front_end`. `first` is what an earlier round made, to go
    on from. WeightsError: `folder` holds a run that was begun otherwise, or `first` is another
    network.
    """
    if settings.network == encoder_training.NETWORK:
        return encoder_training.learn(
            cache, folder, settings, device, supervision=supervision, first=first
        )
    begun, begun_with = first or (None, None)
    corpus, dev = Corpus(cache, "train"), Corpus(cache, "dev")
    correlation = supervision.card if supervision else None
    description = describe(
        corpus, settings, cache, front_end, correlation=correlation, begun_with=begun_with
    )
    sizes, seed, version = description.architecture, settings.seed, settings.augmentation
    make = partial(create_network, description, front_end, begun)
    run = Run(folder, settings, make, device, provenance_of(description))
    loss, trainee = Loss(corpus, device), MixedPrecisionNetwork(run.network, settings.precision)
    progress = Progress(run, TOLD_EVERY)
    for step in run.steps():
        batch = draw(corpus, sizes, settings.batch, seed, step, version)
        term = partial(supervision, step=step) if supervision else None
        face, phones = loss_of(trainee, batch, loss, device, term)
        run.update(face + PHONE_WEIGHT * phones)
        progress.tell(face=face, phones=phones)
        if run.step % settings.check_every == 0:
            for line in development_report(run.average, dev):
                print(f"  {line}", flush=True)
    return run.average, description


def trained(options: TrainingRequest) -> tuple[FaceNetwork, Description]:
    """Do what `options` ask for; WeightsError where a file they name cannot be used."""
    settings, device = options.settings, options.device
    front_end = load_wav2vec(options.wav2vec) if options.wav2vec else None
    supervision = None
    if options.correlation is not None:
        weight = options.correlation_weight
        supervision = CorrelationSupervision.read(options.correlation, weight, settings, device)
    first = load_network(options.begin_with, device) if options.begin_with else None
    heard = {source_of(clip) for clip in read_index(options.cache)}
    card, begun_with = supervision.card if supervision else None, first[1] if first else None
    licence = licence_under(heard, card, begun_with)
    if options.out == DEFAULT_PATH and licence != OUR_LICENCE:
        raise WeightsError(
            "what it would learn from is for research only; name another file with --out"
        )
    return train(
        options.cache,
        options.runs,
        settings,
        device,
        front_end,
        supervision=supervision,
        first=first,
    )


def main() -> None:
    """Train, resuming where an earlier run stopped, and write the weights file."""
    parser = create_parser(__doc__)
    options = parse_arguments(parser)
    try:
        network, description = trained(options)
    except WeightsError as error:
        parser.error(str(error))
    options.out.parent.mkdir(parents=True, exist_ok=True)
    save_network(options.out, network.cpu(), description)
    print(f"wrote {options.out}")


if __name__ == "__main__":
    main()
