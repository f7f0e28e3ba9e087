"""Lookups of hosts of which it is not known whose they were."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from fleet_telemetry.workloads.workload import WorkloadRef

DOUBTED_FOR = timedelta(hours=26)
"""How long a lookup that is nobody's keeps a host in doubt. Most products send daily."""


@dataclass(slots=True)
class _Doubt:
    """That a host was asked for, and it is not known by whom."""

    detail: str
    last: datetime
    is_over: bool = False
    """It was long ago."""


_ByHost = dict[str, _Doubt]


class Doubts:
    """By host: the lookups that may have been any workload's, and those of some workloads."""

    def __init__(self) -> None:
        self._of_all: _ByHost = {}
        self._of_some: dict[WorkloadRef, _ByHost] = {}
        self._lasting: set[WorkloadRef] = set()
        """The workloads with a doubt that is not over."""

    def __len__(self) -> int:
        """How many hosts and workloads are in doubt, or were."""
        return len(self._of_all) + len(self._of_some)

    def add_for_all(self, host: str, detail: str, time: datetime) -> bool:
        """A lookup may have been any workload's. Whether that is new."""
        return _add(self._of_all, host, detail, time)

    def add(self, ref: WorkloadRef, host: str, detail: str, time: datetime) -> bool:
        """A lookup may have been this workload's. Whether that is new."""
        is_new = _add(self._of_some.setdefault(ref, {}), host, detail, time)
        if is_new:
            self._lasting.add(ref)
        return is_new

    def keep_hosts(self, hosts: Collection[str]) -> None:
        """Forget all others."""
        self._of_all = _kept(self._of_all, hosts)
        self._of_some = {ref: _kept(own, hosts) for ref, own in self._of_some.items()}

    def forget(self, ref: WorkloadRef) -> None:
        """The workload is gone."""
        self._of_some.pop(ref, None)
        self._lasting.discard(ref)

    def end_old(self, now: datetime) -> tuple[list[str], list[WorkloadRef]]:
        """End those of long ago: the hosts in doubt for all workloads, and the other workloads, of
        which one ended now."""
        hosts = list(_end_old(self._of_all, now))
        refs = []
        for ref in list(self._lasting):
            own = self._of_some.get(ref, {})
            if list(_end_old(own, now)):
                refs.append(ref)
            if all(one.is_over for one in own.values()):
                self._lasting.discard(ref)
        return hosts, refs

    def detail_since(self, since: datetime, ref: WorkloadRef, hosts: Collection[str]) -> str | None:
        """What a lookup of one of the hosts since then was, if it may have been the workload's. Of
        the time before, nothing is said."""
        for one in self._of(ref, hosts):
            if not one.is_over and one.last >= since:
                return one.detail
        return None

    def times(self, ref: WorkloadRef, hosts: Collection[str]) -> Iterator[datetime]:
        """When such lookups last were."""
        return (one.last for one in self._of(ref, hosts))

    def _of(self, ref: WorkloadRef, hosts: Collection[str]) -> Iterator[_Doubt]:
        books = self._of_all, self._of_some.get(ref, {})
        for host in sorted(hosts):
            yield from (book[host] for book in books if host in book)


def _add(doubts: _ByHost, host: str, detail: str, time: datetime) -> bool:
    """Whether the doubt is a new one. An old one keeps its detail, which is in statuses."""
    known = doubts.get(host)
    if known is not None and not known.is_over:
        known.last = max(known.last, time)
        return False
    doubts[host] = _Doubt(detail, time)
    return True


def _kept(doubts: _ByHost, hosts: Collection[str]) -> _ByHost:
    return {host: one for host, one in doubts.items() if host in hosts}


def _end_old(doubts: Mapping[str, _Doubt], now: datetime) -> Iterator[str]:
    for host, one in doubts.items():
        if not one.is_over and now - one.last > DOUBTED_FOR:
            one.is_over = True
            yield host
