"""The small faces by which the live view chooses an emotion: the network's, on the shipped head."""

from __future__ import annotations

import io
import shutil
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image
from playwright.sync_api import sync_playwright

from cstalk_bridge.models.emotions import EMOTIONS
from tools.pictures.preview import FLAGS, PATIENCE_S, face, preview, seek, wait

if TYPE_CHECKING:
    from pathlib import Path

WINDOW_PX = 640
SILENCE_S = 8.3
"""A pause in the recording, where the mouth is that of the emotion alone."""
SIZE_PX = 128
"""Twice the size at which they are shown."""
COLOURS = 128
"""Of a palette with transparency: the difference is not seen, the file is a third."""
STRONGER = ("ArrowUp",) * 6
"""From intensity 1 to 1.3, so that a small face can be told from the next."""
CROWN_SHARE, CHIN_SHARE = 0.17, 0.93
"""The part of the head's height that is shown: without most of the hair, and without the neck."""


def photograph_emotions(folder: Path) -> None:
    """Write one PNG for each emotion."""
    folder.mkdir(exist_ok=True)
    with preview() as address, sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=shutil.which("chromium"), args=[*FLAGS], timeout=PATIENCE_S * 1000
        )
        page = browser.new_page(viewport={"width": WINDOW_PX, "height": WINDOW_PX})
        page.set_default_timeout(PATIENCE_S * 1000)
        page.goto(address)
        wait(page, "window.cstalk && cstalk.state().sides.A?.rows > 0")
        page.evaluate("cstalk.ready")
        page.locator("#alive").click()
        for key in STRONGER:
            page.keyboard.press(key)
        for number, name in enumerate(EMOTIONS):
            page.keyboard.press(str(number))
            wait(
                page,
                "(({progress, settings, rows}) => progress === null && rows > 0"
                f" && settings.emotion === '{name}')(cstalk.state().sides.A)",
            )
            page.wait_for_timeout(1500)
            wait(page, "cstalk.state().sides.A.progress === null")
            seek(page, SILENCE_S)
            _save(face(page), folder / f"{name}.png")
        browser.close()


def _save(picture: np.ndarray, path: Path) -> None:
    """Write the head of [height, width, 4], 0..1, square and small."""
    rows = np.flatnonzero(picture[..., 3].any(axis=1))
    columns = np.flatnonzero(picture[..., 3].any(axis=0))
    top, end = (int(rows[0] + share * len(rows)) for share in (CROWN_SHARE, CHIN_SHARE))
    middle, half = int(columns.mean()), (end - top) // 2
    cut = picture[top:end, max(0, middle - half) : middle + half]
    image = Image.fromarray(np.round(255 * cut).astype(np.uint8))
    image.thumbnail((SIZE_PX, SIZE_PX), Image.Resampling.LANCZOS)
    packed = io.BytesIO()
    image.quantize(COLOURS).save(packed, "PNG", optimize=True)
    path.write_bytes(packed.getvalue())
