"""The command `render`: takes and animation files from recordings."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from cstalk_bridge.cli.arguments import (
    add_command,
    add_take_arguments,
    default_config_of,
    generation_config_of,
)

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from cstalk_bridge.cli.arguments import Commands
    from cstalk_bridge.models.errors import Problem
    from cstalk_bridge.takes.export.formats import Format
    from cstalk_bridge.takes.render.jobs import RenderConfig
    from cstalk_bridge.takes.render.progress import RenderProgress


EPILOG = """\
Outputs keep the folders of their inputs below DIR. The same command continues where it was stopped:
DIR/render.jsonl lists what is finished. Emotions over time are read from speech.emotion.yaml or
speech.emotion.csv beside speech.wav.

formats: take (with its sound), csv (Live Link Face), glb, usd, json, npz, metahuman-csv,
metahuman-json. The exit code is 1 where an input failed; the others are rendered all the same.

examples:
  cstalk-bridge render speech.wav -o takes
  cstalk-bridge render voices/ "more/**/*.flac" -o takes --format take,csv,glb --emotion happy:0.7
  cstalk-bridge render voices/ -o takes --shard 2/8
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
        "inputs", metavar="IN", nargs="+", help="Recordings, takes, folders or patterns to render."
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
    render.add_argument("--shard", metavar="I/N", help="Render only part I of N equal parts.")
    render.add_argument(
        "--overwrite", action="store_true", help="Replace files that no render has made."
    )
    render.add_argument(
        "--force", action="store_true", help="Render again what is already finished."
    )
    render.set_defaults(action=_render)


def _render(options: argparse.Namespace) -> int:
    from cstalk_bridge.system.process import limit_math_threads

    limit_math_threads()
    return render(options)


def render(options: argparse.Namespace) -> int:
    """Render, and return 0, or 1 where an input failed. Raises UserError for the rest."""
    from cstalk_bridge.face.networks import ser_notice
    from cstalk_bridge.takes.render.pipeline import render as render_all
    from cstalk_bridge.takes.render.progress import show_progress

    settings = settings_of(options)
    if settings.voice_weights.auto:
        print(ser_notice(), file=sys.stderr)
    try:
        progress = render_all(options.inputs, Path(options.out), settings, watch=show_progress)
    except KeyboardInterrupt:
        print("stopped; the same command continues from here", file=sys.stderr)
        raise
    return report(progress)


def settings_of(options: argparse.Namespace) -> RenderConfig:
    """Return the configuration that the arguments give. UserError with every problem of them."""
    from cstalk_bridge.rig.load import load_rigmap
    from cstalk_bridge.takes.export.curves import ExportConfig
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
