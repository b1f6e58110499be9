"""The device with an Unreal that accepts only messages that are exactly right."""

from __future__ import annotations

from typing import Any

import pytest

from tests.outputs.metahuman.strict import StrictUnreal, check_message
from tests.outputs.metahuman.test_server import stage
from tests.outputs.metahuman.test_session import Finished, Slate
from tests.waiting import wait_until

ORDER = {"slateName": "Scene", "takeNumber": 4}


def test_a_whole_session_passes_strict_parsers() -> None:
    slate = Slate()
    with stage("Ada", recorder=slate) as here:
        unreal = StrictUnreal(here.port)
        with unreal:
            (ada,) = unreal.connect()
            unreal.stream(ada)
            number = here.tick()
            assert unreal.frame().number == number
            assert unreal.result("/state") == {"isRecording": False}
            assert unreal.result("/take/list") == {"names": []}
            assert unreal.result("/take/metadata", {"names": []}) == {"takes": []}
            assert unreal.result("/take/record/start", ORDER) is None
            assert unreal.result("/take/record/stop") == {"name": "Scene_4"}
            assert unreal.result("/take/metadata", {"names": ["Scene_4"]}) == {"takes": []}
            assert unreal.result("/session/keep-alive") is None
            assert unreal.result("/stream/stop") is None
            assert [update["addressPath"] for update in unreal.updates] == [
                "/state/recording",
                "/state/recording",
                "/take/added",
            ]
            assert unreal.result("/session/stop") is None


@pytest.mark.parametrize(
    ("path", "body", "error"),
    [
        ("/stream/start", None, "missingBody"),
        ("/stream/start", {"streamPort": 0}, "parsingRequestFailed"),
        ("/take/metadata", {"names": 7}, "parsingRequestFailed"),
        ("/take/record/abort", None, "notSupported"),
        ("/take/record/stop", None, "requestFailed"),
        ("/export/start/take", {}, "notSupported"),
    ],
)
def test_refusals_pass_strict_parsers(path: str, body: Any, error: str) -> None:
    with stage("Ada", recorder=Slate()) as here, StrictUnreal(here.port) as unreal:
        unreal.connect()
        assert unreal.error(path, body) == error


def test_unreadable_messages_are_answered_under_a_number() -> None:
    with stage("Ada") as here, StrictUnreal(here.port) as unreal:
        unreal.connect()
        for payload in (b"{", b"[]", b'{"transactionId": "T1"}', b'{"transactionId": -1}'):
            unreal.control.sendall(unreal.enclosed(payload))
            assert b'"transactionId":0,' in unreal.receive_payload()
        unreal.control.sendall(unreal.encoded("/information", transactionId="seven"))
        assert unreal.receive()["error"]["name"] == "parsingRequestFailed"


def test_updates_are_numbered_and_a_stopped_session_is_notified() -> None:
    slate = Slate()
    with stage("Ada", recorder=slate) as here:
        unreal = StrictUnreal(here.port)
        with unreal:
            unreal.connect()
            slate.take = "Scene_1"
            for _, ended in slate._watching:
                ended(Finished("Scene_1"))
            ids = [unreal.receive()["transactionId"] for _ in range(2)]
            assert ids == [1, 2]
            here.server.stop()
            last = unreal.receive()
            assert (last["addressPath"], last["transactionId"]) == ("/event/session-stopped", 3)
    wait_until(lambda: here.device.counters.malformed == 0)


GOOD: dict[str, Any] = {
    "sessionId": "S",
    "addressPath": "/state",
    "transactionId": 7,
    "timestamp": 1700000000000,
    "type": "response",
    "body": {"isRecording": False},
}


def test_the_strict_client_accepts_a_valid_message() -> None:
    check_message(GOOD)


@pytest.mark.parametrize(
    "changes",
    [
        {"transactionId": "7"},
        {"transactionId": 2**32},
        {"transactionId": 7.5},
        {"transactionId": True},
        {"timestamp": "now"},
        {"type": "answer"},
        {"type": "update"},
        {"sessionId": None},
        {"body": {}},
        {"body": {"isRecording": 0}},
        {"body": None},
        {"addressPath": "/session/keep-alive"},
        {"error": {"name": "requestFailed", "description": "why"}},
        {"body": None, "error": {"name": "else", "description": "why"}},
    ],
    ids=str,
)
def test_the_strict_client_drops_what_unreal_drops(changes: dict[str, Any]) -> None:
    message = GOOD | changes
    for key in [key for key, value in changes.items() if value is None]:
        del message[key]
    with pytest.raises(AssertionError):
        check_message(message)
