"""The strip of faces: its times, and that it shows what the takes do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from matplotlib.image import AxesImage

from cstalk_bridge.plot.faces import FACE_HEIGHT, FACE_WIDTH, FACES, face_row, face_times
from cstalk_bridge.plot.figure import draw
from cstalk_bridge.plot.panels import COLUMNS, LEFT, THEMES, WIDTH
from cstalk_bridge.plot.study import JAW, Study
from tests.plot.studies import calm_take, moved, study

if TYPE_CHECKING:
    from numpy.typing import NDArray


def faces(*studies: Study) -> list[AxesImage]:
    """Return the pictures of the faces, in rows from the left."""
    images = draw(studies, THEMES["dark"], "livelinkface61").findobj(AxesImage)
    return [image for image in images if pixels(image).shape[-1] == 3]


def pixels(image: AxesImage) -> NDArray[np.float64]:
    array = image.get_array()
    assert array is not None
    return np.asarray(array, dtype=np.float64)


def test_faces_stand_above_their_times() -> None:
    times_s = face_times(2.0, 2.0 + FACES)
    assert times_s == pytest.approx(2.5 + np.arange(FACES))
    found = faces(study(calm_take()))
    assert len(found) == FACES
    boxes = [image.axes.get_position() for image in found if image.axes]
    middles = [WIDTH * (box.x0 + box.x1) / 2 for box in boxes]
    wanted = LEFT + face_times(0.0, 1.0) * COLUMNS
    assert middles == pytest.approx(wanted, abs=1.0)
    assert pixels(found[0]).shape == (FACE_HEIGHT, FACE_WIDTH, 3)


def test_a_face_shows_the_row_of_its_time_and_a_short_take_ends() -> None:
    whole = study(calm_take(seconds=4.0))
    assert face_row(whole, 1.0) == 50
    assert (face_row(whole, 4.5), face_row(whole, -0.1)) == (None, None)
    late = moved(moved(calm_take(), JAW, 0.0), JAW, 1.0, slice(100, None))
    pictures = [pixels(image) for image in faces(study(late))]
    mouths = [np.abs(one - pictures[0])[FACE_HEIGHT // 2 :].mean() for one in pictures]
    assert min(mouths[-2:]) > 2 > 20 * max(mouths[1:3])
    assert len(faces(whole, study(calm_take(seconds=2.0)))) == FACES + FACES // 2


def test_a_head_that_turns_is_drawn_turned() -> None:
    still, turned = calm_take(), calm_take()
    turned.head[:, 0] = 0.5
    one, other = (pixels(faces(study(take))[0]) for take in (still, turned))
    assert np.abs(one - other).mean() > 5
