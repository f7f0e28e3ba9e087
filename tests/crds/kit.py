"""What the table of rules is made of: for each field its accepted and its rejected values.

A check stands at a path of a full object, such as ``spec.exceptions[0].reason``. Its cases are that
object with one value changed, so a rejection can have one cause only. The values are written down,
not derived from the schema: otherwise the tests would follow whatever the schema becomes.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from fleet_telemetry.model.resources import API_VERSION, CustomResource
from fleet_telemetry.model.schema import ApiType

ABSENT: Any = type("Absent", (), {"__repr__": lambda _: "ABSENT"})()
"""In the place of a value: the field is not there."""

Manifest = dict[str, Any]
Verdict = Literal["accept", "reject", "merge"]

_STEP = re.compile(r"\[(\d+)\]|\{([^}]*)\}|\.?([^.\[\]{}]+)")

# Paths


def steps(path: str) -> list[str | int]:
    """``a.b[0]{c}`` taken apart: a map's key stands in braces, for a schema does not name it."""
    return [int(index) if index else key or name for index, key, name in _STEP.findall(path)]


def schema_path(path: str) -> str:
    """The path in the schema: it knows neither indices nor a map's keys."""
    return re.sub(r"\{[^}]*\}", "{}", re.sub(r"\[\d+\]", "[]", path))


def parent(path: str) -> tuple[str, str]:
    """A property's object and name. Items of lists and maps have no name."""
    if path.endswith(("]", "}")):
        return path, ""
    head, _, name = path.rpartition(".")
    return head, name


def get(tree: Any, path: str) -> Any:
    """The value at a path."""
    for step in steps(path):
        tree = tree[step]
    return tree


def put(tree: Manifest, path: str, value: Any) -> Manifest:
    """A copy with another value at a path, or without it."""
    copied = copy.deepcopy(tree)
    *way, last = steps(path)
    place: Any = copied
    for step in way:
        place = place[step]
    if value is ABSENT:
        place.pop(last, None)
    else:
        place[last] = copy.deepcopy(value)
    return copied


def without_empties(tree: Any) -> Any:
    """What a value says: an empty list, map or string says no more than its absence."""
    if isinstance(tree, dict):
        parts = {key: without_empties(part) for key, part in tree.items()}
        return {key: part for key, part in parts.items() if part not in ("", [], {}, None)}
    if isinstance(tree, list):
        return [without_empties(part) for part in tree]
    return tree


def additions(sent: Any, stored: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """What stands in the stored value and was not sent; AssertionError if something else changed."""
    if isinstance(sent, dict) and isinstance(stored, dict):
        for key, value in stored.items():
            where = f"{path}.{key}" if path else key
            if sent.get(key) is None:
                yield where, value
            else:
                yield from additions(sent[key], value, where)
        lost = {key for key, value in sent.items() if value is not None} - stored.keys()
        assert not lost, f"{path}: {lost} did not arrive"
    elif isinstance(sent, list) and isinstance(stored, list):
        assert len(sent) == len(stored), f"{path}: items came or went"
        for before, after in zip(sent, stored, strict=True):
            yield from additions(before, after, f"{path}[]")
    else:
        assert sent == stored, f"{path}: another value than what was sent"


# Cases


@dataclass(frozen=True, kw_only=True)
class Bug:
    """Why a case does not hold today; its tests are strict xfails."""

    reason: str
    api: bool = False
    python: bool = False


@dataclass(frozen=True, kw_only=True)
class Try:
    """One value that a field is given, and what becomes of it."""

    keyword: str
    verdict: Verdict
    value: Any
    says: str = ""
    """What the user who is rejected reads."""
    at: str = ""
    """Where the API server sees the mistake, below the field."""
    besides: Mapping[str, Any] = field(default_factory=dict)
    """Properties of the same object that have to change with it."""
    other: Any = None
    """To be merged: what a second manager applies."""
    bug: Bug | None = None


@dataclass(frozen=True, kw_only=True)
class Case:
    """A try in its place in an object."""

    resource: CustomResource
    path: str
    attempt: Try
    manifest: Manifest

    @property
    def key(self) -> tuple[str, str]:
        """Which part of which schema it shows."""
        return schema_path(self.path), self.attempt.keyword

    @property
    def root(self) -> str:
        """``spec`` or ``status``."""
        return "status" if self.path.startswith("status") else "spec"

    @property
    def type(self) -> type[ApiType]:
        """The Python type of that part."""
        return type_of(self.resource, self.root)

    @property
    def field(self) -> str:
        """The path as the API server writes it."""
        path = re.sub(r"\{([^}]*)\}", r".\1", self.path)
        return f"{path}{self.attempt.at}".lstrip(".") or "<nil>"

    @property
    def python_path(self) -> str:
        """The path as msgspec writes it."""
        path = re.sub(r"\{[^}]*\}", "[...]", self.path)
        return path.replace(self.root, "$", 1)

    @property
    def id(self) -> str:
        """For the list of tests."""
        value = repr(self.attempt.value)
        short = value if len(value) <= 40 else f"{value[:37]}..."
        return f"{self.resource.short_name}-{self.path}-{self.attempt.keyword}-{short}"


def type_of(resource: CustomResource, root: str) -> type[ApiType]:
    """The Python type of a resource's spec or status."""
    found = resource.spec if root == "spec" else resource.status
    assert found is not None
    return found


# Checks


def accept(keyword: str, value: Any, **more: Any) -> Try:
    return Try(keyword=keyword, verdict="accept", value=value, **more)


def reject(keyword: str, value: Any, says: str, **more: Any) -> Try:
    return Try(keyword=keyword, verdict="reject", value=value, says=says, **more)


_OF_TYPE = {
    "string": "of text",
    "integer": 7,
    "number": 1.5,
    "boolean": True,
    "array": ["an item"],
    "object": {"a": "property"},
}
# What JSON tells apart; an integer is also a number, so a number is of no use there.
_MISTAKEN_FOR = {
    "string": ("boolean", "integer", "number", "array", "object"),
    "integer": ("string", "boolean", "number", "array"),
    "boolean": ("string", "integer"),
    "array": ("object", "string", "boolean"),
    "object": ("array", "string", "boolean"),
}


@dataclass(frozen=True, kw_only=True)
class Rule:
    """A CEL rule by its message."""

    message: str
    accepts: Sequence[Any]
    rejects: Sequence[Any]

    def tries(self) -> Iterator[Try]:
        keyword = f"x-kubernetes-validations: {self.message}"
        yield from (accept(keyword, value) for value in self.accepts)
        yield from (reject(keyword, value, self.message) for value in self.rejects)


@dataclass(frozen=True, kw_only=True)
class Check:
    """What every field has."""

    default: Any = ABSENT
    """What the API server puts there if it is left out."""
    given: Mapping[str, Any] = field(default_factory=dict)
    """What has to change beside it if it is left out or empty."""
    rules: tuple[Rule, ...] = ()

    TYPE = ""

    def tries(self) -> Iterator[Try]:
        """What is tried."""
        for other in _MISTAKEN_FOR[self.TYPE]:
            says = f'must be of type {self.TYPE}: "{other}"'
            yield reject("type", _OF_TYPE[other], says)
        for rule in self.rules:
            yield from rule.tries()


@dataclass(frozen=True, kw_only=True)
class Text(Check):
    """A string. ``shape`` makes a valid one of a given length."""

    matches: Sequence[str] = ()
    mismatches: Sequence[str] = ()
    python_mismatches: Sequence[str] = ()
    """What the API server accepts and Python does not: a bug."""
    python_bug: str = ""
    shortest: int = 0
    longest: int | None = None
    shape: Callable[[int], str] = lambda length: "a" * length

    TYPE = "string"

    def tries(self) -> Iterator[Try]:
        yield from super().tries()
        # No field is for one language only.
        yield accept("type", self.matches[0] if self.matches else self.shape(max(self.shortest, 5)))
        for value in self.matches:
            yield accept("pattern", value)
        for value in self.mismatches:
            yield reject("pattern", value, "in body should match '^")
        if self.matches:
            yield reject(
                "pattern", f"{self.matches[0]}\n", "in body should match '^", bug=NEWLINE_BUG
            )
        for value in self.python_mismatches:
            yield accept("pattern", value, bug=Bug(reason=self.python_bug, python=True))
        if self.shortest:
            yield accept("minLength", self.shape(self.shortest))
            for length in {0, self.shortest - 1}:
                says = f"should be at least {self.shortest} chars long"
                yield reject("minLength", self.shape(length), says)
        elif not self.matches and not self.rules:
            yield accept("type", "")
        if self.longest is not None:
            yield accept("maxLength", self.shape(self.longest))
            says = f"Too long: may not be more than {self.longest} bytes"
            yield reject("maxLength", self.shape(self.longest + 1), says)
            if not self.matches:
                # Characters count, whatever the API server's message says.
                yield accept("maxLength", "é" * (self.longest - 1) + "\U0001f54a")
                yield reject("maxLength", "é" * (self.longest + 1), says)


NEWLINE_BUG = Bug(
    reason="In Python $ also matches before a last newline, in Go it does not: the type accepts "
    "what the API server rejects.",
    python=True,
)
DATE_TIME_BUG = (
    "The fields of type datetime have no `format: date-time`, because msgspec writes it for "
    "tz=True only: the API server takes any text."
)


@dataclass(frozen=True, kw_only=True)
class Time(Check):
    """A point in time."""

    TYPE = "string"

    def tries(self) -> Iterator[Try]:
        yield from super().tries()
        for value in (
            "2027-03-01T00:00:00Z",
            "2027-03-01T00:00:00+01:00",
            "2027-03-01T00:00:00.123456Z",
        ):
            yield accept("type", value)
            yield accept("format", value)
        for value, type_takes_it in (
            ("next spring", False),
            ("", False),
            ("2027-03-01", False),
            ("2027-02-30T00:00:00Z", False),
            ("2027-03-01T25:00:00Z", False),
            # Compared with now, this raises TypeError.
            ("2027-03-01T00:00:00", True),
        ):
            bug = Bug(reason=DATE_TIME_BUG, api=True, python=type_takes_it)
            yield reject("format", value, "must be of type date-time", bug=bug)


@dataclass(frozen=True, kw_only=True)
class Choice(Check):
    """One of a few words. ``beside`` says what has to change with some of them."""

    of: tuple[str, ...]
    beside: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    TYPE = "string"

    def tries(self) -> Iterator[Try]:
        yield from super().tries()
        yield accept("type", self.of[0])
        says = "supported values: " + ", ".join(f'"{word}"' for word in self.of)
        for word in self.of:
            yield accept("enum", word, besides=self.beside.get(word, {}))
            yield reject("enum", word.swapcase(), says)
        for word in ("", "Nonsense", f"{self.of[0]} "):
            yield reject("enum", word, says)


@dataclass(frozen=True, kw_only=True)
class Number(Check):
    """A whole number."""

    lowest: int
    highest: int | None = None

    TYPE = "integer"

    def tries(self) -> Iterator[Try]:
        yield from super().tries()
        yield accept("type", 5)
        yield accept("minimum", self.lowest)
        says = f"should be greater than or equal to {self.lowest}"
        yield reject("minimum", self.lowest - 1, says)
        if self.highest is not None:
            yield accept("maximum", self.highest)
            says = f"should be less than or equal to {self.highest}"
            yield reject("maximum", self.highest + 1, says)
        else:
            yield accept("minimum", 2**53)


@dataclass(frozen=True, kw_only=True)
class Flag(Check):
    """Yes or no."""

    TYPE = "boolean"

    def tries(self) -> Iterator[Try]:
        yield from super().tries()
        yield from (accept("type", value) for value in (True, False))


@dataclass(frozen=True, kw_only=True)
class Array(Check):
    """A list. ``item`` makes one after the other; ``twin`` one with the key of the first."""

    item: Callable[[int], Any]
    kind: Literal["set", "map", "atomic"]
    keys: tuple[str, ...] = ()
    twin: Any = ABSENT
    shortest: int = 0
    longest: int | None = None

    TYPE = "array"

    def tries(self) -> Iterator[Try]:
        yield from super().tries()
        yield accept("type", [self.item(0)])
        if self.shortest:
            yield accept("minItems", self.items(self.shortest))
            says = f"should have at least {self.shortest} items"
            yield reject("minItems", self.items(self.shortest - 1), says)
        else:
            yield accept("type", [], besides=self.given)
        if self.longest is not None:
            yield accept("maxItems", self.items(self.longest))
            says = f"Too many: {self.longest + 1}: must have at most {self.longest} items"
            yield reject("maxItems", self.items(self.longest + 1), says)
        yield from self._tries_of_kind()

    def _tries_of_kind(self) -> Iterator[Try]:
        first, second = self.item(0), self.item(1)
        keyword = f"x-kubernetes-list-type: {self.kind}"
        merge = Try(keyword=keyword, verdict="merge", value=[first], other=[second])
        yield merge
        twins = [first, first if self.twin is ABSENT else self.twin]
        if self.kind == "atomic":
            yield accept("type", twins)
            return
        yield accept(keyword, [first, second])
        yield reject(keyword, twins, "Duplicate value", at="[1]")
        if self.kind == "map":
            keyword = f"x-kubernetes-list-map-keys: {', '.join(self.keys)}"
            yield accept(keyword, [first, second])
            yield reject(keyword, twins, "Duplicate value", at="[1]")

    def items(self, count: int) -> list[Any]:
        return [self.item(index) for index in range(count)]


@dataclass(frozen=True, kw_only=True)
class Map(Check):
    """A map of strings."""

    longest: int

    TYPE = "object"

    def tries(self) -> Iterator[Try]:
        for other in _MISTAKEN_FOR[self.TYPE]:
            yield reject("type", _OF_TYPE[other], f'must be of type object: "{other}"')
        yield accept("type", {})
        yield accept("maxProperties", {f"key-{n}": "value" for n in range(self.longest)})
        says = f"Too many: {self.longest + 1}: must have at most {self.longest} items"
        yield reject("maxProperties", {f"key-{n}": "value" for n in range(self.longest + 1)}, says)


@dataclass(frozen=True, kw_only=True)
class Object(Check):
    """An object. Its other properties are optional; ``atomic`` has two values to merge."""

    required: tuple[str, ...] = ()
    alone: bool = True
    """Whether it may consist of its required properties only."""
    atomic: tuple[Any, Any] | None = None

    TYPE = "object"

    def tries(self) -> Iterator[Try]:
        yield from super().tries()
        if self.atomic:
            keyword = "x-kubernetes-map-type: atomic"
            one, two = self.atomic
            yield Try(keyword=keyword, verdict="merge", value=one, other=two)

    def tries_with(self, value: Mapping[str, Any]) -> Iterator[Try]:
        """What can be tried once the object's full value is known."""
        yield accept("type", value)
        bare = {name: value[name] for name in self.required}
        if self.alone:
            yield accept("type", bare)
        for name in self.required:
            keyword = f"required: {name}"
            if self.alone:
                yield accept(keyword, bare)
            yield accept(keyword, value)
            for nothing in (ABSENT, None):
                lacking = put(dict(value), name, nothing)
                yield reject(keyword, lacking, "Required value", at=f".{name}")


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

    @property
    def checks(self) -> Mapping[str, Check]:
        """The checks by their path in the schema."""
        return {schema_path(path): check for path, check in self.table.items()}

    def manifest(self, name: str, content: Mapping[str, Any]) -> Manifest:
        """An object of the kind, ready to be sent."""
        metadata = {"name": name}
        if self.resource.namespaced:
            metadata["namespace"] = "default"
        identity = {"apiVersion": API_VERSION, "kind": self.resource.kind, "metadata": metadata}
        return {**identity, **copy.deepcopy(dict(content))}

    def cases(self) -> Iterator[Case]:
        """Every case of the table."""
        for path, check in self.table.items():
            for attempt in self._tries(path, check):
                manifest = put(self.full, path, attempt.value) if path else attempt.value
                for name, value in attempt.besides.items():
                    manifest = put(manifest, f"{parent(path)[0]}.{name}", value)
                yield Case(resource=self.resource, path=path, attempt=attempt, manifest=manifest)

    def _tries(self, path: str, check: Check) -> Iterator[Try]:
        if path:
            yield from check.tries()
        else:
            yield from (attempt for rule in check.rules for attempt in rule.tries())
        if isinstance(check, Object):
            yield from check.tries_with(get(self.full, path) if path else self.full)
        owner, name = parent(path)
        if not name:
            return
        holder = self.checks[schema_path(owner)]
        assert isinstance(holder, Object)
        if name not in holder.required:
            keyword = "type" if check.default is ABSENT else "default"
            for nothing in (ABSENT, None):
                yield accept(keyword, nothing, besides=check.given)


# Schemas


_STRUCTURE = {"description", "properties", "items", "additionalProperties"}


def constraints(schema: Manifest, path: str = "") -> Iterator[tuple[str, str]]:
    """Everything that a schema asks for, by path and keyword."""
    for keyword, value in schema.items():
        if keyword == "required":
            yield from ((path, f"required: {name}") for name in value)
        elif keyword == "x-kubernetes-validations":
            yield from ((path, f"{keyword}: {rule['message']}") for rule in value)
        elif keyword in ("x-kubernetes-list-type", "x-kubernetes-map-type"):
            yield path, f"{keyword}: {value}"
        elif keyword == "x-kubernetes-list-map-keys":
            yield path, f"{keyword}: {', '.join(value)}"
        elif keyword not in _STRUCTURE and (path or keyword != "type"):
            yield path, keyword
    for below, part in parts(schema, path):
        yield from constraints(part, below)


def parts(schema: Manifest, path: str) -> Iterator[tuple[str, Manifest]]:
    """The schemas inside of a schema. What every object has is left to Kubernetes."""
    for name, part in schema.get("properties", {}).items():
        if path or name in ("spec", "status"):
            yield f"{path}.{name}" if path else name, part
    if "items" in schema:
        yield f"{path}[]", schema["items"]
    if isinstance(schema.get("additionalProperties"), dict):
        yield f"{path}{{}}", schema["additionalProperties"]


def nodes(schema: Manifest, path: str = "") -> Iterator[tuple[str, Manifest]]:
    """Every schema inside of a schema, itself included."""
    yield path, schema
    for below, part in parts(schema, path):
        yield from nodes(part, below)
