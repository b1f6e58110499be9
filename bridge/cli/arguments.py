"""Command-line arguments that several commands share, and the config or settings they make."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cstalk_bridge.timecode.smpte import SPAN

if TYPE_CHECKING:
    import argparse
    from argparse import ArgumentParser, Namespace

    from cstalk_bridge.audio.levels import Channel
    from cstalk_bridge.config.schema import Config
    from cstalk_bridge.takes.generate import GenerationConfig


if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - no other name


CHANNEL_HELP = "Use channel N of the sound, or the mean of all (default: mix, unless that cancels)."


def add_procedural_arguments(words: ArgumentParser) -> None:
    """Add `--alive`, `--no-alive` and `--seed`; `config.load.Flags` understands them."""
    alive = words.add_mutually_exclusive_group()
    alive.add_argument(
        "--alive",
        metavar="NAME:LEVEL,...",
        help="how much of gaze, head, blink, brows, idle, mouth, upper_face (0 to 2; 1), symmetry",
    )
    alive.add_argument(
        "--no-alive",
        action="store_true",
        help="the generated face alone: no gaze, blinks and head of its own",
    )
    words.add_argument("--seed", metavar="N", help="of what moves by itself (from the name)")


def add_face_arguments(words: ArgumentParser) -> None:
    """Add the words about the faces of recordings; `face_of` reads them."""
    words.add_argument("--channel", metavar="N|all", help=CHANNEL_HELP)
    words.add_argument("--emotion", metavar="NAME:WEIGHT", help="of recordings; or auto")
    add_procedural_arguments(words)


def face_settings_of(options: Namespace) -> GenerationConfig:
    """Return how the faces of recordings are to be made. UserError with every problem."""
    from cstalk_bridge.config.load import ConfigOverrides, subject_of
    from cstalk_bridge.takes.generate import GenerationConfig

    flags = ConfigOverrides(
        emotion=options.emotion, alive=options.alive, no_alive=options.no_alive, seed=options.seed
    )
    asked = subject_of(flags)
    return GenerationConfig(levels=asked.alive, seed=asked.seed).with_emotion(asked.emotion)


def channel_of(options: Namespace) -> Channel:
    """Return which channel of recordings to use. UserError where that is none."""
    from cstalk_bridge.config.load import ConfigOverrides, subject_of

    return subject_of(ConfigOverrides(channel=options.channel)).audio.channel


def add_config_arguments(words: argparse.ArgumentParser) -> None:
    """Add what says which config counts, and what goes over it; `config_of` reads them."""
    words.add_argument("--config", metavar="FILE", help="config file (default: config.yaml)")
    words.add_argument("--audio", metavar="mic|NAME|FILE", help="microphone, device, file or test")
    words.add_argument("--channel", metavar="N|all", help=CHANNEL_HELP)
    words.add_argument(
        "--link", metavar="URL", action="append", default=[], help="where to send; repeat for more"
    )
    words.add_argument("--subject", metavar="NAME", help="subject which is meant, or its new name")
    words.add_argument("--fps", metavar="N", help=f"{SPAN}, 29.97df and 59.94df for drop-frame")
    words.add_argument("--lookahead-ms", metavar="N", help="0 to 240 in steps of 20")
    words.add_argument("--emotion", metavar="NAME:WEIGHT", help="as happy:0.7; auto: the voice's")
    words.add_argument(
        "--emotions", metavar="FILE", help="emotions over time, as beside takes (YAML or CSV)"
    )
    words.add_argument(
        "--mouth-guard", metavar="N", help="share of its mouth that speech pushes aside, 0 to 1"
    )
    words.add_argument("--transition-ms", metavar="N", help="time a changed emotion takes (400)")
    add_procedural_arguments(words)
    words.add_argument("--device", metavar="auto|cpu|cuda", help="where the generator runs")
    words.add_argument("--weights", metavar="FILE", help="weights of the generator (.safetensors)")
    _add_network_arguments(words)


def _add_network_arguments(words: argparse.ArgumentParser) -> None:
    """Add where the bridge can be seen and told what to do."""
    words.add_argument(
        "--preview",
        metavar="HOST:PORT",
        nargs="?",
        const="",
        help="show the faces in a browser, at 127.0.0.1:8520 where nothing else is said",
    )
    words.add_argument(
        "--osc-control",
        metavar="HOST:PORT",
        nargs="?",
        const="",
        help="take remote control over OSC, at 127.0.0.1:8000 where nothing else is said",
    )
    words.add_argument(
        "--osc-allow",
        metavar="ADDRESS",
        action="append",
        default=[],
        help="another machine or network that may control; repeat for more",
    )


def config_of(options: argparse.Namespace) -> Config:
    """Return the config with the flags over it. Raises UserError."""
    from cstalk_bridge.config.load import ConfigOverrides, load_config

    flags = ConfigOverrides(
        audio=options.audio,
        channel=options.channel,
        links=tuple(options.link),
        subject=options.subject,
        fps=options.fps,
        lookahead_ms=options.lookahead_ms,
        emotion=options.emotion,
        emotions=options.emotions,
        mouth_guard=options.mouth_guard,
        transition_ms=options.transition_ms,
        alive=options.alive,
        no_alive=options.no_alive,
        seed=options.seed,
        device=options.device,
        weights=options.weights,
        preview=options.preview,
        osc_control=options.osc_control,
        osc_allow=tuple(options.osc_allow),
        no_ui=options.no_ui,
    )
    return load_config(Path(options.config) if options.config else None, flags)
