"""What one subject can be told to feel while it runs."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from bridge.control.commands import EMOTION, FACTOR, FADER_S, OVER_S, SAY, SHARE, WEIGHT
from bridge.errors import Problem, UserError
from bridge.network import mood_notice, open_feeling
from models.emotions import MAX_WEIGHT

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Mapping

    from bridge.face.felt import Shares
    from bridge.face.voice import Voice
    from models.generator import Generator


class EmotionDesk:
    """The commands of one subject that concern its emotion, for any thread; see `SubjectDesk`."""

    def __init__(
        self,
        name: str,
        voice: Voice,
        model: Generator,
        changing: threading.RLock,
        now: Callable[[], float],
        notice: Callable[[str], None],
    ) -> None:
        self.name = name
        self._voice = voice
        self._model = model
        self._changing = changing
        self._now = now
        self._notice = notice
        self._mix = {
            name: float(weight)
            for name, weight in zip(model.emotions, voice.emotion.at(now()), strict=True)
        }
        self._factor = 1.0
        self._hears_mood = voice.emotion.shares.auto > 0.0

    @property
    def weights(self) -> Mapping[str, float]:
        """The mix it was last told, without `factor`, all emotions of it."""
        return {name: self._mix.get(name, 0.0) for name in self._model.emotions}

    @property
    def mix(self) -> dict[str, float]:
        """The mix it was last told, without `factor`; names without weight are left out."""
        return {name: weight for name, weight in self._mix.items() if weight}

    @property
    def factor(self) -> float:
        """The intensity it was last told."""
        return self._factor

    @property
    def guard(self) -> float:
        """The mouth guard it was last told."""
        return self._voice.emotion.guard_at(math.inf)

    @property
    def shares(self) -> Shares:
        """How far its voice was last told to have a say."""
        return self._voice.emotion.shares

    def emotion(self, mix: Mapping[str, float], over_s: float | None = None) -> None:
        """Go over to this mix, all others 0; without `over_s` within the set transition."""
        for name, weight in mix.items():
            EMOTION.read(name)
            WEIGHT.read(weight)
        self._feel({**mix}, self._factor, over_s)

    def weight(self, emotion: str, weight: float, over_s: float | None = FADER_S) -> None:
        """Change one weight of the mix and leave the others."""
        EMOTION.read(emotion)
        WEIGHT.read(weight)
        with self._changing:
            self._feel({**self._mix, emotion: weight}, self._factor, over_s)

    def intensity(self, factor: float, over_s: float | None = None) -> None:
        """Multiply all weights of the mix, now and from now on."""
        FACTOR.read(factor)
        with self._changing:
            self._feel(self._mix, factor, over_s)

    def mouth_guard(self, share: float, over_s: float | None = None) -> None:
        """Set how much of the emotion's mouth speech pushes aside."""
        SHARE.read(share)
        _checked_time(over_s)
        try:
            self._model.check_guard(share)
        except ValueError as error:
            raise UserError(Problem(self.name, str(error))) from None
        with self._changing:
            self._voice.emotion.change_guard(share, self._now(), over_s)

    def auto(self, share: float, over_s: float | None = None) -> None:
        """Let what the voice seems to feel fill what the mix leaves of 1; may wait for a file."""
        say = float(SAY.read(share))
        if say > 0.0 and not self._hears_mood:
            self._notice(mood_notice())
        self._heed(replace(self.shares, auto=say), over_s)

    def arousal(self, share: float, over_s: float | None = None) -> None:
        """Let the mix swell with the arousal of the voice."""
        say = float(SAY.read(share))
        self._heed(replace(self.shares, arousal=say), over_s)

    def _heed(self, shares: Shares, over_s: float | None) -> None:
        _checked_time(over_s)
        with self._changing:
            # What hears once goes on to: the generator's thread may be at it.
            if (shares.auto and not self._hears_mood) or self._voice.feeling is None:
                self._voice.feeling = open_feeling(shares) or self._voice.feeling
                self._hears_mood = shares.auto > 0.0
            self._voice.emotion.change_shares(shares, self._now(), over_s)

    def _feel(self, mix: Mapping[str, float], factor: float, over_s: float | None) -> None:
        _checked_time(over_s)
        told = {name: min(factor * weight, MAX_WEIGHT) for name, weight in mix.items()}
        try:
            weights = self._model.emotion_vector(told)
        except ValueError as error:
            raise UserError(Problem(self.name, str(error))) from None
        with self._changing:
            self._mix, self._factor = dict(mix), factor
            self._voice.emotion.change(weights, self._now(), over_s)


def _checked_time(over_s: float | None) -> None:
    if over_s is not None:
        OVER_S.read(over_s)
