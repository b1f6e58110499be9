"""Sounds that are no speech: how far a neutral face parts its lips, in millimetres.

The sounds are made, with other seeds than those that trained
(`cstalk_bridge.models.training.encoder.noises`): at a level of speech, some seconds of each kind,
several of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cstalk_bridge.models.evaluation.measures import mean, percentile
from cstalk_bridge.models.evaluation.multimodal import required_head
from cstalk_bridge.models.evaluation.predictors import predict_face
from cstalk_bridge.models.evaluation.recordings import Recording
from cstalk_bridge.models.timing import ROW_RATE_HZ, SAMPLE_RATE_HZ
from cstalk_bridge.models.training.encoder.prepare import SOUNDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cstalk_bridge.models.evaluation.measures import Measurement
    from cstalk_bridge.models.evaluation.multimodal import MeasuredHead
    from cstalk_bridge.models.evaluation.predictors import Predictor
    from cstalk_bridge.models.evaluation.recordings import Folders


SEED = 160
TIMES = 6
LENGTH_S, SETTLED_S = 5.0, 0.5
LEVEL_DBFS = -26.0  # of the whole sound's power: speech at a usual distance


class NoSpeech:
    """The mean gap of each kind, and of all."""

    source = ""
    is_timed = True

    def __init__(
        self,
        folders: Folders,  # noqa: ARG002 - the sounds are synthetic
        max_clips: int,
        head: MeasuredHead | None,
    ) -> None:
        self._head = required_head(head)
        self.title = f"sounds that are no speech, in mm, on {self._head.name}"
        random = np.random.default_rng(SEED)
        samples = round(LENGTH_S * SAMPLE_RATE_HZ)
        self._sounds: dict[str, list[Recording]] = {}
        for kind, make in SOUNDS.items():
            for number in range(min(TIMES, max_clips)):
                sound = make(samples, random)
                power = max(float(np.sqrt(np.square(sound).mean())), 1e-9)
                levelled = sound * 10 ** (LEVEL_DBFS / 20) / power
                played = np.clip(levelled, -1.0, 1.0).astype(np.float32)
                self._sounds.setdefault(kind, []).append(Recording(f"{kind}/{number}", played))

    def measure(self, maker: Predictor, lookahead_ms: int) -> Iterator[Measurement]:
        """Yield mean gaps, and the greatest but for a twentieth of the time."""
        every: list[float] = []
        for kind, sounds in self._sounds.items():
            gaps: list[float] = []
            for sound in sounds:
                face = predict_face(maker, sound, lookahead_ms)
                if face is None:
                    return
                settled = face[round(SETTLED_S * ROW_RATE_HZ) :]
                gaps += self._head.geometry(self._head.scores(settled)).gap.tolist()
            every += gaps
            yield mean(f"no_speech.{kind}", gaps)
        yield mean("no_speech.all", every)
        yield percentile("no_speech.top", every, 95)
