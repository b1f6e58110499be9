"""The link of one subject to the preview: mapped frames go to the hub."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bridge.links.values import made_finite

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from bridge.clock.tick import Tick
    from bridge.links.udp import Receiver
    from bridge.preview.hub import Hub


class PreviewLink:
    """Frames of one subject to the clients of a hub; a `bridge.links.link.Link`.

    `sent` counts frames given to the hub. A client too slow for them loses some, which the hub
    counts: that is no failure of the link.
    """

    def __init__(self, hub: Hub, subject: int) -> None:
        self.name = "preview"
        self.sent = 0
        self.failed = 0
        self.not_finite = 0
        self.receivers: tuple[Receiver, ...] = ()
        self._hub = hub
        self._subject = subject
        self._rest = np.zeros(len(hub.curves), dtype=np.float32)
        self._last_number = -1
        self._is_closed = False

    def send(self, values: NDArray[np.float32], tick: Tick) -> None:
        """Show one frame, [curves]; never waits. ValueError for another shape only."""
        if values.shape != self._rest.shape:
            raise ValueError(f"values of shape {values.shape}, not {self._rest.shape}")
        finite, replaced = made_finite(values)
        self.not_finite += replaced
        self._hub.publish(self._subject, finite, tick.number)
        self.sent += 1
        self._last_number = tick.number

    def neutral(self, tick: Tick) -> None:
        """Show a face at rest."""
        self.send(self._rest, tick)

    def close(self) -> None:
        """Leave the face at rest, if any was ever shown."""
        if not self._is_closed and self._last_number >= 0:
            self._hub.publish(self._subject, self._rest, self._last_number + 1)
        self._is_closed = True
