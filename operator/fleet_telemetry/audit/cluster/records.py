"""What an installed operator recorded of a workload: evidence that a reader alone does not have.

A product's own report and the network's verdict hold as long as the operator renews them. Without a
sign that it runs, they are what was true once, and prove nothing. That data began with a setting
stays true.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto

from fleet_telemetry.api.policy import ChannelName
from fleet_telemetry.api.product.setting import Setting
from fleet_telemetry.api.reasons import EgressReason, ObservedReason, Reason
from fleet_telemetry.api.workload_telemetry import (
    ChannelStatus,
    EgressVerdict,
    ObservedVerdict,
    WorkloadTelemetryStatus,
)
from fleet_telemetry.evidence.contacts import Contacts
from fleet_telemetry.evidence.egress import EgressFinding
from fleet_telemetry.evidence.report import Reported
from fleet_telemetry.objects.manifest import Manifest, items_at, read_time, text_at
from fleet_telemetry.observed.ledger import contact_of
from fleet_telemetry.reporting.workload_status import stored_reports
from fleet_telemetry.workloads.workload import FIELD_MANAGER


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

    def contacts(self, operator: Operator) -> Contacts:
        """What DNS showed. A lookup that was seen stays seen; that there was none since is known
        only while the operator runs."""
        seen = tuple(map(contact_of, self.status.contacts))
        if operator is not Operator.RUNS:
            was_observed = seen or any(map(_is_observed, self.status.channels))
            reason = ObservedReason.OBSERVER_NOT_RUNNING if was_observed else None
            return Contacts(seen, reason=reason)
        quiet = (one.observed_since for one in self.status.channels)
        since = min(filter(None, quiet), default=None)
        unknown = (
            one
            for one in self.status.channels
            if one.observed is ObservedVerdict.UNKNOWN
            and one.observed_reason != ObservedReason.NO_HOST_KNOWN
        )
        first = next(unknown, None) if since is None else None
        word = first.observed_reason if first is not None else None
        return Contacts(seen, since, next((one for one in ObservedReason if one == word), None))

    @property
    def _when(self) -> str:
        return f" on {self.written:%Y-%m-%d %H:%M} UTC" if self.written else ""

    @property
    def needs_live_operator(self) -> bool:
        """Whether it has evidence that only counts while the operator runs."""
        return any(
            one.reported is not Setting.UNKNOWN
            or one.egress is not EgressVerdict.UNKNOWN
            or _is_observed(one)
            for one in self.status.channels
        )


def _is_observed(channel: ChannelStatus) -> bool:
    return channel.observed is not ObservedVerdict.UNKNOWN


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
