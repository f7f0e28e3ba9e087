from __future__ import annotations

import pytest

from fleet_telemetry.workloads.registry import WorkloadKind
from fleet_telemetry.workloads.workload import (
    FIELD_MANAGER,
    NO_OP_PATCH_MANAGER,
    Container,
    EnvVar,
    FieldOwners,
    Pod,
    PodPhase,
    PodTemplate,
    Volume,
    VolumeKind,
    WorkloadRef,
    volumes_by_name,
)


def _pod(**fields: object) -> Pod:
    return Pod("pod", PodTemplate(()), **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("phase", "terminating", "counts"),
    [
        (PodPhase.PENDING, False, True),
        (PodPhase.RUNNING, False, True),
        (PodPhase.UNKNOWN, False, True),
        (PodPhase.SUCCEEDED, False, False),
        (PodPhase.FAILED, False, False),
        (PodPhase.RUNNING, True, False),
        (PodPhase.FAILED, True, False),
    ],
)
def test_a_pod_counts_while_it_runs_or_soon_will(
    phase: PodPhase, terminating: bool, counts: bool
) -> None:
    assert _pod(phase=phase, terminating=terminating).counts is counts


def test_the_last_entry_of_a_name_counts() -> None:
    container = Container(
        0, "web", "web", env=(EnvVar("A", "1"), EnvVar("B", "2"), EnvVar("A", "3"))
    )
    assert container.variable("A") == EnvVar("A", "3")
    assert container.variable("B") == EnvVar("B", "2")
    assert container.variable("a") is None
    assert Container(0, "web", "web").variable("A") is None


@pytest.mark.parametrize(
    ("field_owners", "covers"),
    [
        (FieldOwners(), True),
        (FieldOwners(known=False, entries=frozenset({("x", "Y")})), True),
        (FieldOwners(known=True), False),
        (FieldOwners(known=True, entries=frozenset({("web", "A")})), True),
        (FieldOwners(known=True, entries=frozenset({("A", "web")})), False),
    ],
)
def test_a_field_owner_covers_one_variable_of_one_container(
    field_owners: FieldOwners, covers: bool
) -> None:
    assert field_owners.covers("web", "A") is covers


def test_a_workload_is_named_by_namespace_kind_and_name() -> None:
    assert str(WorkloadRef("appsec", WorkloadKind.CRON_JOB, "web")) == "appsec/CronJob/web"


def test_workloads_stand_in_the_order_of_their_names() -> None:
    refs = [
        WorkloadRef("a", WorkloadKind.DEPLOYMENT, "z"),
        WorkloadRef("a", WorkloadKind.STATEFUL_SET, "a"),
        WorkloadRef("b", WorkloadKind.DAEMON_SET, "a"),
    ]
    assert sorted([refs[2], refs[0], refs[1]]) == refs


def test_volumes_are_found_by_their_names() -> None:
    data, logs = Volume("data", VolumeKind.CLAIM, "c"), Volume("logs", VolumeKind.PER_POD)
    assert volumes_by_name([data, logs]) == {"data": data, "logs": logs}


def test_a_nudge_is_told_apart_from_a_write() -> None:
    assert FIELD_MANAGER != NO_OP_PATCH_MANAGER
