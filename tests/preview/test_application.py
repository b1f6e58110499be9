from __future__ import annotations

import socket
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Origin

from tests.preview.serving import Serving, serve

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cstalk_bridge.models.cstalk.generator import Generator


SESSION = "/api/session"


@pytest.fixture(scope="module")
def outside(generator: Generator) -> Iterator[Serving]:
    """A preview for other machines, which therefore has a token."""
    with serve(generator, "0.0.0.0:0", subjects=["One"], rate_hz=60.0) as serving:
        yield serving


def token_of(serving: Serving) -> str:
    return urlsplit(serving.preview.url).query.removeprefix("token=")


def cookie_of(serving: Serving) -> str:
    answer = serving.ask(f"/?token={token_of(serving)}")
    assert answer.status == 303
    assert answer.headers["location"] == "/"
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    return cookie.partition(";")[0]


def test_our_own_host_names_are_served(serving: Serving) -> None:
    for name in ("127.0.0.1", "localhost", "[::1]", "LocalHost"):
        assert serving.ask(SESSION, headers={"Host": f"{name}:{serving.port}"}).status == 200


@pytest.mark.parametrize(
    "host",
    [
        *("evil.example", "127.0.0.1.evil.example:{port}", "127.0.0.1:1", "localhost"),
        *(
            "10.0.0.5:{port}",
            "",
            "[::1",
            "localhost:{port}@evil.example",
            "localhost:{port}:{port}",
        ),
    ],
)
def test_a_foreign_host_is_refused(serving: Serving, host: str) -> None:
    answer = serving.ask(SESSION, headers={"Host": host.format(port=serving.port)})
    assert answer.status == 421
    assert "no server of" in answer.problems


@pytest.mark.parametrize(
    "origin",
    [
        "http://evil.example",
        "null",
        "http://127.0.0.1:1",
        "file://",
        "http://127.0.0.1",
        "http://[",
    ],
)
def test_a_page_of_another_origin_changes_nothing(serving: Serving, origin: str) -> None:
    headers = {"Origin": origin}
    for method, path in (
        ("POST", "/api/recordings?name=x.wav"),
        ("POST", "/api/takes"),
        ("DELETE", "/api/takes/0"),
    ):
        answer = serving.ask(path, b"x", method=method, headers=headers)
        assert answer.status == 403
        assert "may not do this" in answer.problems
    with pytest.raises(InvalidStatus) as caught:
        connect(f"ws://{serving.address}/live", origin=Origin(origin))
    assert caught.value.response.status_code == 403


def test_our_own_page_may_change_things(serving: Serving) -> None:
    headers = {"Origin": f"http://{serving.address}"}
    assert serving.ask("/api/takes/0", method="DELETE", headers=headers).status == 404
    with connect(f"ws://{serving.address}/live", origin=Origin(headers["Origin"])):
        pass


def test_every_response_forbids_embedding_the_page(serving: Serving) -> None:
    for path in ("/", SESSION, "/nowhere", "/api/takes/x"):
        headers = serving.ask(path).headers
        assert headers["content-security-policy"].startswith("default-src 'self';")
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
    assert "access-control-allow-origin" not in headers


def test_beyond_this_machine_a_token_is_needed(outside: Serving) -> None:
    for path in ("/", SESSION, "/page/main.js", "/heads/own.glb", "/?token=", "/?token=wrong"):
        answer = outside.ask(path)
        assert answer.status == 401
        assert "token" in answer.problems
    assert outside.ask(f"{SESSION}?token={token_of(outside)}").status == 401
    wrong = cookie_of(outside)[:-1] + "\u00e4"
    for cookie in (
        wrong.encode().decode("latin-1"),
        "cstalk_preview=x",
        "=;=;\x22",
        cookie_of(outside)[:-1],
    ):
        assert outside.ask(SESSION, headers={"Cookie": cookie}).status == 401
    with pytest.raises(InvalidStatus) as caught:
        connect(f"ws://{outside.address.replace(socket.gethostname(), '127.0.0.1')}/live")
    assert caught.value.response.status_code == 401


def test_the_cookie_gives_full_access(outside: Serving) -> None:
    cookie = {"Cookie": cookie_of(outside)}
    assert outside.ask(SESSION, headers=cookie).status == 200
    address = f"127.0.0.1:{outside.port}"
    with connect(f"ws://{address}/live", additional_headers=cookie) as client:
        assert "One" in str(client.recv())


def test_beyond_this_machine_hosts_are_addresses_and_not_names(
    outside: Serving,
) -> None:
    cookie = {"Cookie": cookie_of(outside)}
    for name, status in (("192.168.1.7", 200), (socket.gethostname(), 200), ("evil.example", 421)):
        headers = {**cookie, "Host": f"{name}:{outside.port}"}
        assert outside.ask(SESSION, headers=headers).status == status


def test_a_configured_token_protects_loopback_too(generator: Generator) -> None:
    chosen = "chosen-by-me"
    with serve(generator, token=chosen) as serving:
        assert serving.ask(SESSION).status == 401
        assert serving.preview.url.endswith(f"/?token={chosen}")
        assert serving.ask(SESSION, headers={"Cookie": cookie_of(serving)}).status == 200
