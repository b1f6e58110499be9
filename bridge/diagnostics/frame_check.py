"""Checks the frames of every link: sent by the link's own code to this machine, and decoded
again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cstalk_bridge.diagnostics.checks import Finding, fault, ok
from cstalk_bridge.models.errors import UserError
from cstalk_bridge.outputs.protocol import LinkSource
from cstalk_bridge.outputs.registry import protocol_of
from cstalk_bridge.timecode.tick import Tick, host_now

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from cstalk_bridge.outputs.config import LinkConfig
    from cstalk_bridge.outputs.protocol import LoopbackFrame
    from cstalk_bridge.rig.rigmap import RigMap
    from cstalk_bridge.timecode.smpte import FrameRate


FRAME = 5_375_735
"""The number of the frame that is sent: of a late evening at 60 fps."""


def examine_frame(
    link: LinkConfig, subject: str, rigmap: RigMap, rate: FrameRate
) -> Iterator[Finding]:
    """Send one frame of a link to this machine, with values for all outputs of its rig map."""
    where = f"{subject} {link.protocol}"
    protocol = protocol_of(link)
    source = LinkSource(subject, tuple(rigmap.outputs), rate)
    values = sample_values(rigmap)
    try:
        arrived = protocol.loop_back(link, source, values, Tick(0, host_now(), FRAME))
    except UserError as error:
        # With the link's own name, not that of the place at which it was opened here.
        yield from (fault(f"{subject} {link}", each.what, each.remedy) for each in error.problems)
    except OSError as error:
        what = f"a frame sent within this machine did not arrive: {error}"
        yield fault(where, what, "a firewall or security program may block this machine")
    except ValueError as error:
        yield fault(where, f"the frame was decoded as something else: {error}")
    else:
        wanted = protocol.expected(link, source, values)
        yield compare_values(where, arrived, wanted, protocol.tolerance)


def sample_values(rigmap: RigMap) -> NDArray[np.float32]:
    """Return values for all outputs, each another one, 0 to 1 as far as its range allows."""
    fractions = np.linspace(0.1, 0.9, len(rigmap.outputs), dtype=np.float32)
    low = np.clip(rigmap.minimum[: len(fractions)], 0.0, 1.0)
    high = np.clip(rigmap.maximum[: len(fractions)], 0.0, 1.0)
    return np.asarray(low + fractions * (high - low), dtype=np.float32)


def compare_values(
    where: str, arrived: LoopbackFrame, wanted: dict[str, float], tolerance: float
) -> Finding:
    """Say whether what arrived is what was sent, each value within `tolerance`."""
    missing = [name for name in wanted if name not in arrived.values]
    wrong = [
        name
        for name, value in wanted.items()
        if name in arrived.values and abs(arrived.values[name] - value) > tolerance
    ]
    if missing or wrong:
        name = (missing + wrong)[0]
        what = f"{len(missing)} values are missing and {len(wrong)} are others, first {name}"
        return fault(where, what, "please report it with your rig map")
    count = len(arrived.datagrams)
    datagrams = "1 datagram" if count == 1 else f"{count} datagrams"
    size = sum(map(len, arrived.datagrams))
    what = (
        f"{len(wanted)} values sent in {datagrams} of {size} bytes, arrived and decoded unchanged"
    )
    return ok(where, f"{what} after {1e3 * arrived.took_s:.1f} ms")
