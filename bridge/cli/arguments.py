"""Command-line flags, made from the table of settings, and the config that they give."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cstalk_bridge.settings.declaration import Scope
from cstalk_bridge.settings.table import flag_settings, setting

if TYPE_CHECKING:
    import argparse
    from argparse import ArgumentParser, Namespace

    from cstalk_bridge.audio.levels import Channel
    from cstalk_bridge.config.load import ConfigFile, ConfigOverrides
    from cstalk_bridge.config.schema import Config
    from cstalk_bridge.settings.declaration import Setting
    from cstalk_bridge.takes.generate import GenerationConfig

    Commands = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - no other name
    Flags = ArgumentParser | argparse._ArgumentGroup  # noqa: SLF001 - no other name


def add_command(
    commands: Commands, name: str, summary: str, epilog: str | None = None
) -> ArgumentParser:
    """Return the parser of a new command; `summary` is a sentence, `epilog` is printed as it is."""
    import argparse

    parser = commands.add_parser(
        name,
        help=summary,
        description=summary,
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        add_help=False,
    )
    add_help(parser)
    return parser


def add_help(parser: ArgumentParser) -> None:
    """Add `--help` to a parser without it."""
    parser.add_argument("-h", "--help", action="help", help="Show this help and exit.")


def add_flag(parser: Flags, key: str, note: str = "") -> None:
    """Add the flag of a setting; `note` is a sentence that its help adds for one command."""
    entry = setting(key)
    text = f"{entry.flag_help} {note}".rstrip().replace("%", "%%")
    if entry.key == "alive":
        group = parser.add_mutually_exclusive_group()
        group.add_argument(entry.flag, metavar=entry.metavar, help=text)
        group.add_argument("--no-alive", action="store_true", help=NO_ALIVE_HELP)
    elif entry.is_repeated:
        parser.add_argument(
            entry.flag, metavar=entry.metavar, action="append", default=[], help=text
        )
    elif entry.is_optional_value:
        parser.add_argument(entry.flag, metavar=entry.metavar, nargs="?", const="", help=text)
    else:
        parser.add_argument(entry.flag, metavar=entry.metavar, help=text)


NO_ALIVE_HELP = "Show the generated face alone: no gaze, blinks, head and idle motion."


def add_face_arguments(parser: ArgumentParser) -> None:
    """Add the flags about faces of recordings; `generation_config_of` reads them."""
    for key in ("audio.channel", "emotion", "alive", "seed"):
        add_flag(parser, key)


def add_take_arguments(parser: ArgumentParser) -> None:
    """Add the flags of takes from recordings; `generation_config_of` reads them."""
    for entry in flag_settings():
        if entry.is_of_takes:
            note = "Takes keep 50 rows a second." if entry.key == "fps" else ""
            add_flag(parser, entry.key, note)


def add_config_arguments(parser: ArgumentParser) -> None:
    """Add the flags that choose and change a config; `config_of` reads them."""
    parser.add_argument(
        "--config", metavar="FILE", help="Config file (default: config.yaml in this folder)."
    )
    bridge = parser.add_argument_group("settings of the bridge")
    subject = parser.add_argument_group("settings of one subject")
    subject.add_argument(
        "--subject", metavar="NAME", help="Subject to change, or the new name of the first."
    )
    for entry in flag_settings():
        add_flag(_group(entry, bridge, subject), entry.key)


def _group(entry: Setting, bridge: Flags, subject: Flags) -> Flags:
    return bridge if entry.scope is Scope.BRIDGE else subject


def overrides_of(options: Namespace) -> ConfigOverrides:
    """Return the flags of a command that change a config."""
    from cstalk_bridge.config.load import FLAG_NAMES, ConfigOverrides

    return ConfigOverrides(**{name: getattr(options, name, None) for name in FLAG_NAMES})


def config_file_of(options: Namespace) -> ConfigFile:
    """Return the config file that the flags choose, and the flags that change it."""
    from cstalk_bridge.config.load import ConfigFile

    return ConfigFile(Path(options.config) if options.config else None, overrides_of(options))


def config_of(options: Namespace) -> Config:
    """Return the config that the flags choose and change. Raises UserError."""
    return config_file_of(options).read()


def default_config_of(options: Namespace) -> Config:
    """Return the built-in config with the flags over it. Raises UserError."""
    from cstalk_bridge.config.load import override
    from cstalk_bridge.config.schema import Config

    return override(Config(), overrides_of(options))


def generation_config_of(options: Namespace) -> GenerationConfig:
    """Return how the faces of recordings are generated. UserError with every problem."""
    from cstalk_bridge.takes.generate import GenerationConfig

    config = default_config_of(options)
    (subject,) = config.subjects
    generation = GenerationConfig.of(
        subject, lookahead_ms=config.lookahead_ms, levels=subject.alive
    )
    return generation.with_emotion(subject.emotion)


def channel_of(options: Namespace) -> Channel:
    """Return which channel of recordings to use. UserError where there is no such channel."""
    return default_config_of(options).subjects[0].audio.channel
