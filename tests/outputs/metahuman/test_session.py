"""What a device answers, without sockets: sessions, streams, takes, in any order."""

from __future__ import annotations

import itertools
import shutil
import sys
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cstalk_bridge.models.errors import Problem, UserError
from cstalk_bridge.outputs.metahuman.device import Device
from cstalk_bridge.outputs.metahuman.messages import DeviceRequestError, Incoming
from cstalk_bridge.outputs.metahuman.session import Session
from tests.takes.recording.harness import RecorderHarness

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from cstalk_bridge.outputs.protocol import EndedTake, Take


@dataclass(frozen=True)
class Finished:
    identifier: str
    problem: None = None


class Slate:
    """A recorder that records nothing but what it was told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, int]] = []
        self.take: str | None = None
        self._watching: list[tuple[Callable[[Take], None], Callable[[EndedTake], None]]] = []

    def watch(self, began: Callable[[Take], None], ended: Callable[[EndedTake], None]) -> None:
        self._watching.append((began, ended))

    def start(self, slate: str, number: int) -> str:
        if self.take is not None:
            raise UserError(Problem("take", "a take is being recorded", "stop it first"))
        self.told.append((slate, number))
        self.take = f"{slate}_{number}"
        for began, _ in self._watching:
            began(Finished(self.take))
        return self.take

    def stop(self) -> Finished | None:
        finished, self.take = self.take, None
        if finished is None:
            return None
        for _, ended in self._watching:
            ended(Finished(finished))
        return Finished(finished)


def conversation(device: Device, host: str = "10.0.0.7") -> Session:
    ids = itertools.count(1)
    return Session(device, lambda port: (host, port), new_id=lambda: f"{host}-{next(ids)}")


def asked(talk: Session, path: str, body: Any = None, session: str | None = None) -> Any:
    known = talk.session_id or "handshake" if session is None else session
    return talk.handle(
        Incoming(sessionId=known, addressPath=path, transactionId=7, type="request", body=body)
    )


def refused(talk: Session, path: str, body: Any = None, session: str | None = None) -> str:
    with pytest.raises(DeviceRequestError) as caught:
        asked(talk, path, body, session)
    return str(caught.value.name)


def device_of(*names: str, recorder: Slate | None = None) -> Device:
    device = Device("Stage", recorder)
    for name in names:
        device.add(name)
    return device


def test_nothing_is_answered_before_a_session_and_none_under_a_wrong_one() -> None:
    talk = conversation(device_of("Ada"))
    for path in ("/information", "/stream/subjects", "/session/keep-alive", "/nowhere"):
        assert refused(talk, path) == "noSession"
    assert asked(talk, "/session/start") == {"sessionId": "10.0.0.7-1"}
    assert refused(talk, "/information", session="handshake") == "noSession"
    assert refused(talk, "/information", session="") == "noSession"
    assert refused(talk, "/session/start", session="another") == "noSession"
    assert asked(talk, "/session/keep-alive") is None
    assert refused(talk, "/nowhere") == "notSupported"


def test_information_says_what_the_protocol_asks_for() -> None:
    talk = conversation(device_of("Ada"))
    asked(talk, "/session/start")
    information = asked(talk, "/information")
    assert set(information) == {
        "id",
        "name",
        "model",
        "platformName",
        "platformVersion",
        "softwareName",
        "softwareVersion",
        "exportPort",
    }
    assert information["name"] == "Stage"
    assert all(isinstance(value, str | int) for value in information.values())


def test_a_subject_is_described_with_all_its_controls() -> None:
    talk = conversation(device_of("Ada", "Ben"))
    asked(talk, "/session/start")
    subjects = asked(talk, "/stream/subjects")["subjects"]
    assert [subject["name"] for subject in subjects] == ["Ada", "Ben"]
    assert len({subject["id"] for subject in subjects}) == 2
    for subject in subjects:
        metadata = subject["animationMetadata"]
        assert (metadata["type"], metadata["version"]) == ("mha", 1)
        assert len(metadata["controls"]) == 251
        assert "CTRL_expressions_mouthUp" in metadata["controls"]


def test_streams_start_move_and_stop_for_each_client_alone() -> None:
    device = device_of("Ada", "Ben")
    ada, ben = device.feeds
    first, second = conversation(device), conversation(device, "10.0.0.8")
    asked(first, "/session/start")
    asked(second, "/session/start")
    asked(first, "/stream/start", {"streamPort": 50000, "subjects": [{"id": ada.id}]})
    assert (ada.addresses, ben.addresses) == ((("10.0.0.7", 50000),), ())
    asked(second, "/stream/start", {"streamPort": 50001})
    assert ada.addresses == (("10.0.0.7", 50000), ("10.0.0.8", 50001))
    assert ben.addresses == (("10.0.0.8", 50001),)
    asked(first, "/stream/start", {"streamPort": 50002, "subjects": [{"id": ada.id, "name": "x"}]})
    assert ada.addresses == (("10.0.0.7", 50002), ("10.0.0.8", 50001))
    asked(second, "/stream/stop", {"subjectIds": [ada.id]})
    assert ada.addresses == (("10.0.0.7", 50002),)
    assert ben.addresses == (("10.0.0.8", 50001),)
    asked(second, "/stream/stop")
    asked(first, "/session/stop")
    assert (ada.addresses, ben.addresses) == ((), ())
    assert refused(first, "/information") == "noSession"


def test_two_clients_at_one_address_get_each_frame_once() -> None:
    device = device_of("Ada")
    talks = [conversation(device), conversation(device)]
    for talk in talks:
        asked(talk, "/session/start")
        asked(talk, "/stream/start", {"streamPort": 50000})
    assert device.feeds[0].addresses == (("10.0.0.7", 50000),)
    talks[0].release()
    assert device.feeds[0].addresses == (("10.0.0.7", 50000),)
    talks[1].release()
    assert device.feeds[0].addresses == ()


def test_an_unknown_subject_starts_nothing() -> None:
    device = device_of("Ada")
    talk = conversation(device)
    asked(talk, "/session/start")
    body = {"streamPort": 50000, "subjects": [{"id": device.feeds[0].id}, {"id": "nobody"}]}
    assert refused(talk, "/stream/start", body) == "requestFailed"
    assert refused(talk, "/stream/start") == "missingBody"
    assert refused(talk, "/stream/start", {"streamPort": 0}) == "parsingRequestFailed"
    assert device.feeds[0].addresses == ()


def test_a_client_that_begins_anew_has_nothing_of_before() -> None:
    device = device_of("Ada")
    talk = conversation(device)
    asked(talk, "/session/start")
    asked(talk, "/stream/start", {"streamPort": 50000})
    asked(talk, "/subscribe")
    assert asked(talk, "/session/start", session="handshake") == {"sessionId": "10.0.0.7-2"}
    assert device.feeds[0].addresses == ()
    assert not talk.is_subscribed


def test_takes_are_recorded_by_whoever_records() -> None:
    slate = Slate()
    talk = conversation(device_of("Ada", recorder=slate))
    asked(talk, "/session/start")
    order = {"slateName": "Scene", "takeNumber": 4, "scenario": "rain", "tags": ["good"]}
    assert asked(talk, "/state") == {"isRecording": False}
    assert refused(talk, "/take/record/stop") == "requestFailed"
    assert asked(talk, "/take/record/start", order) is None
    assert asked(talk, "/state") == {"isRecording": True}
    assert refused(talk, "/take/record/start", order) == "requestFailed"
    assert asked(talk, "/take/record/stop") == {"name": "Scene_4"}
    assert slate.told == [("Scene", 4)]
    assert refused(talk, "/take/record/start", {"slateName": ""}) == "parsingRequestFailed"
    assert refused(talk, "/take/record/start") == "missingBody"
    assert asked(talk, "/take/list") == {"names": []}
    assert asked(talk, "/take/metadata", {"names": ["Scene_4"]}) == {"takes": []}
    assert refused(talk, "/export/start/take") == "notSupported"


def test_a_device_that_records_nothing_says_so() -> None:
    talk = conversation(device_of("Ada"))
    asked(talk, "/session/start")
    assert asked(talk, "/state") == {"isRecording": False}
    body = {"slateName": "Scene", "takeNumber": 4}
    assert refused(talk, "/take/record/start", body) == "notSupported"
    assert refused(talk, "/take/record/stop") == "notSupported"


def test_a_subject_has_one_link_to_a_device() -> None:
    device = device_of("Ada")
    with pytest.raises(UserError, match="has a subject 'Ada' already"):
        device.add("Ada")
    assert [feed.name for feed in device.feeds] == ["Ada"]


PATHS = st.sampled_from(
    [
        "/session/start",
        "/session/stop",
        "/session/keep-alive",
        "/information",
        "/state",
        "/subscribe",
        "/unsubscribe",
        "/stream/subjects",
        "/stream/start",
        "/stream/stop",
        "/take/list",
        "/take/metadata",
        "/take/record/start",
        "/take/record/stop",
        "/else",
    ]
)
BODIES = st.none() | st.fixed_dictionaries(
    {},
    optional={
        "streamPort": st.integers(-1, 70000),
        "subjects": st.lists(st.sampled_from("AB?")),
        "subjectIds": st.lists(st.sampled_from("AB?")),
        "slateName": st.text(max_size=3),
        "takeNumber": st.integers(-1, 3),
    },
)


@given(st.lists(st.tuples(st.integers(0, 2), PATHS, BODIES), max_size=40))
def test_requests_in_any_order_leave_nothing_behind(
    requests: list[tuple[int, str, dict[str, Any] | None]],
) -> None:
    device = device_of("A", "B", recorder=Slate())
    names = {feed.name: feed.id for feed in device.feeds}
    talks = [conversation(device, f"10.0.0.{host}") for host in range(3)]
    for client, path, body in requests:
        named = [{"id": names.get(name, name)} for name in (body or {}).get("subjects", [])]
        with suppress(DeviceRequestError):
            asked(talks[client], path, {**body, "subjects": named} if body else body)
        for feed in device.feeds:
            hosts = [host for host, _ in feed.addresses]
            with_session = {f"10.0.0.{n}" for n, talk in enumerate(talks) if talk.session_id}
            assert set(hosts) <= with_session
            assert len(hosts) == len(set(hosts))
    for talk in talks:
        talk.release()
    assert [feed.addresses for feed in device.feeds] == [(), ()]


@pytest.mark.skipif(sys.platform == "win32", reason="open files cannot be removed")
def test_a_lost_take_is_answered_with_an_error(tmp_path: Path) -> None:
    stage = RecorderHarness(tmp_path)
    ended: list[object] = []
    stage.recorder.watch(lambda _take: None, lambda take: ended.append(take.problem))
    talk = conversation(Device("Stage", stage.recorder))
    asked(talk, "/session/start")
    asked(talk, "/take/record/start", {"slateName": "A", "takeNumber": 1})
    stage.step(40)
    shutil.rmtree(next(tmp_path.glob("*.recording")), ignore_errors=True)
    with pytest.raises(DeviceRequestError, match="its files were removed"):
        asked(talk, "/take/record/stop")
    assert ended[0] is not None
    asked(talk, "/take/record/start", {"slateName": "A", "takeNumber": 2})
    stage.step(40)
    assert asked(talk, "/take/record/stop")["name"].endswith("A_2")
    assert ended[1] is None
