"""Which phones the encoder tells of voices it should not know.

Accuracy is the share of 20 ms frames whose most likely class is the aligned one, among the 33 of
`models.training.phones`: the 39 ARPAbet phones with AW AY EY OW OY CH JH folded into their two
halves, and silence. Kokoro's US and British vowels fold as that module's table says. The bar is on
frames of speech: half of a short clip is silence, and easy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from models.evaluation.aligned_voices import ravdess_spoken
from models.evaluation.loading import kathleen, kokoro
from models.evaluation.makers import PhoneHearer
from models.evaluation.measures import Finding
from models.evaluation.recordings import MissingDataError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from models.evaluation.makers import Maker
    from models.evaluation.recordings import Folders, Recording

VOICES = {"ravdess": ravdess_spoken, "kathleen": kathleen, "kokoro": kokoro}


class Phones:
    """Frame accuracy by source; the encoder answers 60 ms late whatever the look-ahead is."""

    title = "phones heard by the encoder, 60 ms late, 33 classes (39 ARPAbet folded, and silence)"
    source = "kathleen"
    is_timed = False

    def __init__(self, folders: Folders, most: int) -> None:
        self._voices: dict[str, list[Recording]] = {}
        missing = []
        for source, load in VOICES.items():
            try:
                self._voices[source] = load(folders, most)
            except MissingDataError as error:
                missing.append(str(error))
        if not self._voices:
            raise MissingDataError("; ".join(missing))

    def measure(self, maker: Maker, lookahead_ms: int) -> Iterator[Finding]:
        """Yield accuracies in percent, of all frames and of those with speech."""
        del lookahead_ms
        if not isinstance(maker, PhoneHearer):
            return
        for source, clips in self._voices.items():
            right, spoken = [], []
            for clip in clips:
                told = maker.phones(clip.sound)
                if told is None:
                    return
                true = clip.phone_rows()
                right.append(told == true)
                spoken.append(true > 0)
            hits, speech = np.concatenate(right), np.concatenate(spoken)
            yield Finding(f"phones.{source}", 100 * float(hits.mean()), len(clips))
            in_speech = 100 * float(hits[speech].mean())
            yield Finding(f"phones.{source}_speech", in_speech, len(clips))
