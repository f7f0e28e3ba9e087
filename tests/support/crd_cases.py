"""What the tables are made of: for each field the values that are accepted and those that are not.

A check stands at a path of a full object, such as ``spec.exceptions[0].reason``. Its cases are that
object with one value changed, so a rejection can have one cause only. The values are written down,
not derived from the schema: otherwise the tests would follow whatever the schema becomes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

from fleet_telemetry.api.resources import API_VERSION, CustomResource

ABSENT: Any = type("Absent", (), {"__repr__": lambda _: "ABSENT"})()
"""In the place of a value: the field is not there."""

Manifest = dict[str, Any]

# Paths

_STEP = re.compile(r"\[(\d+)\]|\{([^}]*)\}|\.?([^.\[\]{}]+)")


def _steps(path: str) -> list[str | int]:
    """``a.b[0]{c}`` taken apart: a map's key stands in braces, for a schema does not name it."""
    return [int(index) if index else key or name for index, key, name in _STEP.findall(path)]


def schema_path(path: str) -> str:
    """The path in the schema: it knows neither indices nor a map's keys."""
    return re.sub(r"\{[^}]*\}", "{}", re.sub(r"\[[^]]*\]", "[]", path))


def get(tree: Any, path: str) -> Any:
    """The value at a path."""
    for step in _steps(path):
        tree = tree[step]
    return tree


def put(tree: Any, path: str, value: Any) -> Any:
    """A copy with another value at a path, or without it."""
    return _put(tree, _steps(path), value)


def _put(tree: Any, steps: Sequence[str | int], value: Any) -> Any:
    if not steps:
        return value
    step, *further = steps
    changed = tree.copy()
    if value is ABSENT and not further:
        changed.pop(step, None)
    else:
        changed[step] = _put(tree[step] if further else None, further, value)
    return changed


# Cases


@dataclass(frozen=True, kw_only=True)
class Try:
    """One value that a field is given, and what becomes of it."""

    keyword: str
    """Which part of the schema it shows."""
    value: Any
    says: str = ""
    """What the user reads who is rejected; empty where the value is accepted."""
    at: str = ""
    """Where the API server sees the mistake, below the field."""
    besides: Mapping[str, Any] = field(default_factory=dict)
    """Properties of the same object that have to change with it; from the root with a slash."""


def accept(keyword: str, value: Any, **more: Any) -> Try:
    return Try(keyword=keyword, value=value, **more)


def reject(keyword: str, value: Any, says: str, at: str = "") -> Try:
    return Try(keyword=keyword, value=value, says=says, at=at)


@dataclass(frozen=True, kw_only=True)
class Case:
    """A try in its place in an object."""

    kind: Kind = field(repr=False)
    path: str
    attempt: Try
    manifest: Manifest = field(repr=False)
    stored: Manifest | None = field(default=None, repr=False)
    """What the API server makes of it, where that has to be known."""

    @property
    def is_accepted(self) -> bool:
        return not self.attempt.says

    @property
    def root(self) -> str:
        """``spec``, ``status``, or nothing for the object itself."""
        return re.split(r"\W", self.path)[0]

    @property
    def field(self) -> str:
        """The path as the API server writes it."""
        path = re.sub(r"\{([^}]*)\}", r".\1", self.path)
        return f"{path}{self.attempt.at}".lstrip(".") or "<nil>"

    @property
    def id(self) -> str:
        """For the list of failures."""
        value = repr(self.attempt.value)
        short = value if len(value) <= 40 else f"{value[:37]}..."
        return f"{self.kind.resource.short_name}-{self.path}-{self.attempt.keyword}-{short}"


# Checks


@dataclass(frozen=True, kw_only=True)
class Rule:
    """A CEL rule by its message."""

    message: str
    accepts: Sequence[Any]
    rejects: Sequence[Any]

    def tries(self) -> Iterator[Try]:
        keyword = f"rule: {self.message}"
        yield from (accept(keyword, value) for value in self.accepts)
        yield from (reject(keyword, value, self.message) for value in self.rejects)


# Only values with which nothing else is wrong.
_MISTAKES: Mapping[str, Sequence[Any]] = {
    "string": (7, True),
    "date-time": (7, True),
    "integer": ("7",),
    "boolean": ("true", 1),
    "array": ("text",),
    "object": ("text", ["text"]),
}


@dataclass(frozen=True, kw_only=True)
class Check:
    """What every field has."""

    default: Any = ABSENT
    """What the API server puts there if it is left out."""
    given: Mapping[str, Any] = field(default_factory=dict)
    """What has to change beside it if it is left out."""
    rules: tuple[Rule, ...] = ()

    TYPE = ""

    def tries(self, value: Any) -> Iterator[Try]:  # noqa: ARG002  # others need it
        """What is tried in the place of the value that the full object has."""
        for mistake in _MISTAKES[self.TYPE]:
            yield reject("type", mistake, f"must be of type {self.TYPE}")
        for rule in self.rules:
            yield from rule.tries()


@dataclass(frozen=True, kw_only=True)
class Text(Check):
    """A string. ``shape`` makes a valid one of a given length, ``says`` is the sentence that a user
    reads of those that do not match; without it, the user reads the regular expression."""

    says: str = ""
    matches: Sequence[str] = ()
    mismatches: Sequence[str] = ()
    shortest: int = 0
    longest: int | None = None
    shape: Callable[[int], str] = lambda length: "a" * length

    TYPE = "string"

    def tries(self, value: Any) -> Iterator[Try]:
        yield from super().tries(value)
        keyword = f"rule: {self.says}" if self.says else "pattern"
        yield from (accept(keyword, text) for text in self.matches)
        for text in self.mismatches:
            yield reject(keyword, text, self.says or "in body should match '^")
        if self.shortest:
            yield accept("minLength", self.shape(self.shortest))
            says = f"should be at least {self.shortest} chars long"
            yield from (reject("minLength", self.shape(n), says) for n in {0, self.shortest - 1})
        elif not self.matches and not self.rules:
            yield accept("type", "")
        if self.longest is not None:
            yield accept("maxLength", self.shape(self.longest))
            says = f"Too long: may not be more than {self.longest} bytes"
            yield reject("maxLength", self.shape(self.longest + 1), says)
            if not self.matches:
                # Characters count, whatever the API server's message says.
                yield accept("maxLength", "é" * (self.longest - 1) + "\U0001f54a")


@dataclass(frozen=True, kw_only=True)
class Time(Check):
    """A point in time. (A list passes the API server's checks, as with every format.)"""

    TYPE = "date-time"

    def tries(self, value: Any) -> Iterator[Try]:
        yield from super().tries(value)
        for time in (
            "2027-03-01T00:00:00Z",
            "2027-03-01T00:00:00+01:00",
            "2027-03-01T00:00:00.123456Z",
        ):
            yield accept("format", time)
        for mistake in (
            "",
            "next spring",
            "2027-03-01",
            "2027-02-30T00:00:00Z",
            "2027-03-01T25:00:00Z",
            "2027-03-01T00:00:00",
        ):
            yield reject("format", mistake, "must be of type date-time")


@dataclass(frozen=True, kw_only=True)
class Choice(Check):
    """One of a few words. ``beside`` says what has to change with some of them."""

    of: tuple[str, ...]
    beside: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    TYPE = "string"

    def tries(self, value: Any) -> Iterator[Try]:
        yield from super().tries(value)
        keyword = _enum_keyword(self.of)
        for word in self.of:
            yield accept(keyword, word, besides=self.beside.get(word, {}))
        says = "supported values: " + ", ".join(f'"{word}"' for word in self.of)
        for word in ("", self.of[0].swapcase(), f"{self.of[0]} "):
            yield reject(keyword, word, says)


@dataclass(frozen=True, kw_only=True)
class Number(Check):
    """A whole number."""

    lowest: int
    highest: int | None = None

    TYPE = "integer"

    def tries(self, value: Any) -> Iterator[Try]:
        yield from super().tries(value)
        yield accept("minimum", self.lowest)
        says = f"should be greater than or equal to {self.lowest}"
        yield reject("minimum", self.lowest - 1, says)
        if self.highest is None:
            yield accept("type", 2**53)
        else:
            yield accept("maximum", self.highest)
            says = f"should be less than or equal to {self.highest}"
            yield reject("maximum", self.highest + 1, says)


@dataclass(frozen=True, kw_only=True)
class Flag(Check):
    """Yes or no."""

    TYPE = "boolean"

    def tries(self, value: Any) -> Iterator[Try]:
        yield from super().tries(value)
        yield accept("type", not value, besides=self.given)


@dataclass(frozen=True, kw_only=True)
class Array(Check):
    """A list. ``item`` makes one after the other; ``twin`` one with the key (or keys, with blanks
    between them) of the first."""

    item: Callable[[int], Any]
    kind: Literal["set", "map", "atomic"]
    key: str = ""
    twin: Any = ABSENT
    shortest: int = 0
    longest: int | None = None

    TYPE = "array"

    def tries(self, value: Any) -> Iterator[Try]:
        yield from super().tries(value)
        if self.shortest:
            yield accept("minItems", self._items(self.shortest))
            says = f"should have at least {self.shortest} items"
            yield reject("minItems", self._items(self.shortest - 1), says)
        else:
            yield accept("type", [], besides=self.given)
        if self.longest is not None:
            yield accept("maxItems", self._items(self.longest))
            says = f"Too many: {self.longest + 1}: must have at most {self.longest} items"
            yield reject("maxItems", self._items(self.longest + 1), says)
        keyword = _list_keyword(self.kind, *self.key.split())
        twins = [self.item(0), self.item(0) if self.twin is ABSENT else self.twin]
        if self.kind == "atomic":
            yield accept(keyword, twins)
        else:
            yield accept(keyword, self._items(2))
            yield reject(keyword, twins, "Duplicate value", at="[1]")

    def _items(self, count: int) -> list[Any]:
        return [self.item(index) for index in range(count)]


@dataclass(frozen=True, kw_only=True)
class Map(Check):
    """A map of strings."""

    longest: int

    TYPE = "object"

    def tries(self, value: Any) -> Iterator[Try]:
        yield from super().tries(value)
        yield accept("type", {})
        yield accept("maxProperties", self._entries(self.longest))
        says = f"Too many: {self.longest + 1}: must have at most {self.longest} items"
        yield reject("maxProperties", self._entries(self.longest + 1), says)

    def _entries(self, count: int) -> dict[str, str]:
        return {f"key-{index}": "value" for index in range(count)}


@dataclass(frozen=True, kw_only=True)
class Object(Check):
    """An object. ``atomic``: it is merged as a whole, and here are two of them."""

    required: tuple[str, ...] = ()
    atomic: tuple[Any, Any] | None = None

    TYPE = "object"

    def tries(self, value: Any) -> Iterator[Try]:
        yield from super().tries(value)
        yield reject("unknown field", {**value, "nonsense": 1}, "unknown field", at=".nonsense")
        for name in self.required:
            for nothing in (ABSENT, None):
                lacking = put(value, name, nothing)
                yield reject(f"required: {name}", lacking, "Required value", at=f".{name}")
        if self.atomic:
            yield from (accept("x-kubernetes-map-type", whole) for whole in self.atomic)


# Kinds


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A resource, an object of it that has every field, and a check for every field."""

    resource: CustomResource
    full: Manifest
    """Without apiVersion, kind and metadata."""
    bare: Manifest
    """The least that is accepted."""
    table: Mapping[str, Check]

    @cached_property
    def checks(self) -> Mapping[str, Check]:
        """The checks by their path in the schema."""
        return {schema_path(path): check for path, check in self.table.items()}

    def manifest(self, name: str, content: Manifest) -> Manifest:
        """An object of the kind, ready to be sent."""
        identity = {"apiVersion": API_VERSION, "kind": self.resource.kind}
        return {**identity, "metadata": {"name": name}, **content}

    def cases(self) -> Iterator[Case]:
        """Every case of the table."""
        for path in ("", "status"):
            yield self._case(path, accept("type", get(self.full, path)), stored=self.full)
        for path, check in self.table.items():
            for attempt in check.tries(get(self.full, path)):
                if path or attempt.keyword != "type":  # text has no kind to be sent to
                    yield self._case(path, attempt)
            if self._is_optional(path):
                for nothing in (ABSENT, None):
                    case = self._case(path, accept("default", nothing, besides=check.given))
                    yield replace(case, stored=put(case.manifest, path, check.default))

    def _case(self, path: str, attempt: Try, stored: Manifest | None = None) -> Case:
        manifest = put(self.full, path, attempt.value)
        for name, value in attempt.besides.items():
            place = name[1:] if name.startswith("/") else f"{_parent(path)[0]}.{name}"
            manifest = put(manifest, place, value)
        return Case(kind=self, path=path, attempt=attempt, manifest=manifest, stored=stored)

    def _is_optional(self, path: str) -> bool:
        if not path or path.endswith(("]", "}")):
            return False
        owner, name = _parent(path)
        holder = self.checks[schema_path(owner)]
        assert isinstance(holder, Object)
        return name not in holder.required


def _parent(path: str) -> tuple[str, str]:
    """A property's object and name."""
    head, _, name = path.rpartition(".")
    return head, name


# Schemas


def _list_keyword(kind: str, *keys: str) -> str:
    return f"list: {' of '.join((kind, *keys))}"


def _enum_keyword(words: Sequence[str]) -> str:
    return f"enum: {', '.join(words)}"


_STRUCTURE = {"description", "properties", "items", "additionalProperties"}
_SAID_OTHERWISE = {
    "required",
    "enum",
    "x-kubernetes-validations",
    "x-kubernetes-list-type",
    "x-kubernetes-list-map-keys",
}


def nodes(schema: Manifest, path: str = "") -> Iterator[tuple[str, Manifest]]:
    """Every schema inside of a schema, itself included. What all objects have is left out."""
    yield path, schema
    for name, part in schema.get("properties", {}).items():
        if path or name in ("spec", "status"):
            yield from nodes(part, f"{path}.{name}".lstrip("."))
    if "items" in schema:
        yield from nodes(schema["items"], f"{path}[]")
    if "additionalProperties" in schema:
        yield from nodes(schema["additionalProperties"], f"{path}{{}}")


def keywords(schema: Manifest) -> Iterator[str]:
    """Everything that a schema asks for by itself, without its parts."""
    yield from (f"required: {name}" for name in schema.get("required", ()))
    for rule in schema.get("x-kubernetes-validations", ()):
        yield f"rule: {rule['message']}"
    if "x-kubernetes-list-type" in schema:
        keys = schema.get("x-kubernetes-list-map-keys", ())
        yield _list_keyword(schema["x-kubernetes-list-type"], *keys)
    if "enum" in schema:
        yield _enum_keyword(schema["enum"])
    yield from schema.keys() - _STRUCTURE - _SAID_OTHERWISE
