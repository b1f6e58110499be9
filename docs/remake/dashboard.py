"""The dashboard of a real run, which takes as long as the recording is."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING

from rich.console import Console

from bridge.audio.opening import SPEECH_PATH
from bridge.clock.host import host_now
from bridge.config.load import Flags, load_config
from bridge.daemon import run
from bridge.monitor.dashboard import Monitor
from bridge.monitor.view import draw

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bridge.monitor.metrics import Metrics

COLUMNS, ROWS = 92, 20
MOMENT_S = 7.0  # into the run: the recording's last sentence


class Photographer(Monitor):
    """Watches a run and keeps its dashboard as it was while somebody spoke."""

    def __init__(self, metrics: Metrics, now: Callable[[], float], picture: Path) -> None:
        super().__init__(metrics, now)
        self._picture = picture

    def run(self) -> None:
        """Wait for the right moment, then draw."""
        opened_s = self.now()
        while self.wait():
            if self.now() - opened_s > MOMENT_S:
                break
        console = Console(record=True, width=COLUMNS, file=io.StringIO())
        console.print(draw(self.metrics, self.now(), COLUMNS, ROWS))
        picture = console.export_svg(title="cstalk-bridge run")
        # Without fonts fetched from elsewhere: whoever looks has a monospaced one.
        own = re.sub(r"@font-face \{.*?\}", "", picture, flags=re.DOTALL)
        self._picture.write_text(own, encoding="utf-8")


def photograph_dashboard(picture: Path) -> None:
    """Play the bundled recording through the whole way and draw the dashboard."""
    config = load_config(None, Flags(audio=str(SPEECH_PATH), emotion="happy:0.7"))
    run(config, watch=lambda metrics: Photographer(metrics, host_now, picture))
