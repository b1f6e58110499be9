"""The phones of RAVDESS's two sentences, aligned where they are wanted, and kept in the cache."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from models.evaluation.loading import RAVDESS_TEXTS, ravdess_voices
from models.evaluation.recordings import MissingDataError
from models.timing import SAMPLE_RATE_HZ
from models.training.align import align_words

if TYPE_CHECKING:
    from models.evaluation.recordings import Folders, Recording

FILE = "evaluation_phones.json"
PEAK = 0.7
"""Peak level at which the aligner hears a clip: acted whispers are too quiet for it."""


def ravdess_spoken(folders: Folders, most: int) -> list[Recording]:
    """Return the speech of actors 17-20 with its phones; clips that do not align are left out.

    MissingDataError where neither the cache has the phones nor PocketSphinx is there to find them.
    """
    clips = ravdess_voices(folders, most)
    path = folders.cache / FILE
    known: dict[str, Any] = json.loads(path.read_text("utf-8")) if path.exists() else {}
    unknown = [clip for clip in clips if clip.name not in known]
    if unknown:
        known |= _aligned(unknown)
        folders.cache.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial")
        partial.write_text(json.dumps(known), encoding="utf-8")
        partial.replace(path)
    return [
        replace(clip, phones=tuple((a, b, phone) for a, b, phone in known[clip.name]))
        for clip in clips
        if known[clip.name]
    ]


def _aligned(clips: list[Recording]) -> dict[str, Any]:
    try:
        from pocketsphinx import Decoder
    except ImportError as error:
        remedy = "install cstalk-bridge[train]"
        raise MissingDataError(f"RAVDESS has no phones without PocketSphinx; {remedy}") from error
    decoder = Decoder(lm=None, samprate=float(SAMPLE_RATE_HZ), loglevel="FATAL")
    found: dict[str, Any] = {}
    for clip in clips:
        words = RAVDESS_TEXTS[clip.name.split("-")[4]].split()
        peak = max(float(np.abs(clip.sound).max()), 1e-3)
        found[clip.name] = align_words(decoder, clip.sound * (PEAK / peak), words)
    return found
