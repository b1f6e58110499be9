"""Real voices with aligned phones, and longer speech in one emotion.

Phones are aligned at the first use and kept in the cache.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from cstalk_bridge.models.emotions import EMOTION_CLASSES, EMOTIONS
from cstalk_bridge.models.evaluation.recordings import (
    RAVDESS_EMOTIONS,
    MissingDataError,
    Recording,
    evenly_spread,
    grid,
    ravdess_voices,
    sound_of,
)
from cstalk_bridge.models.evaluation.request import ALL_CLIPS
from cstalk_bridge.models.training.alignment import Aligner, sentences_of
from cstalk_bridge.models.training.sources import clips_of, part_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from cstalk_bridge.models.evaluation.recordings import Folders


ALIGNMENT_FOLDER = "evaluation_alignment"
"""In the cache, apart from the training set's alignment, which drops clips it does not use."""
KATHLEEN_EVERY = 10
"""Every tenth of her 1,142 clips is aligned: 114 clips, about 5,000 phones."""


def ravdess_spoken(folders: Folders, max_clips: int) -> list[Recording]:
    """Return the speech of the test actors with its phones; clips that do not align are left out.

    All of them are aligned at the first call, which needs PocketSphinx (else MissingDataError).
    """
    every = [clip.name for clip in ravdess_voices(folders, ALL_CLIPS)]
    return with_phones(folders, "test_actors", every, ravdess_voices(folders, max_clips))


def ravdess_acted(
    folders: Folders, max_clips: int, actors: Collection[str] | None = None
) -> list[Recording]:
    """Return the speech of all 20 actors, or of some (`17`), with its phones, as `ravdess_spoken`.

    MissingDataError also where none of the clips is by `actors`.
    """
    clips = clips_of("ravdess", folders.needed("ravdess"))
    names = [clip.name for clip in clips]
    chosen_clips = [clip for clip in clips if actors is None or clip.name[-2:] in actors]
    chosen = [
        Recording(clip.name, sound_of(clip.path), RAVDESS_EMOTIONS[clip.path.stem.split("-")[2]])
        for clip in evenly_spread(chosen_clips, max_clips, folders.data / "ravdess")
    ]
    return with_phones(folders, "every_actor", names, chosen)


def kathleen_read(folders: Folders, max_clips: int) -> list[Recording]:
    """Return every tenth clip of Kathleen with its phones, as `ravdess_spoken`."""
    clips = clips_of("kathleen", folders.needed("kathleen"))[::KATHLEEN_EVERY]
    chosen = [
        Recording(clip.name, sound_of(clip.path))
        for clip in evenly_spread(clips, max_clips, folders.data / "kathleen")
    ]
    return with_phones(folders, "every_tenth", [clip.name for clip in clips], chosen)


def grid_spoken(folders: Folders, max_clips: int) -> list[Recording]:
    """Return the test clips of the GRID talker with face and phones, as `ravdess_spoken`."""
    every = grid(folders, ALL_CLIPS)
    chosen = evenly_spread(every, max_clips, folders.data / "grid_s1")
    return with_phones(folders, "test_clips", [clip.name for clip in every], chosen)


def with_phones(
    folders: Folders, label: str, every: Iterable[str], clips: Sequence[Recording]
) -> list[Recording]:
    """Return `clips` of one source with phones; clips that do not align are left out.

    Those named in `every` are aligned at the first call and cached under `label`; others have none.
    MissingDataError where PocketSphinx is missing, or no clip aligns.
    """
    source = clips[0].name.split("/")[0]
    names = set(every)
    known = sentences_of(source, folders.needed(source))
    sentences = [sentence for sentence in known if sentence.name in names]
    kept = folders.cache / ALIGNMENT_FOLDER / label
    kept.mkdir(parents=True, exist_ok=True)
    try:
        phones = Aligner(kept).align(source, sentences)
    except ImportError as error:
        what = f"{source} has no phones without PocketSphinx"
        raise MissingDataError(f"{what}; install cstalk-bridge[train]") from error
    found = [
        replace(clip, phones=tuple(phones[clip.name])) for clip in clips if clip.name in phones
    ]
    if not found:
        raise MissingDataError(
            f"{folders.data / source} holds no clip that aligns; download it again"
        )
    return found


def voices_there(
    loaders: Mapping[str, Callable[[Folders, int], list[Recording]]],
    folders: Folders,
    max_clips: int,
) -> dict[str, list[Recording]]:
    """Return the recordings of the voices whose data exist; MissingDataError without any."""
    voices: dict[str, list[Recording]] = {}
    missing = []
    for name, load in loaders.items():
        try:
            voices[name] = load(folders, max_clips)
        except MissingDataError as error:
            missing.append(str(error))
    if not voices:
        raise MissingDataError("; ".join(missing))
    return voices


CALM = "calm"
NEUTRAL, STILL = "01", "02"
"""Codes of neutral and of calm speech in the names of clips."""


NORMAL, STRONG = "01", "02"


def paired_intensities(
    folders: Folders,
) -> list[tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]]:
    """Return neutral speech of each actor 17-20, and each emotion acted normally and strongly."""
    audio = folders.needed("ravdess/audio")
    sounds: dict[tuple[str, str, str], list[NDArray[np.float32]]] = {}
    for path in sorted(audio.glob("*.opus")):
        _, _, emotion, intensity, *_, actor = path.stem.split("-")
        if part_of(f"ravdess/{path.stem}") == "test":
            sounds.setdefault((actor, emotion, intensity), []).append(sound_of(path))
    joined = {key: np.concatenate(clips) for key, clips in sounds.items()}
    return [
        (joined[actor, NEUTRAL, NORMAL], normal, joined[actor, emotion, STRONG])
        for (actor, emotion, intensity), normal in joined.items()
        if intensity == NORMAL and emotion != STILL and (actor, emotion, STRONG) in joined
    ]


def emotional_speech(folders: Folders, part: str, max_clips: int) -> list[Recording]:
    """Return the speech of each actor of a part of the split in each of the first five emotions.

    Calm clips count as neutral, which has half as many. At most `max_clips` recordings, evenly
    spread.
    """
    audio = folders.needed("ravdess/audio")
    clips: dict[tuple[str, str], list[Path]] = {}
    for path in sorted(audio.glob("*.opus")):
        code, actor = path.stem.split("-")[2], path.stem.split("-")[-1]
        emotion = RAVDESS_EMOTIONS[code].replace(CALM, EMOTIONS[0])
        if part_of(f"ravdess/{path.stem}") == part and emotion in EMOTION_CLASSES:
            clips.setdefault((actor, emotion), []).append(path)
    return [
        Recording(f"ravdess/{actor}", np.concatenate([sound_of(path) for path in paths]), emotion)
        for (actor, emotion), paths in evenly_spread(sorted(clips.items()), max_clips, audio)
    ]
