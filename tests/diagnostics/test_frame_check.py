"""Frames of links, sent to ourselves through sockets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cstalk_bridge.diagnostics.checks import Finding, FindingState
from cstalk_bridge.diagnostics.frame_check import compare_values, examine_frame, sample_values
from cstalk_bridge.outputs.osc_messages import encode_message
from cstalk_bridge.outputs.parse import parse_link_url
from cstalk_bridge.outputs.protocol import LinkSource, LoopbackFrame
from cstalk_bridge.outputs.registry import open_link, protocol_of
from cstalk_bridge.rig.load import load_rigmap
from cstalk_bridge.timecode.smpte import FRAME_RATES

if TYPE_CHECKING:
    from pathlib import Path


RATE = FRAME_RATES["59.94df"]
UDP_URLS = (
    "livelink-face://10.0.0.5",
    "osc://10.0.0.5:9000/face",
    "osc://10.0.0.5:9000?rigmap=livelinkface61",
    "vmc://10.0.0.5",
    "vmc://10.0.0.5?presets=vrm1&rigmap=livelinkface61",
    "vmc://10.0.0.5?casing=pascal&bone=none&rigmap=livelinkface61",
)


def examined(url: str) -> list[Finding]:
    link = parse_link_url(url)
    return list(examine_frame(link, "Ada", load_rigmap(link.rigmap), RATE))


@pytest.mark.parametrize("url", [*UDP_URLS, "metahuman://127.0.0.1"])
def test_a_frame_of_every_link_comes_back_as_it_left(url: str) -> None:
    (finding,) = examined(url)
    assert finding.state is FindingState.OK, finding
    assert "arrived and decoded unchanged" in finding.what


def test_the_numbers_told_are_those_of_the_protocol() -> None:
    assert "61 values sent in 1 datagram of 309 bytes" in examined(UDP_URLS[0])[0].what
    (finding,) = examined("metahuman://127.0.0.1")
    assert "257 values sent in 1 datagram of 584 bytes" in finding.what


def test_a_rig_map_of_ones_own_goes_through_with_its_head(tmp_path: Path) -> None:
    path = tmp_path / "hero.yaml"
    path.write_text(
        "target: custom\nextends: metahuman\ncurves:\n"
        "  HeadYaw: {from: head.yaw, gain: -57.29578, clamp: [-180, 180]}\n",
        encoding="utf-8",
    )
    (finding,) = examined(f"metahuman://127.0.0.1?rigmap={path}")
    assert finding.what.startswith("252 values sent in 1 datagram of 584 bytes")


@pytest.mark.parametrize("protocol", ["livelink-face", "metahuman"])
def test_a_rig_map_that_does_not_fit_is_a_fault_of_that_link(protocol: str) -> None:
    (finding,) = examined(f"{protocol}://127.0.0.1:7?rigmap=vrm")
    assert finding.state is FindingState.FAULT
    assert finding.where == f"Ada {protocol}://127.0.0.1:7"
    assert "rig map" in finding.what


def datagrams_of(url: str) -> list[bytes]:
    """What leaves for a frame, by the templates of the link itself."""
    link = parse_link_url(url.replace("10.0.0.5", "127.0.0.1"))
    rigmap = load_rigmap(link.rigmap)
    opened = open_link(link, "Ada", rigmap.outputs, RATE)
    datagrams = opened._encode(sample_values(rigmap), 5, 0.0)  # type: ignore[attr-defined]
    opened.close()
    return list(datagrams)


def read_frame(url: str, outputs: tuple[str, ...], datagrams: list[bytes]) -> dict[str, float]:
    link = parse_link_url(url)
    source = LinkSource("Ada", outputs, RATE)
    values: dict[str, float] = protocol_of(link).decode(link, source, 7, datagrams)  # type: ignore[attr-defined]
    return values


def test_a_frame_of_another_number_is_not_ours() -> None:
    outputs = load_rigmap(parse_link_url(UDP_URLS[0]).rigmap).outputs
    with pytest.raises(ValueError, match="frame 5 of 'Ada'"):
        read_frame(UDP_URLS[0], outputs, datagrams_of(UDP_URLS[0]))


def test_a_vmc_frame_without_its_end_is_none() -> None:
    shape = encode_message("/VMC/Ext/Blend/Val", "Joy", 0.5)
    with pytest.raises(ValueError, match="the last message"):
        read_frame("vmc://10.0.0.5", ("joy",), [shape])


def test_values_that_are_missing_or_others_are_told() -> None:
    wanted = {"a": 0.5, "b": 0.25, "c": 1.0}

    def compared(values: dict[str, float]) -> Finding:
        return compare_values("x", LoopbackFrame((b"1",), values, 1e-4), wanted, 1e-6)

    assert compared(dict(wanted)).state is FindingState.OK
    assert compared({**wanted, "a": 0.5 + 0.5e-6}).state is FindingState.OK
    wrong = compared({"a": 0.5, "b": 0.26})
    assert wrong.state is FindingState.FAULT
    assert wrong.what == "1 values are missing and 1 are others, first c"


def test_every_output_has_a_value_of_its_own() -> None:
    for name in ("metahuman", "livelinkface61", "vrm"):
        values = sample_values(load_rigmap(name))
        assert len(set(values.tolist())) == len(values)
        assert 0.0 < values.min() < values.max() < 1.0


def expected(url: str, outputs: tuple[str, ...]) -> dict[str, float]:
    link = parse_link_url(url)
    values = sample_values(load_rigmap("vrm"))
    return protocol_of(link).expected(link, LinkSource("Ada", outputs, RATE), values)


def test_what_osc_and_vmc_receivers_expect_has_their_names() -> None:
    names = tuple(load_rigmap("vrm").outputs)
    assert f"/face/{names[0]}" in expected("osc://10.0.0.5/face?rigmap=vrm", names)
    assert {"A", "Joy"} <= expected("vmc://10.0.0.5", names).keys()
