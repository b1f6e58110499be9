"""Text files of the user, read within bounds; YAML, checked, with every problem at its place."""

from __future__ import annotations

import difflib
import typing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic.dataclasses import is_pydantic_dataclass

from bridge.errors import Problem, UserError
from bridge.yaml_tree import LOADER, KeyPath, Mark, parse_tree

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    import yaml
    from pydantic.fields import FieldInfo
    from pydantic_core import ErrorDetails

__all__ = [
    "Document",
    "FieldError",
    "KeyPath",
    "examine",
    "line_and_column",
    "nearest",
    "parse_document",
    "read_document",
    "read_text",
    "validate",
]

MAX_BYTES = 1 << 20
"""Size of a file; the largest shipped rig map has about 20 kB."""
_MAX_SHOWN = 60
"""Characters of a wrong value in a problem."""

M = TypeVar("M", bound=BaseModel)


class FieldError(ValueError):
    """Raised by a model's validator to word a problem and its remedy."""

    def __init__(self, what: str, remedy: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.remedy = remedy


@dataclass(frozen=True, slots=True)
class Document:
    """The plain data of one file and where each key and value stands.

    `problems` are those found while reading (keys which stand twice); `validate` reports them
    together with its own.
    """

    name: str
    data: object
    values: Mapping[KeyPath, Mark]
    keys: Mapping[KeyPath, Mark]
    problems: tuple[Problem, ...] = ()

    def where(self, path: Sequence[str | int] = ()) -> str:
        """Return `name:line:column` of the value at a path, or of the nearest value around it."""
        for length in range(len(path), -1, -1):
            if mark := self.values.get(tuple(path[:length])):
                return f"{self.name}:{mark}"
        return self.name

    def where_key(self, path: Sequence[str | int]) -> str:
        """Return `name:line:column` of the key at a path, or of the nearest value around it."""
        mark = self.keys.get(tuple(path))
        return f"{self.name}:{mark}" if mark else self.where(path)


def read_document(path: Path) -> Document:
    """Read a YAML file; as `read_text`, and UserError where it is not YAML."""
    return parse_document(read_text(path), str(path))


def read_text(path: Path) -> str:
    """Read a text file of at most 1 MiB.

    Raises UserError for a file which cannot be read, is too large or is not UTF-8.
    """
    name = str(path)
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise UserError(Problem(name, "no such file", "check the path")) from None
    except OSError as error:
        raise UserError(Problem(name, f"cannot be read: {error.strerror}")) from None
    if len(content) > MAX_BYTES:
        raise UserError(Problem(name, f"larger than {MAX_BYTES} bytes", "split it"))
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        column = error.start - content.rfind(b"\n", 0, error.start)
        where = f"{name}:{line}:{column}"
        raise UserError(Problem(where, "not UTF-8 text", "save the file as UTF-8")) from None


def parse_document(text: str, name: str, loader: type[yaml.SafeLoader] = LOADER) -> Document:
    """Read YAML text; `name` stands for the file in every problem. Raises UserError if not YAML."""
    tree = parse_tree(text, name, loader)
    return Document(name, tree.data, tree.values, tree.keys, tuple(tree.problems))


def validate(model: type[M], document: Document) -> M:
    """Return the document as an instance of `model`.

    Raises UserError with every problem of the document, in the order of its lines.
    """
    instance, problems = examine(model, document)
    if instance is None or problems:
        raise UserError.of(problems)
    return instance


def examine(model: type[M], document: Document) -> tuple[M | None, list[Problem]]:
    """Return the instance, None where it cannot be made, and all problems in order of their lines.

    A validator of the model which raises FieldError is quoted as it is.
    """
    problems = list(document.problems)
    instance = None
    try:
        instance = model.model_validate(document.data)
    except ValidationError as error:
        problems += [
            _problem(model, document, details) for details in error.errors(include_url=False)
        ]
    return instance, sorted(problems, key=line_and_column)


def nearest(word: str, known: Iterable[str], limit: int = 8) -> str:
    """Return a remedy for an unknown word: the nearest known one, else up to `limit` of them."""
    candidates = list(known)
    folded = {candidate.casefold(): candidate for candidate in candidates}
    if close := difflib.get_close_matches(word.casefold(), folded, n=1, cutoff=0.6):
        return f"did you mean `{folded[close[0]]}`?"
    listed = ", ".join(candidates[:limit])
    return f"known: {listed}" + (", ..." if len(candidates) > limit else "")


def line_and_column(problem: Problem) -> tuple[int, int]:
    """Return the place of a problem within its file, to sort by; (0, 0) for the file as a whole."""
    parts = problem.where.rsplit(":", 2)
    if len(parts) < 3 or not (parts[1].isdigit() and parts[2].isdigit()):
        return (0, 0)
    return (int(parts[1]), int(parts[2]))


def _problem(model: type[BaseModel], document: Document, details: ErrorDetails) -> Problem:
    path, kind = _path(document.data, details), details["type"]
    shown = _dotted(path)
    of_key = details["loc"][-1:] == ("[key]",) and details["loc"][-2:-1] == path[-1:]
    where = document.where_key(path) if of_key else document.where(path)
    misfit = details.get("ctx", {}).get("error")
    if isinstance(misfit, FieldError):
        return Problem(where, misfit.what, misfit.remedy)
    if kind in {"extra_forbidden", "unexpected_keyword_argument"}:
        remedy = nearest(str(path[-1]), _known_keys(model, path[:-1]))
        return Problem(document.where_key(path), f"unknown key `{shown}`", remedy)
    if kind == "missing":
        return Problem(document.where(path[:-1]), f"`{shown}` is missing", "add it")
    subject = f"`{shown}`" if path else "the document"
    return Problem(where, f"{subject} {_wording(details)}")


def _wording(details: ErrorDetails) -> str:
    """Say what a value must be, and what it is."""
    if details["type"] in {"value_error", "assertion_error"}:
        return str(details["ctx"]["error"])
    if details["type"] in {"model_type", "model_attributes_type", "dict_type"}:
        message = "must be a mapping (`key: value` lines)"
    else:
        message = details["msg"].replace("Input should be", "must be", 1)
        message = message.replace("a valid ", "a ", 1)
    found = repr(details["input"])
    found = found if len(found) <= _MAX_SHOWN else found[: _MAX_SHOWN - 3] + "..."
    return f"{message}, found {found}"


def _path(data: Any, details: ErrorDetails) -> KeyPath:
    """Return the place of an error in the data, without what names a branch of a type only."""
    path: list[str | int] = []
    location = details["loc"]
    for position, step in enumerate(location):
        last = position == len(location) - 1
        keys = range(len(data)) if isinstance(data, list) else data
        if isinstance(keys, dict | range) and step in keys:
            path.append(step)
            data = data[step]
        elif last and details["type"] == "missing":
            path.append(step)
    return tuple(path)


def _known_keys(model: type[BaseModel], path: KeyPath) -> list[str]:
    models: list[type] = [model]
    for step in path:
        inner = [
            found
            for candidate in models
            if isinstance(step, str)
            for name, info in _fields(candidate).items()
            if step in {name, info.alias}
            for found in _models_in(info.annotation)
        ]
        models = inner or models
    return [info.alias or name for candidate in models for name, info in _fields(candidate).items()]


def _models_in(annotation: object) -> list[type]:
    if isinstance(annotation, type) and (
        issubclass(annotation, BaseModel) or is_pydantic_dataclass(annotation)
    ):
        return [annotation]
    return [found for part in typing.get_args(annotation) for found in _models_in(part)]


def _fields(model: type) -> Mapping[str, FieldInfo]:
    """Return the fields of a model or of a dataclass of pydantic's."""
    if issubclass(model, BaseModel):
        return model.model_fields
    fields: Mapping[str, FieldInfo] = model.__pydantic_fields__  # type: ignore[attr-defined]
    return fields


def _dotted(path: KeyPath) -> str:
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return text.removeprefix(".")
