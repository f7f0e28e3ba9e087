"""What of lookups is stored in a WorkloadTelemetry."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import msgspec

from fleet_telemetry.api.workload_telemetry import WorkloadTelemetryStatus
from fleet_telemetry.decision import decide
from fleet_telemetry.evidence.contacts import Contact
from fleet_telemetry.reporting.stored_contacts import contact_records, stored_contacts
from fleet_telemetry.reporting.workload_status import (
    build_workload_status,
    differs_in_contacts_alone,
)
from fleet_telemetry.switches.edits import Trigger
from tests.support.builders import NOW, SONARQUBE, container, manifest, under, workload

SECOND = timedelta(seconds=1)
ONE = Contact("telemetry.example.com", "s-0", "u0", NOW - SECOND, NOW, lookups=3, refused=True)


def many(number: int) -> list[Contact]:
    return [
        replace(ONE, pod=f"s-{index}", pod_uid=f"u{index}", last=NOW + index * SECOND)
        for index in range(number)
    ]


def status(
    *seen: Contact, before: WorkloadTelemetryStatus | None = None
) -> WorkloadTelemetryStatus:
    given = manifest(container(SONARQUBE))
    plan = decide(under().input(given, Trigger.RECONCILE))
    return build_workload_status(workload(given), plan, before, NOW, seen)


def test_the_next_leader_reads_what_was_written() -> None:
    written = json.loads(msgspec.json.encode(msgspec.to_builtins(status(ONE))))
    read = msgspec.convert(written, WorkloadTelemetryStatus)
    assert read == status(ONE)
    assert stored_contacts(read) == (ONE,)
    # And writes nothing.
    assert status(*stored_contacts(read), before=read) == read


def test_times_are_stored_in_whole_seconds() -> None:
    part = timedelta(microseconds=750_000)
    assert contact_records([replace(ONE, first=ONE.first + part, last=NOW + part)]) == (
        contact_records([ONE])
    )


def test_of_too_many_the_newest_are_kept() -> None:
    kept = contact_records(many(100))
    assert len(kept) == 32
    assert {one.pod for one in kept} == {f"s-{index}" for index in range(68, 100)}


def test_the_order_does_not_change_with_new_lookups() -> None:
    before = many(5)
    after = [replace(before[0], last=NOW + 60 * SECOND, lookups=9), *before[1:]]
    shown = [[one.pod for one in contact_records(seen)] for seen in (before, after)]
    assert shown[0] == shown[1]
    assert contact_records(reversed(before)) == contact_records(before)


def test_contacts_that_are_no_longer_known_are_no_difference_of_their_own() -> None:
    stored, without = status(ONE), status()
    assert without != stored
    assert differs_in_contacts_alone(without, stored)
    assert not differs_in_contacts_alone(msgspec.structs.replace(without, version="x"), stored)
