"""Writes what derives from declarations: `config.yaml`, and tables of the documentation.

python -m tools.settings            write them
python -m tools.settings --check    exit with 1 where one is not up to date
"""

from __future__ import annotations

import re
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

from cstalk_bridge.config.schema import SubjectConfig
from cstalk_bridge.control.commands import COMMANDS
from cstalk_bridge.control.keys import EMOTION_KEYS, KEY_ACTIONS
from cstalk_bridge.control.phone_app import MESSAGES
from cstalk_bridge.monitor.exposition import measures_table
from cstalk_bridge.settings.declaration import Effect, Scope
from cstalk_bridge.settings.subject import SUBJECT_SETTINGS
from cstalk_bridge.settings.table import BRIDGE_SETTINGS, single_settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cstalk_bridge.control.commands import Parameter
    from cstalk_bridge.settings.declaration import Setting

ROOT = Path(__file__).parents[1]
CONFIG = ROOT / "config.yaml"
CONTROL = ROOT / "docs" / "control.md"
MONITORING = ROOT / "docs" / "monitoring.md"
EFFECTS = ROOT / "docs" / "config.md"

WIDTH = 100

CONFIG_HEAD = """\
# CSTalk Bridge: the config that `cstalk-bridge run` reads from the folder where it starts.
# Every value here is the default. Flags of the command line override this file.
"""
SUBJECTS_HEAD = """\
# The characters. Each has its own voice, emotion and links; as many as the machine can animate
# (`cstalk-bridge bench faces`).
subjects:
"""


def config_text() -> str:
    """Return the text of `config.yaml`: every key with its default and its text."""
    bridge = "".join(_blocks(BRIDGE_SETTINGS))
    subject = textwrap.indent("".join(_blocks(SUBJECT_SETTINGS)), "    ").lstrip("\n")
    first, name, rest = subject.partition("    name:")
    subject = f"{first.replace('    #', '  #')}  - name:{rest}" if name else subject
    lines = f"{CONFIG_HEAD}{bridge}\n{SUBJECTS_HEAD}{subject}".splitlines()
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _blocks(settings: Sequence[Setting]) -> Iterator[str]:
    """Yield the comment and the key of each setting, a blank line before it unless it is first."""
    groups = {entry.key.rpartition(".")[0] for entry in settings}
    previous = ""
    for entry in settings:
        indent = "  " * entry.key.count(".")
        comment = "".join(f"{indent}# {line}\n" for line in _comment(entry, len(indent)))
        is_first = bool(previous) and entry.key.rpartition(".")[0] == previous
        value = "" if entry.key in groups else _value(entry, indent)
        yield f"{'' if is_first else chr(10)}{comment}{indent}{entry.name}:{value}\n"
        previous = entry.key


def _comment(entry: Setting, indent: int) -> Iterator[str]:
    text = f"{entry.sentence} {entry.note}".rstrip()
    depth = 4 if entry in SUBJECT_SETTINGS else 0
    for paragraph in text.split("\n"):
        if paragraph.startswith("  "):
            yield paragraph
        else:
            yield from textwrap.wrap(paragraph, WIDTH - 2 - indent - depth, break_on_hyphens=False)


def _value(entry: Setting, indent: str) -> str:
    if entry.key == "links":
        return "".join(f"\n{indent}  - {link}" for link in SubjectConfig().links)
    if entry.key == "rest":
        policies = SubjectConfig().rest.model_dump(mode="json")
        return "".join(f"\n{indent}  {name}: {_flow(policy)}" for name, policy in policies.items())
    return f" {_flow(entry.default)}"


def _flow(value: object) -> str:
    """Return a value as YAML writes it in one line."""
    if value is None or isinstance(value, bool):
        return "null" if value is None else str(value).lower()
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_flow(one)}" for key, one in value.items()) + "}"
    if isinstance(value, tuple):
        return "[" + ", ".join(map(_flow, value)) + "]"
    return f"{value:g}" if isinstance(value, float) else str(value)


def command_table() -> str:
    """Return the table of our own commands, in Markdown."""
    rows = ["| address | arguments | what it does |", "|---|---|---|"]
    for command in COMMANDS.values():
        usage = f"`{command.usage}`" if command.usage else ""
        ranges = "; ".join(map(_described_range, command.parameters))
        text = f"{usage}: {ranges}" if ranges else usage
        rows.append(f"| `{command.address}` | {text} | {command.does} |")
    return "\n".join(rows)


def _described_range(parameter: Parameter) -> str:
    if parameter.range == parameter.kind.value == "number":
        return f"{parameter.name} in {parameter.unit}"
    return f"{parameter.name} {parameter.range}"


def key_table() -> str:
    """Return the table of the keys, in Markdown: those of emotions in one row."""
    first, *_, last = EMOTION_KEYS
    rows = [
        "| key | action |",
        "|---|---|",
        f"| `{first}` to `{last}` | choose an emotion: {', '.join(EMOTION_KEYS.values())} |",
    ]
    for action in KEY_ACTIONS:
        if action.keys[0] not in EMOTION_KEYS:
            keys = ", ".join(f"`{'Tab' if key == chr(9) else key}`" for key in action.keys)
            only = " (in the terminal alone)" if action.is_of_terminal else ""
            rows.append(f"| {keys} | {action.does}{only} |")
    return "\n".join(rows)


def phone_table() -> str:
    """Return the table of the app's messages, in Markdown."""
    rows = ["| message | arguments | answer | what it does |", "|---|---|---|---|"]
    for message in MESSAGES.values():
        usage = f"`{message.usage}`" if message.usage else ""
        reply = f"`{message.reply}`" if message.reply else ""
        rows.append(f"| `{message.address}` | {usage} | {reply} | {message.does} |")
    return "\n".join(rows)


def effect_table() -> str:
    """Return the table of when changes of the config count, in Markdown."""
    rows = ["| setting | a change counts |", "|---|---|"]
    for effect in Effect:
        named = [
            f"`{entry.key}`"
            for scope in (Scope.BRIDGE, Scope.SUBJECT)
            for entry in single_settings(scope)
            if entry.effect is effect
        ]
        text = "after a restart" if effect is Effect.AT_START else effect.value
        rows.append(f"| {', '.join(named)} | {text} |")
    return "\n".join(rows)


def page_text(page: str, *tables: str) -> str:
    """Return a page of the documentation with these tables up to date; others stay."""
    for table in tables:
        head = re.escape(table.splitlines()[0])
        rows = f"{table}\n".replace("\\", r"\\")
        page = re.sub(rf"{head}\n(\|.*\n)+", rows, page)
    return page


def main(arguments: Sequence[str]) -> int:
    """Write the files, or with `--check` only compare them; return 1 for one that differs."""
    made = {
        CONFIG: config_text(),
        CONTROL: page_text(
            CONTROL.read_text(encoding="utf-8"), key_table(), command_table(), phone_table()
        ),
        MONITORING: page_text(MONITORING.read_text(encoding="utf-8"), measures_table()),
        EFFECTS: page_text(EFFECTS.read_text(encoding="utf-8"), effect_table()),
    }
    late = [path for path, text in made.items() if path.read_text(encoding="utf-8") != text]
    for path in late:
        if "--check" in arguments:
            print(f"{path}: not up to date; run python -m tools.settings", file=sys.stderr)
        else:
            path.write_text(made[path], encoding="utf-8", newline="\n")
            print(path)
    return 1 if late and "--check" in arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
