"""Reads plain YAML event by event: without anchors and tags, and no key twice.

It needs little time, and memory for one object of a List. It leaves everything else to the linter's
loader.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import yaml

from fleet_telemetry.audit.kubernetes_yaml import LOADER, Meaning, meaning_of
from fleet_telemetry.linting.document import Path as Steps
from fleet_telemetry.objects.manifest import Manifest, text_at

DEEPEST = 128
"""Levels. The deepest objects are definitions of custom resources."""
DEEPEST_LIST = 4
_MOST_WITHOUT_KIND = 10_000
"""Objects of a List whose own kind stands after them."""
_MOST_SCALARS = 8192
_LONGEST_SCALAR = 128
"""Characters. Few longer ones come again."""
_MERGE = "<<"


@dataclass(frozen=True, slots=True)
class Found:
    """Something in a document."""

    line: int
    manifest: Manifest | None
    """None if it is an object that is not wanted."""
    is_object: bool = True
    """It has a kind. Values of a chart have none."""
    steps: Steps = ()
    """Where in the document it is."""


class OddError(Exception):
    """The document is not plain."""


class NotWantedError(Exception):
    """The document is an object of a kind that is not wanted."""


class Events:
    """Reads one chunk, event by event."""

    def __init__(self, text: bytes, first_line: int, is_wanted: Callable[[str], bool]) -> None:
        self._loader = LOADER(text)
        self._get = self._loader.get_event
        self._first = first_line
        self._is_wanted = is_wanted
        self.line = 1

    def close(self) -> None:
        """Free what libyaml holds."""
        self._loader.dispose()

    def read(self) -> Iterator[Found]:
        """Raises YAMLError, OddError and NotWantedError."""
        get = self._get
        documents = 0
        while True:
            event = get()
            kind = type(event)
            if kind is yaml.StreamEndEvent:
                return
            if kind is yaml.MappingStartEvent:
                _check_plain(event)
                yield from self._root(event, (), 0, single=documents == 1)
            elif kind is yaml.ScalarEvent and event.implicit[0] and not event.value:
                pass  # an empty document
            elif kind is yaml.DocumentStartEvent:
                documents += 1
                if documents > 1:
                    raise OddError("several documents")
            elif kind not in (yaml.StreamStartEvent, yaml.DocumentEndEvent):
                raise OddError("a document that is no object")

    def _root(
        self, start: yaml.MappingStartEvent, steps: Steps, depth: int, *, single: bool
    ) -> Iterator[Found]:
        """One object, or those of a List while they are read. ``single``: it is the first document
        of its text."""
        get = self._get
        line = self._first + (start.start_mark.line if start.start_mark is not None else 0)
        found: dict[str, Any] = {}
        waiting: list[Found] = []
        is_list = False
        while True:
            key = get()
            if type(key) is yaml.MappingEndEvent:
                break
            name = self._key(key, found)
            event = get()
            if name == "items" and type(event) is yaml.SequenceStartEvent and depth < DEEPEST_LIST:
                _check_plain(event)
                is_list = True
                found[name] = ()
                yield from self._items_with_kind((*steps, "items"), depth + 1, waiting)
                continue
            found[name] = value = self._value(event, 1)
            if name == "kind" and single and not depth and self._is_of_no_interest(value):
                raise NotWantedError
        if is_list:
            yield from with_kind(found, waiting)
        else:
            yield Found(line, found, is_object=bool(text_at(found, "kind")), steps=steps)

    def _is_of_no_interest(self, kind: object) -> bool:
        return isinstance(kind, str) and not kind.endswith("List") and not self._is_wanted(kind)

    def _items_with_kind(self, steps: Steps, depth: int, waiting: list[Found]) -> Iterator[Found]:
        """The items that have a kind; the others wait for that of their List."""
        for one in self._items(steps, depth):
            if one.is_object:
                yield one
            elif len(waiting) >= _MOST_WITHOUT_KIND:
                raise OddError("a List whose kind stands after its items")
            else:
                waiting.append(one)

    def _items(self, steps: Steps, depth: int) -> Iterator[Found]:
        get = self._get
        place = 0
        while True:
            event = get()
            kind = type(event)
            if kind is yaml.SequenceEndEvent:
                return
            if kind is yaml.MappingStartEvent:
                _check_plain(event)
                yield from self._root(event, (*steps, place), depth, single=False)
            else:
                self._value(event, 1)
            place += 1

    def _value(self, event: Any, depth: int) -> Any:
        kind = type(event)
        if kind is yaml.ScalarEvent:
            if event.tag is not None or event.anchor is not None:
                raise self._odd(event, "a tag or an anchor")
            value: str = event.value
            if not event.implicit[0]:
                return value  # in quotes, or a block
            found = _SCALARS.get(value, _SCALARS)
            return _resolve(value) if found is _SCALARS else found
        if depth > DEEPEST:
            raise self._odd(event, f"more than {DEEPEST} levels of nesting")
        if kind is yaml.AliasEvent or event.tag is not None or event.anchor is not None:
            raise self._odd(event, "an alias, a tag or an anchor")
        return self._mapping(depth) if kind is yaml.MappingStartEvent else self._sequence(depth)

    def _mapping(self, depth: int) -> dict[str, Any]:
        get = self._get
        mapping: dict[str, Any] = {}
        while True:
            key = get()
            if type(key) is yaml.MappingEndEvent:
                return mapping
            name = self._key(key, mapping)
            mapping[name] = self._value(get(), depth + 1)

    def _sequence(self, depth: int) -> list[Any]:
        get = self._get
        items: list[Any] = []
        while True:
            item = get()
            if type(item) is yaml.SequenceEndEvent:
                return items
            items.append(self._value(item, depth + 1))

    def _key(self, event: Any, seen: dict[str, Any]) -> str:
        if type(event) is not yaml.ScalarEvent or event.tag is not None or event.anchor is not None:
            raise self._odd(event, "a key that is no word")
        name: str = event.value
        if name in seen or (name == _MERGE and event.implicit[0]):
            raise self._odd(event, "a key that stands twice, or a merge")
        return name

    def _odd(self, event: Any, what: str) -> OddError:
        mark = event.start_mark
        self.line = mark.line + 1 if mark is not None else 1
        return OddError(what)


def _resolve(word: str) -> Meaning:
    """What a word without quotes means."""
    found = meaning_of(word)
    if len(_SCALARS) >= _MOST_SCALARS:
        _SCALARS.clear()
    if len(word) <= _LONGEST_SCALAR:
        _SCALARS[word] = found
    return found


_SCALARS: dict[str, Any] = {}
"""What words without quotes mean; most come again and again."""


def _check_plain(event: Any) -> None:
    if event.tag is not None or event.anchor is not None:
        raise OddError("a tag or an anchor")


def with_kind(of_list: Manifest, items: Iterable[Found]) -> Iterator[Found]:
    """Items of a List that leave out their kind and version, as the API server does it."""
    kind = text_at(of_list, "kind").removesuffix("List")
    common = {"kind": kind, "apiVersion": of_list.get("apiVersion")}
    for one in items:
        yield replace(one, manifest={**common, **(one.manifest or {})}, is_object=bool(kind))
