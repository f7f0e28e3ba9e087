"""Sets what a product reports to the desired setting by its API, and reports drift."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

from fleet_telemetry.api.policy import RuntimeAction
from fleet_telemetry.api.product.setting import Setting
from fleet_telemetry.api.reasons import Reason
from fleet_telemetry.controllers.daily_limit import conflict_note
from fleet_telemetry.controllers.runtime.check_job import CheckJob
from fleet_telemetry.controllers.runtime.gathering import RunningInstances
from fleet_telemetry.evidence.checks import Check
from fleet_telemetry.evidence.combining import combine
from fleet_telemetry.evidence.report import Reported
from fleet_telemetry.kube.cache import ClusterCache
from fleet_telemetry.kube.events import EventRecorder, regarding_workload
from fleet_telemetry.reporting.metrics import VerificationMetrics
from fleet_telemetry.switches.reading import setting_of
from fleet_telemetry.vendors.adapters import ADAPTERS


class Remediator:
    """Writes the desired setting, within the limit of a day."""

    def __init__(
        self,
        cache: ClusterCache,
        metrics: VerificationMetrics,
        events: EventRecorder,
        *,
        is_current: Callable[[CheckJob, Check], bool],
    ) -> None:
        """``is_current`` says whether a job's check was not replaced since it began."""
        self._cache = cache
        self._metrics = metrics
        self._events = events
        self._is_current = is_current

    def is_needed(self, job: CheckJob, check: Check, found: Reported) -> bool:
        """Whether the setting differs from the desired one and may be written."""
        return (
            found.setting not in (Setting.UNKNOWN, setting_of(check.desired))
            and check.action is RuntimeAction.REMEDIATE
            and ADAPTERS[check.api.adapter].settable
            and found.enforceable
            and self._is_current(job, check)
        )

    async def remediate(
        self, job: CheckJob, found: Reported, instances: RunningInstances
    ) -> Reported:
        """Write the setting and read it back, unless the limit of a day is reached."""
        check = job.check
        now = asyncio.get_running_loop().time()
        if job.state.remediations.is_reached(now):
            return replace(found, remediation_conflict=True)
        failure = await instances.client.write(instances.endpoints, check.desired)
        result = combine(await instances.read(), check.desired)
        if result.setting is Setting.UNKNOWN:
            fault = failure.reason if failure else result.fault
            message = str(failure or result.message)
            return Reported(fault=fault or Reason.UNEXPECTED_ANSWER, message=message)
        if failure is not None and result.setting is found.setting:
            message = f"{result.message} {failure}"
            return replace(result, fault=failure.reason, message=message)
        is_last = job.state.remediations.count(now)
        if result.setting is setting_of(check.desired):
            self._metrics.count_remediation(check.product)
            note = f"{check.product}: telemetry was set to {check.desired} by the product's API"
            await self._event(job, "TelemetryRemediated", note)
        if is_last:
            note = conflict_note(f"{check.product}: telemetry")
            await self._event(job, "TelemetryRemediationConflict", note, warning=True)
        return result

    async def report_drift(self, job: CheckJob, found: Reported) -> None:
        """Count and report a setting that was the desired one and no longer is."""
        if job.state.has_drifted(found, job.check.desired):
            self._metrics.count_drift(job.check.product)
            note = f"{job.check.product}: {found.message}"
            await self._event(job, "TelemetryDrift", note, warning=True)

    async def _event(self, job: CheckJob, reason: str, note: str, *, warning: bool = False) -> None:
        workload = self._cache.fleet.workloads.get(job.ref)
        regarding = regarding_workload(job.ref, workload.uid if workload else "")
        await self._events.event(regarding, reason, note, warning=warning)
