"""Lookups by workload, pod and host, and what is published of them.

What a status says of a contact changes at once when the contact is new, and at most hourly after
that, so that a product that asks every second does not have the status written every second.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from fleet_telemetry.api.workload_telemetry import ContactRecord
from fleet_telemetry.evidence.contacts import Contact
from fleet_telemetry.workloads.workload import WorkloadRef

MOST_CONTACTS = 32
"""Of a workload, as many as a WorkloadTelemetry holds."""
MOST_IN_ALL = 100_000
"""Contacts of all workloads, about 60 MB. Further ones are dropped, and counted."""
REFRESH = timedelta(hours=1)
"""How old the time and the count of a contact may be."""
TURN = timedelta(minutes=10)
"""How soon after a publication of a contact it may say that DNS now refuses the host, or no longer
does."""
SPACING = timedelta(seconds=30)
"""How soon after a publication of a workload the next new contact follows."""
_EVER = datetime.min.replace(tzinfo=UTC)


class HostClass(StrEnum):
    """What a host serves."""

    EXCLUSIVE = "Exclusive"
    """Telemetry alone."""
    SHARED = "Shared"
    """Other things, too."""


@dataclass(frozen=True, slots=True)
class ProductUse:
    """That a product sends telemetry to a host."""

    product: str
    host_class: HostClass


Hosts = Mapping[str, tuple[ProductUse, ...]]
"""The hosts of interest, by their exact names in lower case."""

LookupKey = tuple[WorkloadRef, str, HostClass]
"""Workload, product, class of the host."""


@dataclass(frozen=True, slots=True)
class PodMark:
    """What the ledger has to know of a pod."""

    uid: str
    name: str
    started: datetime | None = None
    runs: bool = True
    """Its containers run."""


@dataclass(frozen=True, slots=True)
class Questions:
    """Questions of a pod for a host."""

    first: datetime
    last: datetime
    number: int = 1
    search: bool = False
    """With the search domain of the pod's namespace."""


@dataclass(slots=True)
class _ContactRow:
    """A contact."""

    contact: Contact
    bare: int = 0
    searched: int = 0
    restored: int = 0
    started: datetime | None = None
    published: Contact | None = None
    published_at: datetime = _EVER
    turned_at: datetime = _EVER
    """When ``refused`` last changed in what is published."""
    answered: datetime = _EVER


@dataclass(slots=True)
class _Book:
    """The contacts of a workload."""

    rows: dict[tuple[str, str], _ContactRow] = field(default_factory=dict)
    pods: dict[str, PodMark] = field(default_factory=dict)
    products: frozenset[str] = frozenset()
    restored: bool = False
    published_at: datetime = _EVER
    dropped: dict[str, datetime] = field(default_factory=dict)
    """By host: the last lookup of contacts that were dropped."""


class Ledger:
    """What is known of each workload's lookups."""

    def __init__(
        self, *, most_contacts: int = MOST_CONTACTS, most_in_all: int = MOST_IN_ALL
    ) -> None:
        self._most_contacts = most_contacts
        self._most_in_all = most_in_all
        self._books: dict[WorkloadRef, _Book] = {}
        self._hosts: dict[str, tuple[ProductUse, ...]] = {}
        self._due: dict[WorkloadRef, datetime] = {}
        """Whose contacts changed, and when that is to be published."""
        self._changed: set[WorkloadRef] = set()
        self._rows = 0
        self.totals: dict[LookupKey, int] = {}
        """How many lookups since this process began, while the workload exists."""
        self.dropped = 0
        """How many contacts were dropped because there were too many."""

    def __len__(self) -> int:
        return self._rows

    def set_hosts(self, hosts: Hosts) -> None:
        """Which hosts are of interest. Contacts with others are dropped."""
        self._hosts = dict(hosts)
        for ref, book in self._books.items():
            book.dropped = {host: at for host, at in book.dropped.items() if host in self._hosts}
            for key in [key for key in book.rows if key[1] not in self._hosts]:
                self._drop(ref, book, key)
                book.dropped.pop(key[1], None)

    def set_pods(
        self, ref: WorkloadRef, pods: Iterable[PodMark], products: frozenset[str] = frozenset()
    ) -> None:
        """All pods that the workload has now. Contacts of others go once a newer one runs."""
        book = self._books.setdefault(ref, _Book())
        book.pods = {one.uid: one for one in pods}
        book.products = products
        for row in book.rows.values():
            mark = book.pods.get(row.contact.pod_uid)
            if mark is not None:
                row.started = mark.started or row.started
        self._drop_gone(ref, book)

    def forget(self, ref: WorkloadRef) -> None:
        """The workload is gone."""
        book = self._books.pop(ref, None)
        if book is not None:
            self._rows -= len(book.rows)
        self._due.pop(ref, None)
        self._changed.discard(ref)
        self.totals = {key: total for key, total in self.totals.items() if key[0] != ref}

    def restore(self, ref: WorkloadRef, records: Iterable[ContactRecord], now: datetime) -> None:
        """Take over what an earlier leader stored. Only the first call counts."""
        book = self._books.setdefault(ref, _Book())
        if book.restored:
            return
        book.restored = True
        for record in tuple(records)[: self._most_contacts]:
            stored = contact_of(record)
            if (stored.host not in self._hosts and self._hosts) or stored.first > now:
                continue
            stored = replace(
                stored,
                last=max(stored.first, min(stored.last, now)),
                lookups=max(stored.lookups, 1),
            )
            key = stored.pod_uid, stored.host
            row = book.rows.get(key)
            if row is None:
                if not self._has_room():
                    continue
                mark = book.pods.get(stored.pod_uid)
                row = _ContactRow(stored, started=mark.started if mark else None)
                book.rows[key] = row
                self._rows += 1
            else:
                row.contact = replace(
                    row.contact,
                    first=min(stored.first, row.contact.first),
                    last=max(stored.last, row.contact.last),
                    lookups=row.contact.lookups + stored.lookups,
                )
            row.restored = stored.lookups
            row.published, row.published_at = stored, stored.last
        self._drop_gone(ref, book)
        self._limit(ref, book)
        self._due[ref] = _EVER

    def asked(
        self,
        ref: WorkloadRef,
        pod: PodMark,
        host: str,
        questions: Questions,
    ) -> None:
        """A pod asked for a host.

        With ``search``, for the host with the search domain of its namespace. A resolver asks for
        the host alone after that, except where CoreDNS's ``autopath`` answers at once. So the
        lookups are as many as there are of the one form or of the other, whichever are more.
        """
        if host not in self._hosts or questions.number <= 0:
            return
        book = self._books.setdefault(ref, _Book())
        key = pod.uid, host
        row = book.rows.get(key)
        if row is None:
            if not self._has_room():
                book.dropped[host] = max(book.dropped.get(host, questions.last), questions.last)
                return
            contact = Contact(host, pod.name, pod.uid, questions.first, questions.last, lookups=0)
            row = book.rows[key] = _ContactRow(contact, started=pod.started)
            self._rows += 1
            self._due[ref] = _EVER
        before = row.contact.lookups
        if questions.search:
            row.searched += questions.number
        else:
            row.bare += questions.number
        row.contact = replace(
            row.contact,
            first=min(questions.first, row.contact.first),
            last=max(questions.last, row.contact.last),
            lookups=row.restored + max(row.bare, row.searched),
        )
        self._count(ref, book, host, row.contact.lookups - before)
        self._limit(ref, book)
        self._due.setdefault(ref, _EVER)

    def answered(
        self, ref: WorkloadRef, pod: PodMark, host: str, time: datetime, *, refused: bool
    ) -> None:
        """DNS answered a pod's question for a host itself."""
        book = self._books.get(ref)
        row = book.rows.get((pod.uid, host)) if book is not None else None
        if row is None or time < row.answered:
            return
        row.answered = time
        if row.contact.refused != refused:
            row.contact = replace(row.contact, refused=refused)
            self._due[ref] = _EVER

    def publish(self, now: datetime) -> frozenset[WorkloadRef]:
        """Publish what is due. The workloads whose ``seen`` changed since the last call."""
        for ref in [ref for ref, due in self._due.items() if due <= now]:
            due = self._publish(ref, self._books[ref], now)
            if due is None:
                del self._due[ref]
            else:
                self._due[ref] = due
        changed = frozenset(self._changed)
        self._changed.clear()
        return changed

    def seen(self, ref: WorkloadRef) -> tuple[Contact, ...]:
        """The workload's contacts as they were published last, by host and pod."""
        book = self._books.get(ref)
        if book is None:
            return ()
        found = (row.published for row in book.rows.values() if row.published is not None)
        return tuple(sorted(found, key=lambda one: (one.host, one.pod, one.pod_uid)))

    def records(self, ref: WorkloadRef) -> tuple[ContactRecord, ...]:
        """What ``seen`` shows, as a status holds it."""
        return tuple(record_of(one) for one in self.seen(ref))

    def dropped_until(self, ref: WorkloadRef) -> datetime | None:
        """The last lookup by the workload of a host of which ``seen`` shows none any more."""
        book = self._books.get(ref)
        if book is None or not book.dropped:
            return None
        shown = {host for _, host in book.rows}
        return max((time for host, time in book.dropped.items() if host not in shown), default=None)

    def _publish(self, ref: WorkloadRef, book: _Book, now: datetime) -> datetime | None:
        """When something more of the workload is to be published; None if nothing is."""
        later = []
        for row in book.rows.values():
            public = _whole_seconds(row.contact)
            if row.published == public:
                continue
            turns = False
            if row.published is None:
                due = book.published_at + SPACING
            else:
                due = row.published_at + REFRESH
                turns = row.published.refused != public.refused and now < due
                if turns:
                    due = min(due, max(row.published_at, row.turned_at) + TURN)
                    public = replace(row.published, refused=public.refused)
            if now < due:
                later.append(due)
                continue
            if turns:
                row.turned_at = now
                later.append(row.published_at + REFRESH)
            else:
                row.published_at = now
            row.published = public
            self._changed.add(ref)
        if ref in self._changed:
            book.published_at = now
        return min(later, default=None)

    def _has_room(self) -> bool:
        if self._rows < self._most_in_all:
            return True
        self.dropped += 1
        return False

    def _count(self, ref: WorkloadRef, book: _Book, host: str, more: int) -> None:
        uses = self._hosts[host]
        meant = [one for one in uses if one.product in book.products] or uses[:1]
        for use in meant:
            key = ref, use.product, use.host_class
            self.totals[key] = self.totals.get(key, 0) + more

    def _drop_gone(self, ref: WorkloadRef, book: _Book) -> None:
        running = [
            one.started for one in book.pods.values() if one.runs and one.started is not None
        ]
        newest = max(running, default=None)
        if newest is None:
            return
        for key, row in list(book.rows.items()):
            if key[0] not in book.pods and newest > (row.started or row.contact.first):
                self._drop(ref, book, key)

    def _limit(self, ref: WorkloadRef, book: _Book) -> None:
        """Keep those first that matter for a judgement: each host once, telemetry alone first, of
        pods that exist, and of those the newest, which have the present settings."""
        if len(book.rows) <= self._most_contacts:
            return
        ordered = sorted(
            book.rows,
            key=lambda key: (
                key[0] in book.pods,
                book.rows[key].started or _EVER,
                key,
            ),
            reverse=True,
        )
        place: dict[str, int] = {}
        ranked: list[tuple[int, bool, int, tuple[str, str]]] = []
        for position, key in enumerate(ordered):
            nth = place[key[1]] = place.get(key[1], -1) + 1
            ranked.append((nth, not self._is_exclusive(key[1]), position, key))
        for *_, key in sorted(ranked)[self._most_contacts :]:
            self._drop(ref, book, key)
            self.dropped += 1

    def _is_exclusive(self, host: str) -> bool:
        return any(use.host_class is HostClass.EXCLUSIVE for use in self._hosts.get(host, ()))

    def _drop(self, ref: WorkloadRef, book: _Book, key: tuple[str, str]) -> None:
        row = book.rows.pop(key)
        self._rows -= 1
        last = row.contact.last
        book.dropped[key[1]] = max(book.dropped.get(key[1], last), last)
        if row.published is not None:
            self._changed.add(ref)


def _whole_seconds(contact: Contact) -> Contact:
    """As a status writes it."""
    return replace(
        contact,
        first=contact.first.replace(microsecond=0),
        last=contact.last.replace(microsecond=0),
    )


def contact_of(record: ContactRecord) -> Contact:
    """What a status holds of a contact, as a contact."""
    return Contact(
        host=record.host,
        pod=record.pod,
        pod_uid=record.pod_uid,
        first=record.first_time,
        last=record.last_time,
        lookups=record.lookups,
        refused=record.refused,
    )


def record_of(contact: Contact) -> ContactRecord:
    """A contact, as a status holds it."""
    return ContactRecord(
        host=contact.host,
        pod=contact.pod,
        pod_uid=contact.pod_uid,
        first_time=contact.first,
        last_time=contact.last,
        lookups=contact.lookups,
        refused=contact.refused,
    )
