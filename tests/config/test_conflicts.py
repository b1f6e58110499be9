"""Each subject's MetaHuman device has a port of its own, where none is told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cstalk_bridge.config.conflicts import shared_devices
from cstalk_bridge.config.load import ConfigOverrides, load_config
from cstalk_bridge.models.errors import UserError
from cstalk_bridge.outputs.config import ListeningConfig
from cstalk_bridge.outputs.parse import parse_link_url, read_link

if TYPE_CHECKING:
    from pathlib import Path

    from cstalk_bridge.config.schema import Config


ANYWHERE = "metahuman://0.0.0.0?allow=10.0.0.0/24"
HERE = "metahuman://127.0.0.1"


def config_of(path: Path, *links: str) -> Config:
    subjects = "".join(f"  - {{name: S{n}, links: [{link}]}}\n" for n, link in enumerate(links))
    path.write_text(f"subjects:\n{subjects}", encoding="utf-8")
    return load_config(path)


def ports(config: Config) -> list[int]:
    return [link.targets[0].port for subject in config.subjects for link in subject.links]


@pytest.mark.parametrize(
    ("links", "found"),
    [
        ([ANYWHERE], [14785]),
        ([ANYWHERE, ANYWHERE, ANYWHERE], [14785, 14786, 14787]),
        ([ANYWHERE, f"'{HERE}?allow=10.0.0.5'"], [14785, 14786]),
        (
            [ANYWHERE, "'metahuman://0.0.0.0:14785?allow=10.0.0.0/24'", ANYWHERE],
            [14786, 14785, 14787],
        ),
        ([f"'{HERE}:14785'", f"'{HERE}:14785'"], [14785, 14785]),
        (["'metahuman://[::1]'", "'metahuman://[::1]:14790'"], [14785, 14790]),
        (
            ["{protocol: metahuman, targets: ['0.0.0.0'], allow: [10.0.0.5]}", ANYWHERE],
            [14785, 14786],
        ),
        (
            [
                "{protocol: metahuman, targets: [{host: '::', port: 14785}], allow: [10.0.0.5]}",
                ANYWHERE,
            ],
            [14785, 14786],
        ),
        (["livelink-face://h", "livelink-face://h"], [11111, 11111]),
    ],
    ids=str,
)
def test_a_port_that_is_not_told_is_the_next_that_is_free(
    tmp_path: Path, links: list[str], found: list[int]
) -> None:
    assert ports(config_of(tmp_path / "show.yaml", *links)) == found


def test_flags_are_counted_too(tmp_path: Path) -> None:
    path = tmp_path / "show.yaml"
    path.write_text(f"subjects: [{{name: A}}, {{name: B, links: ['{ANYWHERE}']}}]", "utf-8")
    assert ports(load_config(path, ConfigOverrides(link=(ANYWHERE,)))) == [14785, 14786]


def test_places_that_are_shared_are_found(tmp_path: Path) -> None:
    config = config_of(tmp_path / "show.yaml", f"'{HERE}:14785'", HERE, f"'{HERE}:14785'")
    (place,) = shared_devices(config)
    assert place == f"{HERE}:14785"
    assert [subject.name for subject in shared_devices(config)[place]] == ["S0", "S2"]
    assert shared_devices(config_of(tmp_path / "show.yaml", HERE, HERE)) == {}


def test_only_what_listens_takes_a_next_port() -> None:
    device, told = parse_link_url(HERE), parse_link_url(f"{HERE}:14785")
    assert isinstance(device, ListeningConfig)
    assert device.takes_next_port
    assert isinstance(told, ListeningConfig)
    assert not told.takes_next_port
    assert not isinstance(parse_link_url("livelink-face://127.0.0.1"), ListeningConfig)
    with pytest.raises(ValueError, match="has no 'takes_next_port'"):
        read_link({"protocol": "osc", "targets": ["127.0.0.1"], "takes_next_port": True})
    with pytest.raises(UserError, match="is not a number from 1 to 65535"):
        parse_link_url(f"{HERE}:0")
