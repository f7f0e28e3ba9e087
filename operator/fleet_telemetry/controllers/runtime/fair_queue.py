"""A queue that serves namespaces in turn, so that none can keep the others waiting."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

ItemT = TypeVar("ItemT", bound=Hashable)


@dataclass
class _NamespaceQueue(Generic[ItemT]):
    """The items of one namespace."""

    waiting: dict[ItemT, None] = field(default_factory=dict)
    """Oldest first."""
    running: set[ItemT] = field(default_factory=set)
    again: set[ItemT] = field(default_factory=set)
    """Added while they were running."""


class FairQueue(Generic[ItemT]):
    """Items of several namespaces. An item is in the queue once, and is never run twice at a time.

    Whoever gets an item calls ``done`` with it. At most ``most_at_once`` items of a namespace run
    at the same time. A namespace without items takes no memory.
    """

    def __init__(self, most_at_once: int) -> None:
        self._most_at_once = most_at_once
        self._lines: dict[str, _NamespaceQueue[ItemT]] = {}
        self._turns: OrderedDict[str, None] = OrderedDict()
        """The namespaces of which an item may run now, the next one first."""
        self._changed = asyncio.Event()

    def __len__(self) -> int:
        """The items that wait."""
        return sum(len(line.waiting) + len(line.again) for line in self._lines.values())

    @property
    def namespaces(self) -> int:
        """The namespaces with an item that waits or runs."""
        return len(self._lines)

    def add(self, namespace: str, item: ItemT) -> None:
        """Add an item unless it waits already."""
        line = self._lines.setdefault(namespace, _NamespaceQueue())
        if item in line.running:
            line.again.add(item)
        else:
            line.waiting.setdefault(item)
        self._update(namespace)

    def discard(self, namespace: str, item: ItemT) -> None:
        """Remove an item that waits."""
        line = self._lines.get(namespace)
        if line is not None:
            line.waiting.pop(item, None)
            line.again.discard(item)
            self._update(namespace)

    async def get(self) -> tuple[str, ItemT]:
        """Wait for an item; see ``get_now``."""
        while (found := self.get_now()) is None:
            self._changed.clear()
            await self._changed.wait()
        return found

    def get_now(self) -> tuple[str, ItemT] | None:
        """The oldest item of the namespace whose turn it is, after the namespace; None if no item
        may run now."""
        if not self._turns:
            return None
        namespace, _ = self._turns.popitem(last=False)
        line = self._lines[namespace]
        item = next(iter(line.waiting))
        del line.waiting[item]
        line.running.add(item)
        self._update(namespace)
        return namespace, item

    def done(self, namespace: str, item: ItemT) -> None:
        """An item that was got does not run any more."""
        line = self._lines[namespace]
        line.running.remove(item)
        if item in line.again:
            line.again.remove(item)
            line.waiting.setdefault(item)
        self._update(namespace)

    def _update(self, namespace: str) -> None:
        line = self._lines[namespace]
        if line.waiting and len(line.running) < self._most_at_once:
            # At the end, unless it has a turn already.
            self._turns.setdefault(namespace)
            self._changed.set()
            return
        self._turns.pop(namespace, None)
        if not line.waiting and not line.running:
            del self._lines[namespace]
