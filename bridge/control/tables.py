"""The tables of `docs/control.md`, from those of the code."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.control.commands import COMMANDS
from bridge.control.phone_messages import MESSAGES

if TYPE_CHECKING:
    from bridge.control.parameters import Parameter


def own_table() -> str:
    """Return the table of our own commands, in Markdown."""
    rows = ["| address | arguments | what it does |", "|---|---|---|"]
    for command in COMMANDS.values():
        usage = f"`{command.usage}`" if command.usage else ""
        ranges = "; ".join(map(_range, command.parameters))
        words = f"{usage}: {ranges}" if ranges else usage
        rows.append(f"| `{command.address}` | {words} | {command.does} |")
    return "\n".join(rows)


def phone_table() -> str:
    """Return the table of the app's messages, in Markdown."""
    rows = ["| message | arguments | answer | what it does |", "|---|---|---|---|"]
    for message in MESSAGES.values():
        usage = f"`{message.usage}`" if message.usage else ""
        answer = f"`{message.answer}`" if message.answer else ""
        rows.append(f"| `{message.address}` | {usage} | {answer} | {message.does} |")
    return "\n".join(rows)


def _range(parameter: Parameter) -> str:
    if parameter.range == parameter.kind.value == "number":
        return f"{parameter.name} in {parameter.unit}"
    return f"{parameter.name} {parameter.range}"
