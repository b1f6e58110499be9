"""The command line: see `tools/windows/__init__.py`."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

import tools.windows
from tools.windows.steps import BRIDGE, ROOT, set_up, steps
from tools.windows.suite import run_tests, summary
from tools.windows.wine import Wine

NEEDED = ("debootstrap", "unshare", "chroot", "git")


def main() -> int:
    """Do what the command line says; return the exit status."""
    arguments = parser().parse_args()
    if os.geteuid() != 0:
        return _refuse("it enters a root of its own: start it as root")
    missing = [name for name in NEEDED if not shutil.which(name)]
    if missing:
        return _refuse(f"{', '.join(missing)} not found: apt install debootstrap util-linux git")
    cache = arguments.cache.resolve()
    if cache.is_relative_to(ROOT):
        return _refuse(f"{cache} lies in the checkout: name a folder outside of it")
    wine = Wine(cache)
    try:
        set_up(wine, steps())
    except subprocess.CalledProcessError as failed:
        return _refuse(f"{failed}; the next start continues here")
    return int(arguments.act(wine, arguments))


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    text = tools.windows.__doc__ or ""
    made = argparse.ArgumentParser(
        "python -m tools.windows",
        description=text,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("cache", type=Path, metavar="CACHE", help="the folder of the set-up")
    commands = made.add_subparsers(required=True, metavar="COMMAND")
    commands.add_parser("setup", help="do what is missing of it").set_defaults(act=_nothing_more)
    test = commands.add_parser("test", help="run the tests and print a summary")
    test.add_argument("tests", nargs="*", metavar="FOLDER", help="such as tests/rig; default: all")
    test.add_argument("-m", dest="markers", default="unit", help="markers; default: unit")
    test.set_defaults(act=_test)
    run = commands.add_parser("run", help="execute cstalk-bridge in the folder CACHE/show")
    run.add_argument("arguments", nargs=argparse.REMAINDER, metavar="ARGUMENTS")
    run.set_defaults(act=_run)
    return made


def _nothing_more(_wine: Wine, _arguments: argparse.Namespace) -> int:
    return 0


def _test(wine: Wine, arguments: argparse.Namespace) -> int:
    results = list(run_tests(wine, arguments.tests, ("-m", arguments.markers)))
    text = summary(results)
    (wine.cache / "results" / "summary.txt").write_text(text + "\n", encoding="utf-8")
    print(text)
    return 1 if any(one.failed or one.is_cut for one in results) else 0


def _run(wine: Wine, arguments: argparse.Namespace) -> int:
    (wine.cache / "show").mkdir(exist_ok=True)
    command = wine.command(BRIDGE, *arguments.arguments, folder="show")
    return subprocess.run(command, check=False).returncode  # noqa: S603 - ours


def _refuse(why: str) -> int:
    print(why, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
