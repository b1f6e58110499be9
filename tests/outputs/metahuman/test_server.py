"""The device on real sockets, with test clients that play Unreal's side."""

from __future__ import annotations

import itertools
import json
import socket
import struct
import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cstalk_bridge.outputs.metahuman.device import Device
from cstalk_bridge.outputs.metahuman.messages import CONTROLS, REST
from cstalk_bridge.outputs.metahuman.protocol import MetaHumanLink
from cstalk_bridge.outputs.metahuman.server import MAX_CLIENTS_OF_A_HOST, Server, anyone
from cstalk_bridge.outputs.metahuman.session import Timeouts
from cstalk_bridge.timecode.smpte import FRAME_RATES
from cstalk_bridge.timecode.tick import Tick
from tests.outputs.metahuman.test_session import Finished, Slate
from tests.outputs.metahuman.unreal import TIMEOUT_S, Unreal
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


QUICK = Timeouts(session_s=1.0, idle_s=1.0, send_s=1.0)


class Stage:
    """A device that serves, its links, and a clock that the tests advance."""

    def __init__(self, device: Device, server: Server, port: int, notices: list[str]) -> None:
        self.device = device
        self.server = server
        self.port = port
        self.notices = notices
        self.links = [
            MetaHumanLink(f"metahuman://{feed.name}", feed, CONTROLS, FRAME_RATES["60"])
            for feed in device.feeds
        ]
        self._numbers = itertools.count(1000)

    def tick(self, value: float = 0.5) -> int:
        """Send one frame of every subject with all its curves at `value`; return its number."""
        number = next(self._numbers)
        for link in self.links:
            face = np.full(len(CONTROLS), value, np.float32)
            link.send(face, Tick(number, number / 60, number, 0.25))
        return number

    def unreal(self, **options: Any) -> Unreal:
        return Unreal(self.port, **options)


@contextmanager
def stage(
    *names: str,
    recorder: Slate | None = None,
    timeouts: Timeouts | None = None,
    is_allowed: Callable[[str], bool] = anyone,
) -> Iterator[Stage]:
    device = Device("Stage", recorder)
    for name in names:
        device.add(name)
    notices: list[str] = []
    bound = socket.create_server(("127.0.0.1", 0))
    server = Server(device, bound, notice=notices.append, timeouts=timeouts, is_allowed=is_allowed)
    server.start()
    here = Stage(device, server, bound.getsockname()[1], notices)
    try:
        yield here
    finally:
        for link in here.links:
            link.close()
        server.stop()


def test_a_whole_session_from_handshake_to_close() -> None:
    with stage("Ada") as here, here.unreal() as unreal:
        here.tick()
        (ada,) = unreal.connect()
        assert ada["name"] == "Ada"
        unreal.stream(ada)
        sent = [here.tick(value) for value in (0.0, 0.5, 1.0)]
        frames = [unreal.frame() for _ in sent]
        assert [frame.number for frame in frames] == sent
        assert [frame.controls[0] for frame in frames] == [0, 32768, 65535]
        for frame in frames:
            assert (frame.version, frame.subject) == (1, ada["id"])
            assert (frame.subframe, frame.rate) == (0.25, (60, 1))
            assert len(frame.controls) == len(ada["animationMetadata"]["controls"]) == 251
            assert len(set(frame.controls)) == 1
        assert unreal.result("/session/keep-alive") is None
        assert unreal.result("/stream/stop") is None
        here.tick()
        assert unreal.frames_waiting() == []
        assert unreal.result("/session/stop") is None
        assert unreal.error("/session/keep-alive") == "noSession"
    assert here.links[0].sent == 3
    assert [text.split(": ")[1] for text in here.notices] == [
        "127.0.0.1 gets Ada",
        "127.0.0.1 gets no subject now",
    ]


def test_several_clients_and_subjects_each_receive_what_they_requested() -> None:
    with stage("Ada", "Ben", "Cleo") as here, here.unreal() as first, here.unreal() as second:
        ada, ben, cleo = first.connect()
        assert second.connect() == [ada, ben, cleo]
        first.stream(ada, ben)
        second.stream(cleo, ada)
        number = here.tick()
        assert [f.subject for f in (first.frame(), first.frame())] == [ada["id"], ben["id"]]
        assert [f.subject for f in (second.frame(), second.frame())] == [ada["id"], cleo["id"]]
        second.close()
        wait_until(lambda: len(here.device.feeds[0].addresses) == 1)
        assert here.tick() == number + 1
        assert [f.number for f in (first.frame(), first.frame())] == [number + 1] * 2
        assert [f.number for f in first.frames_waiting()] == []
        assert [link.sent for link in here.links] == [3, 2, 1]


def test_a_request_is_answered_in_its_protocol_version() -> None:
    with stage("Ada") as here:
        for version in (0, 1, 2, 65535):
            with here.unreal(version=version) as unreal:
                unreal.connect()
                assert unreal.versions_received == {version}


def test_split_and_combined_messages_are_answered_in_order() -> None:
    with stage("Ada") as here, here.unreal() as unreal:
        unreal.begin()
        heap = b"".join(unreal.encoded("/session/keep-alive") for _ in range(12))
        for start in range(0, len(heap), 37):
            unreal.control.sendall(heap[start : start + 37])
        answers = [unreal.receive() for _ in range(12)]
        assert [a["transactionId"] for a in answers] == list(range(2, 14))
        assert {a["type"] for a in answers} == {"response"}
        for byte in unreal.encoded("/information"):
            unreal.control.sendall(bytes([byte]))
        assert unreal.receive()["body"]["name"] == "Stage"


def test_requests_out_of_order_are_refused_and_do_no_harm() -> None:
    with stage("Ada") as here, here.unreal() as unreal:
        assert unreal.error("/stream/subjects") == "noSession"
        assert unreal.error("/stream/start", {"streamPort": unreal.stream_port}) == "noSession"
        here.tick()
        assert unreal.frames_waiting() == []
        (ada,) = unreal.connect()
        assert unreal.error("/stream/start") == "missingBody"
        assert unreal.error("/stream/start", {"streamPort": "none"}) == "parsingRequestFailed"
        assert unreal.error("/stream/start", [1]) == "parsingRequestFailed"
        assert unreal.error("/export/start/take", {}) == "notSupported"
        unreal.control.sendall(unreal.encoded("/session/keep-alive", type="response"))
        unreal.control.sendall(unreal.encoded("/anything", type="update"))
        unreal.stream(ada)
        here.tick()
        assert unreal.frame().subject == ada["id"]
        assert here.device.counters.failed == 6


def test_an_unknown_protocol_is_disconnected_and_reported_once() -> None:
    with stage("Ada") as here:
        for opening in (
            b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
            b"CPSCONTROL\x00" + struct.pack("<HI", 1, 2**32 - 1),
            b"CPSCONTROl\x00",
        ):
            with here.unreal() as unreal:
                unreal.control.sendall(opening)
                assert unreal.is_cut_off()
        assert here.device.counters.malformed == 3
        assert "begins with b'GET" in here.notices[0]
        assert "payload of 4294967295 bytes" in here.notices[1]
        with here.unreal() as unreal:
            assert len(unreal.connect()) == 1


def test_a_client_that_sends_only_invalid_messages_is_disconnected() -> None:
    with stage("Ada") as here, here.unreal() as unreal:
        for _ in range(17):
            unreal.control.sendall(unreal.enclosed(b"{}"))
        answers = [unreal.receive() for _ in range(16)]
        assert {answer["error"]["name"] for answer in answers} == {"parsingRequestFailed"}
        assert unreal.is_cut_off()


def test_a_silent_client_receives_no_more_frames() -> None:
    with stage("Ada", timeouts=QUICK) as here, here.unreal() as unreal:
        (ada,) = unreal.connect()
        unreal.stream(ada)
        assert unreal.is_cut_off()
        wait_until(lambda: here.device.feeds[0].addresses == ())
        here.tick()
        assert unreal.frames_waiting() == []


def test_a_byte_now_and_then_does_not_keep_a_connection_open() -> None:
    with stage("Ada", timeouts=QUICK) as here, here.unreal() as unreal:
        with suppress(ConnectionError):
            for byte in unreal.encoded("/session/start"):
                unreal.control.sendall(bytes([byte]))
                time.sleep(0.05)
        assert unreal.is_cut_off()
        assert here.device.counters.malformed == 1
        assert here.device.counters.requests == 0


def test_a_client_that_reads_no_replies_is_disconnected() -> None:
    with (
        stage(*(f"S{n}" for n in range(16)), timeouts=QUICK) as here,
        here.unreal(receive_bytes=4096) as unreal,
    ):
        unreal.begin()
        request = unreal.encoded("/stream/subjects")
        unreal.control.settimeout(0.2)
        with suppress(OSError):
            for _ in range(99):
                unreal.control.sendall(request)
        wait_until(lambda: here.device.counters.malformed == 1)
        with here.unreal() as other:
            assert len(other.connect()) == 16


def test_connections_are_limited_and_unlisted_hosts_refused() -> None:
    with stage("Ada") as here:
        clients = [here.unreal() for _ in range(MAX_CLIENTS_OF_A_HOST)]
        for client in clients:
            client.begin()
        with here.unreal() as one_too_many:
            assert one_too_many.is_cut_off()
        clients.pop().close()
        wait_until(lambda: here.device.counters.rejected == 1)

        def has_room() -> bool:
            with here.unreal() as next_one, suppress(ConnectionError):
                next_one.begin()
                return True
            return False

        wait_until(has_room)
        for client in clients:
            client.close()
    with stage("Ada", is_allowed=lambda host: host != "127.0.0.1") as here:
        with here.unreal() as stranger:
            assert stranger.is_cut_off()
        assert here.device.counters.clients == 0


def test_a_take_is_recorded_and_every_subscriber_is_notified() -> None:
    slate = Slate()
    with stage("Ada", recorder=slate) as here, here.unreal() as first, here.unreal() as second:
        for unreal in (first, second):
            unreal.connect()
            assert unreal.result("/subscribe") is None
        order = {"slateName": "Scene é", "takeNumber": 2}
        assert first.result("/take/record/start", order) is None
        assert slate.requested == [("Scene é", 2)]
        assert second.result("/state") == {"isRecording": True}
        assert first.result("/take/record/stop") == {"name": "Scene é_2"}
        assert first.error("/take/record/stop") == "requestFailed"
        second.result("/session/keep-alive")
        for unreal in (first, second):
            news = [(update["addressPath"], update["body"]) for update in unreal.updates]
            assert news == [
                ("/state/recording", {"isRecording": True}),
                ("/state/recording", {"isRecording": False}),
                ("/take/added", {"name": "Scene é_2"}),
            ]
            assert all(update["type"] == "update" for update in unreal.updates)
            assert all(update["sessionId"] == unreal.session for update in unreal.updates)


def test_a_take_started_elsewhere_is_announced_from_any_thread() -> None:
    slate = Slate()
    with stage("Ada", recorder=slate) as here, here.unreal() as unreal:
        unreal.connect()
        unreal.result("/subscribe")
        slate.start("Scene", 1)
        unreal.result("/session/keep-alive")
        assert [update["body"] for update in unreal.updates] == [{"isRecording": True}]


def test_a_recorder_that_waits_for_its_disk_delays_no_other_client() -> None:
    class Slow(Slate):
        goes_on = threading.Event()

        def stop(self) -> Finished | None:
            self.goes_on.wait(TIMEOUT_S)
            return super().stop()

    slow = Slow()
    with stage("Ada", recorder=slow) as here, here.unreal() as first, here.unreal() as second:
        first.connect()
        second.connect()
        first.result("/take/record/start", {"slateName": "A", "takeNumber": 1})
        first.control.sendall(first.encoded("/take/record/stop"))
        assert second.result("/session/keep-alive") is None
        slow.goes_on.set()
        assert first.receive()["body"] == {"name": "A_1"}


def test_a_device_announces_its_shutdown_and_leaves_the_face_at_rest() -> None:
    with stage("Ada") as here, here.unreal() as unreal:
        (ada,) = unreal.connect()
        unreal.stream(ada)
        number = here.tick()
        for link in here.links:
            link.close()
        here.server.stop()
        last = unreal.receive()
        assert (last["type"], last["addressPath"]) == ("update", "/event/session-stopped")
        assert last["sessionId"] == unreal.session
        assert unreal.is_cut_off()
        frames = unreal.frames_waiting()
    assert [frame.number for frame in frames] == [number, number + 1]
    assert set(frames[0].controls) == {32768}
    assert frames[1].controls == np.rint(65535 * REST).tolist()


def test_a_server_that_never_started_or_has_ended_can_be_stopped() -> None:
    bound = socket.create_server(("127.0.0.1", 0))
    server = Server(Device("Stage"), bound, notice=print)
    server.stop()
    assert bound.fileno() == -1
    slate = Slate()
    with stage("Ada", recorder=slate) as here:
        here.server.stop()
        slate.start("Scene", 1)
        here.server.stop()


WORDS = st.sampled_from(
    [
        b"CPSCONTROL\x00",
        struct.pack("<HI", 1, 2),
        struct.pack("<HI", 1, 0),
        struct.pack("<HI", 9, 70000),
        b"{}",
        b"[[[[",
        b"\xff",
        json.dumps(
            {"addressPath": "/session/start", "transactionId": 1, "type": "request"}
        ).encode(),
    ]
)


def test_hostile_bytes_break_only_their_own_connection() -> None:
    with stage("Ada") as here, here.unreal() as friend:

        @settings(
            max_examples=60,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
        )
        @given(st.lists(WORDS | st.binary(max_size=40), max_size=20), st.booleans())
        def attack(pieces: list[bytes], is_whole: bool) -> None:
            with here.unreal() as hostile, suppress(ConnectionError):
                content = b"".join(pieces)
                hostile.control.sendall(hostile.enclosed(content) if is_whole else content)
                hostile.control.shutdown(socket.SHUT_WR)
                hostile.is_cut_off()
            assert friend.result("/session/keep-alive") is None

        friend.begin()
        attack()
        assert here.device.counters.clients >= 60
        assert not any("Exception" in text or "Error" in text for text in here.notices)


def test_a_stopping_server_waits_for_no_client() -> None:
    with stage("Ada") as here:
        silent = [here.unreal() for _ in range(4)]
        wait_until(lambda: here.device.counters.clients == 4)
        began = time.monotonic()
        here.server.stop()
        assert time.monotonic() - began < TIMEOUT_S
        for unreal in silent:
            assert unreal.is_cut_off()
            unreal.close()


def test_a_client_above_the_rate_limit_is_slowed_down_and_not_refused() -> None:
    with stage("Ada") as here, here.unreal() as hasty, here.unreal() as other:
        hasty.begin()
        other.begin()
        hasty.control.sendall(b"".join(hasty.encoded("/session/keep-alive") for _ in range(200)))
        for _ in range(30):
            assert "error" not in hasty.receive()
        assert other.result("/session/keep-alive") is None
        assert here.device.counters.requests < 200
