"""What the page learns of a running bridge, and how it starts takes and changes settings."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from websockets.sync.client import connect

from cstalk_bridge.config.schema import PreviewConfig
from cstalk_bridge.preview.server import open_preview
from cstalk_bridge.settings.table import live_settings
from tests.control.running import RunningBridge, running_bridge
from tests.networks import GUARDED, small_generator
from tests.preview.serving import Serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


ANNA = "/api/subjects/Anna"
TIMEOUT_S = 30.0


@pytest.fixture(scope="module")
def bridge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBridge]:
    with running_bridge(tmp_path_factory.mktemp("steering"), "Anna") as running:
        yield running


@pytest.fixture(scope="module")
def serving(bridge: RunningBridge) -> Iterator[Serving]:
    with open_preview(
        PreviewConfig(port=0),
        load=lambda: small_generator(GUARDED),
        subjects=("Anna",),
        rate_hz=60.0,
        controller=bridge.controller,
    ) as preview:
        found = Serving(preview)
        preview.start(found.notices.append)
        yield found


def until(serving: Serving, kind: str, holds: Callable[[Any], bool]) -> Any:
    """Watch, as the page does, until a message of that kind is as wanted."""
    deadline_s, latest = time.monotonic() + TIMEOUT_S, None
    with connect(f"ws://{serving.address}/live") as socket:
        while time.monotonic() < deadline_s:
            message = socket.recv(timeout=TIMEOUT_S)
            document = json.loads(message) if isinstance(message, str) else {}
            if document.get("kind") == kind:
                latest = document
                if holds(document):
                    return document
    raise AssertionError(f"not as wanted within {TIMEOUT_S:g} s: {latest}")


def link_of(state: Any) -> Any:
    """Return the only link of the only subject."""
    ((link,),) = (subject["links"] for subject in state["subjects"])
    return link


def test_the_page_is_told_all_that_it_can_set(serving: Serving) -> None:
    described = serving.ask("/api/session").document["live_settings"]
    assert list(described) == [entry.field_name for entry in live_settings()]
    (subject,) = until(serving, "state", lambda state: bool(state["subjects"]))["subjects"]
    assert subject["passthrough"] is None
    of_others = {name for name, info in described.items() if info["group"] == "passthrough"}
    assert set(described) - of_others == set(described) & set(subject)
    assert set(subject["levels"]) == set(serving.ask("/api/session").document["levels"])


def test_links_are_told_with_their_lamps(serving: Serving, bridge: RunningBridge) -> None:
    # Some packets must have gone unrefused before it is known that somebody listens.
    state = until(serving, "state", lambda state: link_of(state)["lamp"] == "listening")
    link = link_of(state)
    (metrics,) = bridge.metrics.subjects[0].links
    assert (link["name"], link["state"]) == (metrics.counters.name, "good")
    assert until(serving, "state", lambda state: link_of(state)["rate"] > 0)
    assert bridge.metrics.subjects[0].input_name == state["subjects"][0]["input"]


def test_meters_move_with_the_sound(serving: Serving) -> None:
    loud = until(serving, "meters", lambda meters: meters["subjects"][0]["level_db"] > -40)
    assert loud["timecode"] != ""
    serving.ask(ANNA, {"is_muted": True})
    until(serving, "meters", lambda meters: meters["subjects"][0]["level_db"] < -80)
    assert until(serving, "state", lambda state: state["subjects"][0]["is_muted"])
    serving.ask(ANNA, {"is_muted": False})


def test_a_take_is_named_and_its_place_is_told(serving: Serving, bridge: RunningBridge) -> None:
    begun = serving.ask("/api/recording", {"action": "start", "slate": "Scene", "take": 7})
    assert begun.status == 200
    assert {**begun.document, "folder": ""} == {
        "is_recording": True, "slate": "Scene", "take": 7, "lost": 0, "folder": "", "ended": []
    }  # fmt: skip
    again = serving.ask("/api/recording", {"action": "start"})
    assert (again.status, "being recorded" in again.problems) == (400, True)
    bridge.wait_for_take()
    ended = serving.ask("/api/recording", {"action": "stop"}).document
    (take,) = ended["ended"]
    folder = Path(ended["folder"])
    assert take["identifier"].endswith("_Scene_7")
    assert (take["problem"], ended["take"]) == ("", 8)
    assert Path(take["folder"]).resolve() == folder / take["identifier"]
    assert (folder / take["identifier"]).is_dir()


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"audio_gain_db": 61}, "audio_gain_db"),
        ({"audio_gate_enabled": "maybe"}, "audio_gate_enabled"),
        ({"lookahead_ms": 30}, "lookahead_ms"),
        ({"transition_ms": -1}, "transition_ms"),
        ({"rigmaps": {"livelinkface61": "vrm"}}, "other curves"),
        ({"rigmaps": {"livelinkface61": "nothing.yaml"}}, "nothing.yaml"),
        ({"input": "mic"}, "restart the bridge"),
    ],
)
def test_what_is_out_of_range_is_refused_at_its_place(
    serving: Serving, body: object, words: str
) -> None:
    answer = serving.ask(ANNA, body)
    assert (answer.status, words in answer.problems) == (400, True), answer.body


def test_inputs_are_listed_or_it_is_said_why_not(serving: Serving) -> None:
    told = serving.ask("/api/devices").document
    assert set(told) == {"inputs", "problems"}
    assert all(set(one) == {"id", "name", "is_default"} for one in told["inputs"])


def test_without_a_bridge_nothing_is_steered() -> None:
    with open_preview(PreviewConfig(port=0), load=lambda: small_generator(GUARDED)) as preview:
        serving = Serving(preview)
        preview.start(serving.notices.append)
        for path, body in (("/api/recording", {"action": "start"}), ("/api/bridge", None)):
            answer = serving.ask(path, body)
            assert (answer.status, "no bridge runs" in answer.problems) == (409, True)
