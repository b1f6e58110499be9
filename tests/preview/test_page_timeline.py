"""The timeline and what examines a take: lanes, solo and mute, close-up and frames, in Chromium."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import soundfile

from cstalk_bridge.audio.inputs import SPEECH_PATH
from cstalk_bridge.takes.file import save_take
from tests.plot.studies import calm_take
from tests.preview.browsing import (
    Visit,
    browsing,
    changed,
    needs_chromium,
    pixels_of,
    visiting,
)
from tests.preview.serving import Serving, serve

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray
    from playwright.sync_api import Browser

    from cstalk_bridge.models.cstalk.generator import Generator

pytestmark = needs_chromium

SPOKEN_S = 4.0
WINDOW = {"width": 720, "height": 860}
VOWEL_S = 2.24

PRESS = """([key, count, shiftKey]) => {
    const about = {key, shiftKey, bubbles: true, cancelable: true};
    for (let k = 0; k < count; k++)
        document.activeElement.dispatchEvent(new KeyboardEvent("keydown", about));
}"""

TRACK = """canvas => {
    const context = canvas.getContext('2d');
    const {data, width, height} = context.getImageData(0, 0, canvas.width, canvas.height);
    const ratio = canvas.height / canvas.clientHeight;
    let [top, bottom] = [height, 0];
    for (let y = 0; y < height; y++)
        for (let x = Math.round(70 * ratio); x < width; x++) {
            const [r, g, b, a] = data.subarray(4 * (y * width + x));
            if (a > 100 && Math.max(r, g, b) - Math.min(r, g, b) > 60) {
                [top, bottom] = [Math.min(top, y), Math.max(bottom, y)];
            }
        }
    return {top: top / height, bottom: bottom / height, height: canvas.clientHeight};
}"""
"""Where the coloured lines of a track begin and end, as parts of its height."""


@pytest.fixture(scope="module")
def serving(generator: Generator) -> Iterator[Serving]:
    with serve(generator) as serving:
        yield serving


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with browsing() as browser:
        yield browser


@pytest.fixture(scope="module")
def visit(serving: Serving, browser: Browser) -> Iterator[Visit]:
    samples, rate_hz = soundfile.read(SPEECH_PATH)
    sound = io.BytesIO()
    soundfile.write(sound, samples[: round(SPOKEN_S * rate_hz)], rate_hz, format="WAV")
    voice = {"name": "speech.wav", "mimeType": "audio/wav", "buffer": sound.getvalue()}
    with visiting(browser, serving.preview.url, WINDOW) as visit:
        visit.page.set_input_files("#file", voice)  # type: ignore[arg-type]
        visit.until_shown()
        yield visit
        assert visit.errors == []
        assert visit.strangers == []


@pytest.fixture(autouse=True)
def _at_the_vowel(visit: Visit) -> None:
    """Each test finds the whole take, with all curves, at an open vowel."""
    press(visit, "f")
    press(visit, "r")
    press(visit, "Home")
    seek(visit, VOWEL_S)


def press(visit: Visit, key: str, count: int = 1, *, shift: bool = False) -> None:
    visit.evaluate(PRESS, [key, count, shift])


def click(visit: Visit, selector: str) -> None:
    visit.evaluate("selector => document.querySelector(selector).click()", selector)


def drawn(visit: Visit) -> None:
    visit.evaluate("new Promise(f => requestAnimationFrame(() => requestAnimationFrame(f)))")


def seek(visit: Visit, time_s: float) -> None:
    press(visit, "Home")
    press(visit, "ArrowRight", int(time_s), shift=True)
    press(visit, "ArrowRight", round(time_s % 1 * 50))
    assert visit.state()["time_s"] == pytest.approx(time_s)


def track(visit: Visit, selector: str) -> dict[str, float]:
    visit.evaluate("one => document.querySelector(one).scrollIntoView()", selector)
    drawn(visit)
    visit.until(f"({TRACK})(document.querySelector('{selector}')).bottom > 0")
    found: dict[str, float] = visit.page.locator(selector).evaluate(TRACK)
    return found


def values(visit: Visit) -> dict[str, float]:
    found: dict[str, float] = visit.state()["sides"]["A"]["values"]
    return found


def test_lanes_fill_their_heights_and_the_jaw_has_the_tallest(visit: Visit) -> None:
    lanes = visit.page.locator(".overlay .track").evaluate_all(
        "all => all.map(canvas => [canvas.closest('.lane').dataset.region, canvas.clientHeight])"
    )
    assert lanes[0] == ["jaw", max(height for _, height in lanes)]
    assert sum(height == lanes[0][1] for _, height in lanes) == 1
    for region, _ in lanes[:3]:
        lines = track(visit, f".lane[data-region={region}] .overlay .track")
        assert lines["bottom"] - lines["top"] > 0.6, region
    click(visit, ".lane[data-region=jaw] .unfold")
    small = track(visit, "li[data-curve=JawLeft] .track")
    assert small["bottom"] - small["top"] > 0.4
    click(visit, ".lane[data-region=jaw] .unfold")


def test_a_muted_curve_rests_on_the_face_and_a_soloed_one_moves_alone(visit: Visit) -> None:
    spoken, face = values(visit), visit.picture()
    assert spoken["JawOpen"] > 0.2
    click(visit, ".lane[data-region=jaw] [data-mix=mute]")
    assert values(visit)["JawOpen"] == 0
    assert values(visit)["MouthPucker"] == spoken["MouthPucker"]
    assert changed(face, visit.picture()).mean() > 0.002
    drawn(visit)
    assert "muted" in visit.page.locator("#reset-mix").inner_text()
    click(visit, "#reset-mix")
    assert values(visit) == spoken
    click(visit, ".lane[data-region=mouth] .unfold")
    click(visit, "li[data-curve=MouthPucker] [data-mix=solo]")
    moving = {name for name, value in values(visit).items() if value}
    assert moving == {"MouthPucker"}
    drawn(visit)
    row = visit.page.locator("li[data-curve=MouthFunnel]").last
    assert "is-resting" in str(row.get_attribute("class"))
    click(visit, ".lane[data-region=mouth] .unfold")
    press(visit, "r")
    assert values(visit) == spoken


def test_keys_solo_and_mute_what_has_the_focus(visit: Visit) -> None:
    region = visit.page.locator(".lane[data-region=eyelid] .region")
    region.focus()
    press(visit, "m")
    assert {name[:3] for name in visit.state()["muted"]} == {"Eye"}
    press(visit, "m")
    press(visit, "s")
    assert (visit.state()["muted"], len(visit.state()["soloed"]) > 1) == ([], True)
    region.blur()


def test_nothing_muted_is_missing_in_an_export(visit: Visit, serving: Serving) -> None:
    def exported() -> Any:
        click(visit, "#export")
        drawn(visit)
        menu = visit.page.locator("#formats")
        link = menu.locator("a", has_text=".json").first.get_attribute("href")
        text = menu.inner_text()
        click(visit, "#export")
        return json.loads(serving.ask(str(link)).body), text

    whole, _ = exported()
    click(visit, ".lane[data-region=mouth] [data-mix=mute]")
    muted, text = exported()
    assert muted == whole
    assert "all curves are exported" in text


def test_curves_that_no_face_has_cannot_be_muted(visit: Visit) -> None:
    visit.page.select_option("#rigmap", "metahuman")
    visit.until("document.querySelector('.legend li')?.title.startsWith('CTRL_expressions_')")
    assert visit.page.locator(".lane[data-region=jaw] [data-mix=mute]").first.is_disabled()
    visit.page.select_option("#rigmap", "arkit")
    visit.until("!!document.querySelector('.legend li[title=JawOpen]')")
    visit.until("!document.querySelector('.lane[data-region=jaw] [data-mix=mute]').disabled")


def test_a_filter_leaves_the_curves_of_that_name(visit: Visit) -> None:
    field = visit.page.locator("#filter")
    names = "[...document.querySelectorAll('.legend li')].map(({title}) => title)"
    field.fill("smile")
    visit.until(f"{names}.every(name => name.includes('Smile'))")
    assert set(visit.evaluate(names)) == {"MouthSmileLeft", "MouthSmileRight"}
    field.fill("no such curve")
    visit.until("document.querySelector('#lanes').textContent.includes('no such curve')")
    field.fill("")
    visit.until(f"{names}.length > 10")
    field.press("Enter")
    assert visit.evaluate("document.activeElement === document.body")


FOLLOWED = """async until_s => {
    const samples = [];
    for (;;) {
        await new Promise(requestAnimationFrame);
        const {time_s, range: {start_s, end_s}, playing, duration_s} = cstalk.state();
        if (!playing || time_s > until_s) return samples;
        if (start_s > 0 && end_s < duration_s) samples.push((time_s - start_s) / (end_s - start_s));
    }
}"""
"""Where in the view the playhead stood at each display frame, with more on both sides of it."""


def test_the_timeline_goes_along_with_the_playhead(visit: Visit) -> None:
    press(visit, "+", 4)
    span = visit.state()["range"]
    width_s = span["end_s"] - span["start_s"]
    assert width_s < 0.25 * SPOKEN_S
    press(visit, "Home")
    visit.until("cstalk.state().range.start_s === 0")
    click(visit, "[data-rate='0.25']")
    press(visit, " ")
    samples = visit.evaluate(FOLLOWED, 2.5 * SPOKEN_S / 4)
    press(visit, " ")
    click(visit, "[data-rate='1']")
    assert len(samples) > 1
    assert samples == pytest.approx([0.6] * len(samples), abs=0.01)
    press(visit, "End")
    visit.until(f"cstalk.state().range.end_s >= {SPOKEN_S - 0.05}")
    press(visit, "ArrowLeft", 1, shift=True)
    drawn(visit)
    after = visit.state()
    assert after["range"]["start_s"] <= after["time_s"] <= after["range"]["end_s"]


def test_two_fingers_zoom_and_one_seeks_where_it_is_lifted(visit: Visit) -> None:
    box = visit.page.locator("#waveform").bounding_box()
    assert box is not None
    session = visit.page.context.new_cdp_session(visit.page)
    session.send("Emulation.setTouchEmulationEnabled", {"enabled": True, "maxTouchPoints": 2})

    def touch(kind: str, *parts: float) -> None:
        points = [
            {"x": box["x"] + part * box["width"], "y": box["y"] + 20, "id": number}
            for number, part in enumerate(parts)
        ]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    before = visit.state()["time_s"]
    touch("touchStart", 0.4)
    touch("touchStart", 0.4, 0.6)
    touch("touchMove", 0.3, 0.7)
    touch("touchMove", 0.2, 0.8)
    touch("touchEnd")
    span = visit.state()["range"]
    assert span["end_s"] - span["start_s"] == pytest.approx(SPOKEN_S / 3, rel=0.1)
    assert (span["start_s"] + span["end_s"]) / 2 == pytest.approx(SPOKEN_S / 2, abs=0.1)
    assert visit.state()["time_s"] == before
    touch("touchStart", 0.25)
    touch("touchEnd")
    expected_s = span["start_s"] + 0.25 * (span["end_s"] - span["start_s"])
    assert visit.state()["time_s"] == pytest.approx(expected_s, abs=0.05)
    session.send("Emulation.setTouchEmulationEnabled", {"enabled": False})


def test_a_close_up_shows_the_lips_from_three_sides_and_goes_along_with_the_head(
    visit: Visit,
) -> None:
    face = visit.picture()
    press(visit, "v")
    close = visit.evaluate("cstalk.pixels(0, 'mouth')")
    assert visit.state()["closeup"] == 0
    assert close["width"] > 100
    rest, opened, blinked = (
        posed_mouth(visit, pose) for pose in ({}, {"JawOpen": 0.6}, {"EyeBlinkLeft": 1.0})
    )
    assert (rest[..., 3] > 0).mean() > 0.6
    assert changed(rest, opened).mean() > 0.1
    assert not changed(rest, blinked).any()
    press(visit, "v", 2)
    assert visit.state()["closeup"] == 90
    profile, turned = (
        posed_mouth(visit, pose)[..., 3] > 128 for pose in ({}, {"HeadYaw": 0.4, "HeadPitch": 0.2})
    )
    assert profile.mean() < 0.9
    assert (profile != turned).mean() < 0.02
    press(visit, "v")
    assert visit.state()["closeup"] is None
    visit.evaluate("cstalk.set(null)")
    assert visit.picture().shape == face.shape


def posed_mouth(visit: Visit, pose: dict[str, float]) -> NDArray[np.int16]:
    visit.evaluate("curves => cstalk.set(curves)", pose)
    return pixels_of(visit.evaluate("cstalk.pixels(0, 'mouth')"))


CELLS = """[...document.querySelectorAll('.cell')].map(cell => ({
    time_s: Number(cell.dataset.time), isNow: cell.classList.contains('is-now'),
    isDrawn: !!cell.querySelector('canvas')}))"""


def test_a_strip_shows_the_frames_around_the_playhead_and_seeks(visit: Visit) -> None:
    press(visit, "t")
    visit.until(f"(c => c.length > 2 && c.every(({{isDrawn}}) => isDrawn))({CELLS})")
    cells = visit.evaluate(CELLS)
    times_s = [cell["time_s"] for cell in cells]
    assert np.diff(times_s) == pytest.approx(0.02)
    assert [cell["time_s"] for cell in cells if cell["isNow"]] == pytest.approx([VOWEL_S])
    click(visit, ".cell:first-child")
    assert visit.state()["time_s"] == pytest.approx(times_s[0])
    press(visit, "t")
    assert visit.state()["filmstrip"] == "mouth"
    press(visit, "Home")
    press(visit, "i")
    seek(visit, 2.0)
    press(visit, "o")
    visit.until(f"(c => c.length > 2 && c.every(({{isDrawn}}) => isDrawn))({CELLS})")
    times_s = [cell["time_s"] for cell in visit.evaluate(CELLS)]
    assert 0 < times_s[0] < 0.5 < 1.5 < times_s[-1] < 2
    press(visit, "l")
    press(visit, "t")
    drawn(visit)
    assert not visit.page.locator("#frames").is_visible()


def test_captions_stand_beside_the_faces(visit: Visit) -> None:
    press(visit, "c")
    visit.until_shown("B")
    press(visit, "v")
    drawn(visit)
    rows = visit.page.locator(".view").evaluate_all(
        """views => views.map(view => [
            view.querySelector('.caption').getBoundingClientRect().bottom,
            ...[...view.querySelectorAll('.shot')].map(one => one.getBoundingClientRect().top)])"""
    )
    assert len(rows) == 2
    click(visit, ".lane[data-region=jaw] [data-mix=mute]")
    drawn(visit)
    assert "at rest" in visit.page.locator(".view .rests").first.inner_text()
    for bottom, *tops in rows:
        assert len(tops) == 2
        assert min(tops) >= bottom
    press(visit, "v", 3)
    press(visit, "c")


NAMES = """async sources => {
    const {sourceNames} = await import('/page/sourcenames.js');
    return [...sourceNames(sources).values()];
}"""


def test_takes_of_one_name_are_told_apart_as_far_as_needed(
    generator: Generator, browser: Browser, tmp_path: Path
) -> None:
    files = [tmp_path / "show" / day / "line.take" for day in ("monday", "tuesday")]
    for file in files:
        file.parent.mkdir(parents=True)
        save_take(calm_take(seconds=2.0, slate="line"), file)
    with (
        serve(generator, files=files) as serving,
        visiting(browser, serving.preview.url, WINDOW) as visit,
    ):
        visit.until_shown("B")
        drawn(visit)
        names = visit.page.locator(".view .name").all_inner_texts()
        assert names == ["monday/line_1", "tuesday/line_1"]
        assert visit.page.locator("#source option").all_inner_texts() == names
        assert visit.page.locator("#title").inner_text() == " | ".join(names)
        known = [("line", "a/x"), ("line", "b/x"), ("line", ""), ("line", ""), ("other", "a/x")]
        sources = [
            {"key": str(place), "name": name, "folder": folder}
            for place, (name, folder) in enumerate(known)
        ]
        assert visit.evaluate(NAMES, sources) == [
            "a/x/line",
            "b/x/line",
            "line",
            "line (2)",
            "other",
        ]
