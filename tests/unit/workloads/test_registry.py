"""What the registry of workload types promises to everything that derives from it."""

from __future__ import annotations

import pytest

from fleet_telemetry.kube import kinds
from fleet_telemetry.kube.webhook_configuration import mutating_webhooks
from fleet_telemetry.workloads.owner import Owner
from fleet_telemetry.workloads.registry import WorkloadKind, kind_of_owner, part_labels, whole_of
from fleet_telemetry.workloads.workload_type import WorkloadType
from hack.permissions import workload_permissions

EVERY_TYPE = [kind.type for kind in WorkloadKind]


def test_a_kind_is_its_name_and_knows_its_type() -> None:
    for kind in WorkloadKind:
        assert kind == kind.type.api.kind == WorkloadKind(str(kind))
    assert len({one.api for one in EVERY_TYPE}) == len(WorkloadKind)
    with pytest.raises(ValueError, match="Service"):
        WorkloadKind("Service")


@pytest.mark.parametrize("workload_type", EVERY_TYPE)
def test_parts_name_registered_kinds(workload_type: WorkloadType) -> None:
    registered = {(one.api.group, one.api.kind) for one in EVERY_TYPE}
    assert workload_type.parts <= registered


def test_an_owner_of_another_api_group_is_no_whole() -> None:
    replica_set = WorkloadKind.REPLICA_SET.type.api
    assert whole_of(replica_set, Owner("apps", "Deployment", "web", "1")) == "Deployment"
    assert whole_of(replica_set, Owner("apps.example.org", "Deployment", "web", "1")) is None
    assert whole_of(replica_set, None) is None


def test_an_owner_of_another_api_group_is_of_no_registered_kind() -> None:
    # OpenKruise has StatefulSets of its own.
    assert kind_of_owner(Owner("apps.kruise.io", "StatefulSet", "web", "1")) is None
    assert kind_of_owner(Owner("apps", "Pod", "web", "1")) is None
    assert kind_of_owner(Owner("apps", "StatefulSet", "web", "1")) is WorkloadKind.STATEFUL_SET


def test_a_part_is_known_by_a_label_of_each_type_that_adopts_it() -> None:
    assert part_labels(WorkloadKind.REPLICA_SET) == {
        "pod-template-hash",
        "rollouts-pod-template-hash",
    }
    assert part_labels(WorkloadKind.JOB) == part_labels(WorkloadKind.DEPLOYMENT) == frozenset()


def test_every_type_is_watched_and_the_webhook_gets_what_can_change_its_template() -> None:
    rules = [
        (group, version, resource, tuple(rule["operations"]))
        for webhook in mutating_webhooks(["a"], {}, suffix="x")
        for rule in webhook["rules"]
        for group in rule["apiGroups"]
        for version in rule["apiVersions"]
        for resource in rule["resources"]
    ]
    assert sorted(rules) == sorted(
        [
            *(
                (one.api.group, one.api.version, one.api.plural, one.operations)
                for one in EVERY_TYPE
                if not one.is_injected_by_pod
            ),
            ("", "v1", "pods", ("CREATE",)),
        ]
    )
    for watched in (kinds.WATCHED_BY_WEBHOOK, kinds.WATCHED_BY_CONTROLLER):
        assert {one.api for one in EVERY_TYPE} <= set(watched)


def test_both_roles_watch_every_type_and_the_controller_patches_what_can_change() -> None:
    for purpose, verbs, types in (
        ("watch", ["list", "watch"], EVERY_TYPE),
        (
            "patch",
            ["patch"],
            [one for one in EVERY_TYPE if not (one.template_immutable or one.is_injected_by_pod)],
        ),
    ):
        rules = workload_permissions()[purpose]
        assert all(rule["verbs"] == verbs for rule in rules)
        granted = {
            (group, resource)
            for rule in rules
            for group in rule["apiGroups"]
            for resource in rule["resources"]
        }
        assert granted == {(one.api.group, one.api.plural) for one in types}
