"""`python -m cstalk_bridge.models.evaluation.probes`: a table of features probed on unknown people.

Columns: speech rows with the right phone and p b m detected at 3 % false alarms, each for RAVDESS's
20 actors and for the held-out synthetic voices; r with lip gap, width and protrusion of the
strangers, trained on one man. Beside the encoder: log-mel, the phone head of the default weights
and, where its checkpoint exists, Whisper's third layer.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from cstalk_bridge.models.encoder.reach import RIGHT_HOPS
from cstalk_bridge.models.encoder.weights import load_encoder
from cstalk_bridge.models.errors import WeightsError
from cstalk_bridge.models.evaluation.probes import material
from cstalk_bridge.models.evaluation.probes.material import (
    encoded,
    log_mel,
    phone_head,
    whisper_layer,
)
from cstalk_bridge.models.evaluation.probes.probe import probe_figures
from cstalk_bridge.models.evaluation.recordings import Folders, MissingDataError
from cstalk_bridge.models.loading import DEFAULT_PATH
from cstalk_bridge.models.loading import load_streaming_network as load_generator
from cstalk_bridge.models.training.encoder.whisper import read

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cstalk_bridge.models.evaluation.probes.material import Features
    from cstalk_bridge.models.evaluation.probes.probe import Figures


HEADER = (
    "| features | future [ms] | phones: actors [%] | voices [%] | p b m: actors [%] | voices [%]"
    " | strangers' gap r | width r | protrusion r |"
)


def kinds(options: argparse.Namespace) -> Iterator[Features]:
    """Yield the features to be probed; WeightsError where a file cannot be used."""
    if not options.only_encoders:
        yield log_mel()
        yield phone_head(load_generator(DEFAULT_PATH, torch.device("cpu"))[0])
        checkpoint = options.data / "whisper_tiny_en/encoder_f16.npz"
        if checkpoint.exists():
            yield whisper_layer(read(checkpoint))
    for path in options.encoder:
        encoder = load_encoder(path)[0]
        for delay in options.delay or range(len(RIGHT_HOPS)):
            yield encoded(path.stem, encoder, delay)


def line(features: Features, figures: Figures) -> str:
    """Return a row of the table."""
    shares = (
        figures.phones_actors,
        figures.phones_voices,
        figures.bilabials_actors,
        figures.bilabials_voices,
    )
    future = "all" if features.future_ms is None else str(features.future_ms)
    cells = [features.name, future, *(f"{100 * share:.1f}" for share in shares)]
    return f"| {' | '.join([*cells, *(f'{r:.3f}' for r in figures.lips)])} |"


def main() -> None:
    """Probe each kind of features and print its line at once."""
    parser = argparse.ArgumentParser(
        prog="python -m cstalk_bridge.models.evaluation.probes",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--encoder", type=Path, nargs="*", default=[], help="encoder weights files")
    add("--delay", type=int, action="append", choices=range(len(RIGHT_HOPS)), help="index (all)")
    add("--only-encoders", action="store_true", help="probe no other features")
    add("--data", type=Path, default=Path("../shared/data"), help="data set (%(default)s)")
    add(
        "--cache",
        type=Path,
        default=Path("../cache"),
        help="output of cstalk_bridge.models.training.prepare (%(default)s)",
    )
    add("--most", type=int, default=400, help="largest number of clips of each group (%(default)s)")
    options = parser.parse_args()
    folders = Folders(options.data, options.cache)
    torch.set_num_threads(1)
    try:
        training = material.training_clips(folders)
        actors = material.actors(folders, options.most)
        voices = material.held_out_voices(folders, options.most)
        lip_clips = material.grid_lips(folders)
        strangers = material.strangers(folders, options.most)
        print(f"{HEADER}\n|{'---|' * (HEADER.count('|') - 1)}", flush=True)
        for features in kinds(options):
            figures = probe_figures(features, training, actors, voices, lip_clips, strangers)
            print(line(features, figures), flush=True)
    except (MissingDataError, WeightsError) as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
