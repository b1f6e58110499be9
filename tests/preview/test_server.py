from __future__ import annotations

import json
import re
import signal
import socket
import struct
import subprocess
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.request import urlopen

import pytest

from cstalk_bridge.models.errors import UserError
from cstalk_bridge.preview.application import PAGE_FOLDER
from cstalk_bridge.rig.load import SHIPPED
from tests.preview.serving import Serving, serve, voice, wav

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from cstalk_bridge.models.cstalk.generator import Generator


def test_a_port_in_use_is_reported_with_advice(serving: Serving, generator: Generator) -> None:
    with pytest.raises(UserError, match="is in use") as caught, serve(generator, serving.address):
        pass
    assert "choose another port" in caught.value.problems[0].remedy


@pytest.mark.parametrize("host", ["192.0.2.7:0", "no-such-host.invalid:0"])
def test_a_foreign_address_is_reported(generator: Generator, host: str) -> None:
    with pytest.raises(UserError, match="this machine has no address"), serve(generator, host):
        pass


def test_the_port_is_released_and_no_thread_is_left(generator: Generator) -> None:
    before = set(threading.enumerate())
    with serve(generator) as serving:
        port = serving.port
        assert serving.ask("/api/session").status == 200
        open_connection = socket.create_connection(("127.0.0.1", port))
    with open_connection:
        left = {thread.name for thread in set(threading.enumerate()) - before}
        assert not left & {"preview", "preview takes"}
    with serve(generator, f":{port}") as serving:
        assert serving.ask("/api/session").status == 200


def test_the_page_has_an_etag_of_its_content(serving: Serving) -> None:
    page = serving.ask("/")
    assert page.status == 200
    assert page.headers["content-type"].startswith("text/html")
    assert page.body == (PAGE_FOLDER / "index.html").read_bytes()
    same = {"If-None-Match": page.headers["etag"]}
    assert serving.ask("/", headers=same).status == 304
    for path in PAGE_FOLDER.rglob("*.js"):
        answer = serving.ask(f"/page/{path.relative_to(PAGE_FOLDER).as_posix()}")
        assert answer.headers["content-type"].startswith("text/javascript")
        assert answer.body == path.read_bytes()


def test_the_page_is_compressed_for_clients_that_accept_it(serving: Serving) -> None:
    import gzip

    packed = serving.ask("/", headers={"Accept-Encoding": "gzip, deflate, br"})
    assert packed.headers["content-encoding"] == "gzip"
    assert gzip.decompress(packed.body) == serving.ask("/").body


def test_rig_maps_of_the_user_are_offered_and_reloaded(
    generator: Generator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rigmaps").mkdir()
    hero, invalid = tmp_path / "rigmaps" / "hero.yaml", tmp_path / "broken.yaml"
    hero.write_text("extends: livelinkface61\ncurves:\n  JawOpen: {gain: 0.0}\n")
    invalid.write_text("target: livelinkface61\ncurves:\n  Nonsense: {from: x}\n")
    (tmp_path / "config.yaml").write_text("fps: 60\n")
    content = wav(tmp_path / "x.wav", voice(0.5))
    with serve(generator) as serving:
        session = serving.ask("/api/session").document
        maps = [rigmap["name"] for rigmap in session["rigmaps"]]
        assert maps == [*sorted(path.stem for path in SHIPPED.glob("*.yaml")), "hero"]
        assert "broken.yaml" in session["problems"][0]["where"]
        take = serving.take_of(content)

        def jaw() -> int:
            answer = serving.ask(f"/api/takes/{take['id']}/curves?rigmap=hero")
            column = [curve["name"] for curve in session["rigmaps"][-1]["curves"]].index("JawOpen")
            values = struct.unpack(f"<{len(answer.body) // 2}h", answer.body)
            return max(map(abs, values[column :: int(answer.headers["x-curves"])]))

        assert jaw() == 0
        hero.write_text("extends: livelinkface61\ncurves:\n  JawOpen: {gain: 1.00}\n")
        assert jaw() > 100


def glb(document: dict[str, Any]) -> bytes:
    text = json.dumps(document).encode()
    text += b" " * (-len(text) % 4)
    return struct.pack("<4sIIII", b"glTF", 2, 20 + len(text), len(text), 0x4E4F534A) + text


def test_a_head_that_cannot_be_shown_is_reported(generator: Generator, tmp_path: Path) -> None:
    shapeless, large = tmp_path / "shapeless.glb", tmp_path / "large.glb"
    shapeless.write_bytes(glb({"asset": {"version": "2.0"}, "meshes": [{"primitives": []}]}))
    with large.open("wb") as file:
        file.write(b"glTF")
        file.truncate(200 << 20)
    for head, message in ((shapeless, "shape"), (large, "limit"), (tmp_path / "no.glb", "no")):
        with pytest.raises(UserError, match=message) as caught, serve(generator, head=head):
            pass
        assert caught.value.problems[0].where == str(head)


@contextmanager
def command(*message: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run `cstalk-bridge preview`; yield it and the address it prints."""
    process = subprocess.Popen(
        [sys.executable, "-m", "cstalk_bridge", "preview", "--port", "0", "--no-open", *message],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        assert process.stdout
        line = process.stdout.readline()
        found = re.search(r"http://\S+", line)
        assert found, line
        yield process, found[0]
    finally:
        process.kill()
        process.communicate()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows ends a process otherwise")
def test_the_command_serves_before_torch_is_loaded_and_ends_at_once(tmp_path: Path) -> None:
    with command() as (process, url):
        with urlopen(f"{url}api/session", timeout=10) as answer:  # noqa: S310 - our own address
            assert json.load(answer)["live"] is False
        if sys.platform == "linux":
            maps = tmp_path.root + f"proc/{process.pid}/maps"
            with open(maps) as file:  # noqa: PTH123 - no path of ours
                assert "libtorch" not in file.read()
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0


def test_the_command_reports_errors(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello")
    message = [
        sys.executable,
        "-m",
        "cstalk_bridge",
        "preview",
        str(tmp_path / "notes.txt"),
        "--port",
        "0",
    ]
    done = subprocess.run(message, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "notes.txt" in done.stderr
    assert "Traceback" not in done.stderr
