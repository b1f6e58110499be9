from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from bridge.errors import UserError
from bridge.preview.spec import TOKEN, PreviewSpec


class Config(BaseModel):
    preview: PreviewSpec


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("", "127.0.0.1", 8520),
        ("8.8.8.8", "8.8.8.8", 8520),
        (":0", "127.0.0.1", 0),
        ("localhost:9000", "localhost", 9000),
        ("::1", "::1", 8520),
        ("[::1]:80", "::1", 80),
        ("0.0.0.0:8520", "0.0.0.0", 8520),  # noqa: S104 - it is parsed only
    ],
)
def test_a_place_is_read_as_it_is_written(text: str, host: str, port: int) -> None:
    spec = PreviewSpec.parse(text)
    assert (spec.host, spec.port) == (host, port)
    assert Config.model_validate({"preview": text}).preview == spec


@pytest.mark.parametrize(
    "text", ["a b", "host:70000", "host:port", "[::1", "1.2.3:4", "-x", "a:b:c"]
)
def test_what_is_no_place_is_told(text: str) -> None:
    with pytest.raises(UserError) as caught:
        PreviewSpec.parse(text)
    assert caught.value.problems[0].remedy


@given(st.ip_addresses(), st.integers(0, 65535))
def test_a_place_written_is_read_again(address: object, port: int) -> None:
    spec = PreviewSpec(host=str(address), port=port)
    assert PreviewSpec.parse(str(spec)) == spec


def test_only_beyond_this_machine_a_token_is_needed() -> None:
    for inside in ("", "localhost", "::1", "127.3.2.1"):
        assert PreviewSpec.parse(inside).guarded().token is None
    outside = PreviewSpec.parse("10.0.0.5")
    first, second = outside.guarded().token, outside.guarded().token
    assert first != second
    assert TOKEN.fullmatch(first or "")
    mine = "of-my-own"
    assert PreviewSpec.parse("10.0.0.5", mine).guarded().token == mine


@pytest.mark.parametrize("token", ["short", "with space in it", "semi;colon;s", "x" * 200])
def test_a_token_fits_into_a_cookie(token: str) -> None:
    with pytest.raises(UserError, match="letters, digits"):
        PreviewSpec.parse("", token)
