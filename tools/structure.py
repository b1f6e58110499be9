"""Measures the structure of a checkout: `python -m tools.structure [ROOT]`.

Prints the modules and their sizes, the import circles, and which files one block of sound passes
from the audio device to the packets: a daemon speaks the bundled recording for a moment, and
every function that its audio, inference and tick threads enter meanwhile is noted.
"""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections import Counter, defaultdict
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROOT = Path(__file__).resolve().parents[1]

NAMES = {"bridge": "cstalk_bridge", "models": "cstalk_bridge.models"}
"""The folders of modules, and the packages they are installed as."""

SHORT_LINES = 45

WAY = "way"
"""The threads of inference and ticks are named so; what happens beside the way is not counted."""

WALK = """
import json, sys, threading, time
from pathlib import Path
root, seen, watching = Path(sys.argv[1]), {}, threading.Event()

def note(frame, event, argument):
    if event == "call" and watching.is_set():
        seen.setdefault(threading.current_thread().name, set()).add(frame.f_code.co_filename)

threading.setprofile(note)
stop = threading.Event()
def watch():
    time.sleep(3)
    watching.set()
    time.sleep(1)
    watching.clear()
    stop.set()
threading.Thread(target=watch, daemon=True).start()
PACKAGE = sys.argv[2]
load = __import__(f"{PACKAGE}.config.load", fromlist=["load"])
daemon = __import__(f"{PACKAGE}.daemon", fromlist=["daemon"])
config = load.load_config().model_copy(update={"dashboard": False})
daemon.run(config, stop=stop, is_urgent=False)
print(json.dumps({thread: sorted(files) for thread, files in seen.items()}))
"""
"""Runs the daemon of a checkout with its defaults and prints the files that each thread entered."""


def modules(root: Path) -> dict[str, Path]:
    """Return every module of the checkout by its installed name."""
    named = NAMES if (root / "tools").is_dir() else {folder: folder for folder in NAMES}
    return {
        ".".join((named[folder], *path.relative_to(root / folder).with_suffix("").parts))
        .removesuffix(".__init__"): path
        for folder in named
        for path in sorted((root / folder).rglob("*.py"))
    }  # fmt: skip


def imports(found: Mapping[str, Path]) -> dict[str, set[str]]:
    """Return which modules each module imports at its top, for types alone included."""
    return {name: set(_imported(name, path, found)) for name, path in found.items()}


def _imported(name: str, path: Path, found: Mapping[str, Path]) -> Iterator[str]:
    waiting: list[ast.AST] = [ast.parse(path.read_text(encoding="utf-8"))]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                for target in (f"{node.module}.{alias.name}", node.module):
                    if target in found:
                        if target != name:
                            yield target
                        break
        elif not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            waiting += ast.iter_child_nodes(node)


def circles(graph: Mapping[str, set[str]]) -> list[list[str]]:
    """Return the groups of nodes that reach each other, each sorted."""
    reach = {node: _reachable(node, graph) for node in graph}
    groups = {
        frozenset(other for other in reach[node] if node in reach.get(other, ())) for node in graph
    }
    return sorted(sorted(group) for group in groups if len(group) > 1)


def _reachable(node: str, graph: Mapping[str, set[str]]) -> set[str]:
    seen: set[str] = set()
    waiting = [node]
    while waiting:
        for target in graph.get(waiting.pop(), set()):
            if target not in seen:
                seen.add(target)
                waiting.append(target)
    return seen


def packages(graph: Mapping[str, set[str]]) -> dict[str, set[str]]:
    """Return the imports between packages: the folders below `bridge`, and those below `models`."""
    between: dict[str, set[str]] = defaultdict(set)
    for name, targets in graph.items():
        for target in targets:
            if package_of(name) != package_of(target):
                between[package_of(name)].add(package_of(target))
    return between


def package_of(module: str) -> str:
    """Return the room of a module: `cstalk_bridge.audio`, `cstalk_bridge.models.training`."""
    parts = module.split(".")
    return ".".join(parts[: 3 if "models" in parts[:2] and parts[0] != "models" else 2])


def walk(root: Path) -> dict[str, list[str]]:
    """Return the files of the checkout that each thread of its daemon enters in a second."""
    package = NAMES["bridge"] if (root / "tools").is_dir() else "bridge"
    command = [sys.executable, "-c", WALK, str(root), package]
    done = subprocess.run(  # noqa: S603 - ours
        command, cwd=root, capture_output=True, text=True, check=True, timeout=120
    )
    threads = json.loads(done.stdout.splitlines()[-1])
    own = tuple(f"{root / folder}/" for folder in NAMES)
    return {
        thread: [str(Path(file).relative_to(root)) for file in files if file.startswith(own)]
        for thread, files in threads.items()
        if thread.startswith(WAY)
    }


def main() -> None:
    """Print the structure of the checkout that is named, or of this one."""
    root = Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else ROOT
    found = modules(root)
    graph = imports(found)
    sizes = [len(path.read_text(encoding="utf-8").splitlines()) for path in found.values()]
    sizes = [lines for lines in sizes if lines > 1]
    importers = Counter(target for targets in graph.values() for target in targets)
    print(f"modules                    {len(sizes)}")
    print(f"lines, median and largest  {median(sizes):.0f}, {max(sizes)}")
    print(f"of {SHORT_LINES} lines or fewer       {sum(n <= SHORT_LINES for n in sizes)}")
    print(f"imported by one other      {sum(n == 1 for n in importers.values())}")
    print(f"circles of modules         {len(circles(graph))}")
    print(f"circles of packages        {len(circles(packages(graph)))}")
    threads = walk(root)
    passed = sorted({file for files in threads.values() for file in files})
    rooms = sorted({str(Path(file).parent) for file in passed})
    print(f"files a block and a tick enter  {len(passed)} in {len(rooms)} folders")
    for thread, files in threads.items():
        print(f"  {thread}: {', '.join(files)}")


if __name__ == "__main__":
    main()
