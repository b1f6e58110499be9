"""Writes the bundled head."""

from __future__ import annotations

from cstalk_bridge.heads.glb import write_glb
from cstalk_bridge.heads.reading import OWN_HEAD
from tools.sculpt.head import build_head

if __name__ == "__main__":
    OWN_HEAD.write_bytes(write_glb(build_head()))
