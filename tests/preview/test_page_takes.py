"""Voices and takes on the page, in a real browser with the real generator."""

from __future__ import annotations

import io
import json
import struct
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
import soundfile

from cstalk_bridge.audio.inputs import SPEECH_PATH
from tests.preview.browsing import Visit, browsing, changed, needs_chromium, visiting
from tests.preview.serving import serve
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Request

    from cstalk_bridge.models.cstalk.generator import Generator

pytestmark = needs_chromium

SPOKEN_S = 4.0
HOSTILE_NAME = 'ä "quoted" <img src=x onerror=alert(1)> ..wav'

DROP = """([name, bytes]) => {
    const files = new DataTransfer();
    files.items.add(new File([new Uint8Array(bytes)], name));
    for (const type of ['dragenter', 'dragover', 'drop']) {
        const event = new DragEvent(type, {dataTransfer: files, bubbles: true, cancelable: true});
        document.querySelector('#stage').dispatchEvent(event);
    }
}"""


@pytest.fixture(scope="module")
def speech(tmp_path_factory: pytest.TempPathFactory) -> Path:
    samples, rate_hz = soundfile.read(SPEECH_PATH)
    path = tmp_path_factory.mktemp("voices") / "speech.wav"
    soundfile.write(path, samples[: round(SPOKEN_S * rate_hz)], rate_hz)
    return path


@pytest.fixture(scope="module")
def visit(generator: Generator, speech: Path) -> Iterator[Visit]:
    """The page with a voice chosen, generated and at its start; no test may leave an error."""
    with serve(generator) as serving, browsing() as browser:
        with visiting(browser, serving.preview.url) as visit:
            assert visit.page.locator("#invitation").is_visible()
            visit.page.set_input_files("#file", speech)
            visit.until_shown()
            yield visit
            assert visit.errors == []
            assert visit.strangers == []
        assert serving.notices == []


@pytest.fixture(autouse=True)
def _at_the_start(visit: Visit) -> None:
    """Each test finds one face at the start, at rest."""
    if visit.state()["playing"]:
        visit.page.keyboard.press("Space")
    if "B" in visit.state()["sides"]:
        visit.page.keyboard.press("c")
    visit.page.keyboard.press("l")
    visit.page.keyboard.press("f")
    visit.page.keyboard.press("Home")


def drop(visit: Visit, name: str, content: bytes) -> None:
    visit.evaluate(DROP, [name, list(content)])


def sent(request: Request) -> Any:
    """Return the document that a request carries."""
    return request.post_data_json


def problems(visit: Visit) -> str:
    """Wait for problems; return the text of the strip, and dismiss it."""
    visit.until("cstalk.state().problems.length > 0")
    strip = visit.page.locator("#problems")
    strip.locator(".problem").first.wait_for()
    text = strip.inner_text()
    buttons = strip.locator("button")
    while count := buttons.count():
        buttons.first.click()
        wait_until(partial(lambda before: buttons.count() < before, count))
    return str(text)


def glb(document: dict[str, Any]) -> bytes:
    text = json.dumps({"asset": {"version": "2.0"}, **document}).encode()
    text += b" " * (-len(text) % 4)
    return struct.pack("<IIIII", 0x46546C67, 2, 20 + len(text), len(text), 0x4E4F534A) + text


def test_a_voice_plays_and_the_mouth_moves(visit: Visit) -> None:
    start = visit.state()
    assert start["duration_s"] == pytest.approx(SPOKEN_S, abs=0.05)
    assert start["sides"]["A"]["rows"] == 50 * SPOKEN_S
    rest = visit.picture()
    visit.page.keyboard.press("Space")
    visit.until("cstalk.state().time_s > 0.8")
    assert visit.evaluate("document.querySelector('#sound').currentTime") > 0.5
    while visit.state()["sides"]["A"]["values"]["JawOpen"] < 0.1:
        assert visit.state()["playing"]
    visit.page.keyboard.press("Space")
    spoken = visit.picture()
    below = changed(rest, spoken)[rest.shape[0] // 2 :]
    assert below.mean() > 0.001
    assert visit.state()["playing"] is False


def test_the_time_of_a_sound_is_smooth(visit: Visit) -> None:
    """As Firefox reports it: it leaps ahead, stands until sound plays, then moves by 75 ms; at last
    it is sought."""
    frame_ms = 1000 / 60
    reported = [0.0] * 20 + [0.125] * 60
    reported += [0.125 + 0.075 * int(k * frame_ms / 75) for k in range(120)] + [1.0] * 10
    shown = visit.evaluate(
        """async ([heard, frame_ms]) => {
            const {SoundTime} = await import('/page/soundtime.js');
            const time = new SoundTime();
            return heard.map((sound_s, k) => time.at(sound_s, k * frame_ms, 1));
        }""",
        [reported, frame_ms],
    )
    steps = np.diff(shown)
    assert shown[:20] == reported[:20]
    assert np.abs(np.subtract(shown, reported)).max() <= 0.1
    assert (steps[:-11] >= 0).all()
    assert steps[100:-11].min() > 0.5 * frame_ms / 1000
    assert steps[100:-11].max() < 1.5 * frame_ms / 1000
    assert shown[-10] == 1.0


def test_keys_move_in_time_and_choose(visit: Visit) -> None:
    press = visit.page.keyboard.press
    press("ArrowRight")
    press("ArrowRight")
    assert visit.state()["time_s"] == pytest.approx(0.04)
    press("Shift+ArrowRight")
    assert visit.state()["time_s"] == pytest.approx(1.04)
    press("i")
    press("End")
    press("Shift+ArrowLeft")
    press("o")
    assert visit.state()["loop"] == pytest.approx(
        {"start_s": 1.04, "end_s": SPOKEN_S - 1}, abs=0.05
    )
    press("?")
    assert visit.page.locator("dialog").is_visible()
    press("Escape")
    assert not visit.page.locator("dialog").is_visible()


def test_a_loop_comes_back_and_slow_motion_is_slow(visit: Visit) -> None:
    press = visit.page.keyboard.press
    press("Shift+ArrowRight")
    press("o")
    press("Home")
    visit.page.click("[data-rate='0.25']")
    press("Space")
    visit.until("cstalk.state().time_s > 0.1")
    seen = visit.evaluate("[cstalk.state().time_s, performance.now()]")
    visit.until(f"cstalk.state().time_s > {seen[0] + 0.2}")
    later = visit.evaluate("[cstalk.state().time_s, performance.now()]")
    assert 1000 * (later[0] - seen[0]) < 0.5 * (later[1] - seen[1])
    visit.page.click("[data-rate='1']")
    times: list[float] = []

    def went_back() -> bool:
        times.append(visit.state()["time_s"])
        return len(times) > 1 and times[-1] < times[-2]

    wait_until(went_back)
    assert max(times) < 1.3


def test_another_emotion_makes_another_face_at_the_same_time(visit: Visit) -> None:
    visit.page.keyboard.press("Shift+ArrowRight")
    before = visit.state()
    rest = visit.picture()
    visit.page.keyboard.press("3")
    visit.until(f"cstalk.state().sides.A.take !== '{before['sides']['A']['take']}'")
    visit.until_shown()
    after = visit.state()
    assert after["sides"]["A"]["settings"]["emotion"] == "angry"
    assert after["time_s"] == before["time_s"]
    assert changed(rest, visit.picture()).mean() > 0.005


def test_the_mouth_guard_is_sent_with_the_request(visit: Visit) -> None:
    slider = visit.page.locator("#mouth_guard")
    assert visit.page.locator("#mouth_guard-value").inner_text() == "0.45"
    for guard in ("0.8", "0.45"):
        with visit.page.expect_request("**/api/takes") as asked:
            slider.fill(guard)
        assert sent(asked.value)["mouth_guard"] == float(guard)
        assert visit.state()["sides"]["A"]["settings"]["mouth_guard"] == float(guard)
    visit.until_shown()
    slider.blur()  # keys move a slider that has the focus
    for button in visit.page.locator("#problems button").all():  # of weights without a guard
        button.click()


def test_procedural_animation_can_be_disabled_and_partly_enabled(visit: Visit) -> None:
    page, switch = visit.page, visit.page.locator("#alive")
    own = ("gaze", "head", "blink", "brows", "idle")
    for pressed, level in (("false", 0), ("true", 1)):
        with page.expect_request("**/api/takes") as asked:
            switch.click()
        levels = sent(asked.value)["levels"]
        assert [levels[name] for name in own] == [level] * len(own)
        assert (levels["mouth"], switch.get_attribute("aria-pressed")) == (1, pressed)
        visit.until_shown()
    page.get_by_text("Levels").click()
    for wanted in ("0.5", "1"):
        with page.expect_request("**/api/takes") as asked:
            page.locator("[data-level=head]").fill(wanted)
        assert sent(asked.value)["levels"]["head"] == float(wanted)
        visit.until_shown()
    page.locator("[data-level=head]").blur()
    page.get_by_text("Levels").click()
    assert visit.errors == []


def test_two_settings_play_side_by_side_on_one_clock(visit: Visit) -> None:
    visit.page.keyboard.press("c")
    visit.until_shown("B")
    shared = visit.state()["sides"]
    assert shared["A"]["take"] == shared["B"]["take"]
    visit.page.keyboard.press("1")
    visit.until(f"cstalk.state().sides.B.take !== '{shared['A']['take']}'")
    visit.until_shown("B")
    visit.page.keyboard.press("Shift+ArrowRight")
    sides = visit.state()["sides"]
    assert sides["A"]["settings"]["emotion"] != sides["B"]["settings"]["emotion"] == "happy"
    one, other = visit.picture(0), visit.picture(1)
    assert min((one[..., 3] > 128).mean(), (other[..., 3] > 128).mean()) > 0.2
    width = min(one.shape[1], other.shape[1])
    assert changed(one[:, :width], other[:, :width]).mean() > 0.005
    assert visit.page.locator(".view").count() == 2


def test_a_rig_map_without_shapes_fills_the_lanes_alone(visit: Visit) -> None:
    visit.page.select_option("#rigmap", "metahuman")
    visit.until("document.querySelector('.legend li')?.title.startsWith('CTRL_expressions_')")
    assert visit.state()["sides"]["A"]["face"] == "arkit"
    visit.page.select_option("#rigmap", "livelinkface61")
    visit.until("!!document.querySelector('.legend li[title=JawOpen]')")


def test_scrubbing_on_the_sound_seeks(visit: Visit) -> None:
    box = visit.page.locator("#waveform").bounding_box()
    assert box is not None
    y = box["y"] + 10
    visit.page.mouse.move(box["x"] + 0.25 * box["width"], y)
    visit.page.mouse.down()
    assert visit.state()["time_s"] == pytest.approx(0.25 * SPOKEN_S, abs=0.05)
    visit.page.mouse.move(box["x"] + 0.5 * box["width"], y)
    visit.page.mouse.up()
    assert visit.state()["time_s"] == pytest.approx(0.5 * SPOKEN_S, abs=0.05)
    visit.page.mouse.wheel(0, -400)
    span = visit.state()["range"]
    assert span["end_s"] - span["start_s"] < 0.6 * SPOKEN_S
    assert span["start_s"] < 0.5 * SPOKEN_S < span["end_s"]


def test_a_format_has_a_rig_map_of_its_own_unless_one_is_chosen(visit: Visit) -> None:
    def maps() -> dict[str, str]:
        visit.page.click("#export")
        links = visit.page.locator("#formats a").all()
        queries = [parse_qs(urlsplit(str(link.get_attribute("href"))).query) for link in links]
        visit.page.keyboard.press("Escape")
        return {
            query["format"][0]: query.get("rigmap", [""])[0]
            for query in queries
            if "format" in query  # the sound has none
        }

    visit.page.select_option("#rigmap", "arkit")
    assert set(maps().values()) == {""}
    visit.page.select_option("#rigmap", "livelinkface61")
    chosen = maps()
    assert chosen["glb"] == chosen["csv"] == chosen["json"] == "livelinkface61"
    assert chosen["metahuman-csv"] == ""
    visit.page.select_option("#rigmap", "arkit")
    assert maps()["csv"] == ""


def test_an_export_is_downloaded(visit: Visit) -> None:
    shown = visit.state()["sides"]["A"]["take"]
    visit.page.click("#export")
    with visit.page.expect_download() as download:
        visit.page.locator("#formats a", has_text=".take").click()
    assert download.value.suggested_filename.endswith(".take")
    content = download.value.path().read_bytes()
    assert content.startswith(b"PK")
    visit.page.click("#export")
    with visit.page.expect_download() as download:
        visit.page.locator("#formats a", has_text=".wav").click()
    assert download.value.suggested_filename.endswith(".wav")
    assert download.value.path().read_bytes().startswith(b"RIFF")
    drop(visit, "again.take", content)
    visit.until(f"cstalk.state().sides.A.take !== '{shown}'")
    visit.until_shown()
    assert visit.state()["duration_s"] == pytest.approx(SPOKEN_S, abs=0.05)


@pytest.mark.parametrize(
    ("name", "content", "button"),
    [
        ("noise.wav", b"RIFF" + bytes(60), "noise.wav"),
        ("empty.wav", b"", "empty.wav"),
        ("plain.glb", b"no head at all, but long enough", "no GLB or VRM"),
        ("torn.glb", glb({})[:-4], "damaged"),
        ("bare.glb", glb({"scenes": [{"nodes": []}], "scene": 0}), "none of the shapes"),
        ("packed.glb", glb({"extensionsRequired": ["KHR_draco_mesh_compression"]}), "Draco"),
    ],
)
def test_an_unreadable_file_is_reported_and_changes_nothing(
    visit: Visit, name: str, content: bytes, button: str
) -> None:
    before = visit.state()["sides"]
    drop(visit, name, content)
    assert button in problems(visit)
    assert visit.state()["sides"] == before
    visit.errors[:] = [error for error in visit.errors if "400" not in error]


def test_a_hostile_name_is_shown_as_text(visit: Visit, speech: Path) -> None:
    samples, rate_hz = soundfile.read(speech)
    short = io.BytesIO()
    soundfile.write(short, samples[: rate_hz // 2], rate_hz, format="WAV")
    drop(visit, HOSTILE_NAME, short.getvalue())
    visit.until("cstalk.state().sides.A.source.includes('<img')")
    visit.until_shown()
    assert "<img" in visit.page.locator("#title").inner_text()
    assert visit.page.locator("#title img, #source img, .view img").count() == 0


def test_a_silent_sound_moves_nothing(visit: Visit, tmp_path: Path) -> None:
    path = tmp_path / "silence.wav"
    soundfile.write(path, np.zeros(16_000), 16_000)
    visit.page.set_input_files("#file", path)
    visit.until("cstalk.state().sides.A.source.startsWith('silence')")
    visit.until_shown()
    assert "silent" in visit.page.locator("#notice").inner_text()
