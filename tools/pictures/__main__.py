"""Remake the pictures of the documentation from the shipped weights and the bundled recording.

    python -m tools.pictures [NAME...]

writes all of them, or those named: `dashboard` (SVG), `plot` (PNG), and `preview`, the page and
six faces in headless Chromium (`apt install chromium`, `pip install playwright`).
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
    """Remake `face.png` and `faces.png`."""
    from tools.pictures.preview import photograph_preview

    photograph_preview(FOLDER / "face.png", FOLDER / "faces.png")


PICTURES = {
    "dashboard": photograph_dashboard,
    "plot": draw_plot,
    "preview": photograph_preview,
}

if __name__ == "__main__":
    for name in sys.argv[1:] or PICTURES:
        PICTURES[name]()
