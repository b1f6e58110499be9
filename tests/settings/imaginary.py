"""Declares a setting that does not exist and shows which places know it; run by `test_table`.

python -m tests.settings.imaginary
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import sys
import types
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

DECLARATION = """\
    Setting(
        key="sway",
        help="Sway of the head.",
        default=0.25,
        scope=Scope.SUBJECT,
        minimum=0.0,
        maximum=3.0,
        step=0.25,
        metavar="N",
        is_of_takes=True,
        label="Sway",
        command="sets the sway of the head",
        argument="sway",
    ),
"""
FIELD = '    sway: float = setting("sway").field()\n'


def insert(name: str, before: str, text: str) -> None:
    """Import a module whose source has `text` before a line, ahead of anything that imports it."""
    package = importlib.import_module(name.rpartition(".")[0])
    found = importlib.util.find_spec(name)
    assert found is not None
    path = Path(str(found.origin))
    source = path.read_text(encoding="utf-8")
    assert source.count(before) == 1
    module = types.ModuleType(name)
    module.__file__ = str(path)
    sys.modules[name] = module
    setattr(package, name.rpartition(".")[2], module)
    exec(compile(source.replace(before, text + before), path, "exec"), module.__dict__)  # noqa: S102


def refusal(action: Callable[[], object]) -> str:
    from cstalk_bridge.models.errors import UserError

    try:
        action()
    except UserError as error:
        return str(error)
    raise AssertionError("nothing is refused")


def know_config_and_flags() -> None:
    from cstalk_bridge.cli import main
    from cstalk_bridge.config.load import ConfigOverrides, override
    from cstalk_bridge.config.schema import Config, SubjectConfig
    from cstalk_bridge.document import parse_document, validate

    config = validate(Config, parse_document("subjects: [{sway: 2}]", "c.yaml"))
    assert (config.subjects[0].sway, SubjectConfig().sway) == (2.0, 0.25)  # type: ignore[attr-defined]
    wrong = parse_document("subjects: [{sway: 4}]", "c.yaml")
    assert refusal(lambda: validate(Config, wrong)).startswith("c.yaml:1:19: `subjects[0].sway`")
    assert override(Config(), ConfigOverrides(sway="1.5")).subjects[0].sway == 1.5  # type: ignore[attr-defined]
    assert refusal(lambda: override(Config(), ConfigOverrides(sway="3.5"))).startswith("--sway")
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.suppress(SystemExit):
        main(["run", "--help"])
    assert "--sway N" in printed.getvalue()
    assert "Sway of the head (0 to 3; default: 0.25)." in " ".join(printed.getvalue().split())


def know_control_and_page() -> None:
    from cstalk_bridge.control.commands import COMMANDS
    from cstalk_bridge.preview.recordings import SubjectRequest, TakeRequest
    from cstalk_bridge.preview.session import slider
    from cstalk_bridge.settings.table import live_settings, page_settings

    assert COMMANDS["sway"].read([2, 1]) == {"sway": 2.0, "over_s": 1.0}
    assert "sway: must be 0 to 3" in refusal(lambda: COMMANDS["sway"].read([4]))
    sliders = {entry.name: slider(entry) for entry in page_settings()}
    assert sliders["sway"]["maximum"] == 3.0
    assert "sway" in {entry.field_name for entry in live_settings()}
    assert TakeRequest(recording="a", sway=1.0).numbers["sway"] == 1.0  # type: ignore[call-arg]
    assert SubjectRequest(sway=3.0).numbers == {"sway": 3.0}  # type: ignore[call-arg]


def know_documents() -> None:
    from tools.settings import command_table, config_text

    assert "| `/cstalk/<subject>/sway` | `sway [over_s]`: sway 0 to 3;" in command_table()
    assert "    # Sway of the head (0 to 3).\n    sway: 0.25\n" in config_text()


def main() -> None:
    insert(
        "cstalk_bridge.settings.subject", '    Setting(\n        key="transition_ms",', DECLARATION
    )
    insert("cstalk_bridge.settings.face", "    transition_ms: float =", FIELD)
    know_config_and_flags()
    know_control_and_page()
    know_documents()
    print("known everywhere")


if __name__ == "__main__":
    main()
