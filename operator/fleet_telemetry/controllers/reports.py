"""Writes the reports for auditors, one for each workload, when they change."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime

from fleet_telemetry.decision import Plan
from fleet_telemetry.kube.client import ApiError, KubernetesClient
from fleet_telemetry.objects.kind import Kind
from fleet_telemetry.objects.labels import as_selector
from fleet_telemetry.objects.manifest import dig
from fleet_telemetry.reporting.policy_reports import (
    MANAGED_BY,
    OPEN_REPORTS,
    POLICY_REPORTS,
    LiveReport,
    build_results,
    read_written,
    report_to_write,
)
from fleet_telemetry.reporting.reports_api import ReportsApi
from fleet_telemetry.workloads.reading import read_owning_workloads
from fleet_telemetry.workloads.workload import Workload, WorkloadRef

_log = logging.getLogger(__name__)

_DISCOVERY_SECONDS = 300.0
"""Between two discoveries of the served APIs, which may be installed or removed."""
_RETRY_SECONDS = 5.0
_DISCOVERIES_PER_LIST = 6
"""Reports are not watched; they are listed again to find those that somebody edited."""
_SELECTOR = as_selector(MANAGED_BY)

_KINDS = {
    ReportsApi.AUTO: (OPEN_REPORTS, POLICY_REPORTS),
    ReportsApi.OPEN_REPORTS: (OPEN_REPORTS,),
    ReportsApi.POLICY_REPORT: (POLICY_REPORTS,),
    ReportsApi.OFF: (),
}


class ReportWriter:
    """Knows the reports in the cluster, and writes those that differ from the desired ones."""

    def __init__(
        self,
        client: KubernetesClient,
        api: ReportsApi,
        *,
        now: Callable[[], datetime],
        on_change: Callable[[], None],
        cluster: str = "",
    ) -> None:
        """``on_change`` is called when all reports have to be written again. ``cluster`` is the
        cluster's name."""
        self._cluster = cluster
        self._client = client
        self._api = api
        self._now = now
        self._kind: Kind | None = None
        self._is_known = False
        """Whether discovery and listing succeeded."""
        self._written: dict[WorkloadRef, tuple[str, LiveReport]] = {}
        """The owner's uid, which is the report's name, and the report's content."""
        self._on_change = on_change

    async def discover(self) -> None:
        """Discover the API to use, and list the reports. An ApiError is logged."""
        try:
            served = await self._served()
            kind = served[0] if served else None
            if kind is not self._kind:
                _log.info("reports: %s", f"{kind.kind} of {kind.group}" if kind else "none")
            self._written = await self._list(kind) if kind else {}
            self._kind = kind
            for other in served[1:]:
                await self._remove(other)
            self._is_known = True
        except ApiError as error:
            _log.warning("cannot discover or list reports, retrying: %s", error)
            self._kind = None
            self._is_known = False

    async def run(self) -> None:
        """Discover the API and list the reports again from time to time. Never ends."""
        discoveries = 0
        while True:
            await asyncio.sleep(_DISCOVERY_SECONDS if self._is_known else _RETRY_SECONDS)
            discoveries += 1
            if await self._is_unchanged() and discoveries % _DISCOVERIES_PER_LIST:
                continue
            before = self._kind, dict(self._written)
            await self.discover()
            if (self._kind, self._written) != before:
                self._on_change()

    async def _is_unchanged(self) -> bool:
        """Whether the same API is served as before. True if discovery fails."""
        if not self._is_known:
            return False
        try:
            served = await self._served()
        except ApiError:
            return True
        return (served[0] if served else None) is self._kind

    async def write(self, workload: Workload, plan: Plan) -> None:
        """Write the report of a workload if it changed. Raises ApiError."""
        kind = self._kind
        if kind is None:
            return
        results = build_results(workload, plan, self._cluster)
        if not results:
            await self.delete(workload.ref)
            return
        uid, before = self._written.get(workload.ref, ("", None))
        if uid != workload.uid:
            # The report of an earlier workload of this name may have lost its owner.
            await self.delete(workload.ref)
            before = None
        report = report_to_write(kind, workload, results, before, int(self._now().timestamp()))
        if report is None:
            return
        try:
            written = await self._client.apply(kind, report)
        except ApiError as error:
            if not error.is_not_found:
                raise
            # The API is no longer served; run() discovers which one is.
            self._kind, self._is_known = None, False
            return
        self._written[workload.ref] = workload.uid, read_written(written)

    async def delete(self, ref: WorkloadRef) -> None:
        """Delete the report of a workload, if there is one. Raises ApiError."""
        known = self._written.pop(ref, None)
        if known is not None and self._kind is not None:
            await self._client.delete(self._kind, known[0], ref.namespace)

    async def _served(self) -> list[Kind]:
        """The configured kinds that the API server serves, in order of preference."""
        return [
            kind
            for kind in _KINDS[self._api]
            if kind.plural in await self._client.served_plurals(kind.group, kind.version)
        ]

    async def _list(self, kind: Kind) -> dict[WorkloadRef, tuple[str, LiveReport]]:
        found = {}
        async for manifest in self._client.list(kind, selector=_SELECTOR):
            name = manifest["metadata"]["name"]
            owners = list(read_owning_workloads(manifest))
            for ref, _ in owners:
                found[ref] = name, read_written(manifest)
            if not owners and dig(manifest, "scope", "uid") == name:
                # Its workload was deleted with --cascade=orphan.
                await self._client.delete(kind, name, manifest["metadata"]["namespace"])
        return found

    async def _remove(self, kind: Kind) -> None:
        """Delete the reports of the other kind, which would become outdated."""
        async for manifest in self._client.list(kind, selector=_SELECTOR):
            metadata = manifest["metadata"]
            await self._client.delete(kind, metadata["name"], metadata["namespace"])
