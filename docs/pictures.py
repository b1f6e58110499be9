"""Remake the README's pictures from the shipped weights and the bundled recording.

    python docs/pictures.py

writes `docs/curves.svg`, the sound and what the generator makes of it, and `docs/dashboard.svg`,
the dashboard of a real run. That one takes as long as the recording is.
"""

from __future__ import annotations

import io
import re
from pathlib import Path

import numpy as np
import soundfile
from rich.console import Console

from bridge.audio.opening import SPEECH_PATH
from bridge.clock.host import host_now
from bridge.config.load import Flags, load_config
from bridge.daemon import run
from bridge.monitor.dashboard import Monitor
from bridge.monitor.view import draw
from models import load_generator

FOLDER = Path(__file__).parent
COLUMNS, ROWS = 92, 20
MOMENT_S = 7.0  # into the run: the recording's last sentence
WIDTH, LANE, GAP, LABEL = 960, 54, 14, 132
LOOKAHEAD_MS = 80
CURVES = {
    "jaw open": "CTRL_C_jaw.ty",
    "lips together": "CTRL_L_mouth_lipsTogetherU.ty",
    "lip bite": "CTRL_L_mouth_lipBiteD.ty",
    "purse": "CTRL_L_mouth_purseU.ty",
    "tongue tip": "CTRL_C_tongue_tipMove.ty",
}
COLOURS = ("#e4572e", "#17bebb", "#ffc914", "#9a6dd7", "#76b041")
INK, FAINT, PAPER = "#c9d1d9", "#30363d", "#0d1117"


def path(x: np.ndarray, y: np.ndarray) -> str:
    """Return SVG path data through the points."""
    return "M" + " L".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True))


def lane(top: float, name: str, body: str) -> str:
    """Return one labelled lane."""
    base = top + LANE
    return (
        f'<text x="{LABEL - 14}" y="{base - LANE / 2 + 4}" text-anchor="end">{name}</text>'
        f'<line x1="{LABEL}" x2="{WIDTH - 10}" y1="{base}" y2="{base}" stroke="{FAINT}"/>{body}'
    )


def waveform(samples: np.ndarray, top: float) -> str:
    """Return the sound as one filled outline of its peaks."""
    columns = np.array_split(samples, WIDTH - LABEL - 10)
    x = LABEL + np.arange(len(columns))
    scale = LANE / 2 / np.abs(samples).max()
    middle = top + LANE / 2
    upper = middle - scale * np.array([column.max() for column in columns])
    lower = middle - scale * np.array([column.min() for column in columns])
    outline = path(np.concatenate((x, x[::-1])), np.concatenate((upper, lower[::-1])))
    return f'<path d="{outline}Z" fill="{INK}" opacity="0.75"/>'


def draw_curves() -> None:
    """Generate the face of the bundled recording and draw it."""
    samples, rate_hz = soundfile.read(SPEECH_PATH, dtype="float32")
    generator = load_generator(device="cpu")
    face = generator.generate(samples, rate_hz, lookahead_ms=LOOKAHEAD_MS)
    x = LABEL + np.arange(len(face)) * (WIDTH - LABEL - 10) / len(face)
    lanes = [lane(10, "sound", waveform(samples, 10))]
    for number, (name, channel) in enumerate(CURVES.items(), 1):
        top = 10 + number * (LANE + GAP)
        values = face[:, generator.channels.index(channel)]
        line = path(x, top + LANE - LANE * np.clip(values, -0.2, 1.0))
        stroke = f'stroke="{COLOURS[number - 1]}" stroke-width="2" fill="none"'
        lanes.append(lane(top, name, f'<path d="{line}" {stroke}/>'))
    height = 10 + len(lanes) * (LANE + GAP)
    (FOLDER / "curves.svg").write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        f'font-family="sans-serif" font-size="15" fill="{INK}">'
        f'<rect width="100%" height="100%" rx="8" fill="{PAPER}"/>{"".join(lanes)}</svg>\n',
        encoding="utf-8",
    )


class Photographer(Monitor):
    """Watches a run and keeps its dashboard as it was while somebody spoke."""

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
        (FOLDER / "dashboard.svg").write_text(own, encoding="utf-8")


def photograph_dashboard() -> None:
    """Play the bundled recording through the whole way and draw the dashboard."""
    config = load_config(None, Flags(audio=str(SPEECH_PATH), emotion="happy:0.7"))
    run(config, watch=lambda metrics: Photographer(metrics, host_now))


if __name__ == "__main__":
    draw_curves()
    photograph_dashboard()
