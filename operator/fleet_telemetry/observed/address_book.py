"""Whose an IP address was at a time.

An address is a pod's from the start of the pod's first container, before which nothing can have
asked, to the end of its last one. If the API does not say that, it is from when the pod was first
seen with the address to when it was last seen without an end. Addresses are used again within
seconds, so the time decides, and where two pods could be meant, neither is.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from fleet_telemetry.observed.spelling import canonical_address
from fleet_telemetry.workloads.workload import Pod, PodPhase

CLOCK_TOLERANCE = timedelta(seconds=5)
"""How far a name server's clock (``CLOCK_OFFSET`` in chain.py) and a node's may be apart. The API
has whole seconds, which is one of them."""
KEPT_FOR = timedelta(minutes=5)
"""How long a pod that ended is kept: what a name server reports may be late."""
MOST_PODS = 100_000
"""More pods are left out: their lookups are nobody's. That is about 100 MB."""
_MOST_ADDRESSES = 4
_MOST_TENURES = 8
_WHOLE_SECOND = timedelta(seconds=1)
_EVER = datetime(1970, 1, 1, tzinfo=UTC)
_FOREVER = datetime(9000, 1, 1, tzinfo=UTC)


class Unattributed(StrEnum):
    """Why a lookup is no pod's."""

    UNKNOWN = "Unknown"
    """No known pod had the address at that time."""
    NODE = "Node"
    """It is the address of a node: NodeLocal DNSCache, or a pod in the node's network."""
    SHARED = "Shared"
    """Several pods had it at that time."""
    REUSED = "Reused"
    """A pod had it shortly before or after another, and clocks may differ by that much."""
    CLOCKS_DIFFER = "ClocksDiffer"
    """The name server's clock is wrong, so it is not known when it was."""
    TOO_MANY = "TooMany"
    """More lookups were waiting than are kept."""


@dataclass(frozen=True, slots=True)
class Holder:
    """The pod whose an address was."""

    namespace: str
    name: str
    uid: str


@dataclass(frozen=True, slots=True)
class NoHolder:
    """Why an address was no pod's."""

    why: Unattributed
    candidates: tuple[str, ...] = ()
    """The UIDs of the pods that it may have been; empty if it may have been any."""


@dataclass(slots=True)
class _Tenure:
    """That a pod has an address."""

    holder: Holder
    since: datetime
    until: datetime | None = None


@dataclass(slots=True)
class _At:
    """The pods that have or had an address, oldest first."""

    tenures: list[_Tenure] = field(default_factory=list)
    unsure_until: datetime = _EVER
    """Until then more pods had it than are kept."""


@dataclass(slots=True)
class _Node:
    """That an address is a node's."""

    since: datetime
    pods: int = 0
    until: datetime | None = None


@dataclass(slots=True)
class _PodEntry:
    """A pod."""

    holder: Holder
    tenures: dict[str, _Tenure] = field(default_factory=dict)
    """Open ones, by address."""
    old: dict[str, _Tenure] = field(default_factory=dict)
    nodes: frozenset[str] = frozenset()
    gone: datetime | None = None


_UNKNOWN = NoHolder(Unattributed.UNKNOWN)
_NODE = NoHolder(Unattributed.NODE)


class AddressBook:
    """Which pod had which address when.

    Bounded by ``most_pods``, and by what ended within ``KEPT_FOR``.
    """

    def __init__(
        self,
        *,
        tolerance: timedelta = CLOCK_TOLERANCE,
        kept_for: timedelta = KEPT_FOR,
        most_pods: int = MOST_PODS,
    ) -> None:
        self._tolerance = tolerance
        self._kept_for = kept_for
        self._most_pods = most_pods
        self._entries: dict[str, _PodEntry] = {}
        self._at: dict[str, _At] = {}
        self._nodes: dict[str, _Node] = {}
        self._ended: deque[tuple[datetime, str]] = deque()
        self._left: deque[tuple[datetime, str]] = deque()
        self._horizon = _EVER
        self.left_out = 0
        """How many pods were refused, since there were too many."""

    def __len__(self) -> int:
        return len(self._entries)

    def holder(self, address: str, time: datetime) -> Holder | NoHolder:
        """Whose the address was. ``time`` is the name server's and aware."""
        if address not in self._at and address not in self._nodes:
            canonical = canonical_address(address)
            if canonical is None or (canonical not in self._at and canonical not in self._nodes):
                return _UNKNOWN
            address = canonical
        node = self._nodes.get(address)
        if node is not None and self._may_cover(node.since, node.until, time):
            return _NODE
        at = self._at.get(address)
        if at is None or time < self._horizon:
            return _UNKNOWN
        possible = [one for one in at.tenures if self._may_cover(one.since, one.until, time)]
        if time <= at.unsure_until:
            return NoHolder(Unattributed.REUSED)
        if not possible:
            return _UNKNOWN
        certain = [
            one
            for one in possible
            if one.since <= time and (one.until is None or time <= one.until)
        ]
        if len(possible) == 1 and certain:
            return certain[0].holder
        candidates = tuple(one.holder.uid for one in possible)
        if len(possible) == 1:
            return NoHolder(Unattributed.UNKNOWN, candidates)
        why = Unattributed.SHARED if len(certain) > 1 else Unattributed.REUSED
        return NoHolder(why, candidates)

    def put(self, namespace: str, pod: Pod, now: datetime) -> None:
        """A pod was added or changed."""
        if not pod.uid:
            return
        entry = self._entries.get(pod.uid)
        runs = _may_ask(pod)
        if entry is None:
            if not runs:
                self._put_ended(namespace, pod, now)
            if not runs or not self._has_room():
                return
            entry = _PodEntry(Holder(namespace, pod.name, pod.uid))
            self._entries[pod.uid] = entry
        if not runs:
            ended = pod.containers_ended
            self._end(entry, now if ended is None else min(now, ended + _WHOLE_SECOND), now)
            return
        entry.gone = None
        own = frozenset(_canonical(pod.addresses or (pod.address,)))
        nodes = frozenset(_canonical((pod.node_address,)))
        if pod.template.host_network:
            nodes |= own
        self._put_nodes(entry, nodes, now if pod.started is None else min(now, pod.started))
        self._put_addresses(entry, own - nodes, pod, now)

    def _put_ended(self, namespace: str, pod: Pod, now: datetime) -> None:
        """A pod that had ended before it was seen, as one that lives for a second has."""
        if pod.template.host_network:
            return
        began, ended = pod.containers_started, pod.containers_ended
        if ended is not None and ended <= max(self._horizon, now - self._kept_for):
            return
        if began is None or ended is None:
            # When that was is not known. So until now nobody else surely had the address.
            for address in _canonical(pod.addresses or (pod.address,)):
                at = self._at.get(address)
                if at is not None:
                    at.unsure_until = max(at.unsure_until, now + self._tolerance)
            return
        if self._has_room():
            running = replace(pod, phase=PodPhase.RUNNING, containers_ended=None)
            self.put(namespace, running, now)
            self.put(namespace, pod, now)

    def remove(self, uid: str, now: datetime) -> None:
        """A pod was deleted."""
        entry = self._entries.get(uid)
        if entry is not None:
            self._end(entry, now, now)

    def forget(self, now: datetime) -> None:
        """Drop what ended long ago. Lookups of that time are nobody's."""
        self._drop_ended(now - self._kept_for)

    def _may_cover(self, since: datetime, until: datetime | None, time: datetime) -> bool:
        return since - self._tolerance <= time and (
            until is None or time <= until + self._tolerance
        )

    def _has_room(self) -> bool:
        if len(self._entries) >= self._most_pods and self._ended:
            self._drop_ended(self._ended[0][0])
        if len(self._entries) < self._most_pods:
            return True
        self.left_out += 1
        return False

    def _put_addresses(
        self, entry: _PodEntry, addresses: frozenset[str], pod: Pod, now: datetime
    ) -> None:
        for address in entry.tenures.keys() - addresses:
            self._close(entry, address, now)
        # Another address came with another sandbox, and its containers start again.
        first = not entry.tenures and not entry.old
        began = pod.containers_started
        if began is not None:
            began = min(max(began, _EVER + self._tolerance), now)
        for address in addresses:
            tenure = entry.tenures.get(address)
            if tenure is None:
                tenure = entry.old.pop(address, None)
                if tenure is None:
                    tenure = _Tenure(entry.holder, now)
                    if first and began is not None:
                        tenure.since = began
                    self._add(address, tenure)
                tenure.until = None
                entry.tenures[address] = tenure
            elif began is not None and not entry.old:
                tenure.since = min(tenure.since, began)

    def _add(self, address: str, tenure: _Tenure) -> None:
        at = self._at.setdefault(address, _At())
        at.tenures.append(tenure)
        if len(at.tenures) > _MOST_TENURES:
            # Open ones go last: they are the ones that will be asked for.
            oldest = min(at.tenures, key=lambda one: (one.until is None, one.until or one.since))
            at.tenures.remove(oldest)
            unsure = _FOREVER if oldest.until is None else oldest.until + self._tolerance
            at.unsure_until = max(at.unsure_until, unsure)

    def _close(self, entry: _PodEntry, address: str, until: datetime) -> None:
        tenure = entry.tenures.pop(address)
        tenure.until = max(tenure.since, until)
        while len(entry.old) >= _MOST_ADDRESSES:
            self._drop_tenure(next(iter(entry.old)), entry.old.pop(next(iter(entry.old))))
        entry.old[address] = tenure

    def _end(self, entry: _PodEntry, until: datetime, now: datetime) -> None:
        for address in list(entry.tenures):
            self._close(entry, address, until)
        self._put_nodes(entry, frozenset(), now)
        if entry.gone is None:
            entry.gone = now
            self._ended.append((now, entry.holder.uid))

    def _put_nodes(self, entry: _PodEntry, addresses: frozenset[str], now: datetime) -> None:
        for address in addresses - entry.nodes:
            node = self._nodes.setdefault(address, _Node(now))
            node.pods += 1
            node.until = None
            node.since = max(min(node.since, now), _EVER + self._tolerance)
        for address in entry.nodes - addresses:
            node = self._nodes[address]
            node.pods -= 1
            if node.pods == 0:
                node.until = now
                self._left.append((now, address))
        entry.nodes = addresses

    def _drop_ended(self, until: datetime) -> None:
        """Drop what ended at that time or before."""
        while self._ended and self._ended[0][0] <= until:
            at, uid = self._ended.popleft()
            entry = self._entries.get(uid)
            if entry is None or entry.gone != at:
                continue
            del self._entries[uid]
            for address, tenure in entry.old.items():
                self._drop_tenure(address, tenure)
        self._horizon = max(self._horizon, until)
        while self._left and self._left[0][0] <= until:
            at, address = self._left.popleft()
            node = self._nodes.get(address)
            if node is not None and node.until == at:
                del self._nodes[address]

    def _drop_tenure(self, address: str, tenure: _Tenure) -> None:
        at = self._at.get(address)
        if at is None:
            return
        at.tenures = [one for one in at.tenures if one is not tenure]
        if not at.tenures:
            del self._at[address]


def _may_ask(pod: Pod) -> bool:
    """Whether the pod's containers run or will. One that is being deleted still says goodbye."""
    return pod.phase not in (PodPhase.SUCCEEDED, PodPhase.FAILED) and pod.containers_ended is None


def _canonical(addresses: Iterable[str]) -> list[str]:
    found = (canonical_address(one) for one in addresses)
    return [one for one in found if one is not None][:_MOST_ADDRESSES]
