"""Who says what how fast: the same plan for the same voices and texts, however often it is asked.

Speakers are Kokoro's voices of other languages as they are (they speak English with an accent), and
mixtures of two or three voices. Held-out voices are in none of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from models.training.sources import held_out

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

SPEAKERS = 240
ROUNDS = 20
SPEAKER_SEED, LINE_SEED = 77, 5
ENGLISH_SHARE = 0.75  # of the mixtures are of English voices only
MIXED_VOICES = (2, 3)
EVENNESS = 1.2  # of the Dirichlet distribution of a mixture's weights
SPEEDS = (0.8, 0.9, 1.0, 1.1, 1.2, 1.35)


@dataclass(frozen=True, slots=True)
class Speaker:
    """A voice, as weights of Kokoro's; those are named language, sex, `_`, name (`bf_emma`)."""

    name: str
    mix: tuple[tuple[str, float], ...]

    @property
    def accent(self) -> str:
        """The espeak voice that pronounces for the first of the mixed voices."""
        return "en-gb" if self.mix[0][0].startswith("b") else "en-us"


@dataclass(frozen=True, slots=True)
class Line:
    """One sentence of one speaker; `speed` 1 is Kokoro's own pace."""

    speaker: Speaker
    text_id: str
    text: str
    speed: float

    @property
    def file(self) -> str:
        """The name of its recording."""
        return f"{self.speaker.name}__{self.text_id}.opus"


def speakers(voices: Sequence[str], count: int = SPEAKERS) -> list[Speaker]:
    """Return `count` speakers made of the named `voices`, without those that are held out."""
    kept = sorted(set(voices) - set(held_out()["test"]["kokoro_voices"]))
    english = [voice for voice in kept if voice[0] in "ab"]
    cast = [Speaker(voice, ((voice, 1.0),)) for voice in kept if voice not in english][:count]
    if len(cast) < count and len(english) < max(MIXED_VOICES):
        raise ValueError(f"{len(english)} English voices are too few to mix")
    random = np.random.default_rng(SPEAKER_SEED)
    low, high = MIXED_VOICES
    while len(cast) < count:
        size = int(random.integers(low, high + 1))
        pool = english if random.random() < ENGLISH_SHARE else kept
        picked = random.choice(pool, size, replace=False).tolist()
        weights = random.dirichlet(np.full(size, EVENNESS)).tolist()
        mix = tuple(zip(picked, weights, strict=True))
        cast.append(Speaker(f"mix{len(cast):03d}", mix))
    return cast


def lines(
    cast: Sequence[Speaker], texts: Mapping[str, str], rounds: int = ROUNDS
) -> Iterator[Line]:
    """Yield what is to be spoken: every speaker once a round, no speaker a sentence twice."""
    sentences = sorted(texts.items())
    planned: set[str] = set()
    for turn in range(rounds):
        for place, speaker in enumerate(cast):
            random = np.random.default_rng([LINE_SEED, turn, place])
            text_id, text = sentences[int(random.integers(len(sentences)))]
            line = Line(speaker, text_id, text, float(random.choice(SPEEDS)))
            if line.file not in planned:
                planned.add(line.file)
                yield line
