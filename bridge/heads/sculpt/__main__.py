"""Write the head which the program ships."""

from __future__ import annotations

from pathlib import Path

from bridge.heads.glb_writer import write_glb
from bridge.heads.sculpt.head import build_head

if __name__ == "__main__":
    Path(__file__).parents[1].joinpath("head.glb").write_bytes(write_glb(build_head()))
