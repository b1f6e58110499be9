"""The dashboard of a real run as SVG and a plot of the bundled recording as a small PNG."""

from __future__ import annotations

import io
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib.image
import numpy as np
from rich.console import Console

from cstalk_bridge.audio.inputs import SPEECH_PATH
from cstalk_bridge.config.load import ConfigOverrides, load_config
from cstalk_bridge.daemon import run
from cstalk_bridge.dashboard.picture import draw
from cstalk_bridge.face.emotion_trajectory import EmotionTrajectory
from cstalk_bridge.models import load_generator
from cstalk_bridge.monitor.status_lines import MonitorThread
from cstalk_bridge.plot.picture import PictureJob, View, make_picture
from cstalk_bridge.rig.load import load_rigmap
from cstalk_bridge.takes.generate import GenerationConfig, generate_take
from cstalk_bridge.takes.sound import open_sound
from cstalk_bridge.timecode.tick import host_now

if TYPE_CHECKING:
    from collections.abc import Callable

    from cstalk_bridge.monitor.metrics import Metrics


LEVELS = 80
"""Of each channel: shades beyond these are not seen, but double the file."""


def save_small_png(pixels: np.ndarray, path: Path) -> None:
    """Write [height, width, at least RGB], 0..1, without its alpha."""
    coarse = np.round(pixels[..., :3] * LEVELS) / LEVELS
    matplotlib.image.imsave(path, coarse, pil_kwargs={"optimize": True})


EMOTION = {"happy": 0.6}
START_S, END_S = 2.0, 6.6
CURVES = (
    *("JawOpen", "MouthClose", "MouthPucker", "MouthRollLower"),
    *("MouthSmileLeft", "MouthSmileRight", "CheekSquintLeft", "CheekSquintRight"),
)


def draw_plot(path: Path) -> None:
    """Generate a take and plot some of its curves, as `cstalk-bridge plot` does."""
    settings = GenerationConfig(emotions=EmotionTrajectory.constant(EMOTION))
    view = View(load_rigmap("arkit"), start_s=START_S, end_s=END_S, wanted=CURVES)
    with tempfile.TemporaryDirectory() as folder:
        job = PictureJob((SPEECH_PATH,), Path(folder) / path.name)
        make_picture(
            job,
            view,
            lambda file: generate_take(
                load_generator(), open_sound(file), settings, slate=file.stem
            ),
        )
        save_small_png(matplotlib.image.imread(job.output), path)


COLUMNS, ROWS = 92, 20
MOMENT_S = 7.0  # into the run: the recording's last sentence


class Photographer(MonitorThread):
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
    config = load_config(None, ConfigOverrides(audio=str(SPEECH_PATH), emotion="happy:0.7"))
    run(config, watch=lambda metrics: Photographer(metrics, host_now, picture))
