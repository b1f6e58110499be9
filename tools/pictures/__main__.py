"""Remake the pictures of the documentation from the shipped weights and the bundled recording.

    python -m tools.pictures [NAME...]

writes all of them, or those named: `dashboard` (SVG), `plot` (PNG), and in headless Chromium
(`apt install chromium`, `pip install playwright`) `preview`, the page twice and six faces, `live`,
the live view on a desktop and a phone, and `emotions`, the small faces of the page itself.
"""

from __future__ import annotations

import sys
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "docs"


def photograph_dashboard() -> None:
    """Remake `dashboard.svg`."""
    from tools.pictures.stills import photograph_dashboard

    photograph_dashboard(FOLDER / "dashboard.svg")


def draw_plot() -> None:
    """Remake `plot.png`."""
    from tools.pictures.stills import draw_plot

    draw_plot(FOLDER / "plot.png")


def photograph_preview() -> None:
    """Remake `face.png`, `preview.png` and `faces.png`."""
    from tools.pictures.preview import photograph_preview

    photograph_preview(FOLDER / "face.png", FOLDER / "preview.png", FOLDER / "faces.png")


def photograph_emotions() -> None:
    """Remake the faces by which the live view chooses an emotion."""
    from tools.pictures.emotions import photograph_emotions

    photograph_emotions(FOLDER.parent / "bridge" / "preview" / "page" / "emotions")


def photograph_live() -> None:
    """Remake `live.png` and `phone.png`."""
    from tools.pictures.live import photograph_live

    photograph_live(FOLDER / "live.png", FOLDER / "phone.png")


PICTURES = {
    "dashboard": photograph_dashboard,
    "plot": draw_plot,
    "preview": photograph_preview,
    "live": photograph_live,
    "emotions": photograph_emotions,
}

if __name__ == "__main__":
    for name in sys.argv[1:] or PICTURES:
        PICTURES[name]()
