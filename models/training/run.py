"""One training run: description, settings, precision, state, and progress on development clips.

The state survives an interruption.
"""

from __future__ import annotations

import hashlib
import json
import math
import time
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np
import torch
from torch import nn

from cstalk_bridge.models.baselines import NETWORKS
from cstalk_bridge.models.baselines.teacher import Teacher, fingerprint
from cstalk_bridge.models.board import AUDIO_DRIVEN, jaw, opening, pucker, together
from cstalk_bridge.models.cstalk.architecture import Description
from cstalk_bridge.models.cstalk.network import FaceNetwork
from cstalk_bridge.models.cstalk.torch_engine import recording_faces
from cstalk_bridge.models.emotions import CONDITIONS, EMOTIONS
from cstalk_bridge.models.errors import WeightsError
from cstalk_bridge.models.loading import build_network
from cstalk_bridge.models.metrics.curves import CLOSERS, NO_CLOSURES, OPEN_VOWELS, closures, pearson
from cstalk_bridge.models.phones import PHONES
from cstalk_bridge.models.timing import ROW_RATE_HZ, SAMPLE_RATE_HZ
from cstalk_bridge.models.training.augmentation import AUGMENTATION
from cstalk_bridge.models.training.processes import ALONE
from cstalk_bridge.models.training.rules import GESTURES
from cstalk_bridge.models.training.sources import credits_of, licence_of
from cstalk_bridge.models.weights_format import read_tensors, write_tensors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from torch import Tensor

    from cstalk_bridge.models.training.corpus import Corpus, Entry
    from cstalk_bridge.models.training.processes import Processes
    from cstalk_bridge.models.wav2vec import Wav2Vec


def describe(
    corpus: Corpus,
    settings: TrainingConfig,
    cache: Path,
    front_end: Wav2Vec | None = None,
    *,
    initial_description: Description | None = None,
) -> Description:
    """Return the description that goes into the weights file.

    `initial_description` describes the weights of an earlier round from which it continues.
    """
    used: dict[str, object] = asdict(settings)
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
            "licence": licence_under(minutes, initial_description),
            "data": credits_of(minutes),
            "minutes": minutes,
            "settings": used,
            "training_set": hashlib.sha256(index).hexdigest(),
            "training_hash": hashlib.sha256(index + json.dumps(used).encode()).hexdigest(),
        },
        network=settings.network,
    )


def licence_under(sources: Iterable[str], initial_description: Description | None) -> str:
    """Return the licence of weights trained on `sources`; the rest as in `describe`."""
    card = initial_description.card if initial_description else {}
    return licence_of(sources, [str(card["licence"])] if "licence" in card else [])


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


DELAY_HOPS = 3
MOST_CLIPS = 25  # of a source
JAW_GESTURE, PURSE_GESTURE = (list(GESTURES).index(name) for name in ("jaw", "purse"))


def development_report(network: FaceNetwork, dev: Corpus) -> Iterator[str]:
    """Yield a line for each source with clips in `dev`: the neutral face at 60 ms of look-ahead.

    Jaw and purse are compared with the training targets, median r over clips; closures are those
    of `cstalk_bridge.models.evaluation`, which measures the rest on captured faces.
    """
    for source, clips in dev.by_source.items():
        if clips:
            yield f"{source}: {development_figures(network, dev, clips[:MOST_CLIPS])}"


def development_figures(network: FaceNetwork, dev: Corpus, clips: Sequence[Entry]) -> str:
    """Return the metrics of some clips of `dev`, as text."""
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


def differences(before: Mapping[str, object], now: Mapping[str, object]) -> list[str]:
    """Return the differences of two records as text: `steps 9000, now 100`."""
    one, other = dict(_flat(before)), dict(_flat(now))
    names = [name for name in one | other if one.get(name) != other.get(name)]
    return [f"{name} {one.get(name, 'none')}, now {other.get(name, 'none')}" for name in names]


def _flat(record: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, object]]:
    for name, value in record.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def as_json(record: Mapping[str, object]) -> dict[str, Any]:
    """Return a record as it comes back out of a file."""
    read_back: dict[str, Any] = json.loads(json.dumps(record))
    return read_back


PRECISIONS = ("bf16", "fp32")


def precision_on(device: torch.device) -> str:
    """Return "bf16" where the device can compute in it, else "fp32"."""
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported() else "fp32"
    return "bf16" if torch.amp.is_autocast_available(device.type) else "fp32"


class MixedPrecisionNetwork(FaceNetwork):
    """A network as it is trained: in one of `PRECISIONS`, from and to fp32.

    Its weights are the network's own, and they stay in fp32. Of several `processes` each runs its
    share of a batch.
    """

    def __init__(self, network: FaceNetwork, precision: str, processes: Processes = ALONE) -> None:
        low, high = network.minimum.flatten().tolist(), network.maximum.flatten().tolist()
        super().__init__(network.architecture, low, high)
        if precision not in PRECISIONS:
            raise ValueError(f"precision {precision}: use one of {', '.join(PRECISIONS)}")
        self.network = network
        self.precision = precision
        self.processes = processes

    def forward(
        self, samples: Tensor, emotion: Tensor, delay_hops: Tensor
    ) -> tuple[Tensor, Tensor | None]:
        """Return channels and phone logits in fp32, as `FaceNetwork.forward`."""
        halved = torch.autocast(samples.device.type, dtype=torch.bfloat16)
        share, size = self.processes.share, len(samples)
        with halved if self.precision == "bf16" else nullcontext():
            channels, phones = self.network(share(samples), share(emotion), share(delay_hops))
        whole = self.processes.gather(channels.float(), size)
        return whole, None if phones is None else self.processes.gather(phones.float(), size)


Network = TypeVar("Network", bound=nn.Module)
FORMAT = "cstalk-run-1"


@dataclass(frozen=True, slots=True)
class TrainingConfig:
    """One run; `network` is a name in `cstalk_bridge.models.baselines.NETWORKS`, `precision` in
    `PRECISIONS`."""

    seed: int = 11
    steps: int = 9_000
    batch: int = 16
    learning_rate: float = 1e-3
    warm_up_steps: int = 300
    weight_decay: float = 0.01
    clip_norm: float = 1.0
    average: float = 0.999  # decay of the weights' moving average, which is what is kept
    check_every: int = 1000
    save_every: int = 500
    network: str = "cstalk"
    augmentation: int = AUGMENTATION  # version of the augmentation of sound
    precision: str = "bf16"


def learning_rate(settings: TrainingConfig, step: int) -> float:
    """Return the rate at `step`: a linear rise, then half a cosine to a hundredth."""
    if step < settings.warm_up_steps:
        return settings.learning_rate * (step + 1) / settings.warm_up_steps
    progress = (step - settings.warm_up_steps) / (settings.steps - settings.warm_up_steps)
    return settings.learning_rate * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * progress)))


class Run(Generic[Network]):
    """The state of one training run, kept in a folder outside of the repository."""

    def __init__(
        self,
        folder: Path,
        settings: TrainingConfig,
        make: Callable[[], Network],
        device: torch.device,
        provenance: Mapping[str, object] | None = None,
        processes: Processes = ALONE,
    ) -> None:
        """`make` creates an untrained network; an earlier run in `folder` is resumed.

        `provenance` holds whatever else determines the weights besides the settings (JSON values).
        `processes` train together; only the first writes. WeightsError: the earlier run has another
        provenance, or cannot be read, or is not the same for all processes.
        """
        if settings.batch < processes.count:
            what = f"{processes.count} processes cannot share a batch of {settings.batch}"
            raise WeightsError(f"{what}; start fewer")
        torch.manual_seed(settings.seed)
        self.settings = settings
        self.processes = processes
        self.record = as_json(asdict(settings) | dict(provenance or {}))
        self.path = folder / "checkpoint.safetensors"
        self.network = make().to(device)
        self.average = make().to(device).eval()
        self.average.load_state_dict(self.network.state_dict())
        self.optimizer = torch.optim.AdamW(
            self.network.parameters(), weight_decay=settings.weight_decay
        )
        self.step = 0
        folder.mkdir(parents=True, exist_ok=True)
        if self.path.exists():
            self._resume()
        processes.need_same(self.step, device)

    def steps(self) -> Iterator[int]:
        """Yield every remaining step; the caller calls `update` once for each.

        The checkpoint is written every `save_every` steps and after the last.
        """
        while self.step < self.settings.steps:
            yield self.step
            if self.step % self.settings.save_every == 0 or self.step == self.settings.steps:
                self.save()

    def update(self, loss: Tensor) -> None:
        """Take one step down `loss`, at the step's learning rate."""
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(self.settings, self.step)
        self.optimizer.zero_grad()
        torch.autograd.backward(loss)
        self.processes.add_gradients(self.network.parameters())
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.settings.clip_norm)
        self.optimizer.step()
        self.average_in(self.settings.average)
        self.step += 1

    def save(self) -> None:
        """Write the checkpoint, whole or not at all; the first process does."""
        if not self.processes.is_first:
            return
        tensors = {"step": torch.tensor(self.step)}
        tensors |= {f"network.{k}": v for k, v in self.network.state_dict().items()}
        tensors |= {f"average.{k}": v for k, v in self.average.state_dict().items()}
        for index, state in self.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{index}.{k}": v for k, v in state.items()}
        write_tensors(
            self.path, {name: t.cpu() for name, t in tensors.items()}, FORMAT, self.record
        )

    def _resume(self) -> None:
        try:
            arrays, record = read_tensors(self.path, FORMAT)
        except WeightsError as error:
            raise WeightsError(f"{error}, or name another folder with --runs") from error
        changed = differences(record, self.record)
        if changed:
            raise WeightsError(
                f"{self.path}: an earlier run has another configuration ({'; '.join(changed)});"
                " use the same again, or name another folder with --runs"
            )
        tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
        self.step = int(tensors["step"])

        def below(prefix: str) -> dict[str, Tensor]:
            return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}

        self.network.load_state_dict(below("network."))
        self.average.load_state_dict(below("average."))
        state: dict[int, dict[str, Tensor]] = {}
        for name, tensor in below("optimizer.").items():
            index, key = name.split(".", 1)
            state.setdefault(int(index), {})[key] = tensor
        groups = self.optimizer.state_dict()["param_groups"]
        self.optimizer.load_state_dict({"state": state, "param_groups": groups})
        if self.processes.is_first:
            print(f"resumed at step {self.step}", flush=True)

    @torch.no_grad()
    def average_in(self, decay: float) -> None:
        """Move the averaged weights towards the present ones."""
        decay = min(decay, (self.step + 1) / (self.step + 10))
        for kept, new in zip(self.average.parameters(), self.network.parameters(), strict=True):
            if new.requires_grad:
                kept.lerp_(new, 1.0 - decay)


class Progress:
    """Prints a run's losses and its remaining time, every `every` steps."""

    def __init__(
        self, run: Run[Any], every: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`clock` gives seconds; the rate is measured from now on."""
        self.run = run
        self.every = every
        self.clock = clock
        self.began_s, self.began_at = clock(), run.step

    def report(self, **losses: Tensor) -> None:
        """Print the losses of the step just taken, by name, at every `every`th step."""
        if self.run.step % self.every or not self.run.processes.is_first:
            return
        text = " ".join(f"{name} {loss.item():.4f}" for name, loss in losses.items())
        print(f"step {self.run.step}: {text}, {self.minutes_left():.0f} min left", flush=True)

    def minutes_left(self) -> float:
        """Return the remaining time at the rate of the steps taken so far, at least one."""
        step_s = (self.clock() - self.began_s) / (self.run.step - self.began_at)
        return (self.run.settings.steps - self.run.step) * step_s / 60
