"""Text and YAML files of the user: plain data that knows its line and column, validated, every
problem at its place.
"""

from __future__ import annotations

import difflib
import re
import typing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast

import yaml
from pydantic import BaseModel, ValidationError
from pydantic.dataclasses import is_pydantic_dataclass

from cstalk_bridge.errors import Problem, UserError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from pydantic.fields import FieldInfo
    from pydantic_core import ErrorDetails


MAX_DEPTH = 32
"""Nesting of a document; ours need five."""
MAX_NODES = 100_000
"""Values of a document, aliases counted as often as they are used; a rig map has about 2000."""

MAX_INTEGER_BITS = 64
"""Of a whole number; none of ours needs more than 32."""

KeyPath = tuple[str | int, ...]
"""Keys and list indices from the top of a document to one value."""


class Loader(Protocol):
    """The part of PyYAML's safe loaders which is used here."""

    def get_event(self) -> yaml.Event | None:
        """Return the next event, None at the end."""

    def resolve(self, kind: type, value: str, implicit: tuple[bool, bool]) -> str:
        """Return the tag of a scalar."""

    def construct_object(self, node: yaml.ScalarNode) -> Any:
        """Return the value of a scalar."""

    def dispose(self) -> None:
        """Let go of the text."""


LOADER = cast("type[yaml.SafeLoader]", getattr(yaml, "CSafeLoader", yaml.SafeLoader))
"""libyaml's parser, ten times the speed of the plain one which serves where it is missing."""

_MERGE_KEY = "<<"
_NUMBER_TAGS = {"tag:yaml.org,2002:int", "tag:yaml.org,2002:float"}
_NO_TEXT = re.compile("[\0\ud800-\udfff]")
_PLAIN_TAGS = {None, "!", "tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"}


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in a text, counted from 1."""

    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.line}:{self.column}"


@dataclass(slots=True)
class Tree:
    """Plain data, where its values and keys stand, and what is wrong with it.

    `data` holds dict, list, str, int, float, bool, None, date and bytes only. An empty document is
    an empty dict. Of a key which stands twice the first value is kept and a problem is noted.
    """

    data: object = None
    values: dict[KeyPath, Mark] = field(default_factory=dict)
    keys: dict[KeyPath, Mark] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


@dataclass(slots=True)
class _Open:
    """A mapping or a list whose end has not been reached; `key` waits for its value."""

    data: dict[str, object] | list[object]
    path: KeyPath
    anchor: str | None
    key: str | None = None
    discarded: bool = False


def parse_tree(text: str, name: str, loader: type[yaml.SafeLoader] = LOADER) -> Tree:
    """Read one YAML document; `name` stands before every place in a problem.

    Raises UserError for what is not YAML and for a document beyond `MAX_DEPTH` or `MAX_NODES`.
    """
    try:
        return _Builder(cast("Loader", loader(text)), name).build()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{name}:{mark.line + 1}:{mark.column + 1}" if mark else name
        raise UserError(Problem(where, f"not YAML: {error.problem or error.context}")) from None
    except yaml.YAMLError as error:
        reason = getattr(error, "reason", None) or error
        raise UserError(Problem(name, f"not YAML: {reason}")) from None


class _Builder:
    """Consumes the events of one loader."""

    def __init__(self, loader: Loader, name: str) -> None:
        self._loader = loader
        self._name = name
        self._tree = Tree()
        self._open: list[_Open] = []
        self._anchors: dict[str, object] = {}
        self._nodes = 0
        self._documents = 0

    def build(self) -> Tree:
        """Consume all events."""
        while (event := self._loader.get_event()) is not None:
            start = cast("yaml.error.Mark", event.start_mark)
            self._take(event, Mark(start.line + 1, start.column + 1))
        self._loader.dispose()
        if self._tree.data is None:
            self._tree.data = {}
        return self._tree

    def _take(self, event: yaml.Event, mark: Mark) -> None:
        match event:
            case yaml.DocumentStartEvent():
                self._documents += 1
                if self._documents > 1:
                    raise self._refusal(mark, "a second document", "keep one document in a file")
            case yaml.ScalarEvent():
                self._take_scalar(event, mark)
            case yaml.AliasEvent():
                self._take_alias(str(event.anchor), mark)
            case yaml.MappingStartEvent() | yaml.SequenceStartEvent():
                if event.tag not in _PLAIN_TAGS:
                    raise self._refusal(mark, f"the tag {event.tag} is not read", "leave it out")
                mapping = isinstance(event, yaml.MappingStartEvent)
                self._enter({} if mapping else [], event.anchor, mark)
            case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                closed = self._open.pop()
                if closed.anchor:
                    self._anchors[closed.anchor] = closed.data

    def _take_scalar(self, event: yaml.ScalarEvent, mark: Mark) -> None:
        top = self._open[-1] if self._open else None
        if top and isinstance(top.data, dict) and top.key is None:
            self._take_key(top, event.value, mark)
            return
        value = self._scalar(event, mark)
        if event.anchor:
            self._anchors[event.anchor] = value
        self._place(value, mark)

    def _scalar(self, event: yaml.ScalarEvent, mark: Mark) -> object:
        """Return the value of a scalar; numbers to the base of 60, as `1:30`, are text."""
        self._need_text(event.value, mark)
        tag = event.tag
        if tag is None or tag == "!":
            tag = self._loader.resolve(yaml.ScalarNode, event.value, event.implicit)
            if tag in _NUMBER_TAGS and ":" in event.value:
                return event.value
        try:
            value = self._loader.construct_object(yaml.ScalarNode(tag, event.value))
        except (ValueError, OverflowError) as error:
            raise self._refusal(mark, f"not a value: {error}", "put it in quotes") from None
        except (AttributeError, LookupError, TypeError):
            # What PyYAML's constructors meet where a tag is put before a text of another form.
            what = f"{event.value[:60]!r} is no {tag.rpartition(':')[2]}"
            raise self._refusal(mark, what, "leave the tag out") from None
        if isinstance(value, int) and value.bit_length() > MAX_INTEGER_BITS:
            what = f"a whole number of more than {MAX_INTEGER_BITS} bits"
            raise self._refusal(mark, what, "write a smaller one")
        return value

    def _need_text(self, text: str, mark: Mark) -> None:
        """Refuse what no name, path or packet can have: NUL, and halves of surrogate pairs."""
        if _NO_TEXT.search(text):
            raise self._refusal(mark, "a character that is no text (NUL, surrogate)", "remove it")

    def _take_key(self, top: _Open, key: str, mark: Mark) -> None:
        self._need_text(key, mark)
        path = (*top.path, key)
        top.key, top.discarded = key, False
        if key == _MERGE_KEY:
            raise self._refusal(mark, "merge keys (<<) are not read", "write the keys out")
        if path in self._tree.keys:
            top.discarded = True
            first = self._tree.keys[path]
            self._note(mark, f"`{key}` stands twice, first in line {first.line}", "remove one")
            return
        self._tree.keys[path] = mark

    def _take_alias(self, anchor: str, mark: Mark) -> None:
        if anchor not in self._anchors:
            raise self._refusal(mark, f"the alias *{anchor} has no complete anchor before it", "")
        self._place_copy(self._anchors[anchor], mark)

    def _place_copy(self, value: object, mark: Mark) -> None:
        """Place what an alias stands for, entry by entry, so that it counts against the limits."""
        pending: list[tuple[str, object]] = [("value", value)]
        while pending:
            kind, item = pending.pop()
            if kind == "key":
                self._take_key(self._open[-1], str(item), mark)
            elif kind == "end":
                self._open.pop()
            elif isinstance(item, dict):
                self._enter({}, None, mark)
                pending.append(("end", None))
                for key, entry in reversed(item.items()):
                    pending += [("value", entry), ("key", key)]
            elif isinstance(item, list):
                self._enter([], None, mark)
                pending.append(("end", None))
                pending += [("value", entry) for entry in reversed(item)]
            else:
                self._place(item, mark)

    def _enter(
        self, data: dict[str, object] | list[object], anchor: str | None, mark: Mark
    ) -> None:
        if len(self._open) >= MAX_DEPTH:
            raise self._refusal(mark, f"nested deeper than {MAX_DEPTH}", "flatten it")
        path, discarded = self._place(data, mark)
        self._open.append(_Open(data, path, anchor, discarded=discarded))

    def _place(self, value: object, mark: Mark) -> tuple[KeyPath, bool]:
        """Put a value where the document stands; return its path and whether it is discarded."""
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise self._refusal(mark, f"more than {MAX_NODES} values", "use fewer aliases")
        if not self._open:
            self._tree.data = value
            self._tree.values[()] = mark
            return (), False
        top = self._open[-1]
        if isinstance(top.data, list):
            path: KeyPath = (*top.path, len(top.data))
            top.data.append(value)
        elif top.key is None:
            raise self._refusal(mark, "a key which is not plain text", "write the key as one word")
        else:
            path, top.key = (*top.path, top.key), None
            if top.discarded:
                # A path of its own, so that the keys inside do not look like second copies.
                return (*path, mark.line, mark.column), True
            top.data[str(path[-1])] = value
        self._tree.values[path] = mark
        return path, False

    def _refusal(self, mark: Mark, what: str, remedy: str) -> UserError:
        return UserError(Problem(f"{self._name}:{mark}", what, remedy))

    def _note(self, mark: Mark, what: str, remedy: str) -> None:
        self._tree.problems.append(Problem(f"{self._name}:{mark}", what, remedy))


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
        # A validator may choose a model that is derived from the annotated one.
        derived = [found for each in annotation.__subclasses__() for found in _models_in(each)]
        return [annotation, *derived]
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
