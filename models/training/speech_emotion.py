"""Train the network that estimates the emotion of a voice: a research build, not commercial.

`cstalk_bridge.models.speech_emotion.weights` computes the same without PyTorch; a test compares
both.

    python -m cstalk_bridge.models.training.speech_emotion --data ../shared/data

It trains on acted emotions (RAVDESS, CC BY-NC-SA 4.0, actors 01-16) and on neutral reading, which
takes about six minutes on one CPU core. It prints how well emotions of actors 17-20 are estimated,
and writes the weights.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from cstalk_bridge.models.cstalk.network import Block, CausalConv
from cstalk_bridge.models.emotions import EMOTIONS
from cstalk_bridge.models.speech_emotion.estimator import recording_evidence
from cstalk_bridge.models.speech_emotion.features import TRAITS
from cstalk_bridge.models.speech_emotion.weights import (
    DEFAULT_PATH,
    INPUTS,
    OnnxSpeechEmotionNetwork,
    SpeechEmotionDescription,
    SpeechEmotionSizes,
    save_speech_emotion,
)
from cstalk_bridge.models.timing import HOP_S
from cstalk_bridge.models.training.sources import SOURCES, credits_of, require
from cstalk_bridge.models.training.speech_emotion_sessions import (
    PRIOR,
    RAVDESS,
    READING,
    Crops,
    SessionFeatures,
    average_traits,
    session_features,
    sessions,
    tones,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from cstalk_bridge.models.speech_emotion.estimator import EmotionEvidence
    from cstalk_bridge.models.training.sources import Clip


class SpeechEmotionNetwork(nn.Module):
    """Inputs to evidence: a causal convolution network over the last 1.3 s."""

    def __init__(self, sizes: SpeechEmotionSizes) -> None:
        super().__init__()
        self.sizes = sizes
        self.register_buffer("average", torch.zeros(TRAITS))
        self.average: Tensor
        self.stem = CausalConv(INPUTS, sizes.width)
        self.blocks = nn.ModuleList(Block(sizes.width, dilation) for dilation in sizes.dilations)
        self.head = nn.Conv1d(sizes.width, len(EMOTIONS), 1)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the evidence `[batch, emotions, n]` of inputs `[batch, INPUTS, past_hops + n]`."""
        x = self.stem(inputs)
        for block in self.blocks:
            x = block(x)
        evidence: Tensor = self.head(x)
        return evidence

    def tensors(self) -> dict[str, NDArray[np.float32]]:
        """Return all tensors by name, as in a weights file."""
        return {name: tensor.cpu().numpy() for name, tensor in self.state_dict().items()}


CLASSES = EMOTIONS[:5]


def scores(evidence: EmotionEvidence) -> NDArray[np.float32]:
    """Return the mean evidence of a recording's voice, [emotions]."""
    weight = evidence.voicing.sum() + 1e-3
    return np.asarray((evidence.odds * evidence.voicing[:, None]).sum(0) / weight)


def recall_figures(network: OnnxSpeechEmotionNetwork, data: Path, seed: int) -> dict[str, float]:
    """Return the mean over emotions of the share of clips classified correctly, in percent.

    Each clip is classified without earlier clips of its voice. Calm clips are left out.
    """
    scores_by_emotion: dict[int, list[NDArray[np.float32]]] = {}
    for session in sessions(data, "test", seed):
        if session.source == RAVDESS:
            for clip, emotion in zip(session.clips, session.classes, strict=True):
                if not _is_calm(clip):
                    scores_by_emotion.setdefault(emotion, []).append(
                        scores(recording_evidence(network, clip.samples()))
                    )
    return {
        f"five emotions, clips of unheard actors, % (chance {100 / len(CLASSES):.0f})": recall(
            scores_by_emotion, len(CLASSES)
        ),
        f"seven emotions, % (chance {100 / len(EMOTIONS):.0f})": recall(
            scores_by_emotion, len(EMOTIONS)
        ),
    }


def recall(scores_by_emotion: dict[int, list[NDArray[np.float32]]], classes: int) -> float:
    """Return the mean over the first classes of the share classified correctly, in percent."""
    shares = [
        np.mean([np.argmax(score[:classes]) == emotion for score in scores_by_emotion[emotion]])
        for emotion in range(classes)
    ]
    return round(100 * float(np.mean(shares)), 1)


def _is_calm(clip: Clip) -> bool:
    return clip.path.stem.split("-")[2] == "02"


LICENCE = "CC BY-NC-SA 4.0 (research, non-commercial)"
VERSIONS = 4
"""Versions of a session: one as recorded, the others with other microphones and rates."""
NOISE, OFFSET = 0.1, 0.15
"""Spread of noise on each input, and on each input for a whole crop."""
INPUT_DROPOUT = 0.1
"""Share of the inputs dropped from a crop."""
SMOOTHING = 0.1
EARLY_HOPS = (10, 40)
"""Voiced hops after which an early estimate is scored, too."""
MIN_VOICED = 3.0
REPORT_EVERY = 200


@dataclass(frozen=True, slots=True)
class SpeechEmotionTrainingConfig:
    """Settings that determine the weights."""

    seed: int = 11
    steps: int = 2000
    batch: int = 32
    learning_rate: float = 2e-3
    weight_decay: float = 0.02
    dropout: float = 0.15
    average: float = 0.99


def train(
    features: list[SessionFeatures],
    settings: SpeechEmotionTrainingConfig,
    sizes: SpeechEmotionSizes,
) -> SpeechEmotionNetwork:
    """Return the trained network; it is deterministic for a seed."""
    torch.manual_seed(settings.seed)
    average = average_traits(features)
    crops = Crops(features, average, np.random.default_rng(settings.seed))
    network = SpeechEmotionNetwork(sizes)
    network.average.copy_(torch.from_numpy(average))
    kept = AveragedModel(network, multi_avg_fn=_moving_average(settings.average))
    rate, steps = settings.learning_rate, settings.steps
    optimizer = torch.optim.AdamW(
        network.parameters(), rate, betas=(0.9, 0.99), weight_decay=settings.weight_decay
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, rate, total_steps=steps, pct_start=0.1
    )
    for step in range(1, steps + 1):
        loss = _loss(network, *crops.draw(settings.batch, sizes.past_hops), settings.dropout)
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        kept.update_parameters(network)
        if step % REPORT_EVERY == 0:
            print(f"step {step} of {steps}: loss {loss.item():.3f}", flush=True)
    trained = kept.module
    if not isinstance(trained, SpeechEmotionNetwork):
        raise TypeError(f"{type(trained).__name__} is not a speech emotion network")
    return trained.eval()


def _moving_average(decay: float) -> Callable[..., None]:
    averaging: Callable[..., None] = get_ema_multi_avg_fn(decay)  # type: ignore[no-untyped-call]
    return averaging


def _loss(
    network: SpeechEmotionNetwork, inputs: Tensor, voicing: Tensor, emotions: Tensor, dropout: float
) -> Tensor:
    """Return the loss of the evidence of crops, over all their voice and over its beginning."""
    batch, width, _ = inputs.shape
    inputs = inputs + NOISE * torch.randn_like(inputs) + OFFSET * torch.randn(batch, width, 1)
    evidence = _judge(network, inputs * (torch.rand(batch, width, 1) > INPUT_DROPOUT), dropout)
    low, high = EARLY_HOPS
    until = low + (high - low) * torch.rand(())
    early = voicing * (voicing.cumsum(1) < until)
    enough = (voicing.sum(1) > MIN_VOICED).float()
    errors = [
        functional.cross_entropy(
            pooled(evidence, weights) + PRIOR.log(),
            emotions,
            label_smoothing=SMOOTHING,
            reduction="none",
        )
        for weights in (voicing, early)
    ]
    return ((errors[0] + 0.5 * errors[1]) * enough).mean()


def _judge(network: SpeechEmotionNetwork, inputs: Tensor, dropout: float) -> Tensor:
    """Return evidence as `SpeechEmotionNetwork.forward`, with dropout of channels in each block."""
    x = network.stem(inputs)
    for block in network.blocks:
        x = block(x)
        x = x * (torch.rand(*x.shape[:2], 1) > dropout) / (1.0 - dropout)
    evidence: Tensor = network.head(x)
    return evidence


def pooled(evidence: Tensor, voicing: Tensor) -> Tensor:
    """Return the mean evidence `[batch, emotions]` of what is voiced."""
    weights = voicing[:, None]
    mean: Tensor = (evidence * weights).sum(2) / (weights.sum(2) + 1e-3)
    return mean


def training_features(data: Path, seed: int) -> list[SessionFeatures]:
    """Return all training sessions, each as recorded and as other microphones record it."""
    rng = torch.Generator().manual_seed(seed)
    found = list(tones(rng))
    for session in sessions(data, "train", seed):
        found.append(session_features(session))
        found += [session_features(session, rng) for _ in range(VERSIONS - 1)]
    return found


def minutes_of(features: list[SessionFeatures]) -> dict[str, float]:
    """Return the minutes of each source, every session counted once."""
    found: dict[str, float] = {}
    seen = set()
    for one in features:
        if one.session not in seen and one.session.source in SOURCES:
            seen.add(one.session)
            minutes = len(one.voicing) * HOP_S / 60
            found[one.session.source] = found.get(one.session.source, 0.0) + minutes
    return {source: round(minutes, 1) for source, minutes in found.items()}


def main() -> None:
    """Train, print the recall on held-out actors, and write the file."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--out", type=Path, default=DEFAULT_PATH)
    parser.add_argument("--steps", type=int, default=SpeechEmotionTrainingConfig().steps)
    parser.add_argument("--seed", type=int, default=SpeechEmotionTrainingConfig().seed)
    options = parser.parse_args()
    for source in (RAVDESS, *READING):
        require(parser, options.data / source, "name the data folder with --data")
    settings = replace(SpeechEmotionTrainingConfig(), steps=options.steps, seed=options.seed)
    torch.set_num_threads(1)
    start_s = time.monotonic()
    features = training_features(options.data, settings.seed)
    sizes = SpeechEmotionSizes()
    tensors = train(features, settings, sizes).tensors()
    found = recall_figures(OnnxSpeechEmotionNetwork(sizes, tensors), options.data, settings.seed)
    card = {
        "licence": LICENCE,
        "data": credits_of((RAVDESS, *READING)),
        "minutes": minutes_of(features),
        "settings": asdict(settings),
        "figures": found,
    }
    save_speech_emotion(options.out, tensors, SpeechEmotionDescription(sizes, card))
    minutes = (time.monotonic() - start_s) / 60
    print(*(f"{name}: {value:.1f}" for name, value in found.items()), sep="\n")
    print(f"wrote {options.out} after {minutes:.1f} minutes")


if __name__ == "__main__":
    main()
