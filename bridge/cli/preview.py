"""`cstalk-bridge preview`."""

from __future__ import annotations

import sys
import threading
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

    from models.generator import Generator

GLANCE_S = 0.2
"""How often the main thread looks up; Windows delivers Ctrl+C only then."""


def preview(options: argparse.Namespace) -> int:
    """Serve the page until Ctrl-C. Raises UserError for what the command line names wrongly.

    `options` has `files`, `head`, `host` (also HOST:PORT), `port`, `token`, `weights`, `device`
    and `open`, whether to open a browser (None: where standard output is a terminal).
    """
    from bridge.preview.opening import open_preview
    from bridge.preview.spec import PreviewSpec
    from bridge.process import stop_on_signals

    spec = PreviewSpec.parse(options.host or "", options.token)
    if options.port is not None:
        spec = PreviewSpec.parse(f"{str(spec).rpartition(':')[0]}:{options.port}", options.token)

    def load() -> Generator:
        from models import load_generator

        return load_generator(options.weights, options.device or "auto")

    stop = threading.Event()
    files = [Path(file) for file in options.files]
    head = Path(options.head) if options.head else None
    with open_preview(spec, load=load, files=files, head=head) as serving:
        serving.start(_complain)
        print(f"The preview is at {serving.url}\nCtrl-C ends it.", flush=True)
        if sys.stdout.isatty() if options.open is None else options.open:
            webbrowser.open(serving.url)
        with stop_on_signals(stop):
            while not stop.wait(GLANCE_S):
                pass
    return 0


def _complain(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
