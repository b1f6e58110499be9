"""Checks the types of the package, under the name by which it is installed, and of tests and tools.

    python -m tools.typecheck

The folders `bridge`, `models` and `rigmaps` are `cstalk_bridge`, `cstalk_bridge.models` and
`cstalk_bridge.rigmaps` where they are installed (`package_dir` in setup.cfg). mypy wants a package
in a folder of its name, so `build/types` gets one, made of links; where the system allows none, of
copies. Arguments go to mypy.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "build" / "types" / "cstalk_bridge"


def lay_out(package: Path) -> None:
    """Make the folder `package` anew, as an installed `cstalk_bridge` has it."""
    shutil.rmtree(package, ignore_errors=True)
    package.mkdir(parents=True)
    entries = [p for p in (ROOT / "bridge").iterdir() if p.name != "__pycache__"]
    for entry in (*entries, ROOT / "models", ROOT / "rigmaps"):
        try:
            (package / entry.name).symlink_to(entry, target_is_directory=entry.is_dir())
        except OSError:
            copy = shutil.copytree if entry.is_dir() else shutil.copy
            copy(entry, package / entry.name)


if __name__ == "__main__":
    lay_out(PACKAGE)
    command = [sys.executable, "-m", "mypy", *sys.argv[1:]]
    sys.exit(subprocess.run(command, cwd=ROOT, check=False).returncode)  # noqa: S603 - ours
