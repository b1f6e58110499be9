"""Train the generator, or a network to measure it against.

    python -m models.training.prepare                   # once: phones and targets
    python -m models.training.train --runs ../runs      # resumes by itself; writes the weights

On two CPU cores the run takes under two hours; with a GPU, `--device cuda`. The same seed and
settings give the same sequence of batches, also after an interruption. What the weights are worth
`python -m models.evaluation` says.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from models.errors import WeightsError
from models.shipped import DEFAULT_PATH
from models.training.batches import Corpus, draw
from models.training.description import beginning, describe, licence_under, made_with
from models.training.loss import Loss, loss_of
from models.training.options import parser_of, read_options
from models.training.precision import Trainee
from models.training.progress import Progress
from models.training.report import report
from models.training.run import Run, Settings
from models.training.sources import OUR_LICENCE
from models.training.store import read_index, source_of
from models.training.supervision import Supervision
from models.wav2vec import load_wav2vec
from models.weights_file import Description, load_network, save

if TYPE_CHECKING:
    from pathlib import Path

    import torch

    from models.face_network import FaceNetwork
    from models.training.options import Options
    from models.wav2vec.network import Wav2Vec

PHONE_WEIGHT = 0.1
TOLD_EVERY = 100  # steps


def train(
    cache: Path,
    folder: Path,
    settings: Settings,
    device: torch.device,
    front_end: Wav2Vec | None = None,
    *,
    supervision: Supervision | None = None,
    first: tuple[FaceNetwork, Description] | None = None,
) -> tuple[FaceNetwork, Description]:
    """Run (or finish) the training; return the averaged network and its description.

    A teacher, and nothing else, needs a `front_end`. `first` is what an earlier round made, to go
    on from. WeightsError: `folder` holds a run that was begun otherwise, or `first` is another
    network.
    """
    begun, begun_with = first or (None, None)
    corpus, dev = Corpus(cache, "train"), Corpus(cache, "dev")
    correlation = supervision.card if supervision else None
    description = describe(
        corpus, settings, cache, front_end, correlation=correlation, begun_with=begun_with
    )
    sizes, seed, version = description.architecture, settings.seed, settings.augmentation
    make = partial(beginning, description, front_end, begun)
    run = Run(folder, settings, make, device, made_with(description))
    loss, trainee = Loss(corpus, device), Trainee(run.network, settings.precision)
    progress = Progress(run, TOLD_EVERY)
    for step in run.steps():
        batch = draw(corpus, sizes, settings.batch, seed, step, version)
        term = partial(supervision, step=step) if supervision else None
        face, phones = loss_of(trainee, batch, loss, device, term)
        run.update(face + PHONE_WEIGHT * phones)
        progress.tell(face=face, phones=phones)
        if run.step % settings.check_every == 0:
            for line in report(run.average, dev):
                print(f"  {line}", flush=True)
    return run.average, description


def trained(options: Options) -> tuple[FaceNetwork, Description]:
    """Do what `options` ask for; WeightsError where a file they name cannot be used."""
    settings, device = options.settings, options.device
    front_end = load_wav2vec(options.wav2vec) if options.wav2vec else None
    supervision = None
    if options.correlation is not None:
        weight = options.correlation_weight
        supervision = Supervision.read(options.correlation, weight, settings, device)
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
    parser = parser_of(__doc__)
    options = read_options(parser)
    try:
        network, description = trained(options)
    except WeightsError as error:
        parser.error(str(error))
    options.out.parent.mkdir(parents=True, exist_ok=True)
    save(options.out, network.cpu(), description)
    print(f"wrote {options.out}")


if __name__ == "__main__":
    main()
