"""Digests of files and code, by which the preparation knows what changed."""

from __future__ import annotations

import ast
import hashlib
from importlib import resources
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


PACKAGE = "cstalk_bridge.models"
"""What a digest follows imports into."""


def code_digest(module: str) -> str:
    """Return a digest of a module of `models.training`, of what it imports of `models`, and of the
    tables which those name. Line endings make no difference. Raises FileNotFoundError for a module
    that does not exist.
    """
    files = resources.files(PACKAGE)
    contents: dict[str, bytes] = {}
    first = f"training/{module}.py"
    waiting = [first]
    while waiting:
        name = waiting.pop()
        if name in contents or not (name == first or files.joinpath(name).is_file()):
            continue
        contents[name] = files.joinpath(name).read_bytes().replace(b"\r\n", b"\n")
        if name.endswith(".py"):
            waiting += _named_files(contents[name], name.rpartition("/")[0])
    digest = hashlib.sha256()
    for name, content in sorted(contents.items()):
        digest.update(name.encode() + b"\0" + content)
    return digest.hexdigest()


def _named_files(code: bytes, folder: str) -> list[str]:
    names = []
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(f"{PACKAGE}."):
            path = str(node.module).removeprefix(f"{PACKAGE}.").replace(".", "/")
            names += [f"{path}.py", *(f"{path}/{alias.name}.py" for alias in node.names)]
        elif isinstance(node, ast.Constant) and str(node.value).endswith((".csv", ".json")):
            names.append(f"{folder}/{node.value!s}".lstrip("/"))
    return names


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
