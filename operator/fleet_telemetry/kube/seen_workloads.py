"""Counts every workload that the watches see, also those without a product, which are not kept.

So many of them run no product that only a number is kept of each.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from fleet_telemetry.kube.store import ObjectKey


@dataclass(frozen=True, slots=True)
class SeenInNamespace:
    """The workloads of a namespace, without those that are part of another."""

    namespace: str
    known: int
    """Those that run a product of the catalogue."""
    others: int


class SeenWorkloads:
    """Of one kind: whether each runs a product."""

    def __init__(self) -> None:
        # By namespace, and by the hash of the name: that of the UID, with a bit for the product.
        self._seen: dict[str, dict[int, int]] = {}

    def put(self, key: ObjectKey, uid: str, *, known: bool) -> None:
        """Add or replace a workload."""
        namespace, name = key
        self._seen.setdefault(namespace, {})[hash(name)] = _digest(uid) | known

    def delete(self, key: ObjectKey, uid: str | None = None) -> None:
        """Remove a workload; with a ``uid``, only if it has that UID."""
        namespace, name = key
        found = self._seen.get(namespace, {})
        digest = found.get(hash(name))
        if digest is None or (uid and digest & ~1 != _digest(uid)):
            return
        del found[hash(name)]
        if not found:
            del self._seen[namespace]

    def keep(self, listed: Iterable[ObjectKey]) -> None:
        """Remove all but these, which a full list or a watch event since its begin named."""
        kept: dict[str, set[int]] = {}
        for namespace, name in listed:
            kept.setdefault(namespace, set()).add(hash(name))
        for namespace, found in list(self._seen.items()):
            for gone in found.keys() - kept.get(namespace, set()):
                del found[gone]
            if not found:
                del self._seen[namespace]

    def count(self) -> list[SeenInNamespace]:
        """The counts of each namespace; may be called from another thread."""
        return [
            SeenInNamespace(namespace, known, len(values) - known)
            for namespace, found in list(self._seen.items())
            for values in (list(found.values()),)
            for known in (sum(value & 1 for value in values),)
        ]


def _digest(uid: str) -> int:
    return hash(uid) & ~1
