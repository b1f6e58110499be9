"""The models under test: networks in weights files, and simple predictors to compare with.

The simple ones follow loudness, the phone rules, or a free viseme engine like those of game
tools: PocketSphinx decodes phones without a transcript, with its own phone bigrams, as Rhubarb Lip
Sync's phonetic recogniser does (DanielSWolf/rhubarb-lip-sync), and our phone rules give the mouth
of each phone. The whole recording is decoded at once.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from cstalk_bridge.models.baselines import NETWORKS
from cstalk_bridge.models.baselines.teacher import Teacher
from cstalk_bridge.models.board import AUDIO_DRIVEN, JAW
from cstalk_bridge.models.emotions import MOUTH_GUARD
from cstalk_bridge.models.evaluation.predictors import NetworkPredictor
from cstalk_bridge.models.evaluation.request import OFFLINE, STREAMED, EvaluationRequestError
from cstalk_bridge.models.loading import weights_path
from cstalk_bridge.models.phones import SILENCE, gestures
from cstalk_bridge.models.timing import HOP_SAMPLES, SAMPLE_RATE_HZ, rows_of
from cstalk_bridge.models.training.alignment import (
    ALIGNER_BIAS_S,
    ALIGNER_FRAME_S,
    phone_indices,
    relative_loudness,
    smooth,
)
from cstalk_bridge.models.training.rules import SPOKEN, envelopes_of, face_targets, rule_curves
from cstalk_bridge.models.training.targets import speaking
from cstalk_bridge.models.wav2vec import load_wav2vec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from cstalk_bridge.models.evaluation.predictors import Predictor
    from cstalk_bridge.models.evaluation.request import EvaluationRequest
    from cstalk_bridge.models.training.alignment import Segment


LOUDEST_JAW = 0.5
"""Opening of the loudness face at the loudest sound, in board values."""
LOUDNESS_ROWS = 5
"""Rows over which loudness is smoothed."""


class LoudnessFace:
    """The jaw follows the loudness and nothing else moves."""

    name = "loudness"

    def faces(
        self, sound: NDArray[np.float32], emotions: NDArray[np.float32], lookahead_ms: int
    ) -> NDArray[np.float32]:
        """Return faces as `Predictor.faces`; emotions and look-ahead have no effect."""
        del emotions, lookahead_ms
        face = np.zeros((rows_of(len(sound)), len(AUDIO_DRIVEN)), dtype=np.float32)
        face[:, JAW] = LOUDEST_JAW * _loudness(sound)
        return face


class PhoneRuleFace:
    """The training recipe's phone rules and emotion postures, on phones known from the text."""

    name = "phone rules"

    def faces(
        self, sound: NDArray[np.float32], emotions: NDArray[np.float32], lookahead_ms: int
    ) -> NDArray[np.float32]:
        """Return the face of silence, as no phones are known."""
        del lookahead_ms
        return self.faces_of_phones(sound, (), emotions)

    def faces_of_phones(
        self,
        sound: NDArray[np.float32],
        phones: Sequence[Segment],
        emotions: NDArray[np.float32],
    ) -> NDArray[np.float32]:
        """Return faces as `Predictor.faces`."""
        rows = rows_of(len(sound))
        spoken = speaking(phone_indices(phones, rows))
        gestures = rule_curves(phones, rows) * spoken[:, None]
        stress = _loudness(sound)
        envelopes = envelopes_of(np.flatnonzero(stress > SPOKEN), np.arange(rows))
        # `face_targets` takes one emotion for a clip; the rules are measured under one only.
        guarded = np.concatenate((emotions[0], [MOUTH_GUARD])).astype(np.float32)
        given = (gestures, stress, envelopes, guarded)
        generated = face_targets(*(torch.from_numpy(track)[None] for track in given))
        return np.asarray(generated[0].numpy(), dtype=np.float32)


def _loudness(sound: NDArray[np.float32]) -> NDArray[np.float32]:
    whole = np.zeros(rows_of(len(sound)) * HOP_SAMPLES, dtype=np.float32)
    whole[: len(sound)] = sound
    if not whole.any():
        return np.zeros(rows_of(len(sound)), dtype=np.float32)  # no loudest part to scale by
    return smooth(relative_loudness(whole), LOUDNESS_ROWS)


PEAK = 0.7
"""Sound is brought to this peak: quiet recordings are decoded badly."""
LANGUAGE_WEIGHT, BEAM = 2.0, 1e-10
"""As in PocketSphinx's guide to phoneme recognition."""


class VisemeFace:
    """The mouths of decoded phones; ImportError where PocketSphinx is not installed."""

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
        """Return faces as `Predictor.faces`; look-ahead has no effect."""
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


RULE = "rule"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A predictor under test, with the fields of `EvaluationRun`; rules have no look-ahead."""

    predictor: Predictor
    way: str = OFFLINE
    kind: str = RULE
    sources: tuple[str, ...] = ()
    weights: str = ""

    @property
    def has_lookahead(self) -> bool:
        """Whether it has a look-ahead."""
        return self.kind != RULE


def open_candidates(request: EvaluationRequest) -> list[Candidate]:
    """Open the networks of a request, then the rules.

    WeightsError for a network that cannot stream where only streaming is requested.
    """
    front_end = load_wav2vec(request.wav2vec) if request.wav2vec else None
    paths = tuple(map(weights_path, dict.fromkeys(request.weights))) or (weights_path(None),)
    found = []
    for path, name in zip(paths, candidate_names(paths), strict=True):
        offline = NetworkPredictor.open(path, name=name, front_end=front_end)
        digest = _digest(path)
        for way in request.ways:
            if way == STREAMED and not offline.can_stream and OFFLINE in request.ways:
                continue
            predictor = offline.streamed() if way == STREAMED else offline
            found.append(Candidate(predictor, way, predictor.kind, predictor.sources, digest))
    if front_end and not any(NETWORKS[candidate.kind].network is Teacher for candidate in found):
        raise EvaluationRequestError(
            ("--wav2vec: none of the weights belongs to a teacher; leave it out",)
        )
    if request.has_baselines:
        found += [Candidate(LoudnessFace()), Candidate(PhoneRuleFace())]
        with suppress(ImportError):
            found.append(Candidate(VisemeFace()))
    return found


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def candidate_names(paths: Sequence[Path]) -> list[str]:
    """Return a name for each weights file: its stem, after its folders where stems are equal."""
    parts = [path.absolute().with_suffix("").parts for path in paths]
    names = ["/".join(part[-1:]) for part in parts]
    for depth in range(2, max(map(len, parts)) + 1):
        names = [
            "/".join(part[-depth:]) if names.count(name) > 1 else name
            for part, name in zip(parts, names, strict=True)
        ]
    return names
