"""Control messages: what is written can be read by anybody, what is read has limits."""

import json
import tracemalloc
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.links.metahuman.bodies import StreamStart, StreamStop, TakeOrder
from bridge.links.metahuman.messages import (
    ErrorName,
    Incoming,
    MalformedError,
    RefusalError,
    error_response,
    read_message,
    response,
    update,
)

REQUEST: dict[str, Any] = {
    "sessionId": "S",
    "addressPath": "/information",
    "transactionId": 1,
    "timestamp": 1700000000000,
    "type": "request",
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda children: (
        st.lists(children, max_size=4) | st.dictionaries(st.text(max_size=12), children, max_size=4)
    ),
    max_leaves=12,
)
FIELDS = st.sampled_from([*REQUEST, "body", "error", "else"])


def payload(**changes: Any) -> bytes:
    message = {k: v for k, v in (REQUEST | changes).items() if v is not ...}
    return json.dumps(message).encode()


def test_a_request_is_read() -> None:
    message = read_message(payload(body={"streamPort": 11111}, unknown=[1, {}]))
    assert message == Incoming(
        sessionId="S",
        addressPath="/information",
        transactionId=1,
        type="request",
        body={"streamPort": 11111},
    )


@given(st.text(max_size=40), st.integers(0, 2**32 - 1))
def test_responses_carry_what_the_request_is_known_by(path: str, transaction: int) -> None:
    request = Incoming(sessionId="S", addressPath=path, transactionId=transaction, type="request")
    known = {
        "sessionId": "S",
        "addressPath": path,
        "transactionId": transaction,
        "timestamp": 7,
        "type": "response",
    }
    assert json.loads(response(request, 7)) == known
    assert json.loads(response(request, 7, {"name": "é"})) == known | {"body": {"name": "é"}}
    refusal = RefusalError(ErrorName.FAILED, "why")
    error = {"name": "requestFailed", "description": "why"}
    assert json.loads(error_response(request, 7, refusal)) == known | {"error": error}


def test_an_update_is_what_the_layout_says() -> None:
    assert json.loads(update("S", "/take/added", 3, 7, {"name": "A_1"})) == {
        "sessionId": "S",
        "addressPath": "/take/added",
        "transactionId": 3,
        "timestamp": 7,
        "type": "update",
        "body": {"name": "A_1"},
    }
    assert "body" not in json.loads(update("S", "/event/session-stopped", 4, 7))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "message: Invalid JSON"),
        (b"{", "message: Invalid JSON"),
        (b"\xff\xfe", "message: Invalid JSON"),
        (b'{"addressPath": "\xff"}', "message: Invalid JSON"),
        (b'"' + b"\\ud800" + b'"', "message: Invalid JSON"),
        (b"[" * 60000, "message: Invalid JSON"),
        (b"[]", "message: Input should be"),
        (payload(addressPath=...), "addressPath: Field required"),
        (payload(transactionId=...), "transactionId: Field required"),
        (payload(transactionId=True), "transactionId: Value error, Input should be a number"),
        (payload(transactionId="7"), "transactionId: Value error, Input should be a number"),
        (payload(transactionId=-1), "transactionId: Input should be greater"),
        (payload(transactionId=2**32), "transactionId: Input should be less"),
        (payload(transactionId=1.5), "transactionId: Input should be a valid integer"),
        (payload(type="question"), "type: Input should be"),
        (payload(body=[]), "body: Input should be"),
        (payload(sessionId="x" * 257), "sessionId: String should have at most 256"),
    ],
)
def test_what_is_no_message_is_refused_in_words(content: bytes, words: str) -> None:
    with pytest.raises(MalformedError) as caught:
        read_message(content)
    assert words in caught.value.description
    assert caught.value.name == "parsingRequestFailed"
    assert len(caught.value.description) <= 500


def test_a_message_with_a_fault_is_answered_under_its_own_transaction() -> None:
    with pytest.raises(MalformedError) as caught:
        read_message(payload(body=[]))
    answer = json.loads(error_response(caught.value.read, 7, caught.value))
    assert (answer["transactionId"], answer["sessionId"]) == (1, "S")
    assert answer["addressPath"] == "/information"
    with pytest.raises(MalformedError) as caught:
        read_message(payload(transactionId="T1"))
    answer = json.loads(error_response(caught.value.read, 7, caught.value))
    assert (answer["transactionId"], answer["sessionId"]) == (0, "S")


@given(st.binary(max_size=300))
def test_any_bytes_are_a_message_or_refused(content: bytes) -> None:
    with suppress(MalformedError):
        read_message(content)


@given(st.dictionaries(FIELDS, JSON, max_size=6))
def test_any_json_is_a_message_or_refused_and_can_be_answered(changes: dict[str, Any]) -> None:
    content = json.dumps(REQUEST | changes).encode()
    try:
        message = read_message(content)
    except MalformedError as error:
        json.loads(error_response(error.read, 7, error))
    else:
        json.loads(response(message, 7))


def test_numbers_beyond_all_measure_are_refused() -> None:
    for number in ("9" * 5000, "1e999", "NaN", "-Infinity"):
        content = payload(body=...).replace(b'Id": 1,', b'Id": ' + number.encode() + b",")
        with pytest.raises(MalformedError):
            read_message(content)


@given(st.dictionaries(st.sampled_from(["streamPort", "subjects", "subjectIds"]), JSON))
def test_any_body_is_read_or_refused(body: dict[str, Any]) -> None:
    for kind in (StreamStart, StreamStop, TakeOrder):
        with suppress(RefusalError):
            kind.of(body)


@pytest.mark.parametrize("port", [0, -1, 65536, 1.5, None, "x", [], float("nan")])
def test_a_stream_port_is_a_port(port: object) -> None:
    with pytest.raises(RefusalError) as caught:
        StreamStart.of({"streamPort": port})
    assert caught.value.name == "parsingRequestFailed"
    assert "streamPort" in caught.value.description


def test_bodies_that_fit() -> None:
    start = StreamStart.of({"streamPort": 54321.0, "subjects": [{"id": "A", "name": "x"}]})
    assert (start.stream_port, start.subjects[0].id) == (54321, "A")
    order = TakeOrder.of({"slateName": "Scene", "takeNumber": 3, "tags": ["a"], "subject": "Ada"})
    assert (order.slate_name, order.take_number) == ("Scene", 3)
    with pytest.raises(RefusalError) as caught:
        StreamStart.of(None)
    assert caught.value.name == "missingBody"


@pytest.mark.parametrize("kind", ["request", "no kind of message"])
def test_nothing_is_kept_of_what_was_read(kind: str) -> None:
    def read(number: int) -> None:
        message = {
            "sessionId": f"session {number:028}",
            "addressPath": "/state",
            "transactionId": f"transaction {number:024}",
            "type": kind,
            "body": {f"key {number:032}": f"value {number:030}"},
        }
        with suppress(MalformedError):
            read_message(json.dumps(message).encode())

    read(0)
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for number in range(1000):
            read(number)
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 10_000
