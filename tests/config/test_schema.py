"""Remote control and timelines in configs and flags."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from cstalk_bridge.config.load import ConfigOverrides, override, read_config
from cstalk_bridge.config.schema import TOKEN, Config, PreviewConfig
from cstalk_bridge.control.access import ControlConfig
from cstalk_bridge.models.errors import UserError

if TYPE_CHECKING:
    from pathlib import Path


EVERYWHERE = "0.0.0.0"  # noqa: S104 - it is read, not bound


def error_of(flags: ConfigOverrides) -> str:
    with pytest.raises(UserError) as caught:
        override(Config(), flags)
    return str(caught.value)


def test_by_default_nothing_listens() -> None:
    assert Config().control.osc is None


@pytest.mark.parametrize(
    ("text", "place"),
    [("", "127.0.0.1:8000"), (":9000", "127.0.0.1:9000"), ("::1", "[::1]:8000")],
)
def test_a_flag_sets_the_listening_address(text: str, place: str) -> None:
    assert str(override(Config(), ConfigOverrides(osc_control=text)).control.osc) == place


def test_listening_beyond_this_machine_needs_an_allow_list() -> None:
    message = error_of(ConfigOverrides(osc_control=EVERYWHERE))
    assert "--osc-control" in message
    assert "can be reached from other machines" in message
    assert "--osc-allow" in message
    allowed = override(
        Config(), ConfigOverrides(osc_control=EVERYWHERE, osc_allow=("10.0.0.0/24",))
    )
    assert [str(network) for network in allowed.control.allow] == ["10.0.0.0/24"]


@pytest.mark.parametrize("entry", ["10.0.0.5/24", "stage", "300.1.1.1", ""])
def test_an_invalid_network_is_reported(entry: str) -> None:
    assert "is neither an IP address nor a network" in error_of(
        ConfigOverrides(osc_control="", osc_allow=(entry,))
    )


def test_only_listed_hosts_and_this_machine_may_control() -> None:
    spec = ControlConfig(osc=EVERYWHERE, allow=["10.0.0.0/24", "2001:db8::1"])
    allowed = ("127.0.0.1", "::1", "::ffff:127.0.0.1", "10.0.0.9", "::ffff:10.0.0.9", "2001:db8::1")
    assert all(map(spec.is_allowed, allowed))
    assert not any(map(spec.is_allowed, ("10.0.1.9", "8.8.8.8", "2001:db8::2", "stage", "")))


@given(st.text(max_size=50))
def test_no_text_is_accepted_as_an_address_by_mistake(host: str) -> None:
    assert not ControlConfig().is_allowed(host) or host.startswith(("127.", "::", "0"))


def test_a_link_to_the_control_address_is_a_conflict() -> None:
    flags = ConfigOverrides(osc_control="", link=("osc://127.0.0.1:8000/face",))
    assert "127.0.0.1:8000, where remote control listens" in error_of(flags)


def test_emotions_over_time_come_from_the_config_or_a_file(tmp_path: Path) -> None:
    text = '[{at_s: 0, emotion: "happy:0.8", over_s: 1.5}, {at_s: 4, emotion: sad}]'
    (tmp_path / "mood.yaml").write_text(text)
    (tmp_path / "here.yaml").write_text(f"subjects: [{{name: A, emotions: {text}}}]")
    here = read_config(tmp_path / "here.yaml").subjects[0].emotions
    there = (
        override(Config(), ConfigOverrides(emotions=str(tmp_path / "mood.yaml")))
        .subjects[0]
        .emotions
    )
    assert here == there
    assert [(key.at_s, key.emotion) for key in here.root] == [(0, {"happy": 0.8}), (4, {"sad": 1})]


def test_timeline_errors_are_reported_at_their_place(tmp_path: Path) -> None:
    text = "subjects:\n  - emotions:\n      - {at_s: 1, emotion: glad}\n      - {at_s: x}\n"
    path = tmp_path / "show.yaml"
    path.write_text(text)
    with pytest.raises(UserError) as caught:
        read_config(path)
    messages = [str(problem).removeprefix(f"{path}:") for problem in caught.value.problems]
    assert messages[0].startswith("3:28: glad: there is no emotion 'glad'")
    assert any(text.startswith("4:16") for text in messages)
    assert "no such file" in error_of(ConfigOverrides(emotions=str(tmp_path / "none.yaml")))


class Holder(BaseModel):
    preview: PreviewConfig


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
def test_an_address_is_parsed(text: str, host: str, port: int) -> None:
    spec = PreviewConfig.parse(text)
    assert (spec.host, spec.port) == (host, port)
    assert Holder.model_validate({"preview": text}).preview == spec


@pytest.mark.parametrize(
    "text", ["a b", "host:70000", "host:port", "[::1", "1.2.3:4", "-x", "a:b:c"]
)
def test_an_invalid_address_is_reported(text: str) -> None:
    with pytest.raises(UserError) as caught:
        PreviewConfig.parse(text)
    assert caught.value.problems[0].remedy


@given(st.ip_addresses(), st.integers(0, 65535))
def test_address_round_trip(address: object, port: int) -> None:
    spec = PreviewConfig(host=str(address), port=port)
    assert PreviewConfig.parse(str(spec)) == spec


def test_only_beyond_this_machine_is_a_token_needed() -> None:
    for inside in ("", "localhost", "::1", "127.3.2.1"):
        assert PreviewConfig.parse(inside).guarded().token is None
    outside = PreviewConfig.parse("10.0.0.5")
    first, second = outside.guarded().token, outside.guarded().token
    assert first != second
    assert TOKEN.fullmatch(first or "")
    mine = "of-my-own"
    assert PreviewConfig.parse("10.0.0.5", mine).guarded().token == mine


@pytest.mark.parametrize("token", ["short", "with space in it", "semi;colon;s", "x" * 200])
def test_a_token_fits_into_a_cookie(token: str) -> None:
    with pytest.raises(UserError, match="letters, digits"):
        PreviewConfig.parse("", token)
