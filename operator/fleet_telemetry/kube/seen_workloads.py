"""Counts every workload that the watches see, also those without a product, which are not kept.

So many of them run no product that only a number is kept of each.
"""

from __future__ import annotations

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
        self._unlisted: dict[str, set[int]] = {}
        """The same keys, of what a list that is being read has not shown yet."""

    def put(self, key: ObjectKey, uid: str, *, known: bool) -> None:
        """Add or replace a workload."""
        namespace, name = key
        self._seen.setdefault(namespace, {})[hash(name)] = _digest(uid) | known
        if namespace in self._unlisted:
            self._unlisted[namespace].discard(hash(name))

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

    def begin_list(self) -> None:
        """A full list begins. What is neither put nor deleted until its end is gone."""
        self._unlisted = {namespace: set(found) for namespace, found in self._seen.items()}

    def end_list(self) -> None:
        """Remove all that was not put since the list began."""
        for namespace, unlisted in self._unlisted.items():
            found = self._seen.get(namespace, {})
            for gone in unlisted & found.keys():
                del found[gone]
            if not found:
                self._seen.pop(namespace, None)
        self._unlisted = {}

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
