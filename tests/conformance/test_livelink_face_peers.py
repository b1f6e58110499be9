"""Our packets, over a real socket, read by a decoder written by others."""

import numpy as np
import pytest
from pylivelinkface import FaceBlendShape, PyLiveLinkFace

from cstalk_bridge.outputs.registry import open_link, parse_link_url
from cstalk_bridge.timecode.smpte import FRAME_RATES
from cstalk_bridge.timecode.tick import Tick
from tests.outputs.receiving import receiver


@pytest.mark.parametrize("rate", ["60", "30", "59.94df", "23.976", "47.952", "119.88", "120"])
def test_pylivelinkface_reads_our_packets(rate: str) -> None:
    values = np.random.default_rng(7).uniform(-1, 1, (40, 61)).astype(np.float32)
    with receiver() as unreal:
        spec = parse_link_url(f"livelink-face://{unreal.target}")
        link = open_link(spec, "Ada", [shape.name for shape in FaceBlendShape], FRAME_RATES[rate])
        for index, face in enumerate(values):
            link.send(face, Tick(index, index / 60, 5_000_000 + index))
            found, peer = PyLiveLinkFace.decode(unreal.one())
            assert found
            assert peer.name == "Ada"
            assert peer.fps == FRAME_RATES[rate].numerator
            assert peer._frames == 5_000_000 + index
            assert [peer.get_blendshape(shape) for shape in FaceBlendShape] == face.tolist()
        link.close()
