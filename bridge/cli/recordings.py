"""Commands for recordings and takes: `render` files, `preview` in a browser, `plot` as a
picture.
"""

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
    add_take_arguments,
    channel_of,
    default_config_of,
    generation_config_of,
)
from cstalk_bridge.rig import ARKIT_MAP

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cstalk_bridge.audio.levels import Channel
    from cstalk_bridge.cli.arguments import Commands
    from cstalk_bridge.models.errors import Problem
    from cstalk_bridge.plot.measures import CurveWarnings
    from cstalk_bridge.plot.picture import View
    from cstalk_bridge.takes.export.formats import Format
    from cstalk_bridge.takes.generate import GenerationConfig
    from cstalk_bridge.takes.render.jobs import RenderConfig
    from cstalk_bridge.takes.render.pipeline import RenderEngine
    from cstalk_bridge.takes.render.progress import RenderProgress
    from cstalk_bridge.takes.take import Take


EPILOG = """\
Outputs keep the folders of their inputs below DIR. The same command continues where it was stopped:
DIR/render.jsonl lists what is finished. Emotions over time are read from speech.emotion.yaml or
speech.emotion.csv beside speech.wav.

A take, a .take file or the folder of a recorded take, is only converted: its curves are exported as
they were performed. --regenerate generates its face anew from its sound.

formats: take (with its sound), csv (Live Link Face), glb, usd, usdc, json, npz,
metahuman-csv, metahuman-json. A WAV file with the sound lies beside glb, usd and usdc. The exit
code is 1 where an input failed; the others are rendered all the same.

examples:
  cstalk-bridge render speech.wav -o takes
  cstalk-bridge render voices/ "more/**/*.flac" -o takes --format take,csv,glb --emotion happy:0.7
  cstalk-bridge render voices/ -o takes --shard 2/8
  cstalk-bridge render s3://lines/en -o /shared/takes --engine ray --address auto
  cstalk-bridge render takes/20261201_MySlate_1 -o exported --format csv,glb --fps 30
"""

MAX_LISTED = 50
"""Failures, and notices, that are listed at the end; the manifest has all failures."""


def add_render(commands: Commands) -> None:
    """Add the command to the program."""

    render = add_command(
        commands,
        "render",
        "Render recordings to takes and animation files, faster than real time.",
        EPILOG,
    )
    render.add_argument(
        "inputs",
        metavar="IN",
        nargs="+",
        help="Recordings, takes, folders, patterns or URLs (s3://...) to render.",
    )
    render.add_argument("-o", "--out", metavar="DIR", required=True, help="Folder of the outputs.")
    render.add_argument(
        "--format", metavar="NAME,...", help="Formats to write, see below (default: take,csv)."
    )
    add_take_arguments(render)
    render.add_argument(
        "--rigmap", metavar="NAME|FILE", help="Rig map, instead of the one of each format."
    )
    render.add_argument("--head", metavar="FILE.glb", help="Head that glb and usd files animate.")
    render.add_argument(
        "--engine",
        choices=("local", "ray"),
        default="local",
        help="What renders: this process, or the workers of a Ray cluster (default: local).",
    )
    render.add_argument(
        "--address",
        metavar="HOST:PORT",
        help="Ray cluster, or auto (default: one starts here until the end).",
    )
    render.add_argument(
        "--workers",
        metavar="N",
        type=int,
        help="Workers of the Ray cluster at most (default: its cores, or its GPUs).",
    )
    render.add_argument("--shard", metavar="I/N", help="Render only part I of N equal parts.")
    render.add_argument(
        "--overwrite", action="store_true", help="Replace files that no render has made."
    )
    _add_subject(render)
    render.add_argument(
        "--regenerate",
        action="store_true",
        help="Generate the faces of takes anew from their sound, instead of converting them.",
    )
    render.add_argument(
        "--force", action="store_true", help="Render again what is already finished."
    )
    render.set_defaults(action=_render)


def _add_subject(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--subject",
        metavar="NAME",
        dest="take_subject",
        help="Subject of recorded takes (default: all; plot: the first).",
    )


def _render(options: argparse.Namespace) -> int:
    from cstalk_bridge.system.process import limit_math_threads

    limit_math_threads()
    return render(options)


def render(options: argparse.Namespace) -> int:
    """Render, and return 0, or 1 where an input failed. Raises UserError for the rest."""
    from cstalk_bridge.face.inference import ser_notice
    from cstalk_bridge.takes.render import pipeline
    from cstalk_bridge.takes.render.progress import show_progress

    settings = settings_of(options)
    if settings.voice_weights.auto:
        print(ser_notice(), file=sys.stderr)
    engine = engine_of(options)
    try:
        progress = pipeline.render(
            options.inputs, Path(options.out), settings, watch=show_progress, engine=engine
        )
    except KeyboardInterrupt:
        print("stopped; the same command continues from here", file=sys.stderr)
        raise
    return report(progress)


def engine_of(options: argparse.Namespace) -> RenderEngine | None:
    """Return the engine that the arguments name, None for this process. UserError."""
    from cstalk_bridge.models.errors import Problem, UserError

    if options.engine == "ray":
        from cstalk_bridge.takes.render.cluster import RayEngine

        if options.workers is not None and options.workers < 1:
            raise UserError(Problem("--workers", f"{options.workers} is too few", "give 1 or more"))
        return RayEngine(options.address, options.workers)
    problems = [
        Problem(flag, "is for a Ray cluster", "add --engine ray")
        for flag, value in (("--address", options.address), ("--workers", options.workers))
        if value is not None
    ]
    if problems:
        raise UserError.of(problems)
    return None


def settings_of(options: argparse.Namespace) -> RenderConfig:
    """Return the configuration that the arguments give. UserError with every problem of them."""
    from cstalk_bridge.rig.load import load_rigmap
    from cstalk_bridge.takes.export.tables import ExportConfig
    from cstalk_bridge.takes.render.jobs import RenderConfig, Shard, parse_shard

    config = default_config_of(options)
    return RenderConfig.extending(
        generation_config_of(options),
        formats=formats_of(options.format),
        export=ExportConfig(
            rate=config.fps,
            rigmap=load_rigmap(options.rigmap) if options.rigmap else None,
            head=_head_of(options.head),
        ),
        channel=config.subjects[0].audio.channel,
        device=config.device,
        weights=config.weights,
        shard=parse_shard(options.shard) if options.shard else Shard(),
        overwrite=options.overwrite,
        is_forced=options.force,
        subject=options.take_subject,
        regenerate=options.regenerate,
    )


def _head_of(name: str | None) -> Path | None:
    from cstalk_bridge.models.errors import Problem, UserError
    from cstalk_bridge.system.files import is_file

    path = Path(name) if name else None
    if path is not None and not is_file(path):
        raise UserError(Problem("--head", f"no such file: {path}", "check the path"))
    return path


def formats_of(text: str | None) -> tuple[Format, ...]:
    """Return the formats of `take,csv`, each once. UserError names the unknown ones."""
    from cstalk_bridge.models.errors import UserError
    from cstalk_bridge.takes.export.formats import find_format
    from cstalk_bridge.takes.render.jobs import DEFAULT_FORMATS

    names = [name.strip() for name in text.split(",")] if text else DEFAULT_FORMATS
    formats: list[Format] = []
    problems: list[Problem] = []
    for name in dict.fromkeys(names):
        try:
            formats.append(find_format(name))
        except UserError as error:
            problems += error.problems
    if problems:
        raise UserError.of(problems)
    return tuple(formats)


def report(progress: RenderProgress) -> int:
    """Print the result of all inputs; return 1 where one failed, else 0."""
    notices = [f"notice: {notice}" for notice in progress.notices]
    _list(notices, f"... and {len(notices) - MAX_LISTED} more notices")
    failures = _failures(progress)
    _list(failures, f"... and {len(failures) - MAX_LISTED} more, see render.jsonl")
    print(progress.summary())
    return 1 if progress.failures else 0


def _list(lines: Sequence[str], rest: str) -> None:
    """Print the first lines on standard error, and `rest` for those that are too many."""
    for line in lines[:MAX_LISTED]:
        print(line, file=sys.stderr)
    if len(lines) > MAX_LISTED:
        print(rest, file=sys.stderr)


def _failures(progress: RenderProgress) -> Sequence[str]:
    return [f"failed: {problem}" for _, problems in progress.failures for problem in problems]


PREVIEW_EPILOG = """\
Without --host only this machine can open the page. With an address of the network, such as
--host 0.0.0.0, the page needs the token in the printed address.

examples:
  cstalk-bridge preview
  cstalk-bridge preview speech.wav
  cstalk-bridge preview before.take after.take --head my-head.glb
  cstalk-bridge preview takes/20261201_MySlate_1 rendered.take
"""

POLL_S = 0.2
"""Poll interval of the main thread; Windows delivers Ctrl+C only then."""


def add_preview(commands: Commands) -> None:
    """Add the command's parser."""
    parser = add_command(
        commands, "preview", "Show the faces of recordings and takes in a browser.", PREVIEW_EPILOG
    )
    parser.add_argument(
        "files",
        metavar="FILE",
        nargs="*",
        help="Recordings and takes to open: .take files and folders of recorded takes.",
    )
    _add_subject(parser)
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

    `options` has `files`, `take_subject`, `head`, `host` (also HOST:PORT), `port`, `token`,
    `weights`, `device`, what `face_of` reads, and `open`, whether to open a browser (None: where
    standard output is a terminal).
    """
    from cstalk_bridge.config.schema import PreviewConfig
    from cstalk_bridge.face.inference import load_network, ser_notice
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
        spec,
        load=load,
        files=files,
        settings=settings,
        head=head,
        channel=channel,
        subject=options.take_subject,
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

--summary examines all takes of a folder: DIR/summary.csv lists them, the worst first, and
DIR/index.html shows what looks wrong, with a plot of each of the worst twenty.

examples:
  cstalk-bridge plot speech.take
  cstalk-bridge plot calm.take angry.take -o compared.html --start 2 --end 6
  cstalk-bridge plot takes/20261201_MySlate_1 rendered.take
  cstalk-bridge plot speech.wav --curves JawOpen,MouthClose,MouthPucker
  cstalk-bridge plot --summary takes -o review
"""


def add_plot(commands: Commands) -> None:
    """Add the command's own parser."""
    parser = add_command(
        commands,
        "plot",
        "Plot takes: sound, curves, and warnings of what looks wrong.",
        PLOT_EPILOG,
    )
    parser.add_argument(
        "inputs",
        metavar="TAKE",
        nargs="*",
        help="Takes, .take files or folders of recorded takes, or recordings.",
    )
    _add_subject(parser)
    parser.add_argument("-o", "--output", metavar="FILE", help="FILE.png, FILE.html or a folder.")
    parser.add_argument(
        "--summary",
        metavar="FOLDER",
        help="Examine all takes of a folder and write tables and pages into -o (default: summary).",
    )
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
    from cstalk_bridge.models.errors import Problem, UserError
    from cstalk_bridge.rig.load import load_rigmap

    # Before the plots are imported, so that a mistake is reported at once.
    rigmap = load_rigmap(options.rigmap)
    from cstalk_bridge.plot.picture import View, load_input, make_picture, plan

    view = View(
        rigmap=rigmap,
        theme=options.theme,
        start_s=options.start,
        end_s=options.end,
        wanted=tuple(filter(None, (name.strip() for name in options.curves.split(",")))),
    )
    problems = list(view.problems())
    if bool(options.inputs) == bool(options.summary):
        problems.append(Problem("plot", "takes or --summary are needed", "give one of them"))
    if problems:
        raise UserError.of(problems)
    if options.summary:
        return plot_summary(options.summary, Path(options.output or "summary"), view)
    output = Path(options.output) if options.output else None
    generate = partial(
        generate_from_recording, settings=generation_config_of(options), channel=channel_of(options)
    )
    for job in plan([Path(name) for name in options.inputs], output, Path()):
        found = make_picture(
            job, view, lambda path: load_input(path, generate, options.take_subject, _print_notice)
        )
        print(f"{job.output}: {'; '.join(map(findings_summary, found))}", flush=True)
    return 0


def plot_summary(source: str, folder: Path, view: View) -> int:
    """Examine all takes of a folder, print how many look wrong, and return 0. Raises UserError."""
    from cstalk_bridge.models.errors import Problem, UserError
    from cstalk_bridge.plot.summary_page import PAGE, counts_line, write_summary
    from cstalk_bridge.takes.render.inputs import find_inputs

    inputs = find_inputs([source], folder)
    takes = [found for found in inputs.found if found.is_take]
    if not takes:
        what = "contains no take"
        raise UserError.of(inputs.problems or [Problem(source, what, "render recordings first")])
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(Problem(str(folder), f"cannot be created: {error.strerror}")) from None
    worst = write_summary(takes, folder, view, _print_notice)
    print(f"{folder / PAGE}: {counts_line(worst)}", flush=True)
    return 0


def generate_from_recording(
    path: Path, settings: GenerationConfig, channel: Channel = None
) -> Take:
    """Return the generated take of a recording, and report it on standard error."""
    from cstalk_bridge.system.process import limit_math_threads

    limit_math_threads()
    from cstalk_bridge.face.inference import load_network, ser_notice
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
