"""The leader's observation of the cluster's DNS, from the start of leading to its end.

Nothing that fails here stops anything else: a failure is logged, shown in the details of
``observed``, and tried again.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
import time
import traceback
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import NoReturn

from fleet_telemetry.api.reasons import ObservedReason
from fleet_telemetry.api.workload_telemetry import ContactRecord
from fleet_telemetry.controllers.observed.canaries import Canaries
from fleet_telemetry.controllers.observed.certificate import CertificateFiles
from fleet_telemetry.controllers.observed.discovery import NameServers
from fleet_telemetry.controllers.observed.feed import Feed
from fleet_telemetry.controllers.observed.options import ObserverOptions
from fleet_telemetry.controllers.observed.own_slice import OwnSlice
from fleet_telemetry.controllers.observed.probes import Probes
from fleet_telemetry.controllers.observed.source_log import SourceLog
from fleet_telemetry.egress.dns.client import local_address
from fleet_telemetry.egress.dns.name_servers import NameServer
from fleet_telemetry.evidence.contacts import NO_CONTACTS, Contacts
from fleet_telemetry.kube.cache import ClusterCache
from fleet_telemetry.kube.client import KubernetesClient
from fleet_telemetry.observed.observation import Observation
from fleet_telemetry.observed.receiver import Receiver
from fleet_telemetry.reporting.observed_metrics import ObservedFigures
from fleet_telemetry.workloads.workload import WorkloadRef

_log = logging.getLogger(__name__)

_TICK_SECONDS = 1.0
_CANARY_SECONDS = 30.0
_SHORTEST_CANARY_SECONDS = 2.0
"""Between two rounds, however often name servers connect."""
_RETRY_SECONDS = 5.0
_CERTIFICATE_SECONDS = 10.0
_FORMER_LEADER_SECONDS = 300.0
"""How long lookups by the former leader may still be reported."""
_OURS = (ObservedReason.SOURCE_NOT_CONNECTED, ObservedReason.NOT_PROVEN_YET)
"""What a problem of the observer itself explains."""
_FAILED = Contacts(
    reason=ObservedReason.NOT_PROVEN_YET, detail="the operator failed, and its log says how"
)

Run = Callable[[], Awaitable[NoReturn]]


class Observer:
    """What DNS showed of workloads, while this replica leads."""

    def __init__(
        self,
        cache: ClusterCache,
        client: KubernetesClient,
        options: ObserverOptions,
        *,
        now: Callable[[], datetime],
        enqueue: Callable[[WorkloadRef], None],
    ) -> None:
        """``enqueue`` is called with each workload of which something changed. Raises ValueError if
        the certificate cannot be used any more."""
        self._cache = cache
        self._options = options
        self._now = now
        self._enqueue = enqueue
        self._certificate = (
            CertificateFiles(options.certificate, options.key)
            if options.certificate and options.key
            else None
        )
        self.feed = Feed(cache)
        """To be added to the cache's listeners."""
        self._discovery = NameServers(client, options, self._name_servers_read)
        self._slice = OwnSlice(client, options)
        self._observation: Observation | None = None
        self._receiver: Receiver | None = None
        self._name_servers: frozenset[NameServer] = frozenset()
        self._unknown = ""
        """Why the name servers are not known."""
        self._deaf = ""
        """Why nothing is received."""
        self._shown_problem = ""
        self._probes = Probes()
        self._connected = asyncio.Event()
        self._untapped: frozenset[str] = frozenset()
        self._own: frozenset[str] = frozenset()
        self._began = 0.0
        self._figures: ObservedFigures | None = None
        self._logged_failure = ""

    # What decisions and statuses get.

    def contacts_of(self, ref: WorkloadRef) -> Contacts:
        """What is known of a workload."""
        observation = self._observation
        if observation is None:
            return NO_CONTACTS
        try:
            self.feed.sync(ref)
            found = observation.contacts_of(ref, self.feed.hosts_of(ref))
        except Exception:  # noqa: BLE001  # a bug here must not stop the reconciling of a workload
            self._log_failure(f"{ref}: what DNS showed cannot be said")
            return _FAILED
        problem = self._problem
        if problem and found.complete_since is None and found.reason in _OURS:
            return replace(found, detail=problem)
        return found

    def records_of(self, ref: WorkloadRef) -> tuple[ContactRecord, ...]:
        """What to store of a workload for the next leader."""
        return self._observation.records_of(ref) if self._observation is not None else ()

    def figures(self) -> ObservedFigures | None:
        """For metrics, from any thread; None while this replica does not lead."""
        return self._figures

    # What the manager calls.

    async def begin(self) -> None:
        """Called before anything is decided as the leader. It takes no time."""
        options = self._options
        observation = Observation(
            self._now, cluster_domain=options.cluster_domain, proves_hosts=True
        )
        log = SourceLog(observation, time.monotonic, self._connected.set)
        self._receiver = Receiver(
            log,
            self._discovery.admits,
            on_refusal=log.refused,
            tls=self._context if self._certificate else None,
        )
        self._unknown, self._deaf = "the name servers have not been read yet", ""
        self._shown_problem = ""
        self._name_servers = self._untapped = frozenset()
        self._own = frozenset({str(options.address)})
        self._probes = Probes()
        self._began = time.monotonic()
        self.feed.begin(observation)
        self._observation = observation

    async def run(self) -> None:
        """Observe until cancelled; then nothing listens, and nothing is known."""
        try:
            async with asyncio.TaskGroup() as group:
                for run in (
                    self._discovery.run,
                    self._slice.run,
                    self._receive,
                    self._send_canaries,
                    self._follow,
                    self._keep_certificate,
                ):
                    group.create_task(_for_ever(run))
        finally:
            self.feed.end()
            self._observation = self._receiver = self._figures = None

    # How it is done.

    @property
    def _problem(self) -> str:
        return self._deaf or self._unknown or self._slice.problem

    def _name_servers_read(self, found: frozenset[NameServer], problem: str) -> None:
        self._unknown = problem
        if self._observation is None or self._receiver is None:
            return
        if found != self._name_servers:
            self._name_servers = found
            self._own = frozenset({str(self._options.address), *_local_addresses(found)})
            self._connected.set()
        self._receiver.recheck()
        self._observation.set_name_servers(str(one.address) for one in found)

    def _context(self) -> ssl.SSLContext:
        assert self._certificate is not None, "it is given only where there is one"
        return self._certificate.context

    async def _receive(self) -> NoReturn:
        options = self._options
        while True:
            assert self._receiver is not None, "begin made it"
            try:
                async with self._receiver.serve(options.host, options.port):
                    self._deaf = ""
                    await asyncio.Event().wait()
            except OSError as error:
                self._deaf = (
                    f"the operator cannot listen on {options.host}, port {options.port}: "
                    f"{error.strerror or error}"
                )
                _log.warning("%s", self._deaf)
            await asyncio.sleep(_RETRY_SECONDS)

    async def _send_canaries(self) -> NoReturn:
        while True:
            observation = self._observation
            assert observation is not None, "begin made it"
            self._connected.clear()
            canaries = Canaries(observation, self._options.search_domain)
            untapped = observation.untapped(self.feed.hosts_in_use())
            hosts = self._probes.due(untapped, observation.connections(), time.monotonic())
            await canaries.send(self._name_servers, hosts)
            await asyncio.sleep(_SHORTEST_CANARY_SECONDS)
            with suppress(TimeoutError):
                async with asyncio.timeout(_CANARY_SECONDS - _SHORTEST_CANARY_SECONDS):
                    await self._connected.wait()

    async def _follow(self) -> NoReturn:
        """Take in what changed, and have decided again what depends on it."""
        while True:
            await self.feed.pump()
            self._tick()
            await asyncio.sleep(_TICK_SECONDS)

    def _tick(self) -> None:
        observation, receiver = self._observation, self._receiver
        assert observation is not None and receiver is not None, "begin made them"
        is_new = time.monotonic() - self._began < _FORMER_LEADER_SECONDS
        observation.set_own_addresses({*self._own, *(self._slice.former if is_new else ())})
        changes = observation.tick()
        untapped = observation.untapped(self.feed.hosts_in_use())
        turned, self._untapped = self._untapped ^ untapped, untapped
        problem = self._problem
        if changes.chain or problem != self._shown_problem:
            self._shown_problem = problem
            changed: Iterable[WorkloadRef] = list(self._cache.fleet.workloads)
        else:
            changed = {*changes.workloads, *(self.feed.users_of(turned) if turned else ())}
        for ref in changed:
            self._enqueue(ref)
        connected = {source.partition("#")[0] for source in observation.connections()}
        sources = dict.fromkeys((str(one.address) for one in self._name_servers), False)
        self._figures = ObservedFigures(
            lookups=observation.lookups(),
            unattributed=observation.unattributed(),
            frames=receiver.figures.frames,
            refused=receiver.figures.refused,
            sources=sources | dict.fromkeys(connected, True),
            complete_since=observation.chain_state().complete_since,
        )

    async def _keep_certificate(self) -> NoReturn:
        problem = ""
        while True:
            await asyncio.sleep(_CERTIFICATE_SECONDS)
            if self._certificate is None:
                continue
            try:
                if await asyncio.to_thread(self._certificate.refresh):
                    _log.info("the certificate for dnstap was loaded anew")
                problem = ""
            except ValueError as error:
                if str(error) != problem:
                    problem = str(error)
                    _log.warning("%s; the one before stays in use", problem)

    def _log_failure(self, text: str) -> None:
        """Log a failure with its traceback, once for each in a row."""
        failure = traceback.format_exc()
        if failure != self._logged_failure:
            self._logged_failure = failure
            _log.exception("%s", text)


def _local_addresses(name_servers: Iterable[NameServer]) -> Iterator[str]:
    """The addresses from which this replica asks name servers."""
    for name_server in name_servers:
        with suppress(OSError):
            yield local_address(name_server)


async def _for_ever(run: Run) -> NoReturn:
    """Run it again after a failure."""
    while True:
        try:
            await run()
        except Exception:  # noqa: BLE001  # a bug of one part must stop neither the others nor the manager
            _log.exception("observing DNS failed, and begins again in %g s", _RETRY_SECONDS)
        await asyncio.sleep(_RETRY_SECONDS)
