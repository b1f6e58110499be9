"""`cstalk-bridge plot`."""

from __future__ import annotations

import argparse
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from bridge.cli.life import add_face, channel_of, face_of
from bridge.rig.tables import ARKIT_MAP

if TYPE_CHECKING:
    from bridge.audio.channel import Channel
    from bridge.cli.parser import Commands
    from bridge.plot.findings import Findings
    from bridge.takes.settings import Settings
    from bridge.takes.take import Take

EPILOG = """\
One or two takes make one picture, the second dashed over the first; of more, each gets its own,
named after it. A recording becomes a take first, with the usual look-ahead, --emotion and --alive.

examples:
  cstalk-bridge plot speech.take
  cstalk-bridge plot calm.take angry.take -o compared.html --start 2 --end 6
  cstalk-bridge plot speech.wav --curves JawOpen,MouthClose,MouthPucker
"""


def add_plot(commands: Commands) -> None:
    """Add the command's own words."""
    parser = commands.add_parser(
        "plot",
        help="picture of a take: sound, curves, and what looks wrong",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("inputs", metavar="TAKE", nargs="+", help="take, or a recording")
    parser.add_argument("-o", "--output", metavar="FILE", help="FILE.png, FILE.html or a folder")
    parser.add_argument("--rigmap", metavar="NAME", default=ARKIT_MAP, help="of the curves")
    parser.add_argument("--start", metavar="S", type=float, default=0.0, help="seconds (0)")
    parser.add_argument("--end", metavar="S", type=float, help="seconds (the end)")
    parser.add_argument("--theme", choices=("dark", "light"), default="dark", help="colours")
    parser.add_argument("--curves", metavar="NAME,...", default="", help="only these curves")
    add_face(parser)
    parser.set_defaults(action=plot)


def plot(options: argparse.Namespace) -> int:
    """Make the pictures and print a line about each.

    Raises UserError with all that is wrong about the command line, later with what is wrong about
    a take.
    """
    from bridge.errors import UserError
    from bridge.plot.picture import View, load_input, make_picture, plan
    from bridge.rig.load import load_rigmap

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
    generate = partial(generated, settings=face_of(options), channel=channel_of(options))
    for job in plan([Path(name) for name in options.inputs], output, Path()):
        found = make_picture(job, view, lambda path: load_input(path, generate))
        print(f"{job.output}: {'; '.join(map(in_short, found))}", flush=True)
    return 0


def generated(path: Path, settings: Settings, channel: Channel = None) -> Take:
    """Return the take of a recording as it is asked for, with a word about it on standard error."""
    from bridge.process import limit_math_threads

    limit_math_threads()
    from bridge.network import load_network, mood_notice
    from bridge.takes.generate import generate_take
    from bridge.takes.sound import open_sound

    sound = open_sound(path, channel)
    for notice in sound.notices:
        print(f"{path}: {notice}", file=sys.stderr, flush=True)
    told = ", ".join(f"{name} {weight:g}" for name, weight in settings.mix.items()) or "neutral"
    words = f"a {told} face, look-ahead {settings.lookahead_ms:g} ms"
    print(f"{path}: generating {words}", file=sys.stderr, flush=True)
    if settings.shares.auto:
        print(mood_notice(), file=sys.stderr)
    return generate_take(load_network(None, "auto"), sound, settings, slate=path.stem)


def in_short(found: Findings) -> str:
    """Return how much was found of what."""
    total = sum(found.counts.values())
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in found.counts.items() if count)
    return f"{total:,} warning{'' if total == 1 else 's'}" + (f" ({kinds})" if total else "")
