"""The phones of RAVDESS's two sentences, aligned where they are wanted, and kept in the cache."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from models.evaluation.loading import ravdess_voices
from models.evaluation.options import ALL_CLIPS
from models.evaluation.recordings import MissingDataError
from models.training.align import Aligner, sentences_of

if TYPE_CHECKING:
    from models.evaluation.recordings import Folders, Recording

FOLDER = "evaluation_alignment"
"""In the cache; apart from the training set's, which forgets clips that it does not ask for."""


def ravdess_spoken(folders: Folders, most: int) -> list[Recording]:
    """Return the speech of the test actors with its phones; clips that do not align are left out.

    All of them are aligned at the first call. MissingDataError where PocketSphinx is missing then.
    """
    every = {clip.name for clip in ravdess_voices(folders, ALL_CLIPS)}
    sentences = sentences_of("ravdess", folders.needed("ravdess"))
    wanted = [sentence for sentence in sentences if sentence.name in every]
    kept = folders.cache / FOLDER
    kept.mkdir(parents=True, exist_ok=True)
    try:
        phones = Aligner(kept).align("ravdess", wanted)
    except ImportError as error:
        what = "RAVDESS has no phones without PocketSphinx"
        raise MissingDataError(f"{what}; install cstalk-bridge[train]") from error
    return [
        replace(clip, phones=tuple(phones[clip.name]))
        for clip in ravdess_voices(folders, most)
        if clip.name in phones
    ]
