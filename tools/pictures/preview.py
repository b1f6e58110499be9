"""The pictures of the preview: its page, and the face at some moments of the bundled recording."""

from __future__ import annotations

import base64
import io
import re
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import matplotlib.image
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from playwright.sync_api import sync_playwright

from cstalk_bridge.audio.inputs import SPEECH_PATH
from cstalk_bridge.plot.panels import FONT
from tools.pictures.stills import save_small_png

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Page


WINDOW_PX = 1040
FLAGS = ("--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader")
PATIENCE_S = 120.0
"""Without a graphics card a frame may take a second."""
OPEN_VOWEL_S = 2.24
"""The vowel of "Watch"."""
HAPPY_KEYS = ("1", *["ArrowDown"] * 8)
"""The second emotion, at 1 - 8 * 0.05 = 0.6."""
MOMENTS = {2.24: "ah, watch", 2.58: "m, mouth", 3.54: "ee, speak"} | {
    5.46: "f, flew",
    5.70: "oo, flew",
    8.30: "silence",
}
"""Seconds into the recording, and the sound spoken then."""
PAPER, INK = "#0d1117", "#c9d1d9"
FACE, GAP, CAPTION = 204, 6, 28  # pixels
CROWN, EAR = 0.2, 0.06
"""Shares of the head that are cut off above and on either side."""


def photograph_preview(page_path: Path, examined_path: Path, faces_path: Path) -> None:
    """Serve the preview and photograph six neutral faces and the page while the face is happy.

    At `examined_path` the page has the close-up of the mouth and the strip of frames.
    """
    with preview() as address, sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=shutil.which("chromium"), args=[*FLAGS], timeout=PATIENCE_S * 1000
        )
        page = browser.new_page(
            viewport={"width": WINDOW_PX, "height": WINDOW_PX}, color_scheme="dark"
        )
        page.set_default_timeout(PATIENCE_S * 1000)
        page.goto(address)
        wait(
            page, "window.cstalk && cstalk.state().sides.A?.take && cstalk.state().sides.A.rows > 0"
        )
        page.evaluate("cstalk.ready")
        faces = []
        for moment_s in MOMENTS:
            seek(page, moment_s)
            faces.append(face(page))
        draw_faces(faces, faces_path)
        for key in HAPPY_KEYS:
            press(page, key)
        wait(page, "cstalk.state().sides.A.progress === null")
        seek(page, OPEN_VOWEL_S)
        photograph_page(page, page_path)
        press(page, "v")
        press(page, "t", 2)
        wait(page, f"(c => c.length && c.every(one => one.querySelector('canvas')))({CELLS})")
        photograph_page(page, examined_path)
        browser.close()


@contextmanager
def preview() -> Iterator[str]:
    """Serve the bundled recording and give the address of the page."""
    command = [sys.executable, "-m", "cstalk_bridge", "preview", str(SPEECH_PATH)]
    with subprocess.Popen(  # noqa: S603 - our own command
        [*command, "--no-open", "--port", "0"], stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None  # noqa: S101 - for the type checker
            yield re.findall(r"http://\S+", process.stdout.readline())[0]
        finally:
            process.terminate()


def wait(page: Page, condition: str) -> None:
    """Wait for an expression of the page to become true."""
    end_s = time.monotonic() + PATIENCE_S
    while not page.evaluate(condition):
        if time.monotonic() > end_s:
            raise TimeoutError(condition)
        time.sleep(0.1)


PRESS = """([key, count, shiftKey]) => {
    const event = () => new KeyboardEvent('keydown', {key, shiftKey, bubbles: true});
    for (let k = 0; k < count; k++) document.body.dispatchEvent(event());
}"""
CELLS = "[...document.querySelectorAll('.cell')]"


def press(page: Page, key: str, count: int = 1, *, shift: bool = False) -> None:
    """Press a key some times within one display frame."""
    page.evaluate(PRESS, [key, count, shift])


def seek(page: Page, moment_s: float) -> None:
    """Go to a time with the keyboard: whole seconds, then frames of 20 ms."""
    press(page, "Home")
    press(page, "ArrowRight", int(moment_s), shift=True)
    press(page, "ArrowRight", round(moment_s % 1 * 50))
    wait(page, f"Math.abs(cstalk.state().time_s - {moment_s}) < 0.005")
    # Two display frames later it is drawn.
    page.evaluate("new Promise(f => requestAnimationFrame(() => requestAnimationFrame(f)))")


def photograph_page(page: Page, path: Path) -> None:
    """Write a picture of the window."""
    save_small_png(matplotlib.image.imread(io.BytesIO(page.screenshot())), path)


def face(page: Page) -> np.ndarray:
    """Return the picture of the face, [height, width, 4], 0..1, clear where no head is."""
    found: dict[str, Any] = page.evaluate("cstalk.pixels(0)")
    pixels = np.frombuffer(base64.b64decode(found["rgba"]), dtype=np.uint8)
    return pixels.reshape(found["height"], found["width"], 4) / 255


def draw_faces(faces: list[np.ndarray], path: Path) -> None:
    """Put the faces side by side, without their crowns, with the sounds below them."""
    head = np.max([picture[..., 3] for picture in faces], axis=0) > 0
    rows, columns = np.flatnonzero(head.any(axis=1)), np.flatnonzero(head.any(axis=0))
    top, side = rows[0] + int(CROWN * len(rows)), int(EAR * len(columns))
    crop = np.s_[top : rows[-1], columns[0] + side : columns[-1] - side]
    shape = faces[0][crop].shape
    width = (FACE + GAP) * len(faces) - GAP
    height = FACE * shape[0] / shape[1] + CAPTION
    figure = Figure(figsize=(width / 72, height / 72), dpi=72, facecolor=PAPER)
    for place, (picture, caption) in enumerate(zip(faces, MOMENTS.values(), strict=True)):
        left = (FACE + GAP) * place / width
        axes = figure.add_axes((left, CAPTION / height, FACE / width, 1 - CAPTION / height))
        axes.imshow(picture[crop], interpolation="antialiased", aspect="auto")
        axes.axis("off")
        style: dict[str, Any] = {"color": INK, "fontsize": 15, "ha": "center", "fontfamily": FONT}
        figure.text(left + FACE / width / 2, 9 / height, caption, **style)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    save_small_png(np.asarray(canvas.buffer_rgba()) / 255, path)
