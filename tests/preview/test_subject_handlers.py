"""The page's control of the subjects of a running bridge."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import pytest

from cstalk_bridge.config.schema import PreviewConfig
from cstalk_bridge.face.procedural.animation import Levels
from cstalk_bridge.preview.server import open_preview
from tests.control.running import RunningBridge, running_bridge
from tests.networks import GUARDED, small_generator
from tests.preview.serving import Serving

if TYPE_CHECKING:
    from collections.abc import Iterator


NAMES = ("Anna", "a/b c")
ANNA = "/api/subjects/Anna"


@pytest.fixture(scope="module")
def bridge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBridge]:
    with running_bridge(tmp_path_factory.mktemp("bridge"), *NAMES) as running:
        yield running


@pytest.fixture(scope="module")
def serving(bridge: RunningBridge) -> Iterator[Serving]:
    spec = PreviewConfig(port=0)
    with open_preview(
        spec,
        load=lambda: small_generator(GUARDED),
        subjects=NAMES,
        rate_hz=60.0,
        controller=bridge.controller,
    ) as preview:
        found = Serving(preview)
        preview.start(found.notices.append)
        yield found


def test_a_subject_follows_requests_of_the_page_and_reports_its_state(
    serving: Serving, bridge: RunningBridge
) -> None:
    answer = serving.ask(ANNA, {"emotion": {"happy": 0.8}, "mouth_guard": 0.7, "over_s": 0})
    assert answer.status == 200
    anna = bridge.controller.subject("Anna")
    reported = answer.document
    assert (reported["name"], reported["emotion"], reported["intensity"]) == (
        "Anna",
        {"happy": 0.8},
        1.0,
    )
    assert (reported["mouth_guard"], reported["levels"]) == (0.7, asdict(anna.levels))
    serving.ask("/api/subjects/a%2Fb%20c", {"emotion": "sad", "intensity": 0.5})
    assert [subject.mix for subject in bridge.controller.subjects] == [{"happy": 0.8}, {"sad": 1.0}]
    subjects = serving.ask("/api/subjects").document
    assert [(one["name"], one["intensity"]) for one in subjects] == [("Anna", 1.0), ("a/b c", 0.5)]


def test_levels_of_procedural_animation_are_set_by_the_page(
    serving: Serving, bridge: RunningBridge
) -> None:
    answer = serving.ask(ANNA, {"levels": {"gaze": 0.5, "symmetry": 1}})
    assert (answer.status, answer.document["levels"]["gaze"]) == (200, 0.5)
    assert bridge.controller.subject("Anna").levels == Levels(gaze=0.5, symmetry=1.0)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"emotion": {"glad": 1}}, "there is no emotion 'glad'"),
        ({"emotion": {"happy": 2}}, "less than or equal to 1.5"),
        ({"mouth_guard": -1}, "greater than or equal to 0"),
        ({"over_s": 61}, "less than or equal to 60"),
        ({"mood": 1}, "mood"),
        ({"levels": {"ears": 1}}, "part"),
        ({"levels": {"symmetry": 1.5}}, "symmetry goes from 0 to 1"),
        (b"{", "request"),
    ],
)
def test_an_invalid_request_is_reported_and_changes_nothing(
    serving: Serving, bridge: RunningBridge, body: object, message: str
) -> None:
    before = bridge.controller.subject("Anna").mix
    answer = serving.ask(ANNA, body)
    assert answer.status == 400
    assert message in answer.problems
    assert bridge.controller.subject("Anna").mix == before


def test_an_unknown_subject_is_reported(serving: Serving) -> None:
    answer = serving.ask("/api/subjects/Ann", {"emotion": "sad"})
    assert (answer.status, "no subject 'Ann'" in answer.problems) == (400, True)


def test_pages_of_other_origins_control_no_subject(serving: Serving, bridge: RunningBridge) -> None:
    before = bridge.controller.subject("Anna").mix
    answer = serving.ask(ANNA, {"emotion": "angry"}, headers={"origin": "http://evil.example"})
    assert answer.status == 403
    assert bridge.controller.subject("Anna").mix == before


def test_without_a_bridge_there_are_no_subjects() -> None:
    with open_preview(PreviewConfig(port=0), load=lambda: small_generator(GUARDED)) as preview:
        serving = Serving(preview)
        preview.start(serving.notices.append)
        assert serving.ask("/api/subjects").document == []
        assert serving.ask(ANNA, {"emotion": "sad"}).status == 409
