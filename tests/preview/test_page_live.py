"""The faces of a real daemon on the page, in a real browser."""

from __future__ import annotations

import threading
import time
from contextlib import nullcontext
from typing import TYPE_CHECKING

from cstalk_bridge import daemon
from cstalk_bridge.audio.source import AudioConfig
from cstalk_bridge.config.schema import Config, SubjectConfig
from cstalk_bridge.control.controller import Controller
from cstalk_bridge.face.procedural.animation import DEFAULT_LEVELS, NO_ANIMATION_LEVELS
from cstalk_bridge.outputs.livelink_face import LiveLinkFaceConfig
from tests.outputs.receiving import receiver
from tests.preview.browsing import TIMEOUT_S, Visit, browsing, changed, needs_chromium, visiting
from tests.waiting import wait_until

if TYPE_CHECKING:
    from cstalk_bridge.monitor.metrics import Metrics
    from cstalk_bridge.outputs.udp import Target

pytestmark = needs_chromium

NAMES = ("Anna", "Zoë <b>")


def config(target: Target) -> Config:
    links = (LiveLinkFaceConfig(targets=(target,)),)
    subjects = tuple(
        SubjectConfig(name=name, audio=AudioConfig(input="test"), links=links) for name in NAMES
    )
    given = {"device": "cpu", "dashboard": False, "subjects": subjects, "preview": ":0"}
    return Config.model_validate(given)


def steer(visit: Visit, controller: Controller) -> None:
    """Choose emotions with the mouse, a slider and keys, and show the choices of others."""
    page = visit.page
    first, second = (controller.subject(name) for name in NAMES)
    page.get_by_role("button", name="happy").click()
    wait_until(lambda: first.mix == {"happy": 1.0})
    page.locator("#intensity").fill("0.5")
    wait_until(lambda: first.mix == {"happy": 0.5})
    page.locator("#subject").select_option(NAMES[1])
    page.locator("body").press("3")
    page.locator("body").press("ArrowDown")
    wait_until(lambda: second.mix == {"angry": 0.95})
    assert first.mix == {"happy": 0.5}
    assert second.levels.head == 1.0
    page.locator("#alive").click()
    wait_until(lambda: second.levels == NO_ANIMATION_LEVELS)
    assert first.levels == DEFAULT_LEVELS
    second.level("head", 0.5)
    page.locator("#alive[aria-pressed=true]").wait_for()
    second.emotion({"sad": 1.0})
    page.locator("#emotions button[aria-pressed=true]", has_text="sad").wait_for()


def test_subjects_of_a_daemon_move_and_stop_with_it() -> None:
    stop, found = threading.Event(), threading.Event()
    urls: list[str] = []

    def watch(metrics: Metrics) -> nullcontext[None]:
        notice_words = " ".join(notice.text for notice in metrics.notices()).split()
        urls.extend(part for part in notice_words if part.startswith("http"))
        found.set()
        return nullcontext()

    with receiver() as target, browsing() as browser:
        given = config(target.target)
        controller = Controller()
        run = threading.Thread(
            target=lambda: daemon.run(
                given, controller=controller, stop=stop, watch=watch, is_urgent=False
            )
        )
        run.start()
        try:
            assert found.wait(TIMEOUT_S)
            with visiting(browser, urls[0]) as visit:
                visit.until("cstalk.state().live?.tick > 0")
                assert visit.state()["mode"] == "live"
                assert visit.state()["live"]["subjects"] == list(NAMES)
                assert visit.page.locator(".view .name").all_inner_texts() == list(NAMES)
                visit.until("cstalk.state().live.rate_fps > 5")
                tick, seen = visit.state()["live"]["tick"], visit.picture()
                end_s = time.monotonic() + TIMEOUT_S
                while changed(seen, visit.picture()).mean() < 0.002:
                    assert time.monotonic() < end_s
                assert visit.state()["live"]["tick"] > tick
                steer(visit, controller)
                assert visit.errors == []
                stop.set()
                run.join()
                visit.until("!cstalk.state().live.isOpen")
                visit.page.locator(".view .note", has_text="no signal").first.wait_for()
                assert visit.strangers == []
        finally:
            stop.set()
            run.join()
