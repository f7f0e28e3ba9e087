"""A YAML file with the line of everything in it.

The file may be anybody's. Its size, its depth and what its aliases expand to have a limit. A key
that stands twice is a fault: YAML keeps the last one in silence.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import msgspec
import yaml

from fleet_telemetry.api.schema import explain
from fleet_telemetry.linting.problem import FileError, FileProblem

Path = tuple[str | int, ...]
"""Where something is: keys of mappings and places in lists, from the document down."""
T = TypeVar("T")

LARGEST_FILE = 1 << 20
"""Bytes. An object of the API server has at most 1.5 MiB."""
_MOST_PROBLEMS = 100
_MESSAGE = re.compile(r"(?P<what>.*?)(?: - at `(?P<path>[^`]{0,4096})`)?", re.DOTALL)
_UNKNOWN_FIELD = re.compile(r"unknown field `(?P<name>[^`]{1,4096})`")
_STEP = re.compile(r"\.(?P<key>[^.\[\]]+)|\[(?P<place>\d+)\]")
_MERGE = "tag:yaml.org,2002:merge"
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True)
class DocumentLimits:
    """What a document may be."""

    size: int = LARGEST_FILE
    """Bytes."""
    depth: int = 32
    nodes: int = 200_000
    """Values, with every alias written out."""
    loader: Any = _LOADER
    """A loader of PyYAML that constructs plain data."""


_OF_A_PRODUCT = DocumentLimits()
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
    first_line: int = 1
    """Where the document begins in the file."""

    @classmethod
    def parse(
        cls, file: str, text: bytes, first_line: int = 1, limits: DocumentLimits = _OF_A_PRODUCT
    ) -> Document:
        """Raises FileError."""
        try:
            return cls._parse(file, text, first_line, limits)
        except FileError as error:
            if first_line == 1:
                raise
            raise FileError(
                *(replace(one, line=one.line + first_line - 1) for one in error.problems)
            ) from None

    @classmethod
    def _parse(cls, file: str, text: bytes, first_line: int, limits: DocumentLimits) -> Document:
        if len(text) > limits.size:
            what = f"the file has more than {limits.size} bytes"
            raise FileError(FileProblem(file, 1, what, "split it"))
        try:
            check_depth(file, text, limits)
            loader = limits.loader(text)
            try:
                root = loader.get_single_node()
                if root is None:
                    raise FileError(FileProblem(file, 1, "the file is empty", "write one document"))
                problems = list(_find_faults(file, root, limits.nodes))
                if problems:
                    raise FileError(*problems[:_MOST_PROBLEMS])
                return cls(file, loader.construct_document(root), root, first_line)
            finally:
                loader.dispose()
        except _CONSTRUCTION_ERRORS as error:
            raise FileError(yaml_problem(file, text, error)) from None

    def line(self, *path: str | int) -> int:
        """The line of what is at a path, or of the nearest thing above it. An entry of a mapping
        is in the line of its key."""
        node, line = self.root, self.root.start_mark.line + 1
        for step in path:
            found = _child(node, step)
            if found is None:
                break
            line, node = found
        return self.first_line + line - 1

    def problem(self, path: Path, what: str, advice: str) -> FileProblem:
        """A fault of what is at a path."""
        return FileProblem(self.file, self.line(*path), what, advice)

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


def yaml_problem(file: str, text: bytes, error: Exception) -> FileProblem:
    """What an error of PyYAML says of a text."""
    if isinstance(error, yaml.MarkedYAMLError):
        marks = [error.problem_mark, error.context_mark]
        if "end of stream" in (error.problem or ""):
            marks.reverse()  # what does not end is where it begins
        mark = marks[0] or marks[1]
        # libyaml notices some faults in the line after the last one.
        line = min(mark.line + 1, text.count(b"\n") + 1) if mark else 1
        what = " ".join(filter(None, (error.context, error.problem)))
        return FileProblem(file, line, f"no YAML: {what}", "correct it")
    if isinstance(error, yaml.reader.ReaderError):
        position = error.position if isinstance(error.position, int) else 0
        line = text.count(b"\n", 0, position) + 1
        return FileProblem(file, line, f"no YAML: {error.reason}", "write it in UTF-8")
    what = f"no YAML: a value is not of the type that it looks like ({error})"
    return FileProblem(file, 1, what, "put it in quotes")


def check_depth(file: str, text: bytes, limits: DocumentLimits) -> None:
    """Before anything that calls itself reads the document. Raises FileError."""
    depth = 0
    for event in yaml.parse(text, Loader=limits.loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > limits.depth:
            line = _line(event)
            what = f"more than {limits.depth} levels of nesting"
            raise FileError(FileProblem(file, line, what, "write it with fewer"))


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 1


def _find_faults(file: str, root: yaml.Node, most_nodes: int) -> Iterator[FileProblem]:
    sizes: dict[int, int] = {}
    above: set[int] = set()

    def visit(node: yaml.Node) -> Iterator[FileProblem]:
        if id(node) in sizes:
            return
        line = node.start_mark.line + 1
        if id(node) in above:
            raise FileError(
                FileProblem(file, line, "an alias within its own anchor", "write it out")
            )
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
        if sizes[id(node)] > most_nodes:
            what = f"with its aliases written out it has more than {most_nodes} values"
            raise FileError(FileProblem(file, line, what, "split the file"))

    yield from visit(root)


def _check_keys(file: str, node: yaml.MappingNode) -> Iterator[FileProblem]:
    seen: dict[str, int] = {}
    for key, _ in node.value:
        line = key.start_mark.line + 1
        if not isinstance(key, yaml.ScalarNode):
            yield FileProblem(file, line, "a key that is no word", "write a field's name")
        elif key.value in seen:
            what = f"{key.value!r} stands twice in one mapping, first in line {seen[key.value]}"
            advice = "write one << with a list" if key.tag == _MERGE else "keep one of them"
            yield FileProblem(file, line, what, advice)
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
