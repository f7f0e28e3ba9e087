"""Full lists and watch events for a store, as an API server sends them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from fleet_telemetry.kube.raw_object import RawObject, read_object
from fleet_telemetry.kube.store import Listing, ReflectorStore
from fleet_telemetry.objects.kind import Kind


class Listed:
    """Takes manifests as a list does."""

    def __init__(self, listing: Listing) -> None:
        self._listing = listing

    def upsert(self, manifest: Mapping[str, Any]) -> None:
        self._listing.put(raw(manifest))

    def delete(self, manifest: Mapping[str, Any]) -> None:
        self._listing.delete(raw(manifest))


def raw(manifest: Mapping[str, Any]) -> RawObject:
    """An object as its bytes; the kind is taken from the manifest."""
    metadata = manifest["metadata"]
    kind = Kind("", "v1", "things", manifest.get("kind", "Thing"), "namespace" in metadata)
    return read_object(kind, json.dumps(manifest).encode())


@contextmanager
def replaced(store: ReflectorStore, version: int = 0) -> Iterator[Listed]:
    """Replace a store's content by a full list, which shows the cluster at that version."""
    try:
        yield Listed(store.begin_list())
        store.end_list(version)
    finally:
        store.leave_list()
