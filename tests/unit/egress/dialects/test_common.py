"""Names, labels and owners, and by what an object is known as ours."""

from __future__ import annotations

import copy
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_telemetry.api.policy import EgressAction
from fleet_telemetry.api.resources import RESOURCES
from fleet_telemetry.egress.dialects import common
from fleet_telemetry.egress.dialects.cilium import CILIUM_NETWORK_POLICY
from fleet_telemetry.egress.dialects.cluster_network_policy import CLUSTER_NETWORK_POLICY
from fleet_telemetry.egress.dialects.common import (
    action_of,
    group_name,
    host_of,
    policy_name,
    workload_of,
)
from fleet_telemetry.egress.dialects.dialect import Dialect
from fleet_telemetry.egress.dialects.network_policy import NETWORK_POLICY
from fleet_telemetry.egress.dialects.registry import DIALECTS
from fleet_telemetry.egress.model import DesiredNetworkPolicy, OwnerReference
from fleet_telemetry.workloads.registry import WorkloadKind
from fleet_telemetry.workloads.workload import WorkloadRef
from tests.support import dialect_cases
from tests.support.depth import steady
from tests.support.dialect_cases import (
    CILIUM,
    KINDS,
    POLICY,
    WEB,
    deny,
    is_ours,
    may_replace,
    rendered,
    to,
)
from tests.support.dialect_strategies import WORKLOADS, desired_policies

SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
DENY = EgressAction.DENY
ORDER = deny(to("t.example.com", "192.0.2.1/32"), owners=[POLICY])
BY_DIALECT = pytest.mark.parametrize("dialect", DIALECTS, ids=lambda one: one.name)


def set_at(manifest: Any, path: str, value: Any) -> Any:
    """A copy with another value at a path; None takes it away."""
    changed = copy.deepcopy(manifest)
    *parents, last = path.split("|")
    target = changed
    for key in parents:
        target = target[key]
    if value is None:
        del target[last]
    else:
        target[last] = value
    return changed


# Names


def test_a_namespaced_object_is_named_after_action_kind_and_workload() -> None:
    name = policy_name(NETWORK_POLICY, WorkloadRef("a", WorkloadKind.STATEFUL_SET, "sonar"), DENY)
    assert name == "fleet-telemetry-deny-statefulset-sonar"


def test_a_cluster_scoped_one_also_has_the_namespace_and_a_hash() -> None:
    name = policy_name(CLUSTER_NETWORK_POLICY, WEB, DENY)
    assert re.fullmatch(r"fleet-telemetry-deny-shop-deployment-web-[0-9a-f]{10}", name)


def test_each_action_has_an_object_of_its_own() -> None:
    names = {
        policy_name(kind, WEB, action)
        for kind in (NETWORK_POLICY, CLUSTER_NETWORK_POLICY)
        for action in EgressAction
    }
    assert len(names) == 6


def test_namespaces_and_names_that_read_the_same_are_told_apart() -> None:
    kind = WorkloadKind.JOB
    # The second pair differs only where the name is cut off, in whatever is told by the name.
    endless = "a-job-" * 40 + "a"
    for pairs in ([("a", "b-job-c"), ("a-job-b", "c")], [("a", endless), ("a-job-a", endless)]):
        names = {
            policy_name(CLUSTER_NETWORK_POLICY, WorkloadRef(namespace, kind, name), DENY)
            for namespace, name in pairs
        }
        assert len(names) == 2


def test_a_name_of_just_the_longest_length_is_not_cut() -> None:
    prefix = "fleet-telemetry-deny-job-"
    for length, cut in ((253 - len(prefix), False), (254 - len(prefix), True)):
        ref = WorkloadRef("a", WorkloadKind.JOB, "x" * length)
        name = policy_name(NETWORK_POLICY, ref, DENY)
        assert len(name) == 253
        assert (name != f"{prefix}{ref.name}") is cut


@steady
@given(WORKLOADS, st.sampled_from(EgressAction), st.sampled_from(KINDS))
def test_every_name_is_a_subdomain(ref: WorkloadRef, action: EgressAction, kind: Any) -> None:
    name = policy_name(kind, ref, action)
    assert SUBDOMAIN.fullmatch(name)
    assert len(name) <= 253


@steady
@given(st.integers(200, 253), st.sampled_from(["a", ".", "-", "a.-"]))
def test_a_cut_leaves_a_valid_name_wherever_it_falls(length: int, filler: str) -> None:
    name = f"a{(filler * 260)[: length - 2]}z"
    written = policy_name(NETWORK_POLICY, WorkloadRef("n", WorkloadKind.JOB, name), DENY)
    assert len(written) <= 253
    if len(f"fleet-telemetry-deny-job-{name}") > 253:
        assert re.search(r"[a-z0-9]-[0-9a-f]{10}$", written)


def test_long_names_that_begin_alike_are_told_apart() -> None:
    names = {
        policy_name(NETWORK_POLICY, WorkloadRef("n", WorkloadKind.JOB, f"{'x' * 250}{last}"), DENY)
        for last in "ab"
    }
    assert len(names) == 2


def test_a_hosts_object_is_named_after_it() -> None:
    assert re.fullmatch(
        r"fleet-telemetry-t\.example\.com-[0-9a-f]{10}", group_name("t.example.com")
    )
    long = [f"{'x' * 60}." * 4 + end for end in ("com", "org")]
    assert len({group_name(host) for host in long}) == 2
    assert all(SUBDOMAIN.fullmatch(group_name(host)) for host in long)
    assert all(len(group_name(host)) <= 253 for host in long)


# What is written


@BY_DIALECT
def test_labels_annotation_and_owners(dialect: Any) -> None:
    manifest = rendered(dialect, ORDER)
    kind = dialect.policy_kind
    assert (manifest["apiVersion"], manifest["kind"]) == (kind.api_version, kind.kind)
    metadata = manifest["metadata"]
    assert metadata["labels"] == {
        "app.kubernetes.io/managed-by": "fleet-telemetry",
        "app.kubernetes.io/part-of": "fleet-telemetry-operator",
        "fleettelemetry.io/egress": "Deny",
    }
    assert metadata["annotations"] == {"fleettelemetry.io/workload": "shop/Deployment/web"}
    # A cluster-scoped object cannot have a namespaced owner: the garbage collector would take it.
    assert metadata.get("namespace") == ("shop" if kind.namespaced else None)
    assert metadata.get("ownerReferences") == (
        [
            {
                "apiVersion": "fleettelemetry.io/v1alpha1",
                "kind": "TelemetryPolicy",
                "name": "opt-out",
                "uid": "uid-1",
            }
        ]
        if kind.namespaced
        else None
    )


def test_owners_are_sorted_and_each_is_there_once() -> None:
    second = OwnerReference("fleettelemetry.io/v1alpha1", "ClusterTelemetryPolicy", "z", "uid-2")
    given = deny(to("t.example.com", "192.0.2.1/32"), owners=[POLICY, second, second])
    manifest = rendered(dialect_cases.NETWORK_POLICY, given)
    uids = [owner["uid"] for owner in manifest["metadata"]["ownerReferences"]]
    assert uids == ["uid-2", "uid-1"]


def test_without_owners_there_is_no_such_field() -> None:
    manifest = rendered(dialect_cases.NETWORK_POLICY, deny(to("t.example.com", "192.0.2.1/32")))
    assert "ownerReferences" not in manifest["metadata"]


def test_a_group_has_no_workload_and_no_owner() -> None:
    manifest = CILIUM.render_group("t.example.com", ORDER.destinations[0].networks)
    assert manifest is not None
    assert host_of(manifest) == "t.example.com"
    assert workload_of(manifest) is None
    assert action_of(manifest) is None
    assert "ownerReferences" not in manifest["metadata"]
    # Cilium makes a group's labels part of its addresses' identity: the fewer, the better.
    assert len(manifest["metadata"]["labels"]) == 2


def test_our_labels_are_not_those_of_our_own_kinds() -> None:
    assert common.WORKLOAD_ANNOTATION.startswith("fleettelemetry.io/")
    assert {kind.group for kind in KINDS}.isdisjoint({resource.plural for resource in RESOURCES})


# Reading it back


@steady
@given(desired_policies(), st.sampled_from(DIALECTS))
def test_the_workload_and_the_action_can_be_read_back(
    order: DesiredNetworkPolicy, dialect: Dialect
) -> None:
    manifest = None if dialect.cannot(order) else dialect.render(order)
    if manifest is not None:
        assert workload_of(manifest) == order.workload
        assert action_of(manifest) is order.action
        assert is_ours(manifest)
        assert may_replace(manifest, manifest)


@pytest.mark.parametrize(
    "text",
    ["", "shop", "shop/Deployment", "shop/Deployment/", "/Deployment/web", "shop/Pod/web", "//"],
)
def test_no_workload_is_read_out_of_something_else(text: str) -> None:
    manifest = {"metadata": {"annotations": {"fleettelemetry.io/workload": text}}}
    assert workload_of(manifest) is None
    assert workload_of({}) is None
    assert action_of({"metadata": {"labels": {"fleettelemetry.io/egress": text}}}) is None


@BY_DIALECT
def test_ours_is_only_what_agrees_in_everything(dialect: Any) -> None:
    manifest = rendered(dialect, ORDER)
    assert is_ours(manifest)
    version = f"{dialect.policy_kind.group}/v9"
    assert is_ours(set_at(manifest, "apiVersion", version))
    for path, value in (
        ("apiVersion", "crd.antrea.io/v1beta1"),
        ("kind", "GlobalNetworkPolicy"),
        ("kind", None),
        # A user's copy of ours under another name, and one in another namespace.
        ("metadata|name", "my-copy"),
        ("metadata|namespace", "elsewhere"),
        ("metadata|labels|app.kubernetes.io/managed-by", "Helm"),
        ("metadata|labels|app.kubernetes.io/managed-by", None),
        ("metadata|labels|fleettelemetry.io/egress", None),
        ("metadata|labels|fleettelemetry.io/egress", "Allow"),
        ("metadata|labels", None),
        ("metadata|annotations|fleettelemetry.io/workload", "shop/Deployment/db"),
        ("metadata|annotations|fleettelemetry.io/workload", "elsewhere/Deployment/web"),
        ("metadata|annotations", None),
        ("metadata", None),
    ):
        assert not is_ours(set_at(manifest, path, value)), (path, value)


def test_a_group_of_another_host_is_not_ours() -> None:
    manifest = CILIUM.render_group("t.example.com", ORDER.destinations[0].networks)
    assert manifest is not None
    assert is_ours(manifest)
    annotation = "metadata|annotations|fleettelemetry.io/host"
    for path, value in (
        (annotation, "other.example.com"),
        (annotation, None),
        ("metadata|name", "vendor-ranges"),
        ("metadata|labels", None),
    ):
        assert not is_ours(set_at(manifest, path, value)), (path, value)


def test_an_object_is_written_over_only_if_it_is_ours_or_we_applied_it() -> None:
    manifest = rendered(dialect_cases.NETWORK_POLICY, ORDER)
    bare = set_at(manifest, "metadata|labels", None)
    assert not may_replace(manifest, bare)
    entry = {"manager": "fleet-telemetry", "operation": "Apply"}
    assert may_replace(manifest, set_at(bare, "metadata|managedFields", [entry]))
    for other in (
        {"manager": "kubectl", "operation": "Apply"},
        {"manager": "fleet-telemetry", "operation": "Update"},
    ):
        assert not may_replace(manifest, set_at(bare, "metadata|managedFields", [other]))


def test_an_object_of_another_place_is_never_written_over() -> None:
    manifest = rendered(dialect_cases.NETWORK_POLICY, ORDER)
    other = rendered(
        dialect_cases.NETWORK_POLICY,
        deny(*ORDER.destinations, workload=WorkloadRef("shop", WorkloadKind.JOB, "web")),
    )
    assert is_ours(other)
    assert not may_replace(manifest, other)
    assert not may_replace(manifest, rendered(CILIUM, ORDER))
    assert policy_name(CILIUM_NETWORK_POLICY, WEB, DENY) == manifest["metadata"]["name"]
