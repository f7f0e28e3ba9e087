"""One time of leading, as far as the cluster's DNS is observed: what is known of it, and the tasks.

Nothing that fails here stops anything else: a failure is logged, shown where it hides lookups, and
tried again.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
import time
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NoReturn

from fleet_telemetry.controllers.observed.canaries import Canaries
from fleet_telemetry.controllers.observed.discovery import NameServers
from fleet_telemetry.controllers.observed.feed import Feed
from fleet_telemetry.controllers.observed.options import ObserverOptions
from fleet_telemetry.controllers.observed.own_addresses import OwnAddresses
from fleet_telemetry.controllers.observed.own_slice import OwnSlice
from fleet_telemetry.controllers.observed.probes import Probes
from fleet_telemetry.controllers.observed.source_log import SourceLog
from fleet_telemetry.egress.dns.name_servers import NameServer
from fleet_telemetry.kube.client import KubernetesClient
from fleet_telemetry.observed.observation import SETTLED_AFTER, DnsObservation
from fleet_telemetry.observed.receiver import Receiver
from fleet_telemetry.reporting.observed_metrics import ObservedFigures
from fleet_telemetry.workloads.workload import WorkloadRef

_log = logging.getLogger(__name__)

_RETRY_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds."""

    tick: float = 1.0
    canaries: float = 30.0
    soonest: float = 2.0
    """Between two rounds of canaries, however often name servers connect."""
    settle: float = SETTLED_AFTER.total_seconds()
    """How long a lookup waits until it is decided whose it is."""
    begin: float = 60.0
    """How long name servers may take to find a new leader."""


Run = Callable[[], Awaitable[NoReturn]]


class Session:
    """It listens while ``run`` runs."""

    def __init__(
        self,
        client: KubernetesClient,
        options: ObserverOptions,
        feed: Feed,
        *,
        now: Callable[[], datetime],
        tls: Callable[[], ssl.SSLContext] | None,
        enqueue: Callable[[Iterable[WorkloadRef] | None], None],
        pace: Pace = Pace(),  # immutable
    ) -> None:
        """``enqueue`` is called with the workloads of which something changed; None for all."""
        self._options = options
        self._feed = feed
        self._enqueue = enqueue
        self._pace = pace
        self.observation = DnsObservation(
            now,
            cluster_domain=options.cluster_domain,
            settled_after=timedelta(seconds=pace.settle),
            proves_hosts=True,
            proves_path=options.path is not None,
        )
        self._new_sources = asyncio.Event()
        """Something may be proven that was not before."""
        log = SourceLog(self.observation, time.monotonic, self._new_sources.set)
        self._discovery = NameServers(client, options, self._name_servers_read, time.monotonic)
        self._receiver = Receiver(log, self._discovery.admits, on_refusal=log.refused, tls=tls)
        self._slice = OwnSlice(client, options)
        self._own = OwnAddresses(options.address, time.monotonic)
        self._canaries = Canaries(self.observation, options.search_domain)
        self._probes = Probes()
        self._name_servers: frozenset[NameServer] = frozenset()
        self._unknown = "the cluster's name servers have not been read yet"
        """Why the name servers are not known."""
        self._deaf = ""
        """Why nothing is received."""
        self._shown_problem = ""
        self._until = time.monotonic() + pace.begin
        self.is_beginning = True
        """Whether nothing is proven yet and may be soon. All workloads are enqueued after that."""
        self._untapped: frozenset[str] = frozenset()
        self.figures: ObservedFigures | None = None
        """For metrics, from any thread."""

    @property
    def problem(self) -> str:
        """Why nothing may be known at all, in a sentence; empty if nothing speaks for that."""
        return self._deaf or self._unknown or self._slice.problem

    async def run(self) -> None:
        """Observe until cancelled. Nothing listens after that."""
        parts = (
            self._discovery.run,
            self._slice.run,
            self._receive,
            self._send_canaries,
            self._follow,
        )
        async with asyncio.TaskGroup() as group:
            for part in parts:
                group.create_task(_for_ever(part))

    def _name_servers_read(self, found: frozenset[NameServer], problem: str) -> None:
        self._unknown = problem
        if found != self._name_servers:
            self._name_servers = found
            self._own.ask_from(found)
            self._new_sources.set()
        self.observation.set_name_servers(str(one.address) for one in found)
        self._receiver.recheck()

    async def _receive(self) -> NoReturn:
        host, port = self._options.host, self._options.port
        while True:
            try:
                async with self._receiver.serve(host, port):
                    self._deaf = ""
                    await asyncio.Event().wait()
            except OSError as error:
                why = error.strerror or error
                self._deaf = f"the operator cannot listen on {host}, port {port}: {why}"
                _log.warning("%s", self._deaf)
            await asyncio.sleep(_RETRY_SECONDS)

    async def _send_canaries(self) -> NoReturn:
        while True:
            self._new_sources.clear()
            connections = self.observation.connections()
            untapped = self.observation.untapped(self._feed.hosts_in_use())
            hosts = self._probes.due(untapped, connections, time.monotonic())
            async with asyncio.TaskGroup() as group:
                group.create_task(self._canaries.send(self._name_servers, hosts))
                if self._options.path is not None:
                    group.create_task(self._canaries.send_as_pods(self._options.path))
            await asyncio.sleep(self._pace.soonest)
            with suppress(TimeoutError):
                async with asyncio.timeout(self._pace.canaries - self._pace.soonest):
                    await self._new_sources.wait()

    async def _follow(self) -> NoReturn:
        """Take in what changed, and have decided again what depends on it."""
        while True:
            await self._feed.pump()
            self.observation.set_own_addresses(self._own.all(self._slice.former))
            self._announce()
            self.figures = self._count()
            await asyncio.sleep(self._pace.tick)

    def _announce(self) -> None:
        changes = self.observation.tick()
        untapped = self.observation.untapped(self._feed.hosts_in_use())
        turned, self._untapped = self._untapped ^ untapped, untapped
        problem, shown = self.problem, self._shown_problem
        self._shown_problem = problem
        begun = self.is_beginning and self._has_begun(untapped)
        self.is_beginning = self.is_beginning and not begun
        if changes.chain or problem != shown or begun:
            self._enqueue(None)
        elif changes.workloads or turned:
            self._enqueue({*changes.workloads, *self._feed.users_of(turned)})

    def _has_begun(self, untapped: frozenset[str]) -> bool:
        is_proven = self.observation.chain_state().complete_since is not None and not untapped
        return is_proven or time.monotonic() >= self._until

    def _count(self) -> ObservedFigures:
        observation, figures = self.observation, self._receiver.figures
        connected = {source.partition("#")[0] for source in observation.connections()}
        sources = dict.fromkeys((str(one.address) for one in self._name_servers), False)
        return ObservedFigures(
            lookups=observation.lookups(),
            unattributed=observation.unattributed(),
            frames=figures.frames,
            refused=figures.refused,
            sources=sources | dict.fromkeys(connected, True),
            complete_since=observation.chain_state().complete_since,
        )


async def _for_ever(run: Run) -> NoReturn:
    """Run it again after a failure."""
    while True:
        try:
            await run()
        except Exception:  # noqa: BLE001  # a bug of one part must stop neither the others nor the manager
            _log.exception("observing DNS failed, and begins again in %g s", _RETRY_SECONDS)
        await asyncio.sleep(_RETRY_SECONDS)
