"""The cached objects of one kind, and how a full list replaces them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

from fleet_telemetry.objects.manifest import Manifest, text_at

ObjectKey = tuple[str, str]
"""Namespace (empty for a cluster-scoped object) and name."""

_K = TypeVar("_K")
_T = TypeVar("_T")


def object_key(manifest: Manifest) -> ObjectKey:
    """The key of an object that the API server returned."""
    metadata = manifest["metadata"]
    return metadata.get("namespace", ""), metadata["name"]


@dataclass
class _Replacement:
    """The keys seen while a full list is read."""

    listed: set[ObjectKey] = field(default_factory=set)
    touched: set[ObjectKey] = field(default_factory=set)
    """Keys of objects for which a watch event arrived meanwhile."""


@dataclass(frozen=True)
class Listing:
    """Takes the objects of a full list while it is read."""

    upsert: Callable[[Manifest], None]
    """Take an object of the list."""
    delete: Callable[[Manifest], None]
    """Drop an object that was deleted while the list was read."""


class ReflectorStore(ABC):
    """Takes the watch events and the full lists of one kind.

    A watch event that arrives while a list is read is at least as new as the list. So the list
    neither overwrites nor removes that object.
    """

    def __init__(self) -> None:
        self._replacement: _Replacement | None = None

    def upsert(self, manifest: Manifest) -> None:
        """Add or update an object from a watch event or from the response to a write."""
        key = object_key(manifest)
        self._touch(key)
        self._put(key, manifest)

    def delete(self, manifest: Manifest) -> None:
        """Delete an object that a watch event reports as deleted.

        An object of the same name with another UID is kept. Events of different objects arrive in
        any order, so the successor may be cached already.
        """
        key = object_key(manifest)
        self._touch(key)
        self._remove(key, text_at(manifest, "metadata", "uid"))

    @contextmanager
    def replace(self) -> Iterator[Listing]:
        """Replace the content by a full list. Yields what takes each listed object.

        At the end, objects that were not listed are removed: the watch may have missed their
        deletion. If the block raises, the list may be incomplete, and nothing is removed.
        """
        replacement = self._replacement = _Replacement()

        def upsert_listed(manifest: Manifest) -> None:
            key = object_key(manifest)
            replacement.listed.add(key)
            if key not in replacement.touched:
                self._put(key, manifest)

        def unlist(manifest: Manifest) -> None:
            # It is removed at the end, like all that is not listed.
            replacement.listed.discard(object_key(manifest))

        try:
            yield Listing(upsert_listed, unlist)
            for key in set(self._object_keys()) - replacement.listed - replacement.touched:
                self._remove(key, None)
            self._replaced(replacement.listed | replacement.touched)
        finally:
            self._replacement = None

    def _replaced(self, present: Collection[ObjectKey]) -> None:  # noqa: B027  # most need it not
        """Called when a full list has replaced the content: with the keys of all that was listed,
        or that a watch event named meanwhile."""

    def _touch(self, key: ObjectKey) -> None:
        if self._replacement is not None:
            self._replacement.touched.add(key)

    @abstractmethod
    def _put(self, key: ObjectKey, manifest: Manifest, /) -> None:
        """Add or update an object."""

    @abstractmethod
    def _remove(self, key: ObjectKey, uid: str | None) -> None:
        """Remove an object if it is cached; with a ``uid``, only if it has that UID."""

    @abstractmethod
    def _object_keys(self) -> Iterable[ObjectKey]:
        """The keys of all cached objects."""


class Store(ReflectorStore, Mapping[_K, _T]):
    """The decoded objects of one kind, by key. Readers see a read-only mapping."""

    def __init__(
        self,
        key: Callable[[ObjectKey], _K],
        decode: Callable[[ObjectKey, Manifest], _T],
        on_change: Callable[[_K, _T | None, _T | None], None] = lambda *_: None,
    ) -> None:
        """``on_change`` gets the key and the decoded object before and after. Before is None for a
        new object, after is None for a deleted one. It is not called if both are equal."""
        super().__init__()
        self._key = key
        self._decode = decode
        self._on_change = on_change
        self._objects: dict[_K, _T] = {}
        self._uids: dict[ObjectKey, str] = {}

    def __getitem__(self, key: _K) -> _T:
        return self._objects[key]

    def __iter__(self) -> Iterator[_K]:
        return iter(self._objects)

    def __len__(self) -> int:
        return len(self._objects)

    def _put(self, key: ObjectKey, manifest: Manifest, /) -> None:
        own_key, after = self._key(key), self._decode(key, manifest)
        before = self._objects.get(own_key)
        self._uids[key] = text_at(manifest, "metadata", "uid")
        if before != after:
            self._objects[own_key] = after
            self._on_change(own_key, before, after)

    def _remove(self, key: ObjectKey, uid: str | None) -> None:
        if uid is not None and self._uids.get(key, uid) != uid:
            return
        self._uids.pop(key, None)
        own_key = self._key(key)
        before = self._objects.pop(own_key, None)
        if before is not None:
            self._on_change(own_key, before, None)

    def _object_keys(self) -> Iterable[ObjectKey]:
        return self._uids
