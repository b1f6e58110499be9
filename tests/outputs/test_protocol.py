"""An output is one protocol object: nothing else compares names, and a new one works everywhere."""

from __future__ import annotations

import ast
import socket
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import pytest
import soundfile

import cstalk_bridge
from cstalk_bridge import daemon
from cstalk_bridge.config.load import ConfigOverrides, load_config, read_config
from cstalk_bridge.diagnostics.listen import default_ports
from cstalk_bridge.diagnostics.network_check import examine_frame, examine_target
from cstalk_bridge.diagnostics.report import FindingState, setup_guides
from cstalk_bridge.diagnostics.streams import recognise
from cstalk_bridge.models.errors import UserError
from cstalk_bridge.outputs.link import UdpLink, checked_float32
from cstalk_bridge.outputs.protocol import (
    LinkConfig,
    RigMapName,
    SetupGuide,
    StreamFrame,
    UdpProtocol,
    readable,
)
from cstalk_bridge.outputs.registry import OUTPUTS, parse_link_url
from cstalk_bridge.outputs.udp import UdpTargets
from cstalk_bridge.rig.load import load_rigmap
from cstalk_bridge.timecode.smpte import FRAME_RATES
from tests.networks import GUARDED, write_weights
from tests.outputs.receiving import receiver

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cstalk_bridge.outputs.link import Floats
    from cstalk_bridge.outputs.protocol import LinkSource, OutputServer
    from cstalk_bridge.outputs.udp import Target


ROOT = Path(cstalk_bridge.__file__).parent
RATE = FRAME_RATES["60"]
START = b"TINY"


def compared_constants(tree: ast.AST) -> Iterator[tuple[int, object]]:
    """The constants that a module compares with something, matches or looks up."""
    for node in ast.walk(tree):
        match node:
            case ast.Compare(left=left, comparators=right):
                parts: list[ast.AST] = [left, *right]
            case ast.MatchValue(value=value):
                parts = [value]
            case ast.Subscript(value=value, slice=key) if ast.unparse(value) != "Literal":
                parts = [key]
            case _:
                continue
        for part in parts:
            for each in ast.walk(part):
                if isinstance(each, ast.Constant):
                    yield each.lineno, each.value


def test_nothing_in_the_program_compares_with_the_name_of_a_protocol() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in ROOT.rglob("*.py")
        for line, value in compared_constants(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(value, str) and value in OUTPUTS
    ]
    assert found == []


def test_the_search_finds_every_kind_of_comparison() -> None:
    source = (
        "if a == 'osc': pass\nif a in ('vmc', 'x'): pass\nmatch a:\n    case 'osc' | 'vmc': pass\n"
        "b['metahuman']"
    )
    found = [value for _, value in compared_constants(ast.parse(source))]
    assert found.count("osc") == found.count("vmc") == 2
    assert "metahuman" in found


class TinyConfig(LinkConfig):
    protocol: Literal["tiny"] = "tiny"
    rigmap: RigMapName = "vrm"
    loudness: Literal["low", "high"] = "low"


class TinyLink(UdpLink):
    def _encode(self, values: Floats, frame: int, subframe: float) -> list[bytes]:
        return [START + checked_float32(values, len(self._rest)).tobytes()]


class TinyProtocol(UdpProtocol[TinyConfig]):
    """Four letters, then a float32 for each output."""

    label = "Tiny"
    config = TinyConfig
    default_port = 4567
    starts = (START,)

    def open(
        self, config: TinyConfig, source: LinkSource, server: OutputServer | None = None
    ) -> TinyLink:
        targets = UdpTargets(config.targets)
        return TinyLink(str(config), len(source.outputs), targets, source.rest)

    def decode(
        self, config: TinyConfig, source: LinkSource, frame: int, datagrams: Sequence[bytes]
    ) -> dict[str, float]:
        values = np.frombuffer(datagrams[0].removeprefix(START), np.float32)
        return dict(zip(source.outputs, values.tolist(), strict=True))

    def recognise(self, datagram: bytes) -> list[StreamFrame]:
        values = np.frombuffer(datagram.removeprefix(START), np.float32)
        curves = {f"curve {index}": float(value) for index, value in enumerate(values)}
        return [StreamFrame(self.name, readable("tiny"), curves=curves, frames=1)]

    def guide(
        self,
        config: TinyConfig,
        target: Target,
        subjects: Sequence[str],
        addresses: Sequence[str],
    ) -> SetupGuide:
        return SetupGuide(f"Tiny at {target}", (f"Turn the loudness to {config.loudness}.",))


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> TinyProtocol:
    """The protocol, with its line in the registry."""
    protocol = TinyProtocol()
    monkeypatch.setitem(OUTPUTS, protocol.name, protocol)
    return protocol


@pytest.mark.usefixtures("tiny")
def test_config_and_urls_know_a_new_output(tmp_path: Path) -> None:
    file = tmp_path / "show.yaml"
    file.write_text(
        "subjects: [{links: [{protocol: tiny, targets: [10.0.0.5], loudness: high}]}]", "utf-8"
    )
    (link,) = read_config(file).subjects[0].links
    assert link == parse_link_url("tiny://10.0.0.5?loudness=high")
    assert (link.targets[0].port, link.rigmap) == (4567, "vrm")
    with pytest.raises(UserError, match="option 'loudness' must be one of low, high"):
        parse_link_url("tiny://10.0.0.5?loudness=mute")
    with pytest.raises(UserError, match=r"start with one of .*, tiny://"):
        parse_link_url("other://10.0.0.5")
    file.write_text(
        "subjects: [{links: [{protocol: osc, targets: [10.0.0.5], loudness: high}]}]", "utf-8"
    )
    with pytest.raises(UserError, match="osc has no 'loudness', leave it out"):
        read_config(file)


@pytest.mark.usefixtures("tiny")
def test_the_command_line_and_a_run_know_a_new_output(tmp_path: Path) -> None:
    weights = write_weights(tmp_path / "small.safetensors", GUARDED)
    sound = tmp_path / "short.wav"
    soundfile.write(sound, np.zeros(8_000, dtype=np.float32), 16_000)
    with receiver() as to:
        config = load_config(
            None,
            ConfigOverrides(
                audio=str(sound),
                link=(f"tiny://{to.target}?loudness=high",),
                weights=str(weights),
                no_ui=True,
            ),
        )
        assert daemon.run(config, watch=lambda _metrics: nullcontext()) == 0
        datagrams = to.all_waiting()
    rest = load_rigmap("vrm").rest
    assert len(datagrams) > 1
    assert {datagram[: len(START)] for datagram in datagrams} == {START}
    assert datagrams[-1] == START + rest.tobytes()


@pytest.mark.usefixtures("tiny")
def test_doctor_knows_a_new_output() -> None:
    link = parse_link_url("tiny://127.0.0.1?loudness=high")
    (frame,) = examine_frame(link, "Ada", load_rigmap("vrm"), RATE)
    assert (frame.state, "arrived and decoded unchanged" in frame.what) == (FindingState.OK, True)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    nobody = parse_link_url(f"tiny://127.0.0.1:{port}")
    remedy = examine_target(nobody, nobody.targets[0]).remedy
    assert remedy == f"start what receives Tiny, and set its port to {port}"
    (subject,) = load_config(None, ConfigOverrides(link=(f"{link}?loudness=high",))).subjects
    assert setup_guides([subject], []) == [
        SetupGuide("Tiny at 127.0.0.1:4567", ("Turn the loudness to high.",))
    ]


@pytest.mark.usefixtures("tiny")
def test_listen_knows_a_new_output() -> None:
    assert 4567 in default_ports()
    (frame,) = recognise(START + np.array([0.5], np.float32).tobytes())
    assert (frame.protocol, frame.curves) == ("tiny", {"curve 0": 0.5})


def test_every_output_has_a_name_a_port_and_a_label_of_its_own() -> None:
    protocols = list(OUTPUTS.values())
    for values in (
        {each.name for each in protocols},
        {each.default_port for each in protocols},
        {each.label for each in protocols},
    ):
        assert len(values) == len(protocols)
    assert list(OUTPUTS) == [each.name for each in protocols]
