"""What of the lookups of a workload's pods is stored, for people and for the next leader."""

from __future__ import annotations

from collections.abc import Iterable

from fleet_telemetry.api.workload_telemetry import ContactRecord, WorkloadTelemetryStatus
from fleet_telemetry.evidence.contacts import Contact

_MOST = 32
"""As the schema allows."""


def contact_records(seen: Iterable[Contact]) -> tuple[ContactRecord, ...]:
    """The newest contacts, sorted by host and pod. Times are stored in whole seconds."""
    newest = sorted(seen, key=lambda one: (one.last, one.host, one.pod_uid), reverse=True)[:_MOST]
    records = (
        ContactRecord(
            host=one.host,
            pod=one.pod,
            pod_uid=one.pod_uid,
            first_time=one.first.replace(microsecond=0),
            last_time=one.last.replace(microsecond=0),
            lookups=one.lookups,
            refused=one.refused,
        )
        for one in newest
    )
    return tuple(sorted(records, key=lambda one: (one.host, one.pod, one.pod_uid)))


def stored_contacts(record: WorkloadTelemetryStatus) -> tuple[Contact, ...]:
    """The contacts that the previous leader stored."""
    return tuple(
        Contact(
            host=one.host,
            pod=one.pod,
            pod_uid=one.pod_uid,
            first=one.first_time,
            last=one.last_time,
            lookups=one.lookups,
            refused=one.refused,
        )
        for one in record.contacts
    )
