"""Parts of a face that go together: cheeks and inner lids with a smile."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bridge.face.alive.living import sides

if TYPE_CHECKING:
    from numpy.typing import NDArray

CHEEK_SHARE, SQUINT_SHARE = 0.5, 0.3
"""How far cheeks rise and inner lids close with the corner of the mouth on the same side; a smile
that leaves the eyes alone looks put on (Ekman, Davidson and Friesen 1990)."""

_CORNERS = sides("mouth_cornerPull.ty")
_CHEEKS = sides("eye_cheekRaise.ty")
_SQUINTS = sides("eye_squintInner.ty")

JOINED = tuple(
    f"CTRL_{side}_eye_{part}.ty" for side in "LR" for part in ("cheekRaise", "squintInner")
)
"""The channels that go with others."""


def coordinate(
    board: NDArray[np.float32], strength: float | NDArray[np.float32] = 1.0
) -> NDArray[np.float32]:
    """Return boards whose eyes take part in their smile, float32 [..., 174].

    What cheeks and lids do already counts: they rise to their share of the smile, never beyond it.
    `strength`, 0..2, scales that share: one for all boards, or [..., 1].
    """
    joined = board.copy()
    corners = np.maximum(board[..., _CORNERS], np.float32(0.0))
    smile = np.minimum(np.asarray(strength, np.float32) * corners, np.float32(1.0))
    for eyes, share in ((_CHEEKS, CHEEK_SHARE), (_SQUINTS, SQUINT_SHARE)):
        joined[..., eyes] = np.maximum(board[..., eyes], np.float32(share) * smile)
    return joined
