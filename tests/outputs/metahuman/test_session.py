"""Sessions of a device without sockets: requests for streams and takes, in any order."""

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
    """A recorder that records nothing but the requests."""

    def __init__(self) -> None:
        self.requested: list[tuple[str, int]] = []
        self.take: str | None = None
        self._watching: list[tuple[Callable[[Take], None], Callable[[EndedTake], None]]] = []

    def watch(self, began: Callable[[Take], None], ended: Callable[[EndedTake], None]) -> None:
        self._watching.append((began, ended))

    def start(self, slate: str, number: int) -> str:
        if self.take is not None:
            raise UserError(Problem("take", "a take is being recorded", "stop it first"))
        self.requested.append((slate, number))
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


def session_of(device: Device, host: str = "10.0.0.7") -> Session:
    ids = itertools.count(1)
    return Session(device, lambda port: (host, port), new_id=lambda: f"{host}-{next(ids)}")


def result_of(client: Session, path: str, body: Any = None, session: str | None = None) -> Any:
    known = client.session_id or "handshake" if session is None else session
    return client.handle(
        Incoming(sessionId=known, addressPath=path, transactionId=7, type="request", body=body)
    )


def error_of(client: Session, path: str, body: Any = None, session: str | None = None) -> str:
    with pytest.raises(DeviceRequestError) as caught:
        result_of(client, path, body, session)
    return str(caught.value.name)


def device_of(*names: str, recorder: Slate | None = None) -> Device:
    device = Device("Stage", recorder)
    for name in names:
        device.add(name)
    return device


def test_nothing_is_answered_before_a_session_or_under_a_wrong_one() -> None:
    client = session_of(device_of("Ada"))
    for path in ("/information", "/stream/subjects", "/session/keep-alive", "/nowhere"):
        assert error_of(client, path) == "noSession"
    assert result_of(client, "/session/start") == {"sessionId": "10.0.0.7-1"}
    assert error_of(client, "/information", session="handshake") == "noSession"
    assert error_of(client, "/information", session="") == "noSession"
    assert error_of(client, "/session/start", session="another") == "noSession"
    assert result_of(client, "/session/keep-alive") is None
    assert error_of(client, "/nowhere") == "notSupported"


def test_the_device_information_has_the_fields_of_the_protocol() -> None:
    client = session_of(device_of("Ada"))
    result_of(client, "/session/start")
    information = result_of(client, "/information")
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
    client = session_of(device_of("Ada", "Ben"))
    result_of(client, "/session/start")
    subjects = result_of(client, "/stream/subjects")["subjects"]
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
    first, second = session_of(device), session_of(device, "10.0.0.8")
    result_of(first, "/session/start")
    result_of(second, "/session/start")
    result_of(first, "/stream/start", {"streamPort": 50000, "subjects": [{"id": ada.id}]})
    assert (ada.addresses, ben.addresses) == ((("10.0.0.7", 50000),), ())
    result_of(second, "/stream/start", {"streamPort": 50001})
    assert ada.addresses == (("10.0.0.7", 50000), ("10.0.0.8", 50001))
    assert ben.addresses == (("10.0.0.8", 50001),)
    result_of(
        first, "/stream/start", {"streamPort": 50002, "subjects": [{"id": ada.id, "name": "x"}]}
    )
    assert ada.addresses == (("10.0.0.7", 50002), ("10.0.0.8", 50001))
    result_of(second, "/stream/stop", {"subjectIds": [ada.id]})
    assert ada.addresses == (("10.0.0.7", 50002),)
    assert ben.addresses == (("10.0.0.8", 50001),)
    result_of(second, "/stream/stop")
    result_of(first, "/session/stop")
    assert (ada.addresses, ben.addresses) == ((), ())
    assert error_of(first, "/information") == "noSession"


def test_two_clients_at_one_address_receive_each_frame_once() -> None:
    device = device_of("Ada")
    clients = [session_of(device), session_of(device)]
    for client in clients:
        result_of(client, "/session/start")
        result_of(client, "/stream/start", {"streamPort": 50000})
    assert device.feeds[0].addresses == (("10.0.0.7", 50000),)
    clients[0].release()
    assert device.feeds[0].addresses == (("10.0.0.7", 50000),)
    clients[1].release()
    assert device.feeds[0].addresses == ()


def test_an_unknown_subject_starts_nothing() -> None:
    device = device_of("Ada")
    client = session_of(device)
    result_of(client, "/session/start")
    body = {"streamPort": 50000, "subjects": [{"id": device.feeds[0].id}, {"id": "nobody"}]}
    assert error_of(client, "/stream/start", body) == "requestFailed"
    assert error_of(client, "/stream/start") == "missingBody"
    assert error_of(client, "/stream/start", {"streamPort": 0}) == "parsingRequestFailed"
    assert device.feeds[0].addresses == ()


def test_a_client_that_reconnects_has_no_old_state() -> None:
    device = device_of("Ada")
    client = session_of(device)
    result_of(client, "/session/start")
    result_of(client, "/stream/start", {"streamPort": 50000})
    result_of(client, "/subscribe")
    assert result_of(client, "/session/start", session="handshake") == {"sessionId": "10.0.0.7-2"}
    assert device.feeds[0].addresses == ()
    assert not client.is_subscribed


def test_takes_are_recorded_for_any_client() -> None:
    slate = Slate()
    client = session_of(device_of("Ada", recorder=slate))
    result_of(client, "/session/start")
    order = {"slateName": "Scene", "takeNumber": 4, "scenario": "rain", "tags": ["good"]}
    assert result_of(client, "/state") == {"isRecording": False}
    assert error_of(client, "/take/record/stop") == "requestFailed"
    assert result_of(client, "/take/record/start", order) is None
    assert result_of(client, "/state") == {"isRecording": True}
    assert error_of(client, "/take/record/start", order) == "requestFailed"
    assert result_of(client, "/take/record/stop") == {"name": "Scene_4"}
    assert slate.requested == [("Scene", 4)]
    assert error_of(client, "/take/record/start", {"slateName": ""}) == "parsingRequestFailed"
    assert error_of(client, "/take/record/start") == "missingBody"
    assert result_of(client, "/take/list") == {"names": []}
    assert result_of(client, "/take/metadata", {"names": ["Scene_4"]}) == {"takes": []}
    assert error_of(client, "/export/start/take") == "notSupported"


def test_a_device_without_recorder_reports_so() -> None:
    client = session_of(device_of("Ada"))
    result_of(client, "/session/start")
    assert result_of(client, "/state") == {"isRecording": False}
    body = {"slateName": "Scene", "takeNumber": 4}
    assert error_of(client, "/take/record/start", body) == "notSupported"
    assert error_of(client, "/take/record/stop") == "notSupported"


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
def test_requests_in_any_order_leave_no_state(
    requests: list[tuple[int, str, dict[str, Any] | None]],
) -> None:
    device = device_of("A", "B", recorder=Slate())
    names = {feed.name: feed.id for feed in device.feeds}
    clients = [session_of(device, f"10.0.0.{host}") for host in range(3)]
    for number, path, body in requests:
        named = [{"id": names.get(name, name)} for name in (body or {}).get("subjects", [])]
        with suppress(DeviceRequestError):
            result_of(clients[number], path, {**body, "subjects": named} if body else body)
        for feed in device.feeds:
            hosts = [host for host, _ in feed.addresses]
            with_session = {f"10.0.0.{n}" for n, client in enumerate(clients) if client.session_id}
            assert set(hosts) <= with_session
            assert len(hosts) == len(set(hosts))
    for client in clients:
        client.release()
    assert [feed.addresses for feed in device.feeds] == [(), ()]


@pytest.mark.skipif(sys.platform == "win32", reason="open files cannot be removed")
def test_a_lost_take_is_answered_with_an_error(tmp_path: Path) -> None:
    stage = RecorderHarness(tmp_path)
    ended: list[object] = []
    stage.recorder.watch(lambda _take: None, lambda take: ended.append(take.problem))
    client = session_of(Device("Stage", stage.recorder))
    result_of(client, "/session/start")
    result_of(client, "/take/record/start", {"slateName": "A", "takeNumber": 1})
    stage.step(40)
    shutil.rmtree(next(tmp_path.glob("*.recording")), ignore_errors=True)
    with pytest.raises(DeviceRequestError, match="its files were removed"):
        result_of(client, "/take/record/stop")
    assert ended[0] is not None
    result_of(client, "/take/record/start", {"slateName": "A", "takeNumber": 2})
    stage.step(40)
    assert result_of(client, "/take/record/stop")["name"].endswith("A_2")
    assert ended[1] is None
