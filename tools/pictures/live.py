"""The live view of a run, on a desktop and on a phone, while the bundled recording speaks."""

from __future__ import annotations

import io
import re
import shutil
import socket
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib.image
from playwright.sync_api import sync_playwright

from cstalk_bridge.audio.inputs import SPEECH_PATH
from tools.pictures.preview import FLAGS, PATIENCE_S, wait
from tools.pictures.stills import save_small_png

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

DESK, PHONE = (1200, 760), (390, 844)
LOUD_DB = -30
"""Level from which somebody speaks."""


def photograph_live(desk_path: Path, phone_path: Path) -> None:
    """Run the bridge, choose an emotion, and photograph its page at two sizes."""
    with run() as address, sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=shutil.which("chromium"), args=[*FLAGS], timeout=PATIENCE_S * 1000
        )
        for (width, height), path in ((PHONE, phone_path), (DESK, desk_path)):
            photograph(browser, address, (width, height), path)
        browser.close()


def photograph(browser: Browser, address: str, size: tuple[int, int], path: Path) -> None:
    """Photograph the page at that size at a loud moment."""
    width, height = size
    page = browser.new_page(viewport={"width": width, "height": height}, color_scheme="dark")
    page.set_default_timeout(PATIENCE_S * 1000)
    page.goto(address)
    wait(page, "window.cstalk && cstalk.state().bridge && cstalk.state().live?.tick > 0")
    page.evaluate("cstalk.ready")
    page.keyboard.press("1")
    wait(page, "cstalk.state().bridge.subjects[0].emotion.happy > 0")
    wait(page, "cstalk.state().live.rate_fps > 10")
    wait(page, f"cstalk.state().meters.subjects[0].level_db > {LOUD_DB}")
    picture = matplotlib.image.imread(io.BytesIO(page.screenshot()))
    save_small_png(picture, path)
    page.close()


@contextmanager
def run() -> Iterator[str]:
    """Run the bridge on the bundled recording, again and again, and give the page's address."""
    with tempfile.TemporaryDirectory() as folder:
        looped = Path(folder) / "speech.wav"
        _repeat(looped)
        receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        receiver.bind(("127.0.0.1", 0))
        link = f"livelink-face://127.0.0.1:{receiver.getsockname()[1]}"
        command = [sys.executable, "-m", "cstalk_bridge", "run", "--no-ui", "--audio", str(looped)]
        command += ["--link", link, "--preview", "127.0.0.1:0"]
        with (
            receiver,
            subprocess.Popen(  # noqa: S603 - our own command
                command, stderr=subprocess.PIPE, text=True, cwd=folder
            ) as process,
        ):
            try:
                assert process.stderr is not None  # noqa: S101 - for the type checker
                address = None
                while address is None:
                    address = re.search(r"http://\S+", process.stderr.readline())
                yield address[0]
            finally:
                process.terminate()


def _repeat(path: Path, times: int = 60) -> None:
    """Write the bundled recording that many times in a row: longer than the pictures take."""
    import numpy as np
    import soundfile

    samples, rate_hz = soundfile.read(SPEECH_PATH)
    soundfile.write(path, np.tile(samples, times), rate_hz)
