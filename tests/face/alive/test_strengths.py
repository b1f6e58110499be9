import numpy as np
import pytest
from numpy.typing import NDArray

from bridge.face.alive.levels import Levels
from bridge.face.alive.regions import MOUTH_REGIONS, UPPER_REGIONS
from bridge.face.alive.strengths import strengthen
from models.board import CHANNELS, INDEX

LOW = np.array([channel.minimum for channel in CHANNELS], dtype=np.float32)
HIGH = np.array([channel.maximum for channel in CHANNELS], dtype=np.float32)


@pytest.fixture
def board() -> NDArray[np.float32]:
    shares = np.random.default_rng(1).uniform(0.2, 0.8, len(CHANNELS)).astype(np.float32)
    return LOW + shares * (HIGH - LOW)


def test_levels_as_made_change_nothing(board: NDArray[np.float32]) -> None:
    assert strengthen(board, Levels()) is board


@pytest.mark.parametrize(
    ("levels", "regions"),
    [(Levels(mouth=0.5), MOUTH_REGIONS), (Levels(upper_face=0.5), UPPER_REGIONS)],
)
def test_a_strength_scales_its_regions_only(
    board: NDArray[np.float32], levels: Levels, regions: frozenset[str]
) -> None:
    scaled = strengthen(board, levels)
    for channel in CHANNELS:
        share = 0.5 if channel.region in regions and not channel.rest else 1.0
        assert scaled[channel.index] == pytest.approx(share * board[channel.index])


def test_no_strength_leaves_the_range(board: NDArray[np.float32]) -> None:
    strong = strengthen(board, Levels(mouth=2.0, upper_face=2.0))
    assert np.all((strong >= LOW) & (strong <= HIGH))
    assert strong[INDEX["CTRL_C_jaw.ty"]] > board[INDEX["CTRL_C_jaw.ty"]]


def test_full_symmetry_makes_a_face_its_own_mirror_image(board: NDArray[np.float32]) -> None:
    for symmetry, left in ((1.0, 0.0), (0.5, 0.5)):
        shown = strengthen(board, Levels(symmetry=symmetry))
        for channel in CHANNELS:
            other = INDEX[channel.mirror]
            before = board[channel.index] - channel.mirror_sign * board[other]
            after = shown[channel.index] - channel.mirror_sign * shown[other]
            assert after == pytest.approx(left * before, abs=1e-6)
