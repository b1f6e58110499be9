"""The live view on screens of phones and of a desktop: all in reach, none too small to touch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cstalk_bridge.config.schema import PreviewConfig
from cstalk_bridge.models.emotions import EMOTIONS
from cstalk_bridge.preview.server import open_preview
from tests.control.running import running_bridge
from tests.networks import GUARDED, small_generator
from tests.outputs.receiving import receiver
from tests.preview.browsing import TIMEOUT_S, Visit, browsing, needs_chromium, visiting
from tests.preview.serving import Serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

pytestmark = needs_chromium

NAMES = ("Anna", "A name that is long enough to be cut somewhere")
PORTRAIT, SMALL_PORTRAIT, LANDSCAPE, DESKTOP = (390, 844), (360, 640), (844, 390), (1440, 900)
TOKEN = "a-token-of-a-stage"  # noqa: S105 - for a test
TOUCH_PX = 44
MOUSE_PX = 24  # WCAG 2.2, "Target Size (Minimum)"

IN_REACH = (
    *("#mute", "#pause", "#record", "#subject", ".meter", "#take-text", "#timecode", "#tabs"),
    *(f".face[data-emotion={name}]" for name in (*EMOTIONS, "auto")),
    "[data-setting=intensity]",
)
"""What an operator needs without scrolling."""

TOO_SMALL = """(least) => [...document.querySelectorAll('button, select, input, a, [role=slider]')]
  .filter((one) => one.checkVisibility())
  .map((one) => [one.id || one.className || one.textContent, one.getBoundingClientRect()])
  .filter(([, box]) => box.width && Math.min(box.width, box.height) < least - 0.5)
  .map(([name, box]) => `${name} ${box.width}x${box.height}`)"""

OUT_OF_REACH = """(selectors) => selectors.filter((selector) => {
  const box = document.querySelector(selector)?.getBoundingClientRect();
  if (!box?.width) return true;
  const [x, y] = [box.left + box.width / 2, box.top + box.height / 2];
  const seen = document.elementFromPoint(x, y);
  const own = document.querySelector(selector);
  return box.bottom > innerHeight + 1 || box.right > innerWidth + 1 || !own.contains(seen);
})"""

NAMELESS = """() => [...document.querySelectorAll('#steering :is(button, select, input, [role])')]
  .filter((one) => one.role !== 'status')
  .filter((one) => one.checkVisibility())
  .filter((one) => !(one.ariaLabel || one.textContent.trim() || one.labels?.[0]?.textContent.trim()
    || one.getAttribute('aria-label')))
  .map((one) => one.outerHTML.slice(0, 120))"""


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """A bridge with two subjects, whose page asks for a token as on a LAN.

    The first one has an audio passthrough.
    """
    with (
        receiver() as unreal,
        running_bridge(
            tmp_path_factory.mktemp("phone"),
            subjects=[
                {
                    "name": name,
                    "audio": {"input": "test"},
                    "passthrough": passthrough,
                    "links": [f"livelink-face://{unreal.target}"],
                }
                for name, passthrough in zip(NAMES, ({"device": "no such cable"}, {}), strict=True)
            ],
        ) as bridge,
        open_preview(
            PreviewConfig.parse("0.0.0.0:0", TOKEN),
            load=lambda: small_generator(GUARDED),
            subjects=NAMES,
            rate_hz=30.0,
            controller=bridge.controller,
        ) as preview,
    ):
        found = Serving(preview)
        preview.start(found.notices.append)
        yield found


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with browsing() as found:
        yield found


@pytest.fixture(scope="module", params=(PORTRAIT, SMALL_PORTRAIT, LANDSCAPE, DESKTOP), ids=str)
def visit(request: pytest.FixtureRequest, serving: Serving, browser: Browser) -> Iterator[Visit]:
    width, height = request.param
    url = f"http://127.0.0.1:{serving.port}/?token={TOKEN}"
    with visiting(browser, url, {"width": width, "height": height}) as found:
        found.until("cstalk.state().bridge && cstalk.state().meters")
        yield found


def size(visit: Visit) -> tuple[int, int]:
    found = visit.page.viewport_size
    assert found is not None
    return found["width"], found["height"]


def panels(visit: Visit) -> Iterator[str]:
    """Open one panel after the other, as far as they are not all shown."""
    tabs = visit.page.locator("#tabs button")
    if not tabs.first.is_visible():
        yield "all"
        return
    for tab in tabs.all():
        tab.click()
        yield tab.inner_text()
    tabs.first.click()


def test_the_page_is_as_wide_as_the_screen_and_no_higher(visit: Visit) -> None:
    for panel in panels(visit):
        seen = visit.evaluate(
            "[document.documentElement.scrollWidth, document.documentElement.scrollHeight]"
        )
        assert tuple(seen) == size(visit), panel
        overflowing = "(p => p.scrollWidth > p.clientWidth)(document.querySelector('#panels'))"
        assert not visit.evaluate(overflowing), panel


def test_what_an_operator_needs_is_in_reach(visit: Visit) -> None:
    needed = [name for name in IN_REACH if size(visit) != DESKTOP or name != "#tabs"]
    visit.page.locator(".face").first.wait_for()
    assert visit.evaluate(OUT_OF_REACH, needed) == []


def test_what_is_touched_or_clicked_is_large_enough(visit: Visit) -> None:
    least = MOUSE_PX if size(visit) == DESKTOP else TOUCH_PX
    for panel in panels(visit):
        assert visit.evaluate(TOO_SMALL, least) == [], panel
    visit.page.get_by_role("button", name="Blend").click()
    assert visit.evaluate(TOO_SMALL, least) == []
    visit.page.get_by_role("button", name="Blend").click()


def test_every_control_has_a_name_for_a_screen_reader(visit: Visit) -> None:
    for panel in panels(visit):
        assert visit.evaluate(NAMELESS) == [], panel


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_texts_can_be_read_in_both_themes(visit: Visit, theme: str) -> None:
    """The contrast of texts is at least 4.5 to 1 (WCAG 2.2, success criterion 1.4.3)."""
    for _ in range(2):
        if visit.evaluate("document.documentElement.dataset.theme") != theme:
            visit.page.locator("#theme").click()
    for panel in panels(visit):
        assert visit.evaluate(FAINT) == [], panel


FAINT = """() => {
  const channels = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b]
    .map((c) => (c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4))
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = (one) => {
    for (let at = one; at; at = at.parentElement) {
      const found = channels(getComputedStyle(at).backgroundColor);
      if (found.length === 3 || found[3] === 1) return found;
    }
    return [255, 255, 255];
  };
  return [...document.querySelectorAll('#steering *')]
    .filter((one) => one.checkVisibility() && [...one.childNodes]
      .some((node) => node.nodeType === 3 && node.data.trim()))
    .filter((one) => !one.closest('option, kbd, :disabled'))
    .map((one) => {
      const [a, b] = [light(channels(getComputedStyle(one).color)), light(ground(one))];
      return [one.textContent.slice(0, 30), (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05)];
    })
    .filter(([, contrast]) => contrast < 4.5)
    .map(([text, contrast]) => `${text} ${contrast.toFixed(2)}`);
}"""


def test_a_subject_is_chosen_and_steered_by_touch(serving: Serving, browser: Browser) -> None:
    context = browser.new_context(
        viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True
    )
    page = context.new_page()
    page.goto(f"http://127.0.0.1:{serving.port}/?token={TOKEN}")
    page.locator("#subject").select_option(NAMES[1])
    page.locator(".face", has_text="angry").tap()
    page.locator(".face[aria-pressed=true]", has_text="angry").wait_for()
    page.get_by_role("button", name="Blend").tap()
    disk = page.locator(".disk").bounding_box()
    assert disk is not None
    page.touchscreen.tap(disk["x"] + 0.65 * disk["width"], disk["y"] + 0.5 * disk["height"])
    page.locator(".blend", has_text="happy 0.5").wait_for()
    context.close()


def test_the_passthrough_is_shown_and_set_by_touch(serving: Serving, browser: Browser) -> None:
    context = browser.new_context(
        viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True
    )
    context.set_default_timeout(1e3 * TIMEOUT_S)
    page = context.new_page()
    page.goto(f"http://127.0.0.1:{serving.port}/?token={TOKEN}")
    part = page.locator(".passthrough")
    page.locator("#tabs [data-panel=sound]").tap()
    part.locator(".lampword", has_text="opening").wait_for()
    page.locator("[data-setting=passthrough_delay_ms]").fill("35")
    page.locator("[data-setting=passthrough_level_db]").fill("-6")
    page.locator("#subject").select_option(NAMES[1])
    part.wait_for(state="hidden")
    page.locator("#subject").select_option(NAMES[0])
    part.locator("output", has_text="35 ms").wait_for()
    part.locator("output", has_text="-6 dB").wait_for()
    context.close()


def test_without_the_token_the_bridge_is_not_steered(serving: Serving) -> None:
    for path, body in (
        ("/api/key", {"key": "m", "subject": "Anna"}),
        ("/api/recording", {"action": "start"}),
        ("/api/subjects/Anna", {"is_muted": True}),
        ("/api/bridge", None),
        ("/api/devices", None),
    ):
        assert serving.ask(path, body).status == 401, path
