"""docs/architecture.md names the existing modules and the running threads."""

from __future__ import annotations

import ast
import re
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import soundfile

from cstalk_bridge import daemon
from cstalk_bridge.config.schema import Config
from cstalk_bridge.control.controller import Controller
from cstalk_bridge.monitor.logs import log_to
from tests.networks import GUARDED, write_weights
from tests.outputs.metahuman.unreal import Unreal
from tests.outputs.receiving import receiver
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
TIMEOUT_S = 30.0

NEED_MORE = {
    "Dummy-N",
    "reopen mic",
    "close sound",
    "hotkey actions",
    "hotkeys",
    "passthrough",
    "config",
    "keys",
    "realtimekit",
}
"""Threads of a run that need an audio device, a config file, a terminal or RealtimeKit."""


def thread_rows() -> list[tuple[str, str]]:
    """The thread names of both tables with their modules."""
    tables = re.findall(r"^\| thread \|.*\n\|[-|]+\\?\n((?:\|.*\n)+)", PAGE, re.MULTILINE)
    assert len(tables) == 2
    rows = [
        [cell.strip() for cell in line.split("|")[1:3]] for line in "".join(tables).splitlines()
    ]
    names = [re.findall(r"^`([^`]+)`", row[0]) for row in rows]
    return [(name[0], row[1].strip("`")) for name, row in zip(names, rows, strict=True) if name]


def run_rows() -> set[str]:
    """The names of the threads of a run."""
    table = PAGE[PAGE.index("## Threads of a run") : PAGE.index("Other commands have threads")]
    return {name for name, _ in thread_rows() if f"| `{name}`" in table}


def name_in_table(name: str) -> str | None:
    """Return the row of a thread's name, where N stands for a number."""
    for row, _ in thread_rows():
        if re.fullmatch(re.escape(row).replace("N", r"\d+"), name):
            return row
    return None


def test_every_module_of_the_page_exists() -> None:
    named = set(re.findall(r"`((?:\w+/)+(?:\w+\.py)?|\w+\.py)`", PAGE))
    assert len(named) > 30
    assert [
        name for name in named if not any((ROOT / top / name).exists() for top in ("", "bridge"))
    ] == []


def test_every_package_has_a_row() -> None:
    packages = {path.parent.name for path in (ROOT / "bridge").glob("*/__init__.py")}
    assert packages == set(re.findall(r"`bridge/(\w+)`", PAGE))


MAKERS = {"Thread", "ThreadPoolExecutor", "Worker", "JobWorker"}
FOREIGN = ("MainThread", "AnyIO worker thread", "Dummy-N", "Thread-N")
"""Threads whose names libraries give."""


def names_in(source: Path) -> list[str]:
    """The names that a module gives to threads; of an f-string what comes before its values."""
    names = []
    for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in MAKERS:
            given = [word.value for word in node.keywords if word.arg == "name"] + node.args
            firsts = [v.values[0] if isinstance(v, ast.JoinedStr) else v for v in given]
            texts = [v.value for v in firsts if isinstance(v, ast.Constant)]
            names += [text for text in texts if isinstance(text, str)][:1]
    return names


def base_of(name: str) -> str:
    """A thread's name without its number in a pool."""
    return re.sub(r"_(\d|N)$", "", name)


def test_thread_names_of_the_table_are_in_their_modules() -> None:
    for name, module in thread_rows():
        if not name.startswith(FOREIGN):
            where = "daemon.py" if name.startswith("way") else module
            named = names_in(ROOT / "bridge" / where)
            is_prefix = any(base.endswith("-") and name.startswith(base) for base in named)
            assert base_of(name) in named or is_prefix, f"{where} has no thread {name!r}: {named}"


def test_every_thread_named_in_a_module_is_in_the_table() -> None:
    rows = {base_of(name) for name, _ in thread_rows()}
    sources = [p for p in (ROOT / "bridge").rglob("*.py") if "bench" not in p.parts]
    named = {name for source in sources for name in names_in(source)}
    assert len(named) > 20
    assert {name for name in named if not any(row.startswith(name) for row in rows)} == set()


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    with socket.socket(socket.AF_INET, kind) as bound:
        bound.bind(("127.0.0.1", 0))
        return int(bound.getsockname()[1])


@dataclass
class Addresses:
    """The addresses at which a bridge listens."""

    page: int = field(default_factory=free_port)
    device: int = field(default_factory=free_port)
    control: int = field(default_factory=lambda: free_port(socket.SOCK_DGRAM))


def everything_on(folder: Path, addresses: Addresses, timecode: object, target: object) -> Config:
    """A config with every part that needs no device."""
    links = [
        f"livelink-face://{target},no-such-host.invalid",
        f"metahuman://127.0.0.1:{addresses.device}",
    ]
    later = [{"at_s": 600, "emotion": "happy"}]
    subject = {"audio": {"input": "test"}, "links": links, "emotions": later}
    return Config.model_validate(
        {
            "weights": write_weights(folder / "small.safetensors", GUARDED),
            "device": "cpu",
            "dashboard": False,
            "timecode": timecode,
            "preview": f"127.0.0.1:{addresses.page}",
            "control": {"osc": f"127.0.0.1:{addresses.control}"},
            "recording": {"folder": folder / "takes"},
            "subjects": [subject],
        }
    )


def use_everything(addresses: Addresses) -> Iterator[None]:
    """Ask the page for its session and start a take at the device; end it after the first yield."""
    page = HTTPConnection("127.0.0.1", addresses.page, timeout=TIMEOUT_S)
    page.request("GET", "/api/session")
    assert page.getresponse().status == 200
    with Unreal(addresses.device) as unreal:
        unreal.connect()
        unreal.result("/take/record/start", {"slateName": "Threads", "takeNumber": 1})
        yield
        unreal.result("/take/record/stop")
    page.close()


def thread_names() -> set[str]:
    return {thread.name for thread in threading.enumerate()}


def observe(addresses: Addresses, controller: Controller, stop: threading.Event) -> set[str]:
    """Return the names of all threads while every part of the bridge is in use; then stop it."""
    try:
        assert controller.wait_until_running(TIMEOUT_S)
        using = use_everything(addresses)
        next(using)
        # A controller is connected before the threads of the way and the monitor are started.
        wait_until(lambda: {"way_1", "monitor"} <= thread_names(), TIMEOUT_S)
        names = thread_names()
        next(using, None)
        return names
    finally:
        stop.set()


@pytest.mark.parametrize("source", ["system", "ltc"])
def test_the_threads_of_a_run_are_those_of_the_table(tmp_path: Path, source: str) -> None:
    silence = tmp_path / "silence.wav"
    soundfile.write(silence, [0.0] * 48_000 * 60, 48_000)
    timecode = {"source": source, "audio": {"input": str(silence)} if source == "ltc" else None}
    addresses, controller, stop = Addresses(), Controller(), threading.Event()
    before = set(threading.enumerate())
    with receiver() as unreal, ThreadPoolExecutor(1, "observer") as observers:
        config = everything_on(tmp_path, addresses, timecode, unreal.target)
        names = observers.submit(observe, addresses, controller, stop)
        with log_to(tmp_path / "run.log", is_verbose=False):
            assert daemon.run(config, controller=controller, stop=stop, is_urgent=False) == 0
        seen = names.result() - {thread.name for thread in before} - {"observer_0"}
    rows = {name: name_in_table(name) for name in seen | {"MainThread"}}
    assert [name for name, row in rows.items() if row is None] == []
    absent = {"timecode"} if source == "system" else {"system clock", "clock discipline"}
    assert set(rows.values()) == run_rows() - NEED_MORE - absent
    wait_until(
        lambda: not set(threading.enumerate()) - before,
        TIMEOUT_S,
        reason=lambda: f"left behind: {set(threading.enumerate()) - before}",
    )
