"""Text and YAML files of the user: plain data with lines and columns, and its validation, which
reports every problem at its place.
"""

from __future__ import annotations

import difflib
import re
import typing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError
from pydantic.dataclasses import is_pydantic_dataclass

from cstalk_bridge.models.errors import Problem, UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
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


LOADER: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml's parser, ten times the speed of the plain one, which serves where it is missing."""

_NUMBER_TAGS = {"tag:yaml.org,2002:int", "tag:yaml.org,2002:float"}
_TEXT_TAG = "tag:yaml.org,2002:str"
_CONTAINER_TAGS = {"tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"}
_NO_TEXT = re.compile("[\0\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in a text, counted from 1."""

    line: int
    column: int

    @classmethod
    def of(cls, mark: Any) -> Mark:
        """Return the place of a mark of PyYAML's."""
        return cls(mark.line + 1, mark.column + 1)

    def __str__(self) -> str:
        return f"{self.line}:{self.column}"


@dataclass(slots=True)
class Tree:
    """Plain data, the places of its values and keys, and what is wrong with it.

    `data` holds dict, list, str, int, float, bool, None, date and bytes only. An empty document is
    an empty dict. Of a key that is given twice the first value is kept and a problem is noted.
    """

    data: object = None
    values: dict[KeyPath, Mark] = field(default_factory=dict)
    keys: dict[KeyPath, Mark] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


def parse_tree(text: str, name: str, loader: type[yaml.SafeLoader] = LOADER) -> Tree:
    """Read one YAML document; `name` stands before every place in a problem.

    Raises UserError for what is not YAML and for a document beyond `MAX_DEPTH` or `MAX_NODES`.
    """
    try:
        aliases = _alias_places(_bounded(yaml.parse(text, Loader=loader), name), name)
        composing = _without_base_60(loader)(text)
        try:
            return _TreeReader(composing, name, aliases).read()
        finally:
            composing.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{name}:{Mark.of(mark)}" if mark else name
        raise UserError(Problem(where, f"not YAML: {error.problem or error.context}")) from None
    except yaml.YAMLError as error:
        reason = getattr(error, "reason", None) or error
        raise UserError(Problem(name, f"not YAML: {reason}")) from None


def _without_base_60(loader: type[yaml.SafeLoader]) -> type[yaml.SafeLoader]:
    """Return a loader for which numbers to the base of 60, as `1:30`, are text."""

    class Loader(loader):  # type: ignore[misc, valid-type]
        def resolve(self, kind: type, value: str, implicit: Any) -> str:
            tag = str(super().resolve(kind, value, implicit))
            return _TEXT_TAG if tag in _NUMBER_TAGS and ":" in value else tag

    return Loader


def _refusal(name: str, mark: Mark, what: str, remedy: str = "") -> UserError:
    return UserError(Problem(f"{name}:{mark}", what, remedy))


def _bounded(events: Iterable[Any], name: str) -> Iterator[Any]:
    """Yield events; UserError for a second document and one too large or deep to be composed."""
    documents = nodes = depth = 0
    for event in events:
        documents += isinstance(event, yaml.DocumentStartEvent)
        nodes += isinstance(event, yaml.NodeEvent)
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        mark = Mark.of(event.start_mark)
        if documents > 1:
            raise _refusal(name, mark, "a second document", "keep one document in a file")
        if nodes > 2 * MAX_NODES:  # of which half may be keys
            raise _refusal(name, mark, f"more than {MAX_NODES} values", "split the file")
        if depth > MAX_DEPTH:
            raise _refusal(name, mark, f"nested deeper than {MAX_DEPTH}", "flatten it")
        yield event


def _alias_places(events: Iterable[Any], name: str) -> list[Mark]:
    """Return the places of all aliases; UserError for one before, or in, what it repeats."""
    places: list[Mark] = []
    complete: set[str | None] = set()
    anchors: list[str | None] = []
    for event in events:
        match event:
            case yaml.AliasEvent():
                places.append(Mark.of(event.start_mark))
                if event.anchor not in complete:
                    what = f"the alias *{event.anchor} has no complete anchor before it"
                    raise _refusal(name, places[-1], what)
            case yaml.ScalarEvent():
                complete.add(event.anchor)
            case yaml.CollectionStartEvent():
                anchors.append(event.anchor)
            case yaml.CollectionEndEvent():
                complete.add(anchors.pop())
    return places


class _TreeReader:
    """Reads the nodes that a loader composes, in the order of the document.

    A node that comes again is an alias: its values have the place of the alias and count again.
    """

    def __init__(self, loader: yaml.SafeLoader, name: str, aliases: Iterable[Mark]) -> None:
        self._loader = loader
        self._name = name
        self._aliases = iter(aliases)
        self._seen: set[int] = set()
        self._nodes = 0
        self._tree = Tree()

    def read(self) -> Tree:
        """Return the tree of the one document."""
        node = self._loader.get_single_node()
        data = None if node is None else self._value(node, (), None)
        self._tree.data = {} if data is None else data
        return self._tree

    def _value(self, node: yaml.Node, path: KeyPath, copy: Mark | None, depth: int = 0) -> object:
        """Return the value of a node; `copy` is the place of the alias around it."""
        mark, copy = self._place(node, copy)
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise _refusal(self._name, mark, f"more than {MAX_NODES} values", "use fewer aliases")
        self._tree.values[path] = mark
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, mark)
        if node.tag not in _CONTAINER_TAGS:
            raise _refusal(self._name, mark, f"the tag {node.tag} is not read", "leave it out")
        if depth >= MAX_DEPTH:
            raise _refusal(self._name, mark, f"nested deeper than {MAX_DEPTH}", "flatten it")
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path, copy, depth + 1)
        return [
            self._value(entry, (*path, index), copy, depth + 1)
            for index, entry in enumerate(node.value)
        ]

    def _place(self, node: yaml.Node, copy: Mark | None) -> tuple[Mark, Mark | None]:
        """Return the place of a node, and that of the alias it belongs to, if any."""
        if copy is None and id(node) in self._seen:
            copy = next(self._aliases)
        self._seen.add(id(node))
        return copy or Mark.of(node.start_mark), copy

    def _mapping(
        self, node: yaml.MappingNode, path: KeyPath, copy: Mark | None, depth: int
    ) -> dict[str, object]:
        data: dict[str, object] = {}
        for key_node, value_node in node.value:
            is_alias = copy is None and id(key_node) in self._seen
            mark, _ = self._place(key_node, copy)
            if is_alias or not isinstance(key_node, yaml.ScalarNode):
                what = "a key that is not plain text"
                raise _refusal(self._name, mark, what, "write the key as one word")
            key = self._key(key_node, mark)
            place = (*path, key)
            if (first := self._tree.keys.get(place)) is not None:
                what = f"`{key}` is given twice, first in line {first.line}"
                problem = Problem(f"{self._name}:{mark}", what, "remove one")
                self._tree.problems.append(problem)
                # A path of its own, so that the keys inside do not look like second copies.
                self._value(value_node, (*place, mark.line, mark.column), copy, depth)
                continue
            self._tree.keys[place] = mark
            data[key] = self._value(value_node, place, copy, depth)
        return data

    def _key(self, node: yaml.ScalarNode, mark: Mark) -> str:
        key = str(node.value)
        self._need_text(key, mark)
        if key == "<<":
            raise _refusal(self._name, mark, "merge keys (<<) are not read", "write the keys out")
        return key

    def _scalar(self, node: yaml.ScalarNode, mark: Mark) -> object:
        self._need_text(node.value, mark)
        try:
            value: object = self._loader.construct_object(node)
        except (ValueError, OverflowError) as error:
            raise _refusal(self._name, mark, f"not a value: {error}", "put it in quotes") from None
        except (AttributeError, LookupError, TypeError):
            # PyYAML's constructors raise these where a tag stands before a text of another form.
            what = f"{node.value[:60]!r} is not a valid {node.tag.rpartition(':')[2]}"
            raise _refusal(self._name, mark, what, "leave the tag out") from None
        if isinstance(value, int) and value.bit_length() > MAX_INTEGER_BITS:
            what = f"a whole number of more than {MAX_INTEGER_BITS} bits"
            raise _refusal(self._name, mark, what, "write a smaller one")
        return value

    def _need_text(self, text: str, mark: Mark) -> None:
        """Refuse what no name, path or packet can have: NUL, and halves of surrogate pairs."""
        if _NO_TEXT.search(text):
            raise _refusal(
                self._name, mark, "a character that is not text (NUL, surrogate)", "remove it"
            )


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


def validation_problems(
    error: ValidationError, where: Callable[[Sequence[str | int]], str], remedy: str = ""
) -> list[Problem]:
    """Return what a model found wrong; `where` gives the place of a location in the data.

    `remedy` is that of problems for which the model words none.
    """
    problems = []
    for details in error.errors(include_url=False):
        place, worded = where(details["loc"]), details.get("ctx", {}).get("error")
        if isinstance(worded, FieldError):
            problems.append(Problem(place, worded.what, worded.remedy))
        else:
            problems.append(Problem(place, _wording(details), remedy))
    return problems


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
    worded = details.get("ctx", {}).get("error")
    if isinstance(worded, FieldError):
        return Problem(where, worded.what, worded.remedy)
    if kind in {"extra_forbidden", "unexpected_keyword_argument"}:
        remedy = nearest(str(path[-1]), _known_keys(model, path[:-1]))
        return Problem(document.where_key(path), f"unknown key `{shown}`", remedy)
    if kind == "missing":
        return Problem(document.where(path[:-1]), f"`{shown}` is missing", "add it")
    subject = f"`{shown}`" if path else "the document"
    return Problem(where, f"{subject} {_wording(details)}")


def _wording(details: ErrorDetails) -> str:
    """Return what a value must be, and what it is."""
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
