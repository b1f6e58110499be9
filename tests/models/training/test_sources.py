"""What is held out stays held out, and what may not be sold stays out of the default weights."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import torch

from cstalk_bridge.models.loading import DEFAULT_PATH, load_streaming_network
from cstalk_bridge.models.training.corpus import card_rows, describe_source
from cstalk_bridge.models.training.sources import (
    OUR_LICENCE,
    SOURCES,
    clips_of,
    credits_of,
    find_clips,
    folders_of,
    held_out,
    licence_of,
    part_of,
)

if TYPE_CHECKING:
    from pathlib import Path


RESEARCH = f"{SOURCES['ravdess'].licence}; {SOURCES['strangers'].licence}"


def test_the_split_holds_out_what_it_promises() -> None:
    split = held_out()
    assert len(split["dev"]["grid_s1"]) == len(split["test"]["grid_s1"]) == 50
    assert not {*split["dev"]["grid_s1"]} & {*split["test"]["grid_s1"]}
    assert split["test"]["facegood"] == ["1114_2_05"]
    assert split["test"]["kokoro_voices"] == ["am_puck", "bf_emma"]
    assert split["test"]["ravdess_actors"] == ["17", "18", "19", "20"]
    assert split["test"]["ravdess_faces"] == ["03", "04"]
    assert len(set(split["test"]["strangers_people"])) == 12


@pytest.mark.parametrize(
    ("sources", "inherited", "licence"),
    [
        (("grid_s1", "kokoro"), (), OUR_LICENCE),
        (("grid_s1", "rules", "iphone"), (OUR_LICENCE,), OUR_LICENCE),
        (("grid_s1", "ravdess"), (), "CC BY-NC-SA 4.0"),
        (("grid_s1",), (OUR_LICENCE, "CC BY-NC-SA 4.0"), "CC BY-NC-SA 4.0"),
        (("ravdess", "strangers"), (), RESEARCH),
        (("ravdess",), (RESEARCH, OUR_LICENCE), RESEARCH),
    ],
)
def test_weights_have_the_strictest_licence_of_their_sources(
    sources: tuple[str, ...], inherited: tuple[str, ...], licence: str
) -> None:
    assert licence_of(sources, inherited) == licence


@pytest.mark.parametrize(
    ("clip", "part"),
    [
        ("grid_s1/bbaz6p", "dev"),
        ("grid_s1/bbaf3s", "test"),
        ("grid_s1/bbaf2n", "train"),
        ("facegood/1114_2_05", "test"),
        ("facegood/1114_2_01", "train"),
        ("kokoro/am_puck__arctic_a0001", "test"),
        ("kokoro/am_adam__arctic_a0001", "train"),
        ("kokoro_more/bf_emma__arctic_a0001", "test"),
        ("kokoro_more/mix100__arctic_a0001", "train"),
        ("ravdess/03-01-03-02-01-01-17", "test"),
        ("ravdess/03-01-17-02-01-01-01", "train"),
    ],
)
def test_every_clip_has_its_part(clip: str, part: str) -> None:
    assert part_of(clip) == part


def test_clips_of_a_person_who_is_held_out_are_held_out(tmp_path: Path) -> None:
    (tmp_path / "audio").mkdir()
    unseen, seen = held_out()["test"]["strangers_people"][0], "00"
    assert seen not in held_out()["test"]["strangers_people"]
    people = {"a": int(unseen), "b": int(seen), "d": int(unseen)}
    (tmp_path / "speakers.json").write_text(json.dumps(people), encoding="utf-8")
    for stem in "abcd":
        (tmp_path / f"audio/{stem}.opus").write_bytes(b"")
    parts = {clip.path.stem: clip.part for clip in clips_of("strangers", tmp_path)}
    assert parts == {"a": "test", "b": "train", "c": "test", "d": "test"}


def test_only_research_uses_actors_and_news_readers(tmp_path: Path) -> None:
    for source in SOURCES:
        (tmp_path / source / "audio").mkdir(parents=True)
        (tmp_path / source / "speakers.json").write_text("{}", encoding="utf-8")
        for stem in ("audio/a.opus", "a.opus", "a.flac"):
            (tmp_path / source / stem).write_bytes(b"")
    default = {clip.source for clip in find_clips(tmp_path)}
    assert default == {"grid_s1", "kathleen", "kokoro", "facegood"}
    more = folders_of(tmp_path, tmp_path / "kokoro_more", research=True)
    assert list(more) == list(SOURCES)
    assert [name for name, source in SOURCES.items() if not source.default] == [
        "ravdess",
        "strangers",
    ]
    assert all("NC" not in SOURCES[name].licence for name in folders_of(tmp_path))


def test_the_shipped_weights_were_made_from_default_sources() -> None:
    _, description = load_streaming_network(DEFAULT_PATH, torch.device("cpu"))
    assert description.card["licence"] == OUR_LICENCE
    allowed = {name for name, source in SOURCES.items() if source.default}
    assert set(description.card["data"]) <= allowed
    assert {name for name, minutes in description.card["minutes"].items() if minutes} <= allowed


def test_the_research_build_states_its_licence() -> None:
    path = DEFAULT_PATH.with_stem(f"{DEFAULT_PATH.stem}_research")
    _, description = load_streaming_network(path, torch.device("cpu"))
    assert SOURCES["ravdess"].licence in description.card["licence"].split("; ")


def test_a_manifest_has_what_a_card_quotes(tmp_path: Path) -> None:
    (tmp_path / "audio").mkdir()
    for name in ("audio/a.opus", "audio/b.opus", "transcripts.json"):
        (tmp_path / name).write_bytes(name.encode())
    clips = [{"part": "train", "rows": 3000}]
    entry = describe_source("kathleen", tmp_path, "digest", "key", clips)
    assert entry["files"] == 3
    assert entry["bytes"] == len("audio/a.opus") * 2 + len("transcripts.json")
    assert entry["minutes"] == {"train": 1.0, "dev": 0.0, "test": 0.0}
    assert entry["left_out"] == 1
    assert entry["default"]
    assert card_rows({"sources": {"kathleen": entry}})[-1] == (
        "| CMU ARCTIC sentences read by Kathleen | 1.0 | CC0 |"
    )
    assert credits_of(["kathleen"]) == {"kathleen": "CMU ARCTIC sentences read by Kathleen, CC0"}
