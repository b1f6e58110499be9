"""Make the training set: align the recordings, and join captured faces and rules to targets.

    python -m cstalk_bridge.models.training.prepare --data ../shared/data --cache ../cache

It writes `phones.json` (per clip a list of `[start_s, end_s, phone]`), the set (`corpus.py`) and
its `manifest.json` to the cache. Everything is kept by content: a run after a change rebuilds only
what depends on it, and an interrupted run resumes. `--more-speech` adds what
`cstalk_bridge.models.training.synthesis` made; `--research` adds the actors of RAVDESS and the news
readers, on whom the default weights must not be trained; `--without` leaves a source out.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cstalk_bridge.models.files import write_file
from cstalk_bridge.models.loading import ENCODER_PATH
from cstalk_bridge.models.timing import ROW_RATE_HZ
from cstalk_bridge.models.training.alignment import Aligner, Segment, segments_of
from cstalk_bridge.models.training.captured_faces import CAPTURED_SOURCES, emotion_of
from cstalk_bridge.models.training.corpus import (
    MANIFEST_NAME,
    CorpusWriter,
    describe_source,
    read_index,
    read_manifest,
    source_digest,
    write_manifest,
)
from cstalk_bridge.models.training.sources import (
    GRID_CURVES,
    SOURCES,
    Clip,
    clips_of,
    code_digest,
    file_digest,
    folders_of,
    held_out,
    require,
    text_digest,
)
from cstalk_bridge.models.training.targets import TargetBuilder

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


WITHOUT_PHONES = ("facegood", "strangers")
OPTIONAL_SOURCES = [source for source in SOURCES if source != "grid_s1"]

Phones = dict[str, list[Segment]]


def align_all(folders: Mapping[str, Path], cache: Path) -> dict[str, Phones]:
    """Align every source and write `phones.json`; returns the segments by source."""
    aligner = Aligner(cache / "alignment")
    aligned = {
        source: segments_of(source, folder, aligner)
        for source, folder in folders.items()
        if source not in WITHOUT_PHONES
    }
    every = {name: segments for phones in aligned.values() for name, segments in phones.items()}
    write_file(cache / "phones.json", json.dumps(every), parents=True)
    return aligned


@dataclass(frozen=True, slots=True)
class Keys:
    """Digests of everything that the articulation and each source's part depend on."""

    articulation: str
    sources: dict[str, str]


def keys_of(
    folders: Mapping[str, Path], aligned: Mapping[str, Phones], digests: Mapping[str, str]
) -> Keys:
    """Return the keys of a training set made of `folders`, encoded by the shipped encoder."""
    own = {
        source: text_digest(digests[source], json.dumps(aligned.get(source))) for source in folders
    }
    code = text_digest(code_digest("targets"), code_digest("corpus"), file_digest(ENCODER_PATH))
    teachers_key = text_digest(code, *(own.get(teacher, "") for teacher in CAPTURED_SOURCES))
    return Keys(
        teachers_key, {source: text_digest(teachers_key, own[source]) for source in folders}
    )


def trainable(source: str, folder: Path, phones: Phones) -> list[Clip]:
    """Return the clips of a source that have phones, or need none, and an emotion we name.

    An actor whose face is held out does not train at all.
    """
    unseen = held_out()["test"]["ravdess_faces"]
    return [
        replace(clip, part="test") if source == "ravdess" and clip.name[-2:] in unseen else clip
        for clip in clips_of(source, folder)
        if (source in WITHOUT_PHONES or clip.name in phones)
        and (source != "ravdess" or emotion_of(clip.path.stem) is not None)
    ]


def build(
    folders: Mapping[str, Path],
    cache: Path,
    aligned: Mapping[str, Phones],
    keys: Keys,
) -> None:
    """Write the set to the cache; a source whose key the finished set has is copied from it."""
    finished = read_manifest(cache)["sources"]
    index = read_index(cache) if finished else []
    with CorpusWriter(cache, list(keys.sources.items())) as building:
        waiting = list(keys.sources)[len(building.done) :]
        changed = [s for s in waiting if finished.get(s, {}).get("key") != keys.sources[s]]
        builder = _builder(folders, cache, aligned, keys) if changed else None
        for source in waiting:
            if builder is not None and source in changed:
                for clip in trainable(source, folders[source], aligned.get(source, {})):
                    samples = clip.samples()
                    emotion = emotion_of(clip.path.stem) if source == "ravdess" else None
                    building.add(clip, samples, builder.targets(clip, samples), emotion)
            else:
                building.copy([clip for clip in index if clip["name"].startswith(f"{source}/")])
            building.end_source(source, keys.sources[source])
            print(f"{source}: {building.rows / ROW_RATE_HZ / 60:.1f} minutes so far", flush=True)
        (cache / MANIFEST_NAME).unlink(missing_ok=True)
        building.publish()


def _builder(
    folders: Mapping[str, Path], cache: Path, aligned: Mapping[str, Phones], keys: Keys
) -> TargetBuilder:
    def clips(sources: Iterable[str]) -> list[Clip]:
        there = [source for source in sources if source in folders]
        return [c for s in there for c in trainable(s, folders[s], aligned.get(s, {}))]

    builder = TargetBuilder(
        folders, {name: s for each in aligned.values() for name, s in each.items()}
    )
    learned = cache / "learned"
    path = learned / f"articulation-{keys.articulation[:32]}.safetensors"
    builder.train_articulation(clips(CAPTURED_SOURCES), path)
    return builder


def prepare(folders: Mapping[str, Path], cache: Path) -> dict[str, Any]:
    """Bring the training set in `cache` up to date with `folders`; returns its manifest."""
    aligned = align_all(folders, cache)
    digests = {source: source_digest(source, folder) for source, folder in folders.items()}
    keys = keys_of(folders, aligned, digests)
    finished = read_manifest(cache)
    if {source: facts["key"] for source, facts in finished["sources"].items()} == keys.sources:
        print("the training set is up to date")
        return finished
    build(folders, cache, aligned, keys)
    index = read_index(cache)
    described = {
        source: describe_source(
            source,
            folder,
            digests[source],
            keys.sources[source],
            [clip for clip in index if clip["name"].startswith(f"{source}/")],
        )
        for source, folder in folders.items()
    }
    return write_manifest(cache, described)


def main() -> None:
    """Prepare the training set and print what it holds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--cache", type=Path, default=Path("../cache"))
    parser.add_argument("--more-speech", type=Path, metavar="FOLDER")
    parser.add_argument("--research", action="store_true")
    parser.add_argument("--without", action="append", default=[], choices=OPTIONAL_SOURCES)
    options = parser.parse_args()
    if options.more_speech is not None:
        require(
            parser,
            options.more_speech / "index.jsonl",
            "make it with cstalk_bridge.models.training.synthesis",
        )
    folders = folders_of(options.data, options.more_speech, research=options.research)
    for source in options.without:
        folders.pop(source, None)
    require(parser, options.data / "grid_s1" / GRID_CURVES, "name the data folder with --data")
    for source, folder in folders.items():
        for fact in SOURCES[source].facts:
            require(parser, folder / fact, "the data set's README says what belongs there")
    try:
        manifest = prepare(folders, options.cache)
    except ModuleNotFoundError as error:
        parser.error(f"{error.name} is not installed; pip install 'cstalk-bridge[train]'")
    for name, source in manifest["sources"].items():
        clips, minutes = source["clips"], source["minutes"]
        print(f"{name}: {clips} clips, {minutes} minutes, {source['left_out']} skipped")


if __name__ == "__main__":
    main()
