"""Silence in place of what is heard, in step with it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from bridge.audio.block import Block


class Mute:
    """Makes blocks silent while `is_muted`, which any thread may set.

    The block in which that changes is faded, so that nothing clicks. Blocks are as many as before,
    so faces and packets go on.
    """

    def __init__(self) -> None:
        self.is_muted = False
        self._was_muted = False

    def over(self, block: Block) -> Block:
        """Return the next block as it is to be heard."""
        before, after = self._was_muted, self.is_muted
        self._was_muted = after
        if not before and not after:
            return block
        frames = len(block.samples)
        shares = np.linspace(float(not before), float(not after), frames, dtype=np.float32)
        return replace(block, samples=block.samples * shares)
