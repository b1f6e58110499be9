"""The rig maps that links, takes and the preview of one subject use."""

from __future__ import annotations

import threading
from contextlib import ExitStack

import pytest

from cstalk_bridge.audio.source import AudioConfig
from cstalk_bridge.config.schema import Config, SubjectConfig
from cstalk_bridge.outputs.registry import parse_link_url
from cstalk_bridge.runtime import open_runtime
from cstalk_bridge.subjects import open_subjects


def watched(*links: str) -> dict[str, list[str]]:
    """Return what watches each rig map of a subject with these links, by the map's name."""
    subject = SubjectConfig(
        audio=AudioConfig(input="test"), links=tuple(map(parse_link_url, links))
    )
    config = Config.model_validate(
        {"device": "cpu", "dashboard": False, "subjects": (subject,), "preview": ":0"}
    )
    with ExitStack() as closing:
        stage = open_runtime(config, closing, threading.Event())
        (opened,) = open_subjects(config, stage, closing)
        return {
            route.applier.rigmap.name: [
                *(["take"] if route.recorder else []),
                *(link.name for link in route.observers),
            ]
            for route in opened.subject.routes
        }


@pytest.mark.parametrize(
    ("links", "found"),
    [
        (
            ["livelink-face://127.0.0.1:9"],
            {"livelinkface61": ["take"], "arkit": ["preview"]},
        ),
        (
            ["vmc://127.0.0.1:9?rigmap=arkit", "livelink-face://127.0.0.1:10"],
            {"arkit": ["preview"], "livelinkface61": ["take"]},
        ),
        (["livelink-face://127.0.0.1:9?rigmap=arkit"], {"arkit": ["take", "preview"]}),
        (
            ["osc://127.0.0.1:9"],
            {"metahuman": [], "livelinkface61": ["take"], "arkit": ["preview"]},
        ),
    ],
    ids=",".join,
)
def test_takes_are_for_the_blueprint_and_the_preview_has_heads_of_its_own(
    links: list[str], found: dict[str, list[str]]
) -> None:
    assert watched(*links) == found
