"""Where the weights lie that come with the program. Free of torch."""

from __future__ import annotations

from pathlib import Path

DEFAULT_PATH = Path(__file__).parent / "weights" / "cstalk.safetensors"
