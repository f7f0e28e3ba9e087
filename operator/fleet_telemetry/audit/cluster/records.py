"""What an installed operator recorded of a workload: evidence that a reader alone does not have.

A product's own report and the network's verdict hold as long as the operator renews them. Without a
sign that it runs, they are what was true once, and prove nothing. That data began with a setting
stays true.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto

from fleet_telemetry.api.policy import DNS_SUBDOMAIN, ChannelName
from fleet_telemetry.api.product import Setting
from fleet_telemetry.api.reasons import EgressReason, Reason
from fleet_telemetry.api.workload_telemetry import EgressVerdict, WorkloadTelemetryStatus
from fleet_telemetry.evidence.egress import EgressFinding
from fleet_telemetry.evidence.report import Reported
from fleet_telemetry.objects.manifest import Manifest, items_at, read_time, text_at
from fleet_telemetry.reporting.workload_status import stored_reports
from fleet_telemetry.workloads.workload import FIELD_MANAGER, PodTemplate


class Operator(Enum):
    """What Leases show of the operator that wrote the records."""

    RUNS = auto()
    STOPPED = auto()
    """No Lease of one is renewed."""
    NOT_VISIBLE = auto()
    """Its Lease may not be read."""


_NOT_RUNNING = {
    Operator.STOPPED: (Reason.REPORT_STALE, ", and nothing shows that it still runs"),
    Operator.NOT_VISIBLE: (Reason.LEASE_NOT_READABLE, ""),
}
_ROLES = {"controller", "all"}
"""The commands that renew a Lease."""
_LEASE = "--lease="
_NAME = re.compile(DNS_SUBDOMAIN.expression)
_LONGEST_NAME = 253
_FRESH = timedelta(minutes=5)
"""The operator renews its Lease every few seconds; the clock of this machine may be wrong."""
Key = tuple[str, ChannelName]
"""A product and a channel."""


@dataclass(frozen=True, slots=True)
class Record:
    """The WorkloadTelemetry of a workload."""

    status: WorkloadTelemetryStatus
    written: datetime | None = None
    """When its status was last written; it is written where something changed."""

    def reported(self, operator: Operator) -> Mapping[Key, Reported]:
        """What the products reported, by the operator."""
        found = stored_reports(self.status)
        if operator is Operator.RUNS:
            return found
        fault, why = _NOT_RUNNING[operator]
        return {
            key: Reported(
                fault=fault,
                message=f"The operator recorded {report.setting}{self._when}{why}.",
                last_submission=report.last_submission,
            )
            for key, report in found.items()
        }

    def egress(self, operator: Operator) -> Mapping[Key, EgressFinding]:
        """What the network does, by the operator."""
        if operator is not Operator.RUNS:
            return {}
        return {
            (channel.product or self.status.product or "", channel.name): EgressFinding(
                channel.egress, _egress_reason(channel.egress_reason)
            )
            for channel in self.status.channels
            if channel.egress is not EgressVerdict.UNKNOWN and channel.egress_reason
        }

    @property
    def _when(self) -> str:
        return f" on {self.written:%Y-%m-%d %H:%M} UTC" if self.written else ""

    @property
    def needs_live_operator(self) -> bool:
        """Whether it has evidence that only counts while the operator runs."""
        return any(
            one.reported is not Setting.UNKNOWN or one.egress is not EgressVerdict.UNKNOWN
            for one in self.status.channels
        )


def _egress_reason(word: str) -> EgressReason:
    """An operator of another version may know another word."""
    return next((one for one in EgressReason if one == word), EgressReason.NOT_EVALUATED)


def status_written(manifest: Manifest) -> datetime | None:
    """When the operator last wrote the status, by the managed fields."""
    times = (
        read_time(entry.get("time"))
        for entry in items_at(manifest, "metadata", "managedFields")
        if entry.get("manager") == FIELD_MANAGER and entry.get("subresource") == "status"
    )
    return max(filter(None, times), default=None)


def is_live_lease(lease: Manifest, now: datetime) -> bool:
    """Whether a Lease is that of a controller that runs."""
    ours = any(
        entry.get("manager") == FIELD_MANAGER
        for entry in items_at(lease, "metadata", "managedFields")
    )
    renewed = read_time(text_at(lease, "spec", "renewTime"))
    held = bool(text_at(lease, "spec", "holderIdentity"))
    return ours and held and renewed is not None and abs(now - renewed) < _FRESH


def leases_named(template: PodTemplate) -> set[str]:
    """The Leases that the containers of a template renew, if they are controllers of an operator.
    They are in its own namespace."""
    names = (
        word.removeprefix(_LEASE)
        for one in template.containers
        if _ROLES & set(one.arguments)
        for word in one.arguments
        if word.startswith(_LEASE)
    )
    return {name for name in names if len(name) <= _LONGEST_NAME and _NAME.fullmatch(name)}
