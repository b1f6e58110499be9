"""The two halves of a face, as channels of the board."""

from __future__ import annotations

import numpy as np

from models.board import CHANNELS

MOUTH_REGIONS = frozenset({"mouth", "jaw", "chin", "tongue", "teeth"})
UPPER_REGIONS = frozenset({"brow", "eyelid", "cheek", "nose"})

MOUTH = np.array([channel.region in MOUTH_REGIONS for channel in CHANNELS])
UPPER = np.array([channel.region in UPPER_REGIONS and not channel.rest for channel in CHANNELS])
"""Which channels are theirs, bool [174]; the eyeballs are nobody's, nor is what rests above 0: it
is no motion that could be stronger."""
