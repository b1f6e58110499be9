"""`cstalk-bridge preview`."""

from __future__ import annotations

import argparse
import sys
import threading
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from bridge.cli.life import add_face, channel_of, face_of

if TYPE_CHECKING:
    from bridge.cli.parser import Commands

EPILOG = """\
Without --host only this machine can open the page. With an address of the network, as
--host 0.0.0.0, the page wants the token that stands in the printed address.

examples:
  cstalk-bridge preview
  cstalk-bridge preview speech.wav
  cstalk-bridge preview before.take after.take --head my-head.glb
"""

GLANCE_S = 0.2
"""How often the main thread looks up; Windows delivers Ctrl+C only then."""


def add_preview(commands: Commands) -> None:
    """Add the command's words."""
    words = commands.add_parser(
        "preview",
        help="see the face of recordings and takes in a browser",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    words.add_argument("files", metavar="FILE", nargs="*", help="recording, or take (.take)")
    words.add_argument("--head", metavar="FILE", help="a head to show them on (.glb or .vrm)")
    words.add_argument("--host", metavar="HOST[:PORT]", help="where to listen (127.0.0.1:8520)")
    words.add_argument("--port", metavar="N", type=int, help="0 takes a free one")
    words.add_argument("--token", metavar="WORD", help="what a browser must show")
    add_face(words)
    words.add_argument("--device", metavar="auto|cpu|cuda", help="where the generator runs")
    words.add_argument("--weights", metavar="FILE", help="weights of the generator (.safetensors)")
    words.add_argument(
        "--open",
        action=argparse.BooleanOptionalAction,
        help="open a browser, or do not (default: where this is a terminal)",
    )
    words.set_defaults(action=preview)


def preview(options: argparse.Namespace) -> int:
    """Serve the page until Ctrl-C. Raises UserError for what the command line names wrongly.

    `options` has `files`, `head`, `host` (also HOST:PORT), `port`, `token`, `weights`, `device`,
    what `face_of` reads, and `open`, whether to open a browser (None: where standard output is a
    terminal).
    """
    from bridge.network import load_network, mood_notice
    from bridge.preview.opening import open_preview
    from bridge.preview.spec import PreviewSpec
    from bridge.process import limit_math_threads, stop_on_signals

    limit_math_threads()
    spec = PreviewSpec.parse(options.host or "", options.token)
    if options.port is not None:
        spec = PreviewSpec.parse(f"{str(spec).rpartition(':')[0]}:{options.port}", options.token)

    weights = Path(options.weights) if options.weights else None
    load = partial(load_network, weights, options.device or "auto")
    stop = threading.Event()
    files = [Path(file) for file in options.files]
    head = Path(options.head) if options.head else None
    settings = face_of(options)
    if settings.shares.auto:
        _complain(mood_notice())
    channel = channel_of(options)
    with open_preview(
        spec, load=load, files=files, settings=settings, head=head, channel=channel
    ) as serving:
        serving.start(_complain)
        print(f"The preview is at {serving.url}\nCtrl-C ends it.", flush=True)
        if sys.stdout.isatty() if options.open is None else options.open:
            import webbrowser

            webbrowser.open(serving.url)
        with stop_on_signals(stop):
            while not stop.wait(GLANCE_S):
                pass
    return 0


def _complain(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
