"""Contacts in the status of a WorkloadTelemetry."""

from __future__ import annotations

import json
from datetime import timedelta

import msgspec

from fleet_telemetry.api.workload_telemetry import (
    ContactRecord,
    ObservedVerdict,
    WorkloadTelemetryStatus,
)
from fleet_telemetry.decision import decide
from fleet_telemetry.reporting.workload_status import (
    build_workload_status,
    differs_in_contacts_alone,
    differs_in_observed_alone,
)
from fleet_telemetry.switches.edits import Trigger
from tests.support.builders import NOW, SONARQUBE, container, manifest, under, workload

ONE = ContactRecord(
    host="telemetry.example.com",
    pod="s-0",
    pod_uid="u0",
    first_time=NOW - timedelta(hours=1),
    last_time=NOW,
    lookups=3,
    refused=True,
)


def status(
    *contacts: ContactRecord, before: WorkloadTelemetryStatus | None = None
) -> WorkloadTelemetryStatus:
    given = manifest(container(SONARQUBE))
    plan = decide(under().input(given, Trigger.RECONCILE))
    return build_workload_status(workload(given), plan, before, NOW, contacts)


def test_the_next_leader_reads_what_was_written() -> None:
    written = json.loads(msgspec.json.encode(msgspec.to_builtins(status(ONE))))
    read = msgspec.convert(written, WorkloadTelemetryStatus)
    assert read == status(ONE)
    assert read.contacts == (ONE,)
    # And writes nothing.
    assert status(*read.contacts, before=read) == read


def test_contacts_that_are_no_longer_known_are_no_difference_of_their_own() -> None:
    stored, without = status(ONE), status()
    assert without != stored
    assert differs_in_contacts_alone(without, stored)
    assert not differs_in_contacts_alone(msgspec.structs.replace(without, version="x"), stored)


def test_what_is_observed_of_channels_alone_may_wait() -> None:
    replace, before = msgspec.structs.replace, status(ONE)
    (first, *others) = before.channels
    quiet = replace(
        first,
        observed=ObservedVerdict.QUIET,
        observed_reason="NoLookup",
        observed_message="Quiet.",
        observed_since=NOW,
        last_observed_time=NOW,
    )
    after = replace(before, channels=(quiet, *others))
    assert after != before
    assert differs_in_observed_alone(after, before)
    # A contact may not, and neither may anything else.
    assert not differs_in_observed_alone(replace(after, contacts=()), before)
    changed = replace(after, channels=(replace(quiet, message="Other."), *others))
    assert not differs_in_observed_alone(changed, before)
