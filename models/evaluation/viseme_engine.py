"""A free viseme engine, as tools beside a game engine have: a phone decoder and a table of mouths.

PocketSphinx decodes phones without a transcript, with its own phone bigrams, as Rhubarb Lip Sync's
phonetic recogniser does (DanielSWolf/rhubarb-lip-sync); the mouth of each phone is that of our
phone rules. The whole recording is heard at one go.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from models.evaluation.rule_faces import PhoneRuleFace
from models.timing import SAMPLE_RATE_HZ
from models.training.align import ALIGNER_BIAS_S, ALIGNER_FRAME_S
from models.training.phones import SILENCE, gestures

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from models.training.segments import Segment

PEAK = 0.7
"""Sound is brought to this peak: quiet recordings are decoded badly."""
LANGUAGE_WEIGHT, BEAM = 2.0, 1e-10
"""As PocketSphinx's own guide to phoneme recognition has it."""


class VisemeFace:
    """Decoded phones as mouths; ImportError where PocketSphinx is not installed."""

    name = "pocketsphinx visemes"

    def __init__(self) -> None:
        from pocketsphinx import Decoder, get_model_path

        self._decoder: Any = Decoder(
            allphone=str(Path(get_model_path("en-us")) / "en-us-phone.lm.bin"),
            lm=None,
            dict=None,
            samprate=float(SAMPLE_RATE_HZ),
            lw=LANGUAGE_WEIGHT,
            beam=BEAM,
            pbeam=BEAM,
            cmn="batch",
            loglevel="FATAL",
        )
        self._mouths = PhoneRuleFace()

    def faces(
        self, sound: NDArray[np.float32], emotions: NDArray[np.float32], lookahead_ms: int
    ) -> NDArray[np.float32]:
        """Return faces as `Maker.faces`; look-ahead changes nothing."""
        del lookahead_ms
        return self._mouths.faces_of_phones(sound, self.decoded(sound), emotions)

    def decoded(self, sound: NDArray[np.float32]) -> list[Segment]:
        """Return the phones of mono 16 kHz sound [time], in order."""
        peak = float(np.abs(sound).max(initial=0.0))
        if not peak:
            return []
        raw = (np.clip(sound * (PEAK / peak), -1, 1) * 32767).astype("<i2").tobytes()
        self._decoder.start_utt()
        self._decoder.process_raw(raw, full_utt=True)
        self._decoder.end_utt()
        found: list[Segment] = []
        for part in self._decoder.seg():
            phones = gestures(part.word)
            start_s = part.start_frame * ALIGNER_FRAME_S + ALIGNER_BIAS_S
            end_s = (part.end_frame + 1) * ALIGNER_FRAME_S + ALIGNER_BIAS_S
            edges = np.linspace(start_s, end_s, len(phones) + 1)
            pieces = zip(edges, edges[1:], phones, strict=False)
            found += [(float(a), float(b), phone) for a, b, phone in pieces if phone != SILENCE]
        return found
