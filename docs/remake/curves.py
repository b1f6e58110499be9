"""The sound of the bundled recording, and what the shipped weights make of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import soundfile

from bridge.audio.opening import SPEECH_PATH
from models import load_generator

if TYPE_CHECKING:
    from pathlib import Path

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


def draw_curves(picture: Path) -> None:
    """Generate the face of the bundled recording and draw it as SVG."""
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
    picture.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        f'font-family="sans-serif" font-size="15" fill="{INK}">'
        f'<rect width="100%" height="100%" rx="8" fill="{PAPER}"/>{"".join(lanes)}</svg>\n',
        encoding="utf-8",
    )
