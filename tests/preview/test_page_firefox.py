"""The page in Firefox, another engine than that of the other tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.preview.browsing import changed, pixels_of
from tests.preview.firefox import firefox, needs_firefox

if TYPE_CHECKING:
    from pathlib import Path

    from tests.preview.serving import Serving

pytestmark = needs_firefox


def test_the_face_is_drawn_and_moves_without_errors(serving: Serving, tmp_path: Path) -> None:
    with firefox(tmp_path) as browser:
        browser.visit(serving.preview.url)
        rest = pixels_of(browser.evaluate("(cstalk.set({}), cstalk.pixels())"))
        opened = pixels_of(browser.evaluate("(cstalk.set({jawOpen: 1}), cstalk.pixels())"))
        assert browser.errors == []
    assert 0.1 < (rest[..., 3] > 128).mean() < 0.9
    assert changed(rest, opened)[rest.shape[0] // 2 :].mean() > 0.005
