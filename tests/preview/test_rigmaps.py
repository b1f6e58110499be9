"""Rig maps that lie beside the page: whatever is in them, the page has those that are well."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from tests.preview.serving import serve

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from cstalk_bridge.models.cstalk.generator import Generator


OURS = b"target: custom\ncurves:\n  A: {offset: 0.5}\n"

BAD = {
    "huge": b"target: custom\ncurves:\n  A: {offset: " + b"9" * 4000 + b"}\n",
    "hex": b"target: custom\ncurves:\n  A: {offset: 0x" + b"f" * 9000 + b"}\n",
    "stamp": b"target: custom\ncurves:\n  A: {offset: !!timestamp foo}\n",
    "date": b"target: custom\ncurves:\n  A: {offset: 2001-01-01}\n",
    "clock": b"target: custom\ncurves:\n  A: {offset: 1:59:59}\n",
    "deep": b"target: custom\ncurves: " + b"[" * 5000,
    "zero": b"curves:\n\0",
    "noise": b"curves:\n" + bytes(range(256)) * 20,
    "itself": b"extends: itself.yaml\n",
    "parent": b'extends: "' + b"x" * 5000 + b'.yaml"\n',
    "null": b'extends: "a/\\0b.yaml"\ncurves: {}\n',
    "nan": b"target: custom\ncurves:\n  A: {offset: .nan}\n",
    "large": b"curves:\n" + b"#" * (2 << 20),
}


def test_a_bad_file_beside_it_never_takes_the_page_down(
    generator: Generator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ours.yaml").write_bytes(OURS)
    for name, content in BAD.items():
        (tmp_path / f"{name}.yaml").write_bytes(content)
    (tmp_path / "folder.yaml").mkdir()
    if sys.platform != "win32":
        os.mkfifo(tmp_path / "fifo.yaml")
        (tmp_path / "loop.yaml").symlink_to("loop.yaml")
        (tmp_path / "gone.yaml").symlink_to("nowhere")
        (tmp_path / "endless.yaml").symlink_to("/dev/zero")
    if sys.platform == "linux":
        with open(os.fsencode(tmp_path) + b"/\xff.yaml", "wb") as file:  # noqa: PTH123 - bytes
            file.write(OURS)
    with serve(generator) as serving:
        answer = serving.ask("/api/session")
        assert answer.status == 200
        names = {listed["name"] for listed in answer.document["rigmaps"]}
        assert {"ours", "livelinkface61"} <= names
        told = {problem["where"].partition(".yaml")[0] for problem in answer.document["problems"]}
        assert told == set(BAD)
        assert serving.notices == []
