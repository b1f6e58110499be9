"""What shaped the weights of a run, as JSON values by name, and how two such records differ."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


def differences(before: Mapping[str, object], now: Mapping[str, object]) -> list[str]:
    """Return what two records do not share, in words: `steps 9000, now 100`."""
    one, other = dict(_flat(before)), dict(_flat(now))
    names = [name for name in one | other if one.get(name) != other.get(name)]
    return [f"{name} {one.get(name, 'none')}, now {other.get(name, 'none')}" for name in names]


def _flat(record: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, object]]:
    for name, value in record.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def as_read(record: Mapping[str, object]) -> dict[str, Any]:
    """Return a record as it comes back out of a file."""
    read_back: dict[str, Any] = json.loads(json.dumps(record))
    return read_back
