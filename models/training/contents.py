"""Digests of files and code, by which the preparation knows what changed, and whole writes."""

from __future__ import annotations

import ast
import hashlib
from importlib import resources
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

PACKAGE = "models.training"


def code_digest(module: str) -> str:
    """Return a digest of a module of this package, of all that it imports from it, and of the
    tables which those name. Line endings make no difference.
    """
    files = resources.files(PACKAGE)
    contents: dict[str, bytes] = {}
    waiting = [f"{module}.py"]
    while waiting:
        name = waiting.pop()
        if name in contents or not files.joinpath(name).is_file():
            continue
        contents[name] = files.joinpath(name).read_bytes().replace(b"\r\n", b"\n")
        if name.endswith(".py"):
            waiting += _named_files(contents[name])
    digest = hashlib.sha256()
    for name, content in sorted(contents.items()):
        digest.update(name.encode() + b"\0" + content)
    return digest.hexdigest()


def _named_files(code: bytes) -> list[str]:
    names = []
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.ImportFrom) and node.module == PACKAGE:
            names += [f"{alias.name}.py" for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.append(node.module.removeprefix(f"{PACKAGE}.") + ".py")
        elif isinstance(node, ast.Constant) and str(node.value).endswith((".csv", ".json")):
            names.append(str(node.value))
    return [name for name in names if "/" not in name]


def files_digest(folder: Path, paths: Iterable[Path]) -> str:
    """Return a digest of the files `paths` under `folder`, names and contents."""
    digest = hashlib.sha256()
    for path in sorted(paths):
        digest.update(f"{path.relative_to(folder).as_posix()} {file_digest(path)}\n".encode())
    return digest.hexdigest()


def file_digest(path: Path) -> str:
    """Return the SHA-256 of one file of any size."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def text_digest(*texts: str) -> str:
    """Return the SHA-256 of several texts, in order."""
    digest = hashlib.sha256()
    for text in texts:
        digest.update(f"{len(text)}:{text}".encode())
    return digest.hexdigest()


def write_whole(path: Path, text: str) -> None:
    """Write a text file whole or not at all, with the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)
