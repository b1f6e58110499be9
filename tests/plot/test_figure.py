"""The picture: its texts, its size, and that it has no external references."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import matplotlib.image
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text

from cstalk_bridge.face.emotion_trajectory import EmotionTrajectory
from cstalk_bridge.models.emotions import MOUTH_GUARD
from cstalk_bridge.plot.face_panels import region_difference
from cstalk_bridge.plot.figure import draw
from cstalk_bridge.plot.panels import THEMES, WIDTH, ShownTake, ceiling
from cstalk_bridge.plot.picture import MAX_SVG_BYTES, page, png, svg
from tests.plot.studies import calm_take, moved, study
from tests.takes.takes import made_take

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from cstalk_bridge.plot.study import Study


DARK = THEMES["dark"]


def picture(*studies: Study, theme: str = "dark") -> Figure:
    return draw(studies, THEMES[theme], "livelinkface61")


def texts_of(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.findobj(Text) if text.get_text()]


def contrast(one: str, other: str) -> float:
    """WCAG 2.2 contrast ratio of two colours."""

    def luminance(colour: str) -> float:
        channels = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return float(np.dot(linear, (0.2126, 0.7152, 0.0722)))

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_the_picture_names_its_content() -> None:
    texts = texts_of(picture(study(calm_take(slate="Amélie"))))
    assert texts[0] == "Amélie_1"
    for name in ("sound", "opening", "mouth", "jaw", "emotion", "jerk", "warnings"):
        assert name in texts
    assert {"JawOpen", "MouthClose", "happy", "1 closure", "none"} <= set(texts)
    assert any(text.startswith("below 0.05 throughout: ") for text in texts)


def test_a_finding_is_marked_with_its_time_and_limit() -> None:
    texts = texts_of(picture(study(moved(calm_take(), "CTRL_C_jaw.ty", 1.0, slice(100, 120)))))
    assert {"clipped", "JawOpen", "2.00 s", "0.40 s", "on its limit for 0.2 s or longer"} <= set(
        texts
    )


def test_two_takes_are_distinguished_and_their_difference_is_labelled() -> None:
    wide = moved(calm_take(slate="wide"), "CTRL_C_jaw.ty", calm_take().board.max(axis=1) * 0.5)
    texts = texts_of(picture(study(calm_take()), study(wide)))
    assert {"A", "B", "calm_1", "wide_1", "opening A", "opening B"} <= set(texts)
    assert any(re.fullmatch("B \u2212 A 0\\.\\d{3}", text) for text in texts)


def test_the_difference_is_the_rms_of_a_region_over_the_common_time() -> None:
    one = calm_take()
    other = moved(one, "CTRL_C_jaw.ty", one.board[:, one.channels.index("CTRL_C_jaw.ty")] + 0.1)
    shorter = replace(other, board=other.board[:150], head=other.head[:150])
    takes = [ShownTake(study(take), "", "", "-") for take in (one, shorter)]
    # One of the four jaw curves differs, by 0.1.
    jaw_curves = sum(curve.region == "jaw" for curve in takes[0].study.table)
    assert region_difference("jaw", takes) == pytest.approx(0.1 / jaw_curves**0.5, rel=1e-4)
    assert region_difference("brow", takes) == 0.0


def test_the_png_is_as_wide_as_the_picture_on_its_background() -> None:
    pixels = matplotlib.image.imread(io.BytesIO(png(picture(study(calm_take()), theme="light"))))
    assert pixels.shape[1] == WIDTH
    paper = [int(THEMES["light"].paper[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    assert pixels[0, 0, :3] == pytest.approx(paper, abs=0.003)


def test_texts_neither_leave_the_picture_nor_overlap() -> None:
    name = "W" * 200
    figure = picture(study(made_take(200, slate=name)), study(calm_take(slate="b")))
    texts = [text for text in figure.findobj(Text) if text.get_text()]
    renderer = FigureCanvasAgg(figure).get_renderer()
    boxes = np.array([text.get_window_extent(renderer).extents for text in texts])
    assert boxes[:, 0].min() > 0
    assert boxes[:, 2].max() < WIDTH
    low, high = boxes[:, None, :2], boxes[:, None, 2:]
    common = np.minimum(high, high.swapaxes(0, 1)) - np.maximum(low, low.swapaxes(0, 1))
    covered = (common > (0, 4)).all(axis=2)
    np.fill_diagonal(covered, val=False)
    clashes = [(texts[a].get_text(), texts[b].get_text()) for a, b in np.argwhere(covered)]
    assert clashes == []


@pytest.mark.parametrize("take", [made_take(1), replace(calm_take(), sound=None)])
def test_a_take_of_one_frame_or_without_sound_is_drawn(take: object) -> None:
    assert png(picture(study(take))).startswith(b"\x89PNG")  # type: ignore[arg-type]


def test_a_take_can_be_compared_with_one_of_a_frame_or_of_another_rate() -> None:
    whole = study(calm_take())
    for other in (study(made_take(1)), study(made_take(60, rate="24"))):
        assert png(picture(whole, other))
        assert png(picture(other, whole))


def test_formulas_and_marks_in_a_name_are_not_interpreted() -> None:
    name = "$x$ <b>&\u6f22"
    figure = picture(study(calm_take(slate=name)))
    document = page(figure, [study(calm_take(slate=name))], DARK)
    assert "$x$ &lt;b&gt;&amp;\u6f22_1" in document
    assert "<b>" not in document
    assert png(figure)


def test_the_svg_is_reproducible_xml_with_text_as_text() -> None:
    one, again = (svg(picture(study(calm_take()))) for _ in range(2))
    assert one == again
    drawing = ET.fromstring(one)  # noqa: S314 - our own
    texts = {element.text for element in drawing.iter("{http://www.w3.org/2000/svg}text")}
    assert {"JawOpen", "calm_1"} <= texts


def test_a_page_has_no_external_references() -> None:
    shown = study(moved(calm_take(), "CTRL_C_jaw.ty", 1.0, slice(100, 120)))
    document = page(picture(shown), [shown], DARK)
    assert "default-src 'none'" in document
    targets = re.findall(r"(?:href|src)=\"([^\"]*)\"|url\(([^)]*)\)", document)
    assert targets
    assert all((a or b).startswith(("#", "data:image/png")) for a, b in targets)
    assert "<td>clipped</td>" in document


def test_a_long_take_makes_no_large_picture() -> None:
    shown = study(made_take(3000))
    assert len(svg(picture(shown))) > MAX_SVG_BYTES
    document = page(picture(shown), [shown], DARK)
    assert "<svg" not in document
    assert len(document) < 3_000_000


def test_the_chosen_emotions_over_time_are_drawn() -> None:
    take = replace(calm_take(), emotions=EmotionTrajectory.constant({"sad": 0.4, "angry": 1.2}))
    texts = texts_of(picture(study(take)))
    assert {"sad", "angry", "1.2"} <= set(texts)
    assert "happy" not in texts


def test_a_mouth_guard_other_than_the_default_is_shown() -> None:
    for guard, is_shown in ((0.2, True), (MOUTH_GUARD, False)):
        take = replace(calm_take(), provenance={"lookahead_ms": 80, "mouth_guard": guard})
        is_mentioned = any("mouth guard" in text for text in texts_of(picture(study(take))))
        assert is_mentioned == is_shown


@pytest.mark.parametrize("theme", THEMES.values(), ids=THEMES)
def test_text_and_lines_contrast_with_the_background(theme: object) -> None:
    assert contrast(theme.ink, theme.paper) > 10  # type: ignore[attr-defined]
    assert contrast(theme.soft, theme.paper) > 4.5  # type: ignore[attr-defined]
    lines = (*theme.hues, theme.a, theme.b, theme.warning)  # type: ignore[attr-defined]
    assert min(contrast(hue, theme.panel) for hue in lines) > 3  # type: ignore[attr-defined]


def test_axis_limits_are_round_and_not_below() -> None:
    values = [0.0, 0.05, 0.1, 0.11, 0.3, 0.5, 0.7, 1.0, 1.2, 3.0]
    found = [ceiling(value) for value in values]
    assert found == pytest.approx([0.1, 0.1, 0.1, 0.2, 0.5, 0.5, 1, 1, 2, 5])
    assert all(a <= b for a, b in pairwise(found))
