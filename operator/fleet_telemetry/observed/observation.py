"""What name servers report, as facts about workloads.

It joins the address book, the ledger and the chain. Every lookup of a telemetry host waits for some
seconds, since the API says late which pod got or lost an address; then it is one pod's, or counted
as not attributed. Bounded in all: see ``MOST_WAITING`` and the bounds of the three.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from fleet_telemetry.api.reasons import ObservedReason
from fleet_telemetry.api.workload_telemetry import ContactRecord
from fleet_telemetry.evidence.contacts import Contacts
from fleet_telemetry.observed.address_book import (
    KEPT_FOR,
    MOST_PODS,
    AddressBook,
    Holder,
    NoHolder,
    Unattributed,
)
from fleet_telemetry.observed.chain import CLOCK_OFFSET, Chain, ChainState
from fleet_telemetry.observed.doubts import Doubts
from fleet_telemetry.observed.ledger import Hosts, Ledger, LookupKey, PodMark, Questions
from fleet_telemetry.observed.lookup import LookupStage, ReportedLookup
from fleet_telemetry.observed.spelling import canonical_address
from fleet_telemetry.observed.waiting_lookups import WaitingKey, WaitingLookup, WaitingLookups
from fleet_telemetry.workloads.workload import Pod, PodPhase, WorkloadRef

SETTLED_AFTER = timedelta(seconds=10)
"""How long a lookup waits until it is decided whose it is."""
_LEAST_LABELS = 3
"""A name in the cluster has at most a host and a Service before its namespace, so what is longer is
a host with a search domain."""


@dataclass(frozen=True, slots=True)
class Changes:
    """What a tick changed."""

    workloads: frozenset[WorkloadRef]
    """Whose ``Contacts`` changed of themselves."""
    chain: bool
    """Whether ``complete_since`` or its reason changed, which is part of all ``Contacts``."""


@dataclass(slots=True)
class _Pod:
    """A pod that is fed."""

    ref: WorkloadRef
    mark: PodMark
    asked: datetime | None = None
    """When it last asked for anything."""


@dataclass(slots=True)
class _Fed:
    """A workload that is fed."""

    pods: set[str] = field(default_factory=set)
    products: frozenset[str] = frozenset()
    elsewhere: set[str] = field(default_factory=set)
    """The pods that may ask other name servers."""
    elsewhere_until: datetime | None = None
    """When there last was one."""


class DnsObservation:
    """All that is known of lookups. It is the receiver's ``LookupSink``.

    ``clock`` is the present time, aware. Nothing blocks. Call ``tick`` about once a second.
    """

    def __init__(
        self,
        clock: Callable[[], datetime],
        *,
        cluster_domain: str = "cluster.local",
        settled_after: timedelta = SETTLED_AFTER,
        proves_hosts: bool = False,
        proves_path: bool = False,
        book: AddressBook | None = None,
        ledger: Ledger | None = None,
        chain: Chain | None = None,
    ) -> None:
        """With ``proves_hosts``, nothing is complete for a host before each name server reported a
        lookup of it: the leader has to ask each of them for each host itself. With
        ``proves_path``, nothing is complete before a canary came back that was sent as pods ask
        (``path_canary_sent``)."""
        self._clock = clock
        self._suffix = f".svc.{cluster_domain.strip('.').lower()}"
        self._proves_hosts = proves_hosts
        self._book = book or AddressBook()
        self._ledger = ledger or Ledger()
        self._chain = chain or Chain(proves_path=proves_path)
        self._own: frozenset[str] = frozenset()
        self._since: dict[str, datetime] = {}
        self._hosts: Hosts = {}
        self._pods: dict[str, _Pod] = {}
        self._fed: dict[WorkloadRef, _Fed] = {}
        self._waiting = WaitingLookups(settled_after)
        self._gone: deque[tuple[datetime, str]] = deque()
        self._doubts = Doubts()
        self._unattributed = dict.fromkeys(Unattributed, 0)
        self._running: dict[str, set[WorkloadRef]] = {}
        """By product: the workloads that run it."""
        self._changed: set[WorkloadRef] = set()
        self._reported = ChainState()

    # What the receiver calls.

    def connected(self, source: str) -> None:
        """See LookupSink."""
        self._chain.connected(source, self._clock())

    def disconnected(self, source: str) -> None:
        """See LookupSink."""
        self._chain.disconnected(source, self._clock())

    def lost(self, source: str, frames: int) -> None:
        """See LookupSink."""
        self._chain.lost(source, frames, self._clock())

    def looked_up(self, source: str, lookup: ReportedLookup) -> None:
        """See LookupSink."""
        now = self._clock()
        if self._chain.looked_up(source, lookup, now):
            return
        host, namespace = self._host_in(lookup.name)
        if host is None:
            self._other(source, lookup, now)
            return
        if not namespace:
            self._chain.tapped(source, host)
        client = canonical_address(lookup.client)
        if client is not None:
            second = lookup.time.replace(microsecond=0)
            self._wait(source, (client, host, namespace, second), lookup, now)

    # What the leader's task calls.

    def set_own_addresses(self, addresses: Iterable[str]) -> None:
        """The operator's own addresses: its lookups are no product's. A product's pod that has one
        of them now is that pod all the same."""
        found = (canonical_address(one) for one in addresses)
        self._own = frozenset(one for one in found if one is not None)

    def set_hosts(self, hosts: Hosts) -> None:
        """The telemetry hosts: exact names, in lower case, each with what uses it."""
        now = self._clock()
        self._since = {host: self._since.get(host, now) for host in hosts}
        self._hosts = dict(hosts)
        self._ledger.set_hosts(hosts)
        self._chain.keep_hosts(hosts)
        self._doubts.keep_hosts(hosts)

    def set_pods(self, ref: WorkloadRef, pods: Iterable[Pod], products: Iterable[str] = ()) -> None:
        """All pods that the workload has now, also those that ended and are still listed, and the
        products that it runs. Pods that are not among them any more were deleted."""
        now = self._clock()
        fed = self._fed.setdefault(ref, _Fed())
        marks = []
        for pod in pods:
            if not pod.uid:
                continue
            mark = PodMark(
                pod.uid,
                pod.name,
                pod.started,
                runs=pod.phase is PodPhase.RUNNING and not pod.terminating,
            )
            marks.append(mark)
            self._book.put(ref.namespace, pod, now)
            known = self._pods.get(pod.uid)
            if known is None and len(self._pods) >= MOST_PODS:
                continue
            self._pods[pod.uid] = _Pod(ref, mark, known.asked if known else None)
            ended = pod.phase in (PodPhase.SUCCEEDED, PodPhase.FAILED)
            if (pod.template.own_dns or pod.template.host_network) and not ended:
                fed.elsewhere.add(pod.uid)
            elif pod.uid in fed.elsewhere:
                fed.elsewhere.discard(pod.uid)
                fed.elsewhere_until = now
        uids = {one.uid for one in marks}
        for uid in fed.pods - uids:
            self._remove(ref, fed, uid, now)
        fed.pods = uids
        self._set_products(ref, fed, frozenset(products))
        self._ledger.set_pods(ref, marks, fed.products)

    def forget(self, ref: WorkloadRef) -> None:
        """The workload is gone, with its pods."""
        now = self._clock()
        fed = self._fed.pop(ref, None)
        if fed is not None:
            for uid in fed.pods:
                self._remove(ref, fed, uid, now)
            self._set_products(ref, fed, frozenset())
        self._ledger.forget(ref)
        self._doubts.forget(ref)
        self._changed.discard(ref)

    def restore(self, ref: WorkloadRef, records: Iterable[ContactRecord]) -> None:
        """What an earlier leader stored of the workload. Only the first call counts."""
        self._ledger.restore(ref, records, self._clock())

    def set_name_servers(self, addresses: Iterable[str]) -> None:
        """The addresses of all name servers that answer for the DNS Service now."""
        self._chain.set_name_servers(addresses, self._clock())

    def canary_sent(self, name_server: str, token: str, *, search: bool = False) -> None:
        """A canary is about to be sent to a name server. ``token`` cannot be guessed. With
        ``search``, ``.<namespace>.svc.<cluster domain>`` follows the canary's name."""
        self._chain.canary_sent(name_server, token, self._clock(), search=search)

    def path_canary_sent(self, token: str) -> None:
        """A canary is about to be sent as pods ask: to the name server of their resolv.conf, which
        may be that of a cache on the node."""
        self._chain.path_canary_sent(token, self._clock())

    def set_autopath(self, name_server: str, *, in_use: bool) -> None:
        """Whether the name server answered such a canary as if the name existed."""
        self._chain.set_autopath(name_server, self._clock(), in_use=in_use)

    def tick(self) -> Changes:
        """Decide what has waited long enough, and say whose ``Contacts`` changed."""
        now = self._clock()
        for key, waiting in self._waiting.take_due(now):
            self._decide(key, waiting)
        self._book.forget(now)
        self._forget_pods(now)
        self._end_doubts(now)
        state = self._chain.state(now)
        changed = self._ledger.publish(now) | self._changed
        before, self._reported = self._reported, state
        self._changed = set()
        return Changes(frozenset(changed), chain=before != state)

    # What decisions and metrics get.

    def contacts_of(self, ref: WorkloadRef, hosts: Collection[str]) -> Contacts:
        """What is known of a workload. ``hosts`` are all telemetry hosts of its products. The
        answer stays equal until something changed."""
        seen = self._ledger.seen(ref)
        state = self._chain.state(self._clock())
        problem = self._problem_of(ref, hosts, state)
        if problem is not None:
            return Contacts(seen, None, *problem)
        return Contacts(seen, self._complete_since(ref, hosts, state))

    def records_of(self, ref: WorkloadRef) -> tuple[ContactRecord, ...]:
        """What to store of a workload for the next leader, at most 32."""
        return self._ledger.records(ref)

    def untapped(self, hosts: Iterable[str]) -> frozenset[str]:
        """Those of the hosts of which some name server has not reported a lookup yet."""
        return self._chain.untapped(hosts)

    def chain_state(self) -> ChainState:
        """Since when no lookup can be missing, whatever the workload."""
        return self._chain.state(self._clock())

    def connections(self) -> tuple[str, ...]:
        """The sources that are connected."""
        return self._chain.connections()

    def lookups(self) -> Mapping[LookupKey, int]:
        """Lookups by workload, product and class of the host; each only grows while the workload
        exists."""
        return self._ledger.totals

    def unattributed(self) -> Mapping[Unattributed, int]:
        """Lookups of telemetry hosts that are no pod's, by why; each only grows."""
        return self._unattributed

    @property
    def dropped_contacts(self) -> int:
        """How many contacts were dropped because there were too many; it only grows."""
        return self._ledger.dropped

    # How it is done.

    def _host_in(self, name: str) -> tuple[str | None, str]:
        """The telemetry host that a name means, and the namespace in its search domain."""
        if name in self._hosts:
            return name, ""
        if name.endswith(self._suffix):
            host, _, namespace = name[: -len(self._suffix)].rpartition(".")
            if host in self._hosts and host.count(".") >= _LEAST_LABELS - 1:
                return host, namespace
        return None, ""

    def _other(self, source: str, lookup: ReportedLookup, now: datetime) -> None:
        """A name that is no telemetry host's. It shows that the pod asks here."""
        if lookup.stage is not LookupStage.QUESTION:
            return
        if not self._chain.is_all_tapped(source) and self._is_outside(lookup.name):
            self._chain.tapped(source, None)
        if self._trusts(source, lookup.time, now):
            holder = self._book.holder(lookup.client, lookup.time)
            if isinstance(holder, Holder):
                self._note_asking(holder.uid, now)

    def _is_outside(self, name: str) -> bool:
        """Whether the printed tap, which is for hosts and all below them, would not show it."""
        while name:
            if name in self._hosts:
                return False
            name = name.partition(".")[2]
        return True

    def _note_asking(self, uid: str, now: datetime) -> None:
        pod = self._pods.get(uid)
        if pod is None:
            return
        since = self._reported.complete_since
        if self._reported.all_tapped and since and (pod.asked is None or pod.asked < since):
            self._changed.add(pod.ref)
        pod.asked = now

    def _wait(self, source: str, key: WaitingKey, lookup: ReportedLookup, now: datetime) -> None:
        clock_wrong = not self._trusts(source, lookup.time, now)
        is_waiting = self._waiting.add(key, lookup, now, clock_wrong=clock_wrong)
        if not is_waiting and lookup.stage is LookupStage.QUESTION:
            self._refuse(key, NoHolder(Unattributed.TOO_MANY), 1, now)

    def _trusts(self, source: str, time: datetime, now: datetime) -> bool:
        """Whether the time is right. A source that no canary has shown to be right may be late."""
        if time > now + CLOCK_OFFSET:
            return False
        trusted = self._chain.trusts_clock(source)
        return now - time <= CLOCK_OFFSET if trusted is None else trusted

    def _decide(self, key: WaitingKey, waiting: WaitingLookup) -> None:
        client, host, namespace, _ = key
        if host not in self._hosts:
            return
        holder = self._holder_of(client, waiting)
        if isinstance(holder, NoHolder):
            if client in self._own and holder == NoHolder(Unattributed.UNKNOWN):
                return
            self._refuse(key, holder, waiting.questions, waiting.arrived)
            return
        pod = self._pods.get(holder.uid)
        if pod is None or pod.ref not in self._fed or namespace not in ("", holder.namespace):
            return
        self._note_asking(holder.uid, waiting.arrived)
        self._ledger.asked(
            pod.ref,
            pod.mark,
            host,
            Questions(waiting.first, waiting.last, waiting.questions, search=bool(namespace)),
        )
        if waiting.answered is not None and not namespace:
            self._ledger.answered(
                pod.ref, pod.mark, host, waiting.answered, refused=waiting.refused
            )

    def _holder_of(self, client: str, waiting: WaitingLookup) -> Holder | NoHolder:
        if waiting.clock_wrong:
            return NoHolder(Unattributed.CLOCKS_DIFFER)
        first = self._book.holder(client, waiting.first)
        last = self._book.holder(client, waiting.last)
        if first == last:
            return first
        for one in (first, last):
            if isinstance(one, NoHolder):
                return one
        return NoHolder(Unattributed.REUSED)

    def _refuse(self, key: WaitingKey, holder: NoHolder, questions: int, time: datetime) -> None:
        """Count lookups that are no pod's, and doubt whose workload's they may be."""
        if questions == 0:
            return
        client, host, namespace, _ = key
        if not namespace or self._reported.autopath:
            # Otherwise the host alone is asked for next, and that counts.
            self._unattributed[holder.why] += questions
        pods = [self._pods.get(uid) for uid in holder.candidates]
        refs = {one.ref for one in pods if one is not None}
        detail = f"{client} asked for {host}: {_MEANINGS[holder.why]}"
        if not refs:
            if self._doubts.add_for_all(host, detail, time):
                self._changed |= self._refs_of(host)
            return
        for ref in refs:
            if ref in self._fed and self._doubts.add(ref, host, detail, time):
                self._changed.add(ref)

    def _problem_of(
        self, ref: WorkloadRef, hosts: Collection[str], state: ChainState
    ) -> tuple[ObservedReason, str] | None:
        """Why a lookup of one of the hosts by the workload may be missing."""
        fed = self._fed.get(ref)
        if fed is None:
            return ObservedReason.NOT_PROVEN_YET, "the pods of the workload are not known yet"
        if fed.elsewhere:
            names = sorted(self._name_of(uid) for uid in fed.elsewhere)
            return ObservedReason.OTHER_NAME_SERVERS, f"pod {names[0]}"
        if state.complete_since is None:
            return state.reason or ObservedReason.NOT_PROVEN_YET, state.detail
        return (
            self._problem_of_hosts(hosts, state)
            or self._problem_of_doubts(ref, hosts, state.complete_since)
            or self._problem_of_silence(fed, state.complete_since if state.all_tapped else None)
        )

    def _problem_of_hosts(
        self, hosts: Collection[str], state: ChainState
    ) -> tuple[ObservedReason, str] | None:
        for host in sorted(hosts):
            if host not in self._hosts:
                return ObservedReason.NOT_PROVEN_YET, f"{host} is not looked for yet"
            if state.autopath and host.count(".") < _LEAST_LABELS - 1:
                return (
                    ObservedReason.AUTOPATH_IN_USE,
                    f"with a search domain, {host} could be a name in the cluster",
                )
        untapped = self._chain.untapped(hosts) if self._proves_hosts else ()
        return (ObservedReason.HOST_NOT_TAPPED, min(untapped)) if untapped else None

    def _problem_of_doubts(
        self, ref: WorkloadRef, hosts: Collection[str], since: datetime
    ) -> tuple[ObservedReason, str] | None:
        detail = self._doubts.detail_since(since, ref, hosts)
        return (ObservedReason.NOT_ATTRIBUTED, detail) if detail is not None else None

    def _problem_of_silence(
        self, fed: _Fed, since: datetime | None
    ) -> tuple[ObservedReason, str] | None:
        if since is None:
            return None
        pods = [self._pods[uid] for uid in fed.pods if uid in self._pods]
        silent = sorted(
            one.mark.name
            for one in pods
            if one.mark.runs and (one.asked is None or one.asked < since)
        )
        return (ObservedReason.NO_QUESTIONS, f"pod {silent[0]}") if silent else None

    def _complete_since(
        self, ref: WorkloadRef, hosts: Collection[str], state: ChainState
    ) -> datetime | None:
        """When the last thing ended that may have hidden a lookup, in whole seconds."""
        fed = self._fed[ref]
        times = [
            state.complete_since,
            fed.elsewhere_until,
            self._ledger.dropped_until(ref),
            *(self._since.get(host) for host in hosts),
            *self._doubts.times(ref, hosts),
        ]
        latest = max(time for time in times if time is not None)
        down = latest.replace(microsecond=0)
        return down if down == latest else down + timedelta(seconds=1)

    def _name_of(self, uid: str) -> str:
        pod = self._pods.get(uid)
        return pod.mark.name if pod is not None else uid

    def _refs_of(self, host: str) -> set[WorkloadRef]:
        products = {use.product for use in self._hosts.get(host, ())}
        return {ref for product in products for ref in self._running.get(product, ())}

    def _set_products(self, ref: WorkloadRef, fed: _Fed, products: frozenset[str]) -> None:
        for product in fed.products - products:
            self._running[product].discard(ref)
            if not self._running[product]:
                del self._running[product]
        for product in products - fed.products:
            self._running.setdefault(product, set()).add(ref)
        fed.products = products

    def _remove(self, ref: WorkloadRef, fed: _Fed, uid: str, now: datetime) -> None:
        if uid in fed.elsewhere:
            fed.elsewhere.discard(uid)
            fed.elsewhere_until = now
        pod = self._pods.get(uid)
        if pod is not None and pod.ref == ref:
            self._book.remove(uid, now)
            self._gone.append((now, uid))

    def _forget_pods(self, now: datetime) -> None:
        while self._gone and self._gone[0][0] < now - KEPT_FOR:
            _, uid = self._gone.popleft()
            pod = self._pods.get(uid)
            fed = self._fed.get(pod.ref) if pod is not None else None
            if fed is None or uid not in fed.pods:
                self._pods.pop(uid, None)

    def _end_doubts(self, now: datetime) -> None:
        hosts, refs = self._doubts.end_old(now)
        self._changed.update(refs)
        for host in hosts:
            self._changed |= self._refs_of(host)


_MEANINGS = {
    Unattributed.UNKNOWN: "no known pod had that address",
    Unattributed.NODE: "that is the address of a node",
    Unattributed.SHARED: "several pods had that address",
    Unattributed.REUSED: "two pods had that address within seconds",
    Unattributed.CLOCKS_DIFFER: "the clock of the name server is wrong",
    Unattributed.TOO_MANY: "more lookups were waiting than are kept",
}
