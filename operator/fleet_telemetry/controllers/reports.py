"""Reports for auditors, one for each workload, written only where they change."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime

from fleet_telemetry.decision import Plan
from fleet_telemetry.kube.client import ApiError, KubernetesClient
from fleet_telemetry.objects.kind import Kind
from fleet_telemetry.objects.manifest import items_at
from fleet_telemetry.reporting.policy_reports import (
    MANAGED_BY,
    OPEN_REPORTS,
    POLICY_REPORTS,
    Written,
    build_results,
    read_written,
    report_manifest,
    to_write,
)
from fleet_telemetry.reporting.reports_api import ReportsApi
from fleet_telemetry.workloads.registry import WorkloadKind
from fleet_telemetry.workloads.workload import Workload, WorkloadRef

_log = logging.getLogger(__name__)

_ASK_SECONDS = 300.0
"""Between two looks at what is served: the form may come and go."""
_RETRY_SECONDS = 5.0
_LOOKS_PER_LIST = 6
"""So many of those looks until everything is listed again: people edit."""
_SELECTOR = ",".join(f"{label}={value}" for label, value in MANAGED_BY.items())

_WANTED = {
    ReportsApi.AUTO: (OPEN_REPORTS, POLICY_REPORTS),
    ReportsApi.OPEN_REPORTS: (OPEN_REPORTS,),
    ReportsApi.POLICY_REPORT: (POLICY_REPORTS,),
    ReportsApi.OFF: (),
}


class ReportWriter:
    """Knows what reports there are, and keeps them right while this replica leads."""

    def __init__(
        self, client: KubernetesClient, wanted: ReportsApi, now: Callable[[], datetime]
    ) -> None:
        self._client = client
        self._wanted = wanted
        self._now = now
        self._kind: Kind | None = None
        self._is_known = False
        """Whether all of it could be found out."""
        self._written: dict[WorkloadRef, tuple[str, Written]] = {}
        """The owner's uid, which is the report's name, and what it says."""
        self.told: Callable[[], None] = lambda: None
        """Called when everything has to be reported anew."""

    async def look(self) -> None:
        """Find out which form is served, and what is written in it."""
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
            _log.warning("reports cannot be looked at, trying again: %s", error)
            self._kind = None
            self._is_known = False

    async def run(self) -> None:
        """Look again now and then. Never ends."""
        looks = 0
        while True:
            await asyncio.sleep(_ASK_SECONDS if self._is_known else _RETRY_SECONDS)
            looks += 1
            if await self._is_as_known() and looks % _LOOKS_PER_LIST:
                continue
            before = self._kind, dict(self._written)
            await self.look()
            if (self._kind, self._written) != before:
                self.told()

    async def _is_as_known(self) -> bool:
        """Whether the same form is served as before, as far as that can be found out."""
        if not self._is_known:
            return False
        try:
            served = await self._served()
        except ApiError:
            return True
        return (served[0] if served else None) is self._kind

    async def write(self, workload: Workload, plan: Plan) -> None:
        """Write the report of a workload if it says something else by now. Raises ApiError."""
        kind = self._kind
        if kind is None:
            return
        results = build_results(workload, plan)
        if not results:
            await self.forget(workload.ref)
            return
        uid, before = self._written.get(workload.ref, ("", None))
        if uid != workload.uid:
            before = None
        seconds = to_write(results, before, int(self._now().timestamp()))
        if seconds is None:
            return
        try:
            written = await self._client.apply(
                kind, report_manifest(kind, workload, results, seconds)
            )
        except ApiError as error:
            if not error.is_not_found:
                raise
            # The form is not served any more; run() finds out what is.
            self._kind, self._is_known = None, False
            return
        self._written[workload.ref] = workload.uid, read_written(written)

    async def forget(self, ref: WorkloadRef) -> None:
        """Nothing is to be said of a workload any more. Raises ApiError."""
        known = self._written.pop(ref, None)
        if known is not None and self._kind is not None:
            await self._client.delete(self._kind, known[0], ref.namespace)

    async def _served(self) -> list[Kind]:
        """Of the wanted forms those that the API server knows, the best first."""
        return [
            kind
            for kind in _WANTED[self._wanted]
            if kind.plural in await self._client.served_plurals(kind.group, kind.version)
        ]

    async def _list(self, kind: Kind) -> dict[WorkloadRef, tuple[str, Written]]:
        found = {}
        async for manifest in self._client.list(kind, selector=_SELECTOR):
            metadata = manifest["metadata"]
            for owner in items_at(manifest, "metadata", "ownerReferences"):
                if owner.get("kind") in WorkloadKind.__members__.values():
                    kind_name = WorkloadKind(owner["kind"])
                    ref = WorkloadRef(metadata["namespace"], kind_name, owner["name"])
                    found[ref] = metadata["name"], read_written(manifest)
        return found

    async def _remove(self, kind: Kind) -> None:
        """Of two forms one is enough, and the other would grow old."""
        async for manifest in self._client.list(kind, selector=_SELECTOR):
            metadata = manifest["metadata"]
            await self._client.delete(kind, metadata["name"], metadata["namespace"])
