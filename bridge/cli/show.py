"""Commands that show recordings and takes: `preview` in a browser, `plot` as a picture."""

from __future__ import annotations

import argparse
import sys
import threading
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from cstalk_bridge.cli.arguments import (
    add_command,
    add_face_arguments,
    add_flag,
    channel_of,
    generation_config_of,
)
from cstalk_bridge.rig import ARKIT_MAP

if TYPE_CHECKING:
    from cstalk_bridge.audio.levels import Channel
    from cstalk_bridge.cli.arguments import Commands
    from cstalk_bridge.plot.measures import CurveWarnings
    from cstalk_bridge.takes.generate import GenerationConfig
    from cstalk_bridge.takes.take import Take


PREVIEW_EPILOG = """\
Without --host only this machine can open the page. With an address of the network, such as
--host 0.0.0.0, the page needs the token in the printed address.

examples:
  cstalk-bridge preview
  cstalk-bridge preview speech.wav
  cstalk-bridge preview before.take after.take --head my-head.glb
"""

POLL_S = 0.2
"""Poll interval of the main thread; Windows delivers Ctrl+C only then."""


def add_preview(commands: Commands) -> None:
    """Add the command's parser."""
    parser = add_command(
        commands, "preview", "Show the faces of recordings and takes in a browser.", PREVIEW_EPILOG
    )
    parser.add_argument(
        "files", metavar="FILE", nargs="*", help="Recordings and takes (.take) to open."
    )
    parser.add_argument("--head", metavar="FILE", help="Head to show the faces on (.glb or .vrm).")
    parser.add_argument(
        "--host", metavar="HOST[:PORT]", help="Address of the page (default: 127.0.0.1:8520)."
    )
    parser.add_argument(
        "--port", metavar="N", type=int, help="Port of the page; 0 takes a free one."
    )
    parser.add_argument(
        "--token",
        metavar="WORD",
        help="Token that a browser must give (default: none on this machine, else a new one).",
    )
    add_face_arguments(parser)
    add_flag(parser, "device")
    add_flag(parser, "weights")
    parser.add_argument(
        "--open",
        action=argparse.BooleanOptionalAction,
        help="Open a browser, or do not (default: only from a terminal).",
    )
    parser.set_defaults(action=preview)


def preview(options: argparse.Namespace) -> int:
    """Serve the page until Ctrl-C. Raises UserError for what the command line names wrongly.

    `options` has `files`, `head`, `host` (also HOST:PORT), `port`, `token`, `weights`, `device`,
    what `face_of` reads, and `open`, whether to open a browser (None: where standard output is a
    terminal).
    """
    from cstalk_bridge.config.servers import PreviewConfig
    from cstalk_bridge.face.networks import load_network, ser_notice
    from cstalk_bridge.preview.server import open_preview
    from cstalk_bridge.system.process import limit_math_threads, stop_on_signals

    limit_math_threads()
    spec = PreviewConfig.parse(options.host or "", options.token)
    if options.port is not None:
        spec = PreviewConfig.parse(f"{str(spec).rpartition(':')[0]}:{options.port}", options.token)

    weights = Path(options.weights) if options.weights else None
    load = partial(load_network, weights, options.device or "auto")
    stop = threading.Event()
    files = [Path(file) for file in options.files]
    head = Path(options.head) if options.head else None
    settings = generation_config_of(options)
    if settings.voice_weights.auto:
        _print_notice(ser_notice())
    channel = channel_of(options)
    with open_preview(
        spec, load=load, files=files, settings=settings, head=head, channel=channel
    ) as serving:
        serving.start(_print_notice)
        print(f"The preview is at {serving.url}\nCtrl-C ends it.", flush=True)
        if sys.stdout.isatty() if options.open is None else options.open:
            import webbrowser

            webbrowser.open(serving.url)
        with stop_on_signals(stop):
            while not stop.wait(POLL_S):
                pass
    return 0


def _print_notice(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


PLOT_EPILOG = """\
One or two takes give one plot, the second dashed over the first. More takes give a plot each, named
after the take. Of a recording a take is generated first, with --emotion, --alive and --seed.

examples:
  cstalk-bridge plot speech.take
  cstalk-bridge plot calm.take angry.take -o compared.html --start 2 --end 6
  cstalk-bridge plot speech.wav --curves JawOpen,MouthClose,MouthPucker
"""


def add_plot(commands: Commands) -> None:
    """Add the command's own parser."""
    parser = add_command(
        commands,
        "plot",
        "Plot takes: sound, curves, and warnings of what looks wrong.",
        PLOT_EPILOG,
    )
    parser.add_argument("inputs", metavar="TAKE", nargs="+", help="Takes, or recordings.")
    parser.add_argument("-o", "--output", metavar="FILE", help="FILE.png, FILE.html or a folder.")
    parser.add_argument(
        "--rigmap",
        metavar="NAME",
        default=ARKIT_MAP,
        help=f"Rig map of the curves (default: {ARKIT_MAP}).",
    )
    parser.add_argument(
        "--start",
        metavar="S",
        type=float,
        default=0.0,
        help="Start of the plot in seconds (default: 0).",
    )
    parser.add_argument(
        "--end",
        metavar="S",
        type=float,
        help="End of the plot in seconds (default: the end of the take).",
    )
    parser.add_argument(
        "--theme",
        choices=("dark", "light"),
        default="dark",
        help="Colours of the plot (default: dark).",
    )
    parser.add_argument("--curves", metavar="NAME,...", default="", help="Plot only these curves.")
    add_face_arguments(parser)
    parser.set_defaults(action=plot)


def plot(options: argparse.Namespace) -> int:
    """Make the pictures and print a line about each.

    Raises UserError with all that is wrong about the command line, later with what is wrong about
    a take.
    """
    from cstalk_bridge.models.errors import UserError
    from cstalk_bridge.plot.picture import View, load_input, make_picture, plan
    from cstalk_bridge.rig.load import load_rigmap

    view = View(
        rigmap=load_rigmap(options.rigmap),
        theme=options.theme,
        start_s=options.start,
        end_s=options.end,
        wanted=tuple(filter(None, (name.strip() for name in options.curves.split(",")))),
    )
    if problems := list(view.problems()):
        raise UserError.of(problems)
    output = Path(options.output) if options.output else None
    generate = partial(
        generate_from_recording, settings=generation_config_of(options), channel=channel_of(options)
    )
    for job in plan([Path(name) for name in options.inputs], output, Path()):
        found = make_picture(job, view, lambda path: load_input(path, generate))
        print(f"{job.output}: {'; '.join(map(findings_summary, found))}", flush=True)
    return 0


def generate_from_recording(
    path: Path, settings: GenerationConfig, channel: Channel = None
) -> Take:
    """Return the generated take of a recording, and report it on standard error."""
    from cstalk_bridge.system.process import limit_math_threads

    limit_math_threads()
    from cstalk_bridge.face.networks import load_network, ser_notice
    from cstalk_bridge.takes.generate import generate_take
    from cstalk_bridge.takes.sound import open_sound

    sound = open_sound(path, channel)
    for notice in sound.notices:
        print(f"{path}: {notice}", file=sys.stderr, flush=True)
    emotion = ", ".join(f"{name} {weight:g}" for name, weight in settings.mix.items()) or "neutral"
    text = f"generating a {emotion} face, look-ahead {settings.lookahead_ms:g} ms"
    print(f"{path}: {text}", file=sys.stderr, flush=True)
    if settings.voice_weights.auto:
        print(ser_notice(), file=sys.stderr)
    return generate_take(load_network(None, "auto"), sound, settings, slate=path.stem)


def findings_summary(found: CurveWarnings) -> str:
    """Return how much was found of what."""
    total = sum(found.counts.values())
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in found.counts.items() if count)
    return f"{total:,} warning{'' if total == 1 else 's'}" + (f" ({kinds})" if total else "")
