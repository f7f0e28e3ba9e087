"""The cached objects of one kind, and how a full list replaces them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TypeVar

from fleet_telemetry.kube.raw_object import RawObject, number_of
from fleet_telemetry.objects.manifest import Manifest, text_at
from fleet_telemetry.objects.sharing import share_strings

ObjectKey = tuple[str, str]
"""Namespace (empty for a cluster-scoped object) and name."""

_K = TypeVar("_K")
_T = TypeVar("_T")


def object_key(manifest: Manifest) -> ObjectKey:
    """The key of an object that the API server returned."""
    metadata = manifest["metadata"]
    return metadata.get("namespace", ""), metadata["name"]


def version_of(manifest: Manifest) -> int:
    """The resource version of an object; see ``number_of``."""
    return number_of(text_at(manifest, "metadata", "resourceVersion"))


class Listing:
    """Takes the objects of a full list while it is read, and what is deleted meanwhile.

    The cache may know better than the list: by the response to a write, or by a watch that runs
    beside it. What is newer follows from the resource versions. Without them, the list is older.
    """

    def __init__(self, store: ReflectorStore) -> None:
        self._store = store
        self._listed: dict[int, int] = {}
        """Resource versions by the hash of the key. A list may have many objects of which the store
        keeps few."""
        self._touched: dict[ObjectKey, int] = {}

    def put(self, found: RawObject) -> None:
        """Take an object of the list, or one that was changed while it is read."""
        key = found.key
        self._listed[hash(key)] = found.version
        if self._is_current(key, found.version):
            self._store._put_raw(found)  # noqa: SLF001  # a part of the store

    def delete(self, found: RawObject) -> None:
        """Drop an object that was deleted while the list is read."""
        key = found.key
        if self._is_current(key, found.version):
            self._store._remove(key, found.uid or None)  # noqa: SLF001  # as above

    def touch(self, manifest: Manifest) -> bool:
        """The cache gets an object from elsewhere, or its deletion. False if the list showed a
        newer version of it already."""
        key, version = object_key(manifest), version_of(manifest)
        if 0 < version < self._listed.get(hash(key), 0):
            return False
        self._touched[key] = version
        return True

    def end(self, version: int) -> None:
        """The list is complete; it shows the cluster at this resource version, 0 if that is not
        known. Remove what it lacks: the watch may have missed its deletion."""
        cached = self._store._object_keys()  # noqa: SLF001  # as above
        for key in [key for key in cached if hash(key) not in self._listed]:
            if self._is_current(key, version):
                self._store._remove(key, None)  # noqa: SLF001  # as above

    def _is_current(self, key: ObjectKey, version: int) -> bool:
        """Whether what the list says of an object at this version is not older than the cache."""
        touched = self._touched.get(key)
        return touched is None or 0 < touched <= version


class ReflectorStore(ABC):
    """Takes the watch events and the full lists of one kind."""

    def __init__(self) -> None:
        self._listing: Listing | None = None
        self._position = 0
        self._written: dict[ObjectKey, int] = {}
        """The versions of responses to writes that the watch has not come to yet."""

    def upsert(self, manifest: Manifest) -> None:
        """Add or update an object from the response to a write, or from a watch event of kopf."""
        key, version = object_key(manifest), version_of(manifest)
        if 0 < version <= self._position:
            return  # the watch has reported it, and maybe what came after it
        if self._listing is None or self._listing.touch(manifest):
            if version and self._position:
                self._written[key] = version
            self._put(key, share_strings(manifest))

    def delete(self, manifest: Manifest) -> None:
        """Delete an object that was deleted by us, or that a watch event of kopf reports as
        deleted.

        An object of the same name with another UID is kept. Events of different objects arrive in
        any order, so the successor may be cached already.
        """
        if self._listing is None or self._listing.touch(manifest):
            self._remove(object_key(manifest), text_at(manifest, "metadata", "uid"))

    def follow(self, position: int) -> None:
        """A watch of our own has reported everything up to this resource version; 0 if that is not
        known."""
        self._position = position
        if self._written:
            left = self._written.items() if position else ()
            self._written = {key: version for key, version in left if version > position}

    def put_raw(self, found: RawObject) -> None:
        """Add or update an object from an event of the watch that follows the list.

        An event may be older than the response to a write. By it, the cache would forget for a
        moment what was written, and it would be written again.
        """
        if found.version >= self._written.get(found.key, 0):
            self._put_raw(found)

    def delete_raw(self, found: RawObject) -> None:
        """Delete an object by an event of that watch; the successor may be cached already, too."""
        if found.version >= self._written.get(found.key, 0):
            self._remove(found.key, found.uid or None)

    def begin_list(self) -> Listing:
        """Begin to replace the content by a full list. An earlier list that has not ended is
        forgotten; nothing was removed by it."""
        self._listing = Listing(self)
        self.follow(0)
        self._list_begins()
        return self._listing

    def end_list(self, version: int) -> None:
        """The list is complete; see ``Listing.end``."""
        listing, self._listing = self._listing, None
        if listing is not None:
            listing.end(version)
            self._list_ended()

    def leave_list(self) -> None:
        """The list will not be completed, so nothing is removed."""
        self._listing = None

    def _list_begins(self) -> None:  # noqa: B027  # most need it not
        """Called when a full list begins."""

    def _list_ended(self) -> None:  # noqa: B027  # as above
        """Called when a full list has replaced the content."""

    def _put_raw(self, found: RawObject) -> None:
        """Add or update an object; a store that keeps few of them decodes no other."""
        self._put(found.key, found.whole())

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
