"""A real Chromium that shows a preview."""

from __future__ import annotations

import base64
import shutil
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import numpy as np
import pytest

from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray
    from playwright.sync_api import Browser, Page

CHROMIUM = shutil.which("chromium")
TIMEOUT_S = 90.0
"""Time given to anything; without a graphics card a frame may take a second."""

SMALL = {"width": 656, "height": 670}
"""A window in which the face has about 420 pixels a side: without a graphics card, more is slow."""

ARGUMENTS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
)

needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")


@dataclass
class Visit:
    """An open page of the preview, and the errors on it."""

    page: Page
    address: str
    errors: list[str] = field(default_factory=list)
    strangers: list[str] = field(default_factory=list)
    """Requests that left the preview's own origin."""
    bodies: dict[str, int] = field(default_factory=dict)
    """Bytes of each response as transferred, by address."""

    def evaluate(self, expression: str, argument: Any = None) -> Any:
        """Evaluate an expression, or a function of `argument`."""
        return self.page.evaluate(expression, argument)

    def state(self) -> Any:
        return self.evaluate("cstalk.state()")

    def until(self, expression: str, seconds: float = TIMEOUT_S) -> None:
        """Wait for an expression to become true. (The page's policy forbids waiting inside.)"""
        wait_until(
            lambda: self.evaluate(expression),
            seconds,
            reason=lambda: f"{expression}; {self.evaluate('window.cstalk && cstalk.state()')}",
            interval_s=0.05,
        )

    def until_shown(self, side: str = "A") -> None:
        """Wait for a side to have its take."""
        self.until(
            f"(s => s && s.take && s.rows && s.progress === null)(cstalk.state().sides.{side})"
        )

    def pose(self, **curves: float) -> NDArray[np.int16]:
        """Pose the face and return its picture."""
        self.evaluate("curves => cstalk.set(curves)", curves)
        return self.picture()

    def picture(self, index: int = 0) -> NDArray[np.int16]:
        """Return the picture of a view, [height, width, RGBA], alpha 0 where there is no head."""
        return pixels_of(self.evaluate("index => cstalk.pixels(index)", index))


@contextmanager
def browsing() -> Iterator[Browser]:
    """Keep one browser for many pages."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
        yield browser
        browser.close()


@contextmanager
def visiting(browser: Browser, url: str, window: dict[str, int] | None = None) -> Iterator[Visit]:
    """Open a page and wait for its first face."""
    page = browser.new_page(viewport=window or SMALL)  # type: ignore[arg-type]
    page.set_default_timeout(1000 * TIMEOUT_S)
    visit = Visit(page, urlsplit(url).netloc)

    def note_request(request: Any) -> None:
        parts = urlsplit(request.url)
        if parts.scheme not in ("data", "blob") and parts.netloc != visit.address:
            visit.strangers.append(request.url)

    def note_answer(request: Any) -> None:
        visit.bodies[request.url] = request.sizes()["responseBodySize"]

    def note_message(message: Any) -> None:
        if message.type == "error":
            visit.errors.append(message.text)

    page.on("request", note_request)
    page.on("requestfinished", note_answer)
    page.on("pageerror", lambda error: visit.errors.append(str(error)))
    page.on("console", note_message)
    page.goto(url)
    visit.until("!!window.cstalk")
    visit.evaluate("cstalk.ready")
    yield visit
    page.close()


def pixels_of(seen: dict[str, Any]) -> NDArray[np.int16]:
    """Return what `cstalk.pixels` gives as a picture, [height, width, RGBA]."""
    pixels = np.frombuffer(base64.b64decode(seen["rgba"]), np.uint8)
    return pixels.reshape(seen["height"], seen["width"], 4).astype(np.int16)


def changed(one: NDArray[np.int16], other: NDArray[np.int16]) -> NDArray[np.bool_]:
    """Return where two pictures differ so that one sees it, [height, width]."""
    found: NDArray[np.bool_] = np.abs(one - other).max(axis=2) > 24
    return found
