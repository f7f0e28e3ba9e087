"""What DNS showed of workloads, while this replica leads."""

from __future__ import annotations

import asyncio
import logging
import ssl
import traceback
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime

from fleet_telemetry.api.reasons import ObservedReason
from fleet_telemetry.api.workload_telemetry import ContactRecord
from fleet_telemetry.controllers.observed.certificate import CertificateFiles
from fleet_telemetry.controllers.observed.feed import Feed
from fleet_telemetry.controllers.observed.options import ObserverOptions
from fleet_telemetry.controllers.observed.session import Pace, Session
from fleet_telemetry.evidence.contacts import NO_CONTACTS, Contacts
from fleet_telemetry.kube.cache import ClusterCache
from fleet_telemetry.kube.client import KubernetesClient
from fleet_telemetry.reporting.observed_metrics import ObservedFigures
from fleet_telemetry.workloads.workload import WorkloadRef

_log = logging.getLogger(__name__)

_OURS = (ObservedReason.SOURCE_NOT_CONNECTED, ObservedReason.NOT_PROVEN_YET)
"""What a problem of the operator itself explains."""
_FAILED = Contacts(
    reason=ObservedReason.NOT_PROVEN_YET, detail="the operator failed, and its log says how"
)


class Observer:
    """One session for each time of leading. A failure stops no reconciling."""

    def __init__(
        self,
        cache: ClusterCache,
        client: KubernetesClient,
        options: ObserverOptions,
        *,
        now: Callable[[], datetime],
        enqueue: Callable[[WorkloadRef], None],
        pace: Pace = Pace(),  # noqa: B008  # immutable
    ) -> None:
        """``enqueue`` is called with each workload of which something changed. Raises ValueError if
        the certificate cannot be used."""
        self._cache = cache
        self._client = client
        self._options = options
        self._now = now
        self._enqueue = enqueue
        self._pace = pace
        self._certificate = (
            CertificateFiles(options.certificate, options.key)
            if options.certificate and options.key
            else None
        )
        self.feed = Feed(cache)
        """To be added to the cache's listeners, before those that have something decided."""
        self._session: Session | None = None
        self._logged = ""

    @property
    def is_beginning(self) -> bool:
        """Whether nothing is proven yet and may be soon. All workloads are enqueued after that."""
        return self._session is not None and self._session.is_beginning

    def contacts_of(self, ref: WorkloadRef) -> Contacts:
        """What is known of a workload."""
        session = self._session
        if session is None:
            return NO_CONTACTS
        try:
            self.feed.sync(ref)
            found = session.observation.contacts_of(ref, self.feed.hosts_of(ref))
        except Exception:  # noqa: BLE001  # a bug here must not stop the reconciling of a workload
            self._log_failure(ref)
            return _FAILED
        if found.complete_since is None and found.reason in _OURS and session.problem:
            return replace(found, detail=session.problem)
        return found

    def records_of(self, ref: WorkloadRef) -> tuple[ContactRecord, ...]:
        """What to store of a workload for the next leader."""
        return self._session.observation.records_of(ref) if self._session is not None else ()

    def figures(self) -> ObservedFigures | None:
        """For metrics, from any thread; None while this replica does not lead."""
        session = self._session
        return session.figures if session is not None else None

    async def begin(self) -> None:
        """To be called before anything is decided as the leader. It takes no time."""
        self._session = Session(
            self._client,
            self._options,
            self.feed,
            now=self._now,
            tls=self._context if self._certificate is not None else None,
            enqueue=self._enqueue_all,
            pace=self._pace,
        )
        self.feed.begin(self._session.observation)

    async def run(self) -> None:
        """Observe until cancelled; then nothing listens, and nothing is known."""
        try:
            async with asyncio.TaskGroup() as group:
                if self._session is not None:
                    group.create_task(self._session.run())
                if self._certificate is not None:
                    group.create_task(self._certificate.keep_fresh())
        finally:
            self.feed.end()
            self._session = None

    def _context(self) -> ssl.SSLContext:
        assert self._certificate is not None, "it is asked for only where there is one"
        return self._certificate.context

    def _enqueue_all(self, refs: Iterable[WorkloadRef] | None) -> None:
        for ref in list(self._cache.fleet.workloads) if refs is None else refs:
            self._enqueue(ref)

    def _log_failure(self, ref: WorkloadRef) -> None:
        """Log the present exception, once for all in a row that are the same."""
        failure = traceback.format_exc()
        if failure != self._logged:
            self._logged = failure
            _log.exception("%s: it cannot be said what DNS showed", ref)
