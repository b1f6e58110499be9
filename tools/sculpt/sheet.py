"""A contact sheet of heads from the front, at 45 degrees and in profile, at rest and with key
shapes.

    python -m tools.sculpt.sheet FILE.png [HEAD.glb...]

draws the bundled head, and beside it the heads named.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib.image
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from cstalk_bridge.heads.mesh import arkit_names
from cstalk_bridge.heads.portrait import Portrait, View
from cstalk_bridge.heads.reading import OWN_HEAD, read_head

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from cstalk_bridge.heads.mesh import Head


def _both(name: str, weight: float = 1.0) -> dict[str, float]:
    return {f"{name}Left": weight, f"{name}Right": weight}


POSES: Mapping[str, Mapping[str, float]] = {
    "rest": {},
    "rest, close": {},
    "jawOpen": {"jawOpen": 1.0},
    "jaw .6, close .6": {"jawOpen": 0.6, "mouthClose": 0.6},
    "smile": _both("mouthSmile"),
    "smile, cheeks": _both("mouthSmile") | _both("cheekSquint", 0.8) | _both("mouthUpperUp", 0.3),
    "sneer": _both("noseSneer"),
    "ee": {"jawOpen": 0.15} | _both("mouthSmile", 0.4) | _both("mouthLowerDown", 0.4),
    "funnel": {"mouthFunnel": 1.0, "jawOpen": 0.1},
    "pucker": {"mouthPucker": 1.0},
    "f": {"mouthRollLower": 1.0, "jawOpen": 0.12} | _both("mouthUpperUp", 0.25),
    "th": {"jawOpen": 0.22, "tongueOut": 0.4},
    "l": {"jawOpen": 0.4, "tongueOut": 0.2},
    "frown": _both("mouthFrown"),
    "browInnerUp": {"browInnerUp": 1.0},
    "browDown": _both("browDown"),
    "blink": _both("eyeBlink"),
}
"""By caption, the weights of ARKit shapes; the first is shown whole, the others close."""
YAWS_DEG = (0, 45, 90)
CELL_PX, CAPTION_PX = (190, 228), 20
WHOLE_M, CLOSE_M = (0.255, 0.306), (0.165, 0.198)
PAPER, INK = "#0d1117", "#c9d1d9"


def draw_sheet(heads: Mapping[str, Head], poses: Sequence[str]) -> NDArray[np.uint8]:
    """Return the picture, uint8 [height, width, 3]: poses in rows, heads and yaws in columns."""
    width, height = CELL_PX
    columns = [_column(head, poses) for head in heads.values()]
    cells = np.concatenate(columns, axis=1)
    total = cells.shape[0] + CAPTION_PX
    figure = Figure(figsize=(cells.shape[1] / 100, total / 100), dpi=100)
    figure.set_facecolor(PAPER)
    axes = figure.add_axes((0, 0, 1, cells.shape[0] / total))
    axes.imshow(cells, aspect="auto", interpolation="nearest")
    axes.axis("off")
    for row, pose in enumerate(poses):
        axes.text(4, row * height + 14, pose, color=INK, fontsize=7)
    for place, name in enumerate(heads):
        axes.text(place * len(YAWS_DEG) * width + 4, -6, name, color=INK, fontsize=8)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3]


def _column(head: Head, poses: Sequence[str]) -> NDArray[np.uint8]:
    portrait = Portrait(head)
    eye = next(part.pivot for part in head.parts if part.name == "eyeLeft")
    whole = View((0.0, eye[1] - 0.018, eye[2] - 0.055), *WHOLE_M)
    close = View((0.0, eye[1] - 0.035, eye[2]), *CLOSE_M)
    rows = []
    for pose in poses:
        view = whole if pose == next(iter(POSES)) else close
        scores = np.array([POSES[pose].get(name, 0.0) for name in arkit_names()], np.float32)
        pictures = [portrait.draw(scores, view.turned(yaw), *CELL_PX) for yaw in YAWS_DEG]
        rows.append(np.concatenate(pictures, axis=1))
    return np.concatenate(rows)


def main(arguments: Sequence[str]) -> None:
    """Draw the sheet of the command line."""
    path, *files = arguments
    heads = {"own": read_head(OWN_HEAD)} | {
        Path(file).stem: read_head(Path(file)) for file in files
    }
    matplotlib.image.imsave(path, draw_sheet(heads, list(POSES)), pil_kwargs={"optimize": True})


if __name__ == "__main__":
    main(sys.argv[1:])
