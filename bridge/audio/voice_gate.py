"""The gate that only voices open, and the detector of voices that it asks.

The detector is Silero VAD (MIT), a network of 0.3 million parameters that comes with the Python
package `silero-vad`; ONNX Runtime runs it, and neither that package nor torch is imported.

A voice is known some 30 to 90 ms after it began. The face of a sound is shown later than that, by
the look-ahead, one hop and the buffer. So the gate gives out again what it held back of the last
hops, and nothing of the first syllable is lost.
"""

from __future__ import annotations

import math
from collections import deque
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from cstalk_bridge.audio.source import HOP_RATE_HZ, HOP_S, HOP_SAMPLES
from cstalk_bridge.models.errors import Problem, UserError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from cstalk_bridge.audio.source import GateConfig

    Floats = NDArray[np.float32]


PACKAGE: Final = "silero_vad"
MODEL: Final = Path("data", "silero_vad_16k_op15.onnx")

FRAME: Final = 512
"""Samples that the network takes at once, 32 ms at 16 kHz."""

CONTEXT: Final = 64
"""Samples before them that it takes along."""

STATE_SHAPE: Final = (2, 1, 128)


@cache
def open_detector_session() -> Any:
    """Return the network's session, one for all voices. UserError where it cannot be opened."""
    try:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        path = str(_model_path())
        return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        what = f"the voice detector cannot be used ({error})"
        remedy = "pip install silero-vad, or set gate.voice to false"
        raise UserError(Problem("gate", what, remedy)) from error


def _model_path() -> Path:
    """Return where the package has its network, without importing it."""
    found = find_spec(PACKAGE)
    if found is None or not found.submodule_search_locations:
        raise ImportError("the Python package silero-vad is missing")
    return Path(found.submodule_search_locations[0]) / MODEL


class VoiceDetector:
    """The probability that the newest sound of one voice is speech, hop by hop."""

    def __init__(self) -> None:
        self._session = open_detector_session()
        self._rate = np.array(HOP_RATE_HZ, dtype=np.int64)
        self._state = np.zeros(STATE_SHAPE, dtype=np.float32)
        self._sound = np.zeros(CONTEXT + FRAME, dtype=np.float32)
        """The newest samples."""
        self._waiting = 0
        """How many of them the state does not hold yet."""
        self._probability = 0.0

    def step(self, samples: Floats, *, is_urgent: bool) -> float:
        """Take the next hop, [HOP_SAMPLES], and return the probability of speech, 0..1.

        It is that of the last whole frame; where `is_urgent`, of the newest samples.
        """
        self._sound = np.concatenate([self._sound, samples])[-(CONTEXT + FRAME + HOP_SAMPLES) :]
        self._waiting += HOP_SAMPLES
        if self._waiting >= FRAME:
            self._waiting -= FRAME
            end = len(self._sound) - self._waiting
            self._probability, self._state = self._run(self._sound[:end])
            if not self._waiting:
                return self._probability
        if is_urgent:
            # The state is left as it was: the frame is not over yet.
            return max(self._run(self._sound)[0], self._probability)
        return self._probability

    def _run(self, sound: Floats) -> tuple[float, Floats]:
        frame = sound[-(CONTEXT + FRAME) :]
        inputs = {"input": frame[None], "state": self._state, "sr": self._rate}
        probability, state = self._session.run(None, inputs)
        return float(probability[0, 0]), state


OPENING: Final = 0.4
"""Probability from which a voice opens the gate. Of keys, claps, beeps, drums, chords, noise and
whistles none reaches it in `cstalk_bridge.bench`'s section `gate`."""

STAYING: Final = 0.15
"""Probability above which a voice keeps it open."""

TAIL_S: Final = 0.25
"""Time added to `hold_ms`: what the detector takes to tell the pause before a word's last plosive
from the end of the speech."""

HELD_BACK_HOPS: Final = 7
"""Hops before the opening that are given out again: 140 ms, about what is not shown yet with the
default look-ahead. With 200 ms of the pause before it the network opens the mouth later: a tenth of
the recordings of `cstalk_bridge.bench`'s section `gate` lost a part of their first syllable."""

LOUDNESS_HOPS: Final = 5
"""Hops of which the loudest decides whether the voice is loud enough."""

SURE: Final = 0.8
"""Probability from which a hop counts for the usual level of the voice."""

USUAL_HOPS: Final = 50
"""Hops of loud speech over which the usual level is averaged: a second."""

RISING_HOPS: Final = 10
"""The same while it rises, so that a few words suffice."""

LOUD_DB: Final = 10.0
"""How far below the usual level a hop may be to count for it."""

FORGETTING_DB: Final = 0.5
"""By how much the usual level sinks in each second of speech that is too quiet, for a voice that
has moved away."""

QUIET: Final = 1e-4
"""Amplitude below which no voice is looked for ahead of time."""


class UsualLevel:
    """The usual level of the near voice, by which voices far away are told from it."""

    def __init__(self) -> None:
        self.level_db = -math.inf
        """Mean of loud speech; infinitely low before any."""

    def admits(self, level_db: float, near_db: float) -> bool:
        """Whether speech of that level may be the near voice; further speech that is not lowers it.

        A voice may be `near_db` quieter than usual.
        """
        if level_db >= self.level_db - near_db:
            return True
        self.level_db -= FORGETTING_DB * HOP_S
        return False

    def learn(self, level_db: float) -> None:
        """Take the level of a hop of the near voice."""
        if math.isinf(self.level_db):
            self.level_db = level_db
        elif level_db > self.level_db - LOUD_DB:
            hops = RISING_HOPS if level_db > self.level_db else USUAL_HOPS
            self.level_db += (level_db - self.level_db) / hops


class GatedHop(NamedTuple):
    """What a hop becomes: its samples, silent where the gate is closed, and those before it that
    the gate held back and now gives out again, oldest first.
    """

    samples: Floats
    held_back: Sequence[Floats] = ()


class VoiceGate:
    """A gate that opens by a voice which is loud enough, and backwards in time.

    It opens where speech is probable and one of the last hops reached `open_db` and the usual level
    less `near_db`. It closes `hold_ms` and `TAIL_S` after the last such speech above `close_db`.
    UserError where the detector cannot be opened.
    """

    def __init__(self) -> None:
        self.is_open = False
        self._detector = VoiceDetector()
        self._kept: deque[Floats] = deque(maxlen=HELD_BACK_HOPS)
        self._levels_db: deque[float] = deque(maxlen=LOUDNESS_HOPS)
        self._quiet_s = 0.0
        self._usual = UsualLevel()

    def push(self, samples: Floats, level_db: float, config: GateConfig) -> GatedHop:
        """Take the next hop, [HOP_SAMPLES], of that level."""
        self._levels_db.append(level_db)
        is_urgent = not self.is_open and float(np.abs(samples).max()) > QUIET
        probability = self._detector.step(samples, is_urgent=is_urgent)
        if self.is_open:
            return self._stay(samples, probability, config)
        if probability >= OPENING and self._is_near(config.open_db, config):
            held_back = [*self._kept]
            self._kept.clear()
            self.is_open, self._quiet_s = True, 0.0
            if held_back:
                held_back[0] = held_back[0] * _FADE
            return GatedHop(samples, held_back)
        self._kept.append(samples)
        return GatedHop(np.zeros_like(samples))

    def _is_near(self, least_db: float, config: GateConfig) -> bool:
        level_db = max(self._levels_db)
        return level_db >= least_db and self._usual.admits(level_db, config.near_db)

    def _stay(self, samples: Floats, probability: float, config: GateConfig) -> GatedHop:
        if probability >= SURE:
            self._usual.learn(self._levels_db[-1])
        is_voice = probability >= STAYING and self._is_near(config.close_db, config)
        self._quiet_s = 0.0 if is_voice else self._quiet_s + HOP_S
        self.is_open = self._quiet_s <= 1e-3 * config.hold_ms + TAIL_S
        return GatedHop(samples if self.is_open else samples * _FADE[::-1])


_FADE: Final = np.linspace(0.0, 1.0, HOP_SAMPLES, dtype=np.float32)
