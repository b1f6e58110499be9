"""One command makes the same set from the same files, and only makes again what changed.

The recordings are made here: noise in the place of speech. What the aligner would find is put
where it keeps its results, and so is a network that learned nothing.
"""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import soundfile
import torch
from safetensors.torch import save_file

from cstalk_bridge.models.board import AUDIO_DRIVEN
from cstalk_bridge.models.cstalk.architecture import Architecture
from cstalk_bridge.models.training.alignment import Aligner, sentences_of
from cstalk_bridge.models.training.batches import draw
from cstalk_bridge.models.training.captured_faces import (
    ACTION_UNIT_GAINS,
    OBSERVED_CHANNELS,
    SLIDERS,
    TRACKED_LIPS,
    Articulation,
)
from cstalk_bridge.models.training.corpus import Corpus, read_manifest, source_digest
from cstalk_bridge.models.training.prepare import align_all, keys_of, prepare
from cstalk_bridge.models.training.sources import GRID_CURVES, folders_of

if TYPE_CHECKING:
    from pathlib import Path


SECONDS = 1.0
SEGMENTS = [(0.1, 0.3, "AA"), (0.3, 0.4, "B"), (0.4, 0.7, "IY")]
GRID = ("bbaf2n", "bbal6n", "bbaz6p", "bbaf3s")
STRANGERS = {"s1": 0, "s2": 0, "s3": 1}
RAVDESS = (
    "03-01-03-02-01-01-02",
    "03-01-01-01-01-01-02",
    "03-01-02-01-01-01-02",
    "03-01-04-01-01-01-04",
)


def write_sound(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(seed)
    swell = np.sin(np.linspace(0, 9, int(SECONDS * 16_000))) ** 2
    sound = 0.2 * swell * random.standard_normal(len(swell))
    form = ("OGG", "OPUS") if path.suffix == ".opus" else ("FLAC", "PCM_16")
    soundfile.write(path, sound.astype(np.float32), 16_000, format=form[0], subtype=form[1])


def write_curves(path: Path, names: list[str], clips: tuple[str, ...], frames: int) -> None:
    random = np.random.default_rng(len(names))
    curves: dict[str, Any] = {
        clip: random.random((frames, len(names))).astype(np.float16) for clip in clips
    }
    np.savez(path, names=np.array(names), **curves)


def write_tracked(path: Path) -> None:
    random = np.random.default_rng(3)
    arkit, lips = ["jawOpen", "mouthClose", "mouthPucker"], list(TRACKED_LIPS)
    curves: dict[str, Any] = {
        clip: random.random((25, len(arkit))).astype(np.float16) for clip in GRID
    }
    seen: dict[str, Any] = {
        f"{clip}__lips": random.random((25, 2)).astype(np.float16) for clip in GRID
    }
    np.savez(path, names=np.array(arkit), lips_names=np.array(lips), **curves, **seen)


def write_strangers(folder: Path) -> None:
    """Tracked in all of their sound but the last fifth of a second."""
    random = np.random.default_rng(5)
    arrays: dict[str, Any] = {}
    for number, clip in enumerate(STRANGERS):
        write_sound(folder / f"audio/{clip}.opus", 60 + number)
        arrays |= {
            clip: random.random((21, 1)).astype(np.float16),
            f"{clip}__lips": (0.2 * random.random((21, 2))).astype(np.float16),
            f"{clip}__t": np.arange(21) / 25,
        }
    seen = np.array(list(TRACKED_LIPS))
    np.savez(folder / "curves.npz", names=np.array(["mouthPucker"]), lips_names=seen, **arrays)
    (folder / "speakers.json").write_text(json.dumps(STRANGERS), encoding="utf-8")


def write_kokoro(folder: Path, voices: tuple[str, ...]) -> None:
    lines = []
    for number, voice in enumerate(voices):
        write_sound(folder / f"{voice}__a1.opus", 30 + number)
        line = {"file": f"{voice}__a1.opus", "phones": "mi", "frames_25ms": [7, 4, 20, 9]}
        lines.append(json.dumps(line) + "\n")
    (folder / "index.jsonl").write_text("".join(lines), encoding="utf-8")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    for number, clip in enumerate(GRID):
        write_sound(folder / f"grid_s1/audio/{clip}.opus", number)
    sentences = {clip: [[0.1, 0.4, "bin"], [0.4, 0.7, "z"]] for clip in GRID}
    (folder / "grid_s1/words.json").write_text(json.dumps(sentences), encoding="utf-8")
    write_tracked(folder / "grid_s1" / GRID_CURVES)
    write_sound(folder / "kathleen/audio/a1.opus", 11)
    write_sound(folder / "kathleen/audio/a2.opus", 12)
    texts = {"a1": "Go on.", "a2": "Nonesuch."}
    (folder / "kathleen/transcripts.json").write_text(json.dumps(texts), encoding="utf-8")
    write_kokoro(folder / "kokoro", ("af_one", "am_puck"))
    write_kokoro(folder / "more", ("mix001",))
    write_sound(folder / "facegood/1114_2_01.flac", 21)
    sliders = sorted({name for mix in SLIDERS.values() for name in mix})
    write_curves(folder / "facegood/curves.npz", sliders, ("1114_2_01",), 30)
    for number, clip in enumerate(RAVDESS):
        write_sound(folder / f"ravdess/audio/{clip}.opus", 40 + number)
    units = [f"{unit}_r" for unit in ACTION_UNIT_GAINS]
    write_curves(folder / "ravdess/action_units_frames.npz", units, RAVDESS[:2], 30)
    write_strangers(folder / "strangers")
    return folder


def learn(data: Path, cache: Path) -> None:
    """Put what the aligner would find where it keeps it; it knows no `Nonesuch`."""
    aligner = Aligner(cache / "alignment")
    aligner.folder.mkdir(parents=True, exist_ok=True)
    for source in ("grid_s1", "kathleen", "ravdess"):
        found = {
            sentence.key(aligner.version): None if "nonesuch" in sentence.words else SEGMENTS
            for sentence in sentences_of(source, data / source)
        }
        (aligner.folder / f"{source}.json").write_text(json.dumps(found), encoding="utf-8")
    folders = folders_of(data, data / "more")
    digests = {source: source_digest(source, folder) for source, folder in folders.items()}
    keys = keys_of(folders, align_all(folders, cache), digests)
    torch.manual_seed(2)
    (cache / "learned").mkdir(exist_ok=True)
    path = cache / f"learned/articulation-{keys.articulation[:32]}.safetensors"
    save_file(Articulation().state_dict(), path)


@pytest.fixture(scope="module")
def prepared(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    cache = tmp_path_factory.mktemp("cache")
    learn(data, cache)
    prepare(folders_of(data, data / "more"), cache)
    return cache


def parts(manifest: dict[str, Any]) -> dict[str, dict[str, int]]:
    return {name: source["clips"] for name, source in manifest["sources"].items()}


def test_the_manifest_counts_what_is_there(prepared: Path) -> None:
    manifest = read_manifest(prepared)
    assert parts(manifest) == {
        "grid_s1": {"train": 2, "dev": 1, "test": 1},
        "kathleen": {"train": 1, "dev": 0, "test": 0},
        "kokoro": {"train": 1, "dev": 0, "test": 1},
        "facegood": {"train": 1, "dev": 0, "test": 0},
        "kokoro_more": {"train": 1, "dev": 0, "test": 0},
    }
    assert manifest["sources"]["kathleen"]["left_out"] == 1
    assert all(len(digest) == 64 for digest in manifest["files"].values())
    assert "kathleen/a2" not in json.loads((prepared / "phones.json").read_text("utf-8"))


def test_nothing_is_made_again_where_nothing_changed(prepared: Path, data: Path) -> None:
    before = (prepared / "samples.i16").stat().st_mtime_ns
    manifest = prepare(folders_of(data, data / "more"), prepared)
    assert manifest == read_manifest(prepared)
    assert (prepared / "samples.i16").stat().st_mtime_ns == before


def test_batches_come_from_every_source_that_is_there(prepared: Path) -> None:
    corpus = Corpus(prepared, "train")
    assert corpus.probabilities == pytest.approx(
        {"grid_s1": 0.3, "kathleen": 0.13, "kokoro": 0.225, "facegood": 0.12, "kokoro_more": 0.225}
    )
    assert draw(corpus, Architecture(), 4, 1, 1).captured is None


def test_a_new_source_leaves_the_others_alone(prepared: Path, data: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    shutil.copytree(prepared, cache)
    before = read_manifest(cache)["sources"]
    old_sound = (cache / "samples.i16").read_bytes()
    prepare(folders_of(data, data / "more", research=True), cache)
    after = read_manifest(cache)["sources"]
    assert {name: after[name] for name in before} == before
    assert (cache / "samples.i16").read_bytes()[: len(old_sound)] == old_sound
    # Calm is no emotion of the network, and the face of actor 04 is held out.
    assert after["ravdess"]["clips"] == {"train": 2, "dev": 0, "test": 1}
    assert after["strangers"]["clips"] == {"train": 2, "dev": 0, "test": 1}
    assert not any(after[source]["default"] for source in ("ravdess", "strangers"))
    corpus = Corpus(cache, "train")
    readers = corpus.by_source["strangers"]
    assert all(25 <= clip["rows"] <= 41 for clip in readers)
    assert corpus.captured.shape == (2 * 50, len(AUDIO_DRIVEN))
    batch = draw(corpus, Architecture(), 48, 1, 1)
    assert batch.captured is not None
    assert batch.captured_seen is not None
    seen = batch.captured_seen.any(1)
    tracked = seen.any(1)
    assert 0 < int(tracked.sum()) < 48
    assert (seen[tracked].numpy() == OBSERVED_CHANNELS).all()
    assert set(batch.conditions[tracked, :-1].unique().tolist()) == {0.0, 1.0}


def test_targets_are_made_again_with_the_faces_they_depend_on(
    prepared: Path, data: Path, tmp_path: Path
) -> None:
    """The captured talker's first clip is said otherwise now: all voices move like him."""
    changed, cache = tmp_path / "data", tmp_path / "cache"
    shutil.copytree(data, changed)
    write_sound(changed / f"grid_s1/audio/{GRID[0]}.opus", 99)
    shutil.copytree(prepared, cache)
    learn(changed, cache)
    manifest = prepare(folders_of(changed, changed / "more"), cache)
    before = read_manifest(prepared)["sources"]
    assert all(manifest["sources"][name]["key"] != before[name]["key"] for name in before)


def test_the_same_files_give_the_same_set(prepared: Path, data: Path, tmp_path: Path) -> None:
    fresh = tmp_path / "fresh"
    learn(data, fresh)
    made = prepare(folders_of(data, data / "more"), fresh)
    assert made["files"] == read_manifest(prepared)["files"]
