"""An Unreal that is as strict as Epic's own parsers are known to be.

Messages that those drop silently raise an AssertionError here. From facts of the
capture protocol and of the Live Link Face source: the version is compared for equality, ids of
transactions are u32 numbers in every message, every key of a body must be there with its type, a
response without a result must have no body, and the source takes the first subject alone.
"""

from __future__ import annotations

import itertools
import json
import time
from typing import TYPE_CHECKING, Any

from tests.outputs.metahuman.unreal import Frame, Unreal, parse_frame

if TYPE_CHECKING:
    from collections.abc import Callable


CPS_VERSION = 1
MAX_U16, MAX_U32, MAX_U64 = 2**16 - 1, 2**32 - 1, 2**64 - 1
TYPES = ("request", "response", "update")
PLATFORMS = ("iOS", "android", "windows", "windowsServer", "linux", "macOS")
ERRORS = (
    "unsupportedProtocolVersion",
    "requestFailed",
    "parsingRequestFailed",
    "notSupported",
    "noSession",
    "missingBody",
)


def text(value: Any) -> None:
    assert isinstance(value, str), value


def flag(value: Any) -> None:
    assert isinstance(value, bool), value


def number(limit: int) -> Callable[[Any], None]:
    def check(value: Any) -> None:
        assert isinstance(value, int), value
        assert not isinstance(value, bool), value
        assert 0 <= value <= limit, value

    return check


def one_of(*allowed: str) -> Callable[[Any], None]:
    def check(value: Any) -> None:
        assert value in allowed, value

    return check


def array(of: Callable[[Any], None]) -> Callable[[Any], None]:
    def check(value: Any) -> None:
        assert isinstance(value, list), value
        for each in value:
            of(each)

    return check


def keys(**needed: Callable[[Any], None]) -> Callable[[Any], None]:
    def check(value: Any) -> None:
        assert isinstance(value, dict), value
        for name, fits in needed.items():
            assert name in value, f"{name} is missing in {value}"
            fits(value[name])

    return check


def nothing(value: Any) -> None:
    assert value is None, f"a body where there must be none: {value}"


MESSAGE = keys(
    sessionId=text,
    addressPath=text,
    transactionId=number(MAX_U32),
    timestamp=number(MAX_U64),
    type=one_of(*TYPES),
)
ERROR = keys(name=one_of(*ERRORS), description=text)
RESPONSES: dict[str, Callable[[Any], None]] = {
    "/session/start": keys(sessionId=text),
    "/session/stop": nothing,
    "/session/keep-alive": nothing,
    "/subscribe": nothing,
    "/unsubscribe": nothing,
    "/information": keys(
        id=text,
        name=text,
        model=text,
        platformName=one_of(*PLATFORMS),
        platformVersion=text,
        softwareName=text,
        softwareVersion=text,
        exportPort=number(MAX_U16),
    ),
    "/state": keys(isRecording=flag),
    "/stream/subjects": keys(
        subjects=array(
            keys(
                id=text,
                name=text,
                animationMetadata=keys(
                    type=one_of("arkit", "mha"), version=number(MAX_U16), controls=array(text)
                ),
            )
        )
    ),
    "/stream/start": nothing,
    "/stream/stop": nothing,
    "/take/record/start": nothing,
    "/take/record/stop": keys(name=text),
    "/take/list": keys(names=array(text)),
    "/take/metadata": keys(
        takes=array(
            keys(
                name=text,
                slateName=text,
                takeNumber=number(MAX_U16),
                dateTime=text,
                appVersion=text,
                model=text,
            )
        )
    ),
}
UPDATES: dict[str, Callable[[Any], None]] = {
    "/event/session-stopped": nothing,
    "/state/recording": keys(isRecording=flag),
    "/take/added": keys(name=text),
}


def check_message(message: Any) -> None:
    """AssertionError for a message that Unreal would drop, or could not use."""
    MESSAGE(message)
    assert message["type"] != "request", "a device asks for nothing"
    if "error" in message:
        assert message["type"] == "response"
        assert "body" not in message
        ERROR(message["error"])
        return
    bodies = RESPONSES if message["type"] == "response" else UPDATES
    assert message["addressPath"] in bodies, message["addressPath"]
    bodies[message["addressPath"]](message.get("body"))


class StrictUnreal(Unreal):
    """An editor that takes one subject, the first, and only messages that are exactly right."""

    def __init__(self, port: int) -> None:
        super().__init__(port, version=CPS_VERSION)
        self._ids = itertools.count(1)
        self.subject: dict[str, Any] = {}

    def encoded(self, path: str, body: Any = None, **changes: Any) -> bytes:
        message = {
            "sessionId": self.session,
            "addressPath": path,
            "transactionId": next(self._ids),
            "timestamp": int(time.time() * 1000),
            "type": "request",
            **({} if body is None else {"body": body}),
        }
        return self.enclosed(json.dumps(message | changes).encode())

    def receive(self) -> dict[str, Any]:
        message = json.loads(self.receive_payload().decode("utf-8", "strict"))
        assert self.versions_received == {CPS_VERSION}
        check_message(message)
        if self.session != "handshake" and message["addressPath"] != "/session/start":
            assert message["sessionId"] == self.session
        return dict(message)

    def connect(self) -> list[dict[str, Any]]:
        """Connect as the source does, which then knows no subject but element 0."""
        self.begin()
        self.result("/information")
        subjects = self.result("/stream/subjects")["subjects"]
        assert subjects, "the source has nothing to show without a subject"
        self.subject = subjects[0]
        self.result("/subscribe")
        return [self.subject]

    def frame(self) -> Frame:
        """Wait for the next frame; another count of controls makes Unreal connect anew."""
        frame = parse_frame(self.frames.recv(65536))
        assert frame.version == 1
        assert frame.subject == self.subject["id"]
        assert len(frame.controls) == len(self.subject["animationMetadata"]["controls"])
        assert 0.0 <= frame.subframe < 1.0
        assert min(frame.rate) > 0
        return frame
