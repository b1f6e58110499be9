"""What pip installs is all that is needed: page, head, weights, tables, rig maps."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import urllib.request
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("bridge", "models", "rigmaps")
RESEARCH = {f"models/weights/cstalk_research.{ending}" for ending in ("md", "safetensors")}
"""Not for commercial use: it stays with the recipe."""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    source, folder = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in PACKAGES:
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    words = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", folder, source]
    subprocess.run(words, check=True, timeout=300)
    (path,) = folder.glob("*.whl")
    return path


def test_the_wheel_holds_every_file_of_the_packages_but_the_research_build(wheel: Path) -> None:
    listed = subprocess.run(
        ["git", "ls-files", *PACKAGES], cwd=ROOT, capture_output=True, text=True, check=True
    )
    with zipfile.ZipFile(wheel) as archive:
        missing = set(listed.stdout.split()) - set(archive.namelist())
    assert missing == RESEARCH


def test_the_preview_serves_its_page_from_the_installed_files(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    words = [sys.executable, "-P", "-m", "bridge", "preview", "--port", "0", "--no-open"]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    with subprocess.Popen(
        words, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True
    ) as serving:
        try:
            url = re.search(r"http://\S+", serving.stdout.readline())[0]
            page = fetched(url)
            assert b"<!doctype html>" in page.lower()
            for place in re.findall(rb'(?:src|href)="/?([^"#]+)"', page):
                assert fetched(url + place.decode())
            session = json.loads(fetched(f"{url}api/session"))
            assert fetched(url.rstrip("/") + session["heads"][0]["url"])[:4] == b"glTF"
            assert {rigmap["name"] for rigmap in session["rigmaps"]} >= {"livelinkface61", "vrm"}
        finally:
            serving.terminate()


def fetched(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=30) as answer:  # noqa: S310 - our own
        return answer.read()
