"""A YAML file with the line of everything in it.

The file may be anybody's. Its size, its depth and what its aliases expand to have a limit. A key
that stands twice is a fault: YAML keeps the last one in silence.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec
import yaml

from fleet_telemetry.api.schema import explain
from fleet_telemetry.linting.problem import FileError, Problem

Path = tuple[str | int, ...]
"""Where something is: keys of mappings and places in lists, from the document down."""
T = TypeVar("T")

LARGEST_FILE = 1 << 20
"""Bytes. An object of the API server has at most 1.5 MiB."""
_DEEPEST = 32
_MOST_NODES = 200_000
"""Nodes of the document, with every alias written out."""
_MOST_PROBLEMS = 100
_MESSAGE = re.compile(r"(?P<what>.*?)(?: - at `(?P<path>[^`]{0,4096})`)?", re.DOTALL)
_UNKNOWN_FIELD = re.compile(r"unknown field `(?P<name>[^`]{1,4096})`")
_STEP = re.compile(r"\.(?P<key>[^.\[\]]+)|\[(?P<place>\d+)\]")
_MERGE = "tag:yaml.org,2002:merge"
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
# What SafeLoader raises for a scalar that is not of the type that its tag names.
_CONSTRUCTION_ERRORS = (
    yaml.YAMLError,
    ValueError,
    LookupError,
    AttributeError,
    TypeError,
    OverflowError,
)


@dataclass(frozen=True)
class Document:
    """One YAML document, as plain data."""

    file: str
    data: Any
    root: yaml.Node

    @classmethod
    def parse(cls, file: str, text: bytes) -> Document:
        """Raises FileError."""
        if len(text) > LARGEST_FILE:
            what = f"the file has more than {LARGEST_FILE} bytes"
            raise FileError(Problem(file, 1, what, "split it"))
        try:
            _check_depth(file, text)
            loader = _LOADER(text)
            try:
                root = loader.get_single_node()
                if root is None:
                    raise FileError(Problem(file, 1, "the file is empty", "write one document"))
                problems = list(_find_faults(file, root))
                if problems:
                    raise FileError(*problems[:_MOST_PROBLEMS])
                return cls(file, loader.construct_document(root), root)
            finally:
                loader.dispose()
        except yaml.MarkedYAMLError as error:
            marks = [error.problem_mark, error.context_mark]
            if "end of stream" in (error.problem or ""):
                marks.reverse()  # what does not end is where it begins
            mark = marks[0] or marks[1]
            # libyaml notices some faults in the line after the last one.
            line = min(mark.line + 1, text.count(b"\n") + 1) if mark else 1
            what = " ".join(filter(None, (error.context, error.problem)))
            raise FileError(Problem(file, line, f"no YAML: {what}", "correct it")) from None
        except yaml.reader.ReaderError as error:
            position = error.position if isinstance(error.position, int) else 0
            line = text[:position].count(b"\n") + 1
            raise FileError(
                Problem(file, line, f"no YAML: {error.reason}", "write it in UTF-8")
            ) from None
        except _CONSTRUCTION_ERRORS as error:
            what = f"no YAML: a value is not of the type that it looks like ({error})"
            raise FileError(Problem(file, 1, what, "put it in quotes")) from None

    def line(self, *path: str | int) -> int:
        """The line of what is at a path, or of the nearest thing above it. An entry of a mapping
        is in the line of its key."""
        node, line = self.root, self.root.start_mark.line + 1
        for step in path:
            found = _child(node, step)
            if found is None:
                break
            line, node = found
        return line

    def problem(self, path: Path, what: str, advice: str) -> Problem:
        """A fault of what is at a path."""
        return Problem(self.file, self.line(*path), what, advice)

    def read(self, wanted: type[T]) -> T:
        """The data as a type. Raises FileError, with the first fault."""
        try:
            return msgspec.convert(self.data, wanted)
        except msgspec.ValidationError as error:
            said = explain(error)
            found = _MESSAGE.fullmatch(said)
            what, text = (found["what"], found["path"] or "") if found else (said, "")
            path = read_path(text)
            unknown = _UNKNOWN_FIELD.search(what)
            if unknown is not None:
                path = (*path, unknown["name"])
            where = f"{text.removeprefix('$').removeprefix('.')}: " if path else ""
            advice = "correct it"
            if "Expected `str" in what:
                advice = "put the value in quotes"
            elif "unknown field" in what:
                advice = "correct the name, or remove it"
            elif "missing required field" in what:
                advice = "add it"
            raise FileError(self.problem(path, f"{where}{what}", advice)) from None


def read_path(text: str) -> Path:
    """The path in a message of msgspec, such as ``$.spec.channels[0].rules[1]``."""
    return tuple(
        step["key"] if step["key"] is not None else int(step["place"])
        for step in _STEP.finditer(text)
    )


def _check_depth(file: str, text: bytes) -> None:
    """Before anything that calls itself reads the document."""
    depth = 0
    for event in yaml.parse(text, Loader=_LOADER):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > _DEEPEST:
            line = _line(event)
            what = f"more than {_DEEPEST} levels of nesting"
            raise FileError(Problem(file, line, what, "a product has fewer"))


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 1


def _find_faults(file: str, root: yaml.Node) -> Iterator[Problem]:
    sizes: dict[int, int] = {}
    above: set[int] = set()

    def visit(node: yaml.Node) -> Iterator[Problem]:
        if id(node) in sizes:
            return
        line = node.start_mark.line + 1
        if id(node) in above:
            raise FileError(Problem(file, line, "an alias within its own anchor", "write it out"))
        above.add(id(node))
        children: list[yaml.Node] = []
        if isinstance(node, yaml.MappingNode):
            yield from _check_keys(file, node)
            children = [part for pair in node.value for part in pair]
        elif isinstance(node, yaml.SequenceNode):
            children = list(node.value)
        for child in children:
            yield from visit(child)
        above.remove(id(node))
        sizes[id(node)] = 1 + sum(sizes[id(child)] for child in children)
        if sizes[id(node)] > _MOST_NODES:
            what = f"with its aliases written out it has more than {_MOST_NODES} values"
            raise FileError(Problem(file, line, what, "split the file"))

    yield from visit(root)


def _check_keys(file: str, node: yaml.MappingNode) -> Iterator[Problem]:
    seen: dict[str, int] = {}
    for key, _ in node.value:
        line = key.start_mark.line + 1
        if not isinstance(key, yaml.ScalarNode):
            yield Problem(file, line, "a key that is no word", "write a field's name")
        elif key.value in seen:
            what = f"{key.value!r} stands twice in one mapping, first in line {seen[key.value]}"
            advice = "write one << with a list" if key.tag == _MERGE else "keep one of them"
            yield Problem(file, line, what, advice)
        else:
            seen[key.value] = line


def _child(node: yaml.Node, step: str | int) -> tuple[int, yaml.Node] | None:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == step:
                return key.start_mark.line + 1, value
    elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        child = node.value[step]
        return child.start_mark.line + 1, child
    return None
