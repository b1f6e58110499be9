"""Probes: how well frozen features predict phones and lips of unknown people.

    python -m cstalk_bridge.models.evaluation.probes --encoder models/weights/encoder.safetensors

Features are rows [rows, width], 50 a second, of mono 16 kHz sound [time]. A probe is a network with
one hidden layer on a row of features, trained alike for all features.

Columns of the table: speech rows with the right phone and p b m detected at 3 % false alarms, each
for RAVDESS's 20 actors and for the held-out synthetic voices; r with lip gap, width and protrusion
of the strangers, trained on one man. Beside the encoder: log-mel, the phone head of the default
weights and, where its checkpoint exists, Whisper's third layer.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from cstalk_bridge.models.encoder.network import WhisperMel, encode
from cstalk_bridge.models.encoder.weights import load_encoder
from cstalk_bridge.models.errors import WeightsError
from cstalk_bridge.models.evaluation.recordings import (
    Folders,
    MissingDataError,
    aligned_phones,
    archive_of,
    sound_of,
    spread,
)
from cstalk_bridge.models.evaluation.voices import ALIGNMENT_FOLDER
from cstalk_bridge.models.features import (
    COLUMNS,
    FRAME_SAMPLES,
    RIGHT_HOPS,
    STEP_SAMPLES,
    delay_hops,
)
from cstalk_bridge.models.loading import DEFAULT_PATH
from cstalk_bridge.models.loading import load_streaming_network as load_generator
from cstalk_bridge.models.phones import PHONE_INDEX, PHONES, SILENCE
from cstalk_bridge.models.timing import HOP_MS, HOP_SAMPLES, ROW_RATE_HZ, SAMPLE_RATE_HZ
from cstalk_bridge.models.training.alignment import (
    Aligner,
    phone_indices,
    sentences_of,
    within_sound,
)
from cstalk_bridge.models.training.encoder.prepare import last_layer_of, levelled
from cstalk_bridge.models.training.encoder.whisper import read
from cstalk_bridge.models.training.sources import GRID_FPS, clips_of, part_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from cstalk_bridge.models.cstalk.network import FaceNetwork
    from cstalk_bridge.models.encoder.network import Encoder
    from cstalk_bridge.models.training.alignment import Segment
    from cstalk_bridge.models.training.encoder.whisper import Whisper


MEL_COLUMNS = 7  # to each side of a row: 70 ms
MEL_EDGE_SAMPLES = MEL_COLUMNS * STEP_SAMPLES + FRAME_SAMPLES // 2


@dataclass(frozen=True, slots=True)
class Features:
    """A kind of features that use `future_ms` of sound after a row's time, None: all of it."""

    name: str
    future_ms: int | None
    rows: Callable[[NDArray[np.float32]], NDArray[np.float32]]


def _ms(samples: int) -> int:
    return 1000 * samples // SAMPLE_RATE_HZ


def log_mel() -> Features:
    """Return Whisper's log-mel, with 70 ms of context on either side."""
    mel = WhisperMel()

    def rows(sound: NDArray[np.float32]) -> NDArray[np.float32]:
        hops = len(sound) // HOP_SAMPLES
        padded = np.pad(sound, MEL_EDGE_SAMPLES)
        decades = mel.decades(torch.from_numpy(padded)[None])[0].numpy()
        spans = np.lib.stride_tricks.sliding_window_view(decades, 2 * MEL_COLUMNS + 1, axis=0)
        flat = spans[::COLUMNS][:hops].reshape(-1, decades.shape[1] * (2 * MEL_COLUMNS + 1))
        return np.ascontiguousarray(flat)

    return Features("log-mel", _ms(MEL_EDGE_SAMPLES), rows)


def phone_head(generator: FaceNetwork) -> Features:
    """Return the phone logits of a face network."""

    @torch.inference_mode()
    def rows(sound: NDArray[np.float32]) -> NDArray[np.float32]:
        sizes = generator.architecture
        hops = len(sound) // HOP_SAMPLES
        late = generator.phone_delay_hops
        before = generator.history_samples + sizes.window_hops * HOP_SAMPLES
        padded = np.pad(sound[: hops * HOP_SAMPLES], (before, (late - 1) * HOP_SAMPLES))
        no_emotion, delay = torch.zeros(1, sizes.emotions), torch.full((1,), late)
        _, logits = generator(torch.from_numpy(padded)[None], no_emotion, delay)
        # Output k is row k + 1 - late: the last output is the last row.
        scores: NDArray[np.float32] = logits[0, :, logits.shape[2] - hops :].T.numpy()
        return scores

    return Features("present phone head", generator.phone_delay_hops * HOP_MS, rows)


def whisper_layer(teacher: Whisper) -> Features:
    """Return the third layer of Whisper, which attends to the whole recording."""
    return Features("Whisper layer 3", None, lambda sound: last_layer_of(teacher, levelled(sound)))


def encoded(name: str, encoder: Encoder, delay: int) -> Features:
    """Return the encoder's features at an index of `RIGHT_HOPS`."""
    future_ms = _ms(FRAME_SAMPLES // 2 + 2 * STEP_SAMPLES) + HOP_MS * sum(RIGHT_HOPS[delay])

    def rows(sound: NDArray[np.float32]) -> NDArray[np.float32]:
        return encode(encoder, sound, delay)[: len(sound) // HOP_SAMPLES]

    return Features(f"{name}, delay {delay_hops(delay) * HOP_MS} ms", future_ms, rows)


TRAINING_CLIPS = {"kokoro": 250, "kathleen": 90, "grid_s1": 60}
"""Clips of each source that train the phone probe."""
LIPS = ("inner_gap_13_14", "outer_width_61_291", "lip_protrusion_z")
"""The predicted lip measures, by their names in the capture: gap, width and protrusion."""
TRAINING_LIP_CLIPS = 260
GRID_CURVES, STRANGERS = "grid_s1/curves_unsmoothed.npz", "strangers"


@dataclass(frozen=True, slots=True, eq=False)
class PhoneClip:
    """A recording whose phones are known: `sound` [time] mono 16 kHz, `phones` in seconds."""

    name: str
    sound: NDArray[np.float32]
    phones: tuple[Segment, ...]


@dataclass(frozen=True, slots=True, eq=False)
class LipClip:
    """A recording with measured lips: `rows` of the sound at 50 Hz, `lips` [rows, LIPS]."""

    name: str
    sound: NDArray[np.float32]
    rows: NDArray[np.int64]
    lips: NDArray[np.float32]


def training_clips(folders: Folders) -> list[PhoneClip]:
    """Return clips of the training part with phones; MissingDataError where there are none."""
    known = aligned_phones(folders)
    found = []
    for source, max_clips in TRAINING_CLIPS.items():
        clips = clips_of(source, folders.needed(source))
        training = [clip for clip in clips if clip.part == "train" and clip.name in known]
        for clip in spread(training, max_clips):
            sound = sound_of(clip.path)
            phones = tuple(within_sound(source, known[clip.name], sound))
            found.append(PhoneClip(clip.name, sound, phones))
    if not found:
        raise MissingDataError(f"{folders.data} holds no aligned training clips; download it again")
    return found


def held_out_voices(folders: Folders, max_clips: int) -> list[PhoneClip]:
    """Return held-out clips of the synthetic voices, with the synthesiser's phones."""
    known = aligned_phones(folders)
    clips = clips_of("kokoro", folders.needed("kokoro"))
    held_out = [clip for clip in clips if clip.part != "train" and clip.name in known]
    found = []
    for clip in spread(held_out, max_clips):
        sound = sound_of(clip.path)
        phones = tuple(within_sound("kokoro", known[clip.name], sound))
        found.append(PhoneClip(clip.name, sound, phones))
    return found


def actor_recordings(folders: Folders, max_clips: int) -> list[PhoneClip]:
    """Return RAVDESS's actors with their phones; aligns them at the first call."""
    audio = folders.needed("ravdess")
    kept = folders.cache / ALIGNMENT_FOLDER
    kept.mkdir(parents=True, exist_ok=True)
    sentences = sorted(sentences_of("ravdess", audio), key=lambda s: s.name)
    try:
        known = Aligner(kept).align("ravdess", sentences)
    except ImportError as error:
        what = "RAVDESS has no phones without PocketSphinx"
        raise MissingDataError(f"{what}; install cstalk-bridge[train]") from error
    found = [sentence for sentence in sentences if sentence.name in known]
    return [
        PhoneClip(s.name, sound_of(s.path), tuple(known[s.name])) for s in spread(found, max_clips)
    ]


def grid_lips(folders: Folders) -> list[LipClip]:
    """Return GRID's training clips with the speaker's lips."""
    path = folders.needed(GRID_CURVES)
    with archive_of(path) as archive:
        stems = [name for name in archive.files if f"{name}__lips" in archive.files]
        training = [stem for stem in sorted(stems) if part_of(f"grid_s1/{stem}") == "train"]
        return [
            _lip_clip(
                f"grid_s1/{stem}",
                folders.needed(f"grid_s1/audio/{stem}.opus"),
                archive[f"{stem}__lips"][:, _columns(archive["lips_names"])],
                np.arange(len(archive[f"{stem}__lips"])) / GRID_FPS,
            )
            for stem in spread(training, TRAINING_LIP_CLIPS)
        ]


def stranger_recordings(folders: Folders, max_clips: int) -> list[LipClip]:
    """Return the strangers with their lips."""
    path = folders.needed(f"{STRANGERS}/curves.npz")
    with archive_of(path) as archive:
        stems = sorted(n for n in archive.files if f"{n}__lips" in archive.files)
        return [
            _lip_clip(
                f"{STRANGERS}/{stem}",
                folders.needed(f"{STRANGERS}/audio/{stem}.opus"),
                archive[f"{stem}__lips"][:, _columns(archive["lips_names"])],
                archive[f"{stem}__t"],
            )
            for stem in spread(stems, max_clips)
        ]


def _columns(names: NDArray[np.str_]) -> list[int]:
    return [list(map(str, names)).index(name) for name in LIPS]


def _lip_clip(
    name: str, path: Path, lips: NDArray[np.float16], times_s: NDArray[np.floating]
) -> LipClip:
    sound = sound_of(path)
    rows = np.round(times_s * ROW_RATE_HZ).astype(np.int64)
    values = lips.astype(np.float32)
    kept = np.isfinite(values).all(1) & (rows >= 0) & (rows < len(sound) // HOP_SAMPLES)
    return LipClip(name, sound, rows[kept], values[kept])


HIDDEN = 128
STEPS, BATCH = 1200, 1024
LEARNING_RATE = 2e-3
DROPOUT = 0.2
SOFTENING = 0.05
LEAST_SPREAD = 1e-3


@dataclass(frozen=True, slots=True)
class Probe:
    """A trained probe; it normalises the features itself."""

    network: nn.Module
    mean: NDArray[np.float32]
    spread: NDArray[np.float32]

    @torch.inference_mode()
    def __call__(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return its outputs [rows, outputs] for `features` [rows, width]."""
        scaled = torch.from_numpy((features - self.mean) / self.spread)
        scores: NDArray[np.float32] = self.network(scaled).numpy()
        return scores


def classifier(features: NDArray[np.float32], classes: NDArray[np.int64], count: int) -> Probe:
    """Return a probe of log probabilities, trained on `features` [rows, width] and `classes`."""
    targets = torch.from_numpy(classes)

    def loss(scores: Tensor, rows: Tensor) -> Tensor:
        return functional.cross_entropy(scores, targets[rows], label_smoothing=SOFTENING)

    return _trained(features, count, loss, nn.LogSoftmax(1))


def regression(features: NDArray[np.float32], values: NDArray[np.float32]) -> Probe:
    """Return a probe of `values` [rows, n] in units of their spread."""
    targets = torch.from_numpy((values - values.mean(0)) / values.std(0))

    def loss(scores: Tensor, rows: Tensor) -> Tensor:
        return functional.mse_loss(scores, targets[rows])

    return _trained(features, values.shape[1], loss, nn.Identity())


def _trained(
    features: NDArray[np.float32],
    outputs: int,
    loss: Callable[[Tensor, Tensor], Tensor],
    last: nn.Module,
) -> Probe:
    rng = torch.Generator().manual_seed(0)
    mean, spread = features.mean(0), features.std(0) + LEAST_SPREAD
    inputs = torch.from_numpy((features - mean) / spread)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = nn.Sequential(
            nn.Linear(features.shape[1], HIDDEN),
            nn.GELU(),
            nn.Dropout(DROPOUT),
            nn.Linear(HIDDEN, outputs),
            last,
        )
        optimizer = torch.optim.AdamW(network.parameters(), LEARNING_RATE, weight_decay=0.01)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, STEPS)
        for _ in range(STEPS):
            rows = torch.randint(len(inputs), (BATCH,), generator=rng)
            optimizer.zero_grad()
            torch.autograd.backward(loss(network(inputs[rows]), rows))
            optimizer.step()
            schedule.step()
    return Probe(network.eval(), mean, spread)


BILABIAL = ("B", "M", "P")
FALSE_ALARMS = 0.03
AFTER_S = 0.02  # an event may be detected this long after the phone's end
APART_S = 0.05  # phones closer than this to a bilabial are not counted as false alarms
LEAST_FRAMES = 10  # of a clip, for a correlation


@dataclass(frozen=True, slots=True)
class Figures:
    """Shares and correlations, 0..1; NaN where there was nothing to measure on.

    `phones_*`: speech rows with the right phone. `bilabials_*`: p b m detected at `FALSE_ALARMS` of
    the other phones. `lips`: mean over clips of r with the measured gap, width and protrusion.
    """

    phones_actors: float
    phones_voices: float
    bilabials_actors: float
    bilabials_voices: float
    lips: tuple[float, ...]


def probe_figures(
    features: Features,
    training: Sequence[PhoneClip],
    actors: Sequence[PhoneClip],
    voices: Sequence[PhoneClip],
    lip_clips: Sequence[LipClip],
    strangers: Sequence[LipClip],
) -> Figures:
    """Train the probes on `training` and `lip_clips`; return the figures on the others."""
    inputs = [features.rows(clip.sound) for clip in training]
    targets = [
        phone_indices(clip.phones, len(rows)) for clip, rows in zip(training, inputs, strict=True)
    ]
    probe = classifier(np.concatenate(inputs), np.concatenate(targets), len(PHONES))
    scores = _scores(probe, features, actors), _scores(probe, features, voices)
    return Figures(
        phones_actors=_rows_right(scores[0]),
        phones_voices=_rows_right(scores[1]),
        bilabials_actors=_detection_share(scores[0]),
        bilabials_voices=_detection_share(scores[1]),
        lips=_lips(features, lip_clips, strangers),
    )


def _scores(
    probe: Probe, features: Features, clips: Sequence[PhoneClip]
) -> list[tuple[PhoneClip, NDArray[np.float32]]]:
    return [(clip, probe(features.rows(clip.sound))) for clip in clips]


def _rows_right(scores: Sequence[tuple[PhoneClip, NDArray[np.float32]]]) -> float:
    right = []
    for clip, log_shares in scores:
        phones = phone_indices(clip.phones, len(log_shares))
        right.append((log_shares.argmax(1) == phones)[phones > 0])
    return float(np.concatenate(right).mean()) if right else float("nan")


def _detection_share(scores: Sequence[tuple[PhoneClip, NDArray[np.float32]]]) -> float:
    """Return the share of bilabials detected at `FALSE_ALARMS` of the other phones."""
    events: list[float] = []
    others: list[float] = []
    columns = [PHONE_INDEX[phone] for phone in BILABIAL]
    for clip, log_shares in scores:
        score = np.exp(log_shares[:, columns]).sum(1)
        closures = [(a, b) for a, b, phone in clip.phones if phone in BILABIAL]
        for segment in clip.phones:
            start_s, end_s, phone = segment
            rows = _rows_within(segment, len(score))
            if phone in BILABIAL:
                events.append(float(score[rows].max()))
            elif phone != SILENCE and all(
                end_s + APART_S < a or b + APART_S < start_s for a, b in closures
            ):
                others.append(float(score[rows].max()))
    if not events or not others:
        return float("nan")
    return float((np.array(events) > np.quantile(others, 1 - FALSE_ALARMS)).mean())


def _rows_within(segment: Segment, rows: int) -> slice:
    first = min(rows - 1, round(segment[0] * 50))
    return slice(first, max(first + 1, round((segment[1] + AFTER_S) * 50)))


def _lips(
    features: Features, lip_clips: Sequence[LipClip], strangers: Sequence[LipClip]
) -> tuple[float, ...]:
    if not lip_clips or not strangers:
        return (float("nan"),) * len(LIPS)
    inputs = np.concatenate([features.rows(clip.sound)[clip.rows] for clip in lip_clips])
    probe: Probe = regression(inputs, np.concatenate([clip.lips for clip in lip_clips]))
    found = []
    for clip in strangers:
        if len(clip.rows) >= LEAST_FRAMES:
            scores = probe(features.rows(clip.sound)[clip.rows])
            found.append(
                [np.corrcoef(a, b)[0, 1] for a, b in zip(scores.T, clip.lips.T, strict=True)]
            )
    return tuple(float(r) for r in np.nanmean(found, 0))


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
    add("--max-clips", type=int, default=400, help="clips of each group at most (%(default)s)")
    options = parser.parse_args()
    folders = Folders(options.data, options.cache)
    torch.set_num_threads(1)
    try:
        training = training_clips(folders)
        actors = actor_recordings(folders, options.max_clips)
        voices = held_out_voices(folders, options.max_clips)
        lip_clips = grid_lips(folders)
        strangers = stranger_recordings(folders, options.max_clips)
        print(f"{HEADER}\n|{'---|' * (HEADER.count('|') - 1)}", flush=True)
        for features in kinds(options):
            figures = probe_figures(features, training, actors, voices, lip_clips, strangers)
            print(line(features, figures), flush=True)
    except (MissingDataError, WeightsError) as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
