"""Remote control and timelines in configs and flags."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.config.load import Flags, override, read_config
from bridge.config.schema import Config
from bridge.control.spec import ControlSpec
from bridge.errors import UserError

if TYPE_CHECKING:
    from pathlib import Path

EVERYWHERE = "0.0.0.0"  # noqa: S104 - it is read, not bound


def told(flags: Flags) -> str:
    with pytest.raises(UserError) as caught:
        override(Config(), flags)
    return str(caught.value)


def test_without_a_word_nothing_listens() -> None:
    assert Config().control.osc is None


@pytest.mark.parametrize(
    ("text", "place"),
    [("", "127.0.0.1:8000"), (":9000", "127.0.0.1:9000"), ("::1", "[::1]:8000")],
)
def test_a_flag_opens_a_place(text: str, place: str) -> None:
    assert str(override(Config(), Flags(osc_control=text)).control.osc) == place


def test_beyond_this_machine_a_list_is_needed() -> None:
    words = told(Flags(osc_control=EVERYWHERE))
    assert "--osc-control" in words
    assert "can be reached from other machines" in words
    assert "--osc-allow" in words
    allowed = override(Config(), Flags(osc_control=EVERYWHERE, osc_allow=("10.0.0.0/24",)))
    assert [str(network) for network in allowed.control.allow] == ["10.0.0.0/24"]


@pytest.mark.parametrize("entry", ["10.0.0.5/24", "stage", "300.1.1.1", ""])
def test_what_is_no_network_is_told(entry: str) -> None:
    assert "is no IP address and no network" in told(Flags(osc_control="", osc_allow=(entry,)))


def test_only_the_listed_and_this_machine_may_control() -> None:
    spec = ControlSpec(osc=EVERYWHERE, allow=["10.0.0.0/24", "2001:db8::1"])
    allowed = ("127.0.0.1", "::1", "::ffff:127.0.0.1", "10.0.0.9", "::ffff:10.0.0.9", "2001:db8::1")
    assert all(map(spec.is_allowed, allowed))
    assert not any(map(spec.is_allowed, ("10.0.1.9", "8.8.8.8", "2001:db8::2", "stage", "")))


@given(st.text(max_size=50))
def test_no_text_is_an_address_by_mistake(host: str) -> None:
    assert not ControlSpec().is_allowed(host) or host.startswith(("127.", "::", "0"))


def test_a_link_to_the_place_where_control_listens_is_a_clash() -> None:
    flags = Flags(osc_control="", links=("osc://127.0.0.1:8000/face",))
    assert "127.0.0.1:8000, where remote control listens" in told(flags)


def test_emotions_over_time_stand_in_the_config_or_in_a_file(tmp_path: Path) -> None:
    text = '[{at_s: 0, emotion: "happy:0.8", over_s: 1.5}, {at_s: 4, emotion: sad}]'
    (tmp_path / "mood.yaml").write_text(text)
    (tmp_path / "here.yaml").write_text(f"subjects: [{{name: A, emotions: {text}}}]")
    here = read_config(tmp_path / "here.yaml").subjects[0].emotions
    there = override(Config(), Flags(emotions=str(tmp_path / "mood.yaml"))).subjects[0].emotions
    assert here == there
    assert [(key.at_s, key.emotion) for key in here.root] == [(0, {"happy": 0.8}), (4, {"sad": 1})]


def test_faults_of_a_timeline_are_told_at_their_place(tmp_path: Path) -> None:
    text = "subjects:\n  - emotions:\n      - {at_s: 1, emotion: glad}\n      - {at_s: x}\n"
    path = tmp_path / "show.yaml"
    path.write_text(text)
    with pytest.raises(UserError) as caught:
        read_config(path)
    words = [str(problem).removeprefix(f"{path}:") for problem in caught.value.problems]
    assert words[0].startswith("3:28: glad: there is no emotion 'glad'")
    assert any(word.startswith("4:16") for word in words)
    assert "no such file" in told(Flags(emotions=str(tmp_path / "none.yaml")))
