"""What pip installs is all that is needed: page, head, weights, tables, rig maps."""

from __future__ import annotations

import configparser
import json
import os
import re
import shutil
import subprocess
import sys
import urllib.request
import venv
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).parents[1]
PACKAGES = {
    "bridge": "cstalk_bridge",
    "models": "cstalk_bridge/models",
    "rigmaps": "cstalk_bridge/rigmaps",
}
"""Where each folder of the checkout is installed."""
LEFT_OUT = {
    f"cstalk_bridge/models/weights/{name}.{ending}"
    for name in ("cstalk_research", "encoder")
    for ending in ("md", "safetensors")
}
"""What stays with the recipe: not for commercial use, or where training goes on from."""


KNOWN_HOLES = {
    "anyio": ("4.3.0", "GHSA: a race between threads, fixed in 4.4.0"),
    "fonttools": ("4.60.1", "CVE-2025-66034: files written anywhere"),
    "h11": ("0.15.0", "CVE-2025-43859: request smuggling"),
    "idna": ("3.14", "CVE-2026-45409, CVE-2024-3651: quadratic time"),
    "numpy": ("1.21.6", "CVE-2021-34141"),
    "onnx": ("1.20.1", "CVE-2026-27489, CVE-2026-28500, CVE-2025-51480: files read and written"),
    "pillow": ("12.2.0", "CVE-2026-55379, CVE-2026-40192, CVE-2026-25990, CVE-2025-48379"),
    "protobuf": ("6.33.4", "CVE-2026-0994, CVE-2025-4565: unbounded recursion"),
    "pydantic": ("2.3.0", "CVE-2024-3772: regular expression without end"),
    "pytest": ("9.0.2", "CVE-2025-71176: a folder in /tmp that others may own"),
    "pyyaml": ("5.3.1", "CVE-2020-14343: code in documents"),
    "soundfile": ("0.12.1", "CVE-2022-33065 of the libsndfile in it"),
    "starlette": ("1.3.0", "CVE-2026-54283, CVE-2026-54282, CVE-2026-48710, CVE-2025-62727"),
    "torch": ("2.12.1", "CVE-2025-3000, CVE-2026-24747, CVE-2025-32434: memory, code in weights"),
    "uvicorn": ("0.11.6", "CVE-2020-7694, CVE-2020-7695"),
    "websockets": ("9.0.2", "CVE-2021-33880: a timing attack"),
}
"""The last versions with a hole that is known, and the advisory."""


def requirements() -> dict[str, Requirement]:
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg", encoding="utf-8")
    lines = config["options"]["install_requires"].splitlines()
    for extra in config["options.extras_require"].values():
        lines += extra.splitlines()
    found = [Requirement(line) for line in filter(None, map(str.strip, lines))]
    return {requirement.name.lower(): requirement for requirement in found}


@pytest.mark.parametrize("name", KNOWN_HOLES)
def test_no_version_with_a_known_vulnerability_is_allowed(name: str) -> None:
    last, advisory = KNOWN_HOLES[name]
    assert Version(last) not in requirements()[name].specifier, advisory


def test_the_pinned_versions_are_in_the_ranges() -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = dict(line.lower().split("==") for line in lines if line and not line.startswith("#"))
    for name, requirement in requirements().items():
        if name in pins:
            assert Version(pins[name]) in requirement.specifier, name
    assert set(KNOWN_HOLES) - {"onnx", "protobuf"} <= set(pins)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    source, folder = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in PACKAGES:
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    arguments = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w"]
    subprocess.run([*arguments, folder, source], check=True, timeout=300)
    (path,) = folder.glob("*.whl")
    return path


def installed(path: str) -> str:
    folder, _, rest = path.partition("/")
    return f"{PACKAGES[folder]}/{rest}"


def test_every_package_is_listed() -> None:
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg", encoding="utf-8")
    packages = {
        installed(str(init.relative_to(ROOT).as_posix())).removesuffix("/__init__.py")
        for folder in PACKAGES
        for init in (ROOT / folder).rglob("__init__.py")
    }
    listed = set(config["options"]["packages"].replace(".", "/").split())
    assert listed == packages | {"cstalk_bridge/models/weights", "cstalk_bridge/rigmaps"}


def test_nothing_else_is_installed(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        tops = {name.partition("/")[0] for name in archive.namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"cstalk_bridge"}


def test_the_wheel_holds_every_file_but_those_of_the_training_recipe(wheel: Path) -> None:
    listed = subprocess.run(
        ["git", "ls-files", *PACKAGES], cwd=ROOT, capture_output=True, text=True, check=True
    )
    with zipfile.ZipFile(wheel) as archive:
        missing = set(map(installed, listed.stdout.split())) - set(archive.namelist())
    assert missing == LEFT_OUT


def test_the_preview_serves_its_page_from_the_installed_files(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    arguments = [sys.executable, "-P", "-m", "cstalk_bridge", "preview", "--port", "0", "--no-open"]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    with subprocess.Popen(
        arguments, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True
    ) as serving:
        try:
            assert serving.stdout is not None
            (url,) = re.findall(r"http://\S+", serving.stdout.readline())
            page = fetched(url)
            assert b"<!doctype html>" in page.lower()
            for place in re.findall(rb'(?:src|href)="/?([^"#]+)"', page):
                assert fetched(url + place.decode())
            session = json.loads(fetched(f"{url}api/session"))
            assert fetched(url.rstrip("/") + session["heads"][0]["url"])[:4] == b"glTF"
            assert {rigmap["name"] for rigmap in session["rigmaps"]} >= {"livelinkface61", "vrm"}
        finally:
            serving.terminate()


PUBLIC_USE = """
import threading
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import cstalk_bridge
from cstalk_bridge import Controller, RigMap, Take, load_config, load_rigmap, load_take, run
from cstalk_bridge.models import CHANNELS, EMOTIONS, Generator, WeightsError, load_generator

generator: Generator = load_generator(Path("mine.safetensors"), "cpu")
face: NDArray[np.float32] = generator.generate(np.zeros(16_000, dtype=np.int16), 16_000, "happy")
names: list[str] = [channel.name for channel in CHANNELS] + list(EMOTIONS)
version: str = cstalk_bridge.__version__
take: Take = load_take(Path("MySlate_1.take"))
rigmap: RigMap = load_rigmap("arkit")
controller = Controller()
threading.Thread(target=run, args=(load_config(),)).start()
controller.subject("CSTalk").emotion({"happy": 0.8}, over_s=1.5)
fault: type[ValueError] = WeightsError
"""
"""A program of somebody who installed the package."""
MISUSE = """
import cstalk_bridge
from cstalk_bridge.models import load_generator

cstalk_bridge.load_everything()
load_generator(7)
"""


def test_a_program_that_uses_the_installed_package_passes_strict_types(
    wheel: Path, tmp_path: Path
) -> None:
    builder = venv.EnvBuilder()
    builder.create(tmp_path / "venv")
    python = builder.ensure_directories(tmp_path / "venv").env_exe
    ask = "import sysconfig; print(sysconfig.get_path('purelib'))"
    found = subprocess.run([python, "-c", ask], capture_output=True, text=True, check=True)
    packages = Path(found.stdout.strip())
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(packages)
    others = [path for path in sys.path if Path(path).name == "site-packages"]
    (packages / "others.pth").write_text("\n".join(others), encoding="utf-8")
    (tmp_path / "use.py").write_text(PUBLIC_USE, encoding="utf-8")
    (tmp_path / "misuse.py").write_text(MISUSE, encoding="utf-8")
    arguments = [sys.executable, "-m", "mypy", "--strict", "--python-executable", python]
    done = subprocess.run(
        [*arguments, "use.py", "misuse.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=600,
    )
    errors = [line for line in done.stdout.splitlines() if ": error: " in line]
    assert [line.rpartition("[")[2] for line in errors] == ["attr-defined]", "arg-type]"], done
    assert all(line.startswith("misuse.py") for line in errors)


@pytest.mark.parametrize("name", ["cstalk_bridge", "cstalk_bridge.models"])
def test_every_public_name_exists_and_importing_it_is_light(name: str, wheel: Path) -> None:
    program = f"""
import sys, {name} as package
heavy = {{"numpy", "torch", "onnxruntime", "pydantic", "sounddevice"}} & sys.modules.keys()
assert not heavy, heavy
assert package.__version__ == "{wheel.name.split("-")[1]}"
assert set(package.__all__) <= set(dir(package))
for public in package.__all__:
    assert getattr(package, public) is not None
assert "torch" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


def fetched(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=30) as answer:  # noqa: S310 - our own
        return answer.read()
