"""YAML text as plain data which still knows where everything stands.

The tree is built from parser events without recursion, so that neither deep nesting nor aliases of
aliases can exhaust the stack or the memory. Keys are read as text: `on:` is the key `on`, not true.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Protocol, cast

import yaml

from bridge.errors import Problem, UserError

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
