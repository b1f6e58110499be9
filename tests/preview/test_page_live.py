"""The faces of a real daemon on the page, in a real browser."""

from __future__ import annotations

import re
import threading
import time
from contextlib import nullcontext
from typing import TYPE_CHECKING

import pytest

from cstalk_bridge import daemon
from cstalk_bridge.audio.inputs import SPEECH_PATH
from cstalk_bridge.audio.passthrough import PassthroughConfig
from cstalk_bridge.audio.source import AudioConfig
from cstalk_bridge.config.schema import Config, SubjectConfig
from cstalk_bridge.control.controller import Controller
from cstalk_bridge.face.procedural.animation import DEFAULT_LEVELS, NO_ANIMATION_LEVELS
from cstalk_bridge.models.errors import UserError
from cstalk_bridge.outputs.livelink_face import LiveLinkFaceConfig
from tests.outputs.receiving import receiver
from tests.preview.browsing import TIMEOUT_S, Visit, browsing, changed, needs_chromium, visiting
from tests.waiting import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from cstalk_bridge.monitor.metrics import Metrics
    from cstalk_bridge.outputs.udp import Target

pytestmark = needs_chromium

NAMES = ("Anna", "Zoë <b>")


def config(target: Target, folder: Path) -> Config:
    links = (LiveLinkFaceConfig(targets=(target,)),)
    subjects = tuple(
        SubjectConfig(
            name=name,
            audio=AudioConfig(input="test"),
            links=links,
            passthrough=PassthroughConfig(device="no such cable"),
        )
        for name in NAMES
    )
    given = {"device": "cpu", "dashboard": False, "subjects": subjects, "preview": ":0"}
    given["recording"] = {"folder": folder}
    return Config.model_validate(given)


def steer(visit: Visit, controller: Controller) -> None:
    """Choose emotions with the mouse, sliders and keys, and see what others choose."""
    page = visit.page
    first, second = (controller.subject(name) for name in NAMES)
    page.get_by_role("button", name="happy").click()
    wait_until(lambda: first.mix == {"happy": 1.0})
    page.locator("[data-setting=intensity]").fill("0.5")
    wait_until(lambda: first.factor == 0.5)
    page.locator("#subject").select_option(NAMES[1])
    page.locator("body").press("3")
    page.locator("body").press("-")
    wait_until(lambda: (second.mix, second.factor) == ({"angry": 1.0}, 0.9))
    assert first.mix == {"happy": 1.0}
    page.get_by_role("button", name="Blend").click()
    handle = page.get_by_role("slider", name="Blend of emotions")
    handle.press("Home")
    for _ in range(5):
        handle.press("ArrowRight")
    wait_until(lambda: second.mix == {"happy": 0.5})
    page.get_by_role("button", name="Blend").click()
    second.emotion({"sad": 1.0})
    page.locator(".face[aria-pressed=true]", has_text="sad").wait_for()


def show_panel(visit: Visit, name: str) -> None:
    visit.page.locator(f"#tabs [data-panel={name}]").click()


def set_up(visit: Visit, controller: Controller) -> None:
    """Change levels, sound and delay of the second subject."""
    page = visit.page
    first, second = (controller.subject(name) for name in NAMES)
    show_panel(visit, "face")
    page.get_by_role("button", name="Procedural animation").click()
    wait_until(lambda: second.levels == NO_ANIMATION_LEVELS)
    assert first.levels == DEFAULT_LEVELS
    page.locator("[data-setting=head]").fill("0.5")
    wait_until(lambda: second.levels.head == 0.5)
    show_panel(visit, "sound")
    page.locator("[data-setting=audio_gain_db]").fill("3.5")
    page.get_by_role("button", name="Noise gate").click()
    page.locator("[data-setting=audio_gate_open_db]").fill("-60")
    page.locator("[data-setting=lookahead_ms]").fill("120")
    wait_until(lambda: second.gain_db == 3.5 and second.noise_gate.enabled)
    wait_until(lambda: second.noise_gate.close_db == second.noise_gate.open_db == -60)
    wait_until(lambda: second.lookahead_ms == 120)
    page.locator(".passthrough .lampword[data-state=fault]", has_text="missing").wait_for()
    page.locator("[data-setting=passthrough_delay_ms]").fill("35")
    page.locator("[data-setting=passthrough_level_db]").fill("-6")
    wait_until(lambda: (found := second.passthrough) and found.delay_ms == 35.0)
    wait_until(lambda: (found := second.passthrough) and found.level_db == -6.0)
    assert first.passthrough is not None
    assert first.passthrough.delay_ms == 0.0
    controller.change_input(NAMES[1], str(SPEECH_PATH))
    page.locator("#panel-sound select option:checked", has_text=SPEECH_PATH.name).wait_for(
        state="attached"
    )
    with pytest.raises(UserError, match=re.escape("nobody.wav")):
        controller.change_input(NAMES[1], "nobody.wav")
    second.gain(-2.0)
    page.locator("label.control", has_text="Gain").locator("output", has_text="-2 dB").wait_for()


def operate(visit: Visit, controller: Controller) -> None:
    """Mute, pause, record, and read where the take lies."""
    page = visit.page
    second = controller.subject(NAMES[1])
    page.locator("#mute").click()
    wait_until(lambda: second.is_muted)
    page.locator("body").press("m")
    wait_until(lambda: not second.is_muted)
    page.locator("#pause").click()
    wait_until(lambda: second.is_paused)
    page.locator("#pause-text", has_text="Paused").wait_for()
    page.locator("body").press("p")
    wait_until(lambda: not second.is_paused)
    show_panel(visit, "takes")
    page.locator("#slate").fill("Scene")
    page.locator("#take-number").fill("4")
    page.locator("#panel-takes button.record").click()
    wait_until(lambda: controller.takes.is_recording)
    page.locator("#record-text", has_text=re.compile(r"REC \d:\d\d")).wait_for()
    page.locator("#take-text", has_text=re.compile(r"Scene 4,.* in ")).wait_for()
    page.locator("#record").click()
    page.locator("#panel-takes .rows b", has_text="_Scene_4").wait_for()
    assert controller.takes.ended[0].folder.is_dir()
    show_panel(visit, "links")
    page.locator("#panel-links .lampword", has_text="listening").wait_for()
    metrics = controller.metrics
    assert metrics is not None
    subject = metrics.subjects[1]
    subject.record_drop("blocks", controller.now(), 7)
    page.locator("#panel-links dd", has_text=re.compile(r"\b7 blocks")).wait_for()
    page.get_by_role("button", name="reset losses (x)").click()
    wait_until(lambda: "blocks" not in subject.losses)
    page.locator("#panel-links dd", has_text="blocks").wait_for(state="detached")


def test_subjects_of_a_daemon_move_and_stop_with_it(tmp_path: Path) -> None:
    stop, found = threading.Event(), threading.Event()
    urls: list[str] = []

    def watch(metrics: Metrics) -> nullcontext[None]:
        notice_words = " ".join(notice.text for notice in metrics.notices()).split()
        urls.extend(part for part in notice_words if part.startswith("http"))
        found.set()
        return nullcontext()

    with receiver() as target, browsing() as browser:
        given = config(target.target, tmp_path)
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
                set_up(visit, controller)
                operate(visit, controller)
                assert visit.errors == []
                stop.set()
                run.join()
                visit.until("!cstalk.state().live.isOpen")
                visit.page.locator(".view .note", has_text="no signal").first.wait_for()
                assert visit.strangers == []
        finally:
            stop.set()
            run.join()
