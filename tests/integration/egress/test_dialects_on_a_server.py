"""The real API server, with the definitions of Cilium and of the network-policy-api: what is
rendered is accepted as it is, stays as it is, and can be put right when somebody edited it."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from ipaddress import ip_address, ip_network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_telemetry.api.policy import EgressDialect
from fleet_telemetry.egress.dialects.common import Rendered, workload_of
from fleet_telemetry.egress.dialects.drift import corrections, same, same_spec
from fleet_telemetry.egress.dialects.registry import DIALECTS
from fleet_telemetry.egress.model import (
    DesiredNetworkPolicy,
    Destination,
    OwnerReference,
    Reachable,
)
from fleet_telemetry.workloads.registry import WorkloadKind
from fleet_telemetry.workloads.workload import FIELD_MANAGER, WorkloadRef
from tests.support.depth import examples
from tests.support.dialect_cases import (
    CILIUM,
    CLUSTER_NETWORK_POLICY,
    NETWORK_POLICY,
    POLICY,
    allow,
    deny,
    groups_of,
    is_ours,
    isolate,
    may_replace,
    rendered,
    to,
)
from tests.support.dialect_server import JSON_PATCH, MERGE_PATCH, RefusedError, Server
from tests.support.dialect_strategies import desired_policies, workloads_in

pytestmark = pytest.mark.cluster

WEB = WorkloadRef("default", WorkloadKind.DEPLOYMENT, "web")
HOST = to("t.example.com", "192.0.2.1/32", "2001:db8::1/128")
OTHER = to("u.example.com", "198.51.100.0/24", port=8443)
DATABASE = Reachable(
    namespace_selector={
        "matchExpressions": [{"key": "team", "operator": "NotIn", "values": ["b"]}]
    },
    pod_selector={"matchLabels": {"app": "db"}},
    ports=(("TCP", 5432), ("UDP", 5432), ("SCTP", 5432)),
)
REACHABLE = (
    DATABASE,
    Reachable(ip_network("10.1.0.0/16")),
    Reachable(ip_network("2001:db8:1::/48"), ports=tuple(("TCP", port) for port in range(1, 60))),
    Reachable(namespace_selector={}),
    Reachable(pod_selector={}),
)
MANY = Destination(
    "many.example.com",
    443,
    tuple(ip_network(int(ip_address("11.0.0.0")) + 2 * number) for number in range(15625)),
)
LONG = f"{'long-label-that-goes-on-and-on.' * 8}web"
ORDERS = {
    "deny": deny(HOST, OTHER, workload=WEB, owners=[POLICY]),
    "deny-one-family": deny(OTHER, workload=WEB),
    "deny-many": deny(MANY, workload=WEB),
    "allow": allow(HOST, OTHER, to("t.example.com", "192.0.2.1/32"), workload=WEB),
    "isolate": isolate(HOST, OTHER, workload=WEB, reachable=REACHABLE, owners=[POLICY]),
    "isolate-all": isolate(workload=WEB),
    "long-names": deny(
        to(f"{'a' * 60}.{'b' * 60}.{'c' * 60}.{'d' * 60}.io", "192.0.2.1/32"),
        workload=WorkloadRef("default", WorkloadKind.STATEFUL_SET, LONG[:253]),
    ),
    "expressions": allow(
        HOST,
        workload=WEB,
        selector={
            "matchLabels": {},
            "matchExpressions": [
                {"key": "app.kubernetes.io/name", "operator": "In", "values": ["b", "a"]},
                {"key": "old", "operator": "DoesNotExist", "values": []},
            ],
        },
    ),
}


def everything(order: DesiredNetworkPolicy) -> Iterator[Rendered]:
    """What an order gives in all dialects that can express it."""
    for dialect in DIALECTS:
        if dialect.cannot(order) is None:
            manifest = dialect.render(order)
            if manifest is not None:
                yield manifest
    yield from groups_of([order])


@pytest.mark.parametrize("name", ORDERS)
def test_what_is_rendered_is_accepted_and_stays_as_it_is(server: Server, name: str) -> None:
    manifests = list(everything(ORDERS[name]))
    assert len(manifests) >= 3
    for manifest in manifests:
        server.apply(manifest)
        live = server.get(manifest)
        assert live["spec"] == manifest["spec"]
        assert same(manifest, live)
        assert is_ours(live)
        assert may_replace(manifest, live)
        assert workload_of(live) == workload_of(manifest)
        version = live["metadata"]["resourceVersion"]
        # The same again is no write.
        assert server.apply(manifest)["metadata"]["resourceVersion"] == version
        server.delete(manifest)


@given(desired_policies(workload=workloads_in("default"), owners=st.just(())))
@examples(150)
def test_whatever_is_rendered_is_accepted_and_stays_as_it_is(
    server: Server, order: DesiredNetworkPolicy
) -> None:
    for manifest in everything(order):
        live = server.apply(manifest, dry=True)
        assert live["spec"] == manifest["spec"]
        assert same(manifest, live)
        assert is_ours(live)


def test_the_server_does_refuse_what_is_wrong(server: Server) -> None:
    """Else its acceptance would say nothing."""
    for dialect, path, value in (
        (NETWORK_POLICY, "spec|egress|0|to|0|ipBlock|except", ["0.0.0.0/0"]),
        (NETWORK_POLICY, "spec|egress|0|to|0|ipBlock|excepts", ["192.0.2.1/32"]),
        (CILIUM, "spec|egressDeny|0|toCIDRSet|0", {}),
        (CILIUM, "spec|egressDeny|0|toFQDNs", [{"matchName": "t.example.com"}]),
        (CLUSTER_NETWORK_POLICY, "spec|egress|0|to", []),
        (CLUSTER_NETWORK_POLICY, "spec|egress|0|to|0|domainNames", ["t.example.com"]),
        (CLUSTER_NETWORK_POLICY, "spec|priority", 1001),
    ):
        manifest = copy.deepcopy(rendered(dialect, ORDERS["deny"]))
        target: Any = manifest
        *parents, last = path.split("|")
        for key in parents:
            target = target[int(key) if key.isdigit() else key]
        target[int(last) if last.isdigit() else last] = value
        with pytest.raises(RefusedError):
            server.apply(manifest, dry=True)


# Edits by others

SPEC_EDITS: dict[str, tuple[Any, Any]] = {
    "a denied address taken out": (
        NETWORK_POLICY,
        {"spec": {"egress": [{"to": [{"ipBlock": {"cidr": "0.0.0.0/0"}}]}]}},
    ),
    "another selector": (
        NETWORK_POLICY,
        {"spec": {"podSelector": {"matchLabels": {"app": "db"}}}},
    ),
    "ingress beside egress": (
        NETWORK_POLICY,
        {"spec": {"policyTypes": ["Egress", "Ingress"], "ingress": [{}]}},
    ),
    "rules that a policy type does not ask for": (NETWORK_POLICY, {"spec": {"ingress": [{}]}}),
    "a denial that isolates": (CILIUM, {"spec": {"enableDefaultDeny": {"egress": True}}}),
    "a denial that allows, too": (CILIUM, {"spec": {"egress": [{"toEntities": ["all"]}]}}),
    "a second specification": (
        CILIUM,
        {"specs": [{"endpointSelector": {}, "ingressDeny": [{"fromEntities": ["all"]}]}]},
    ),
    "a description": (CILIUM, {"spec": {"description": "do not touch"}}),
    "another priority": (CLUSTER_NETWORK_POLICY, {"spec": {"priority": 1000}}),
    "ingress rules": (
        CLUSTER_NETWORK_POLICY,
        {"spec": {"ingress": [{"action": "Deny", "from": [{"namespaces": {}}]}]}},
    ),
}
META_EDITS: dict[str, Any] = {
    "our label taken off": {"metadata": {"labels": {"app.kubernetes.io/managed-by": None}}},
    "our label changed": {"metadata": {"labels": {"app.kubernetes.io/managed-by": "Helm"}}},
    "our annotation taken off": {"metadata": {"annotations": None}},
    "an owner taken off": {"metadata": {"ownerReferences": None}},
    "another owner": {
        "metadata": {
            "ownerReferences": [{"apiVersion": "v1", "kind": "Node", "name": "n", "uid": "u"}]
        }
    },
}
EXTRAS = {
    EgressDialect.NETWORK_POLICY: {"spec": {"ingress": [{}]}},
    EgressDialect.CILIUM: {"spec": {"description": "do not touch"}},
    EgressDialect.CLUSTER_NETWORK_POLICY: {
        "spec": {"ingress": [{"action": "Deny", "from": [{"namespaces": {}}]}]}
    },
}
# What nobody but its manager takes away by an apply.
BEYOND_APPLY = {
    "ingress beside egress",
    "rules that a policy type does not ask for",
    "a denial that allows, too",
    "a second specification",
    "a description",
    "ingress rules",
}


@pytest.fixture
def created(server: Server) -> Iterator[list[Rendered]]:
    """Objects to take away at the end."""
    objects: list[Rendered] = []
    yield objects
    for manifest in objects:
        server.delete(manifest)


@pytest.mark.parametrize("name", SPEC_EDITS)
def test_an_edit_is_seen_and_put_right(server: Server, created: list[Rendered], name: str) -> None:
    dialect, edit = SPEC_EDITS[name]
    manifest = rendered(dialect, ORDERS["deny"])
    server.apply(manifest)
    created.append(manifest)
    edited = server.patch(manifest, edit, manager="kubectl-edit", content=MERGE_PATCH)
    assert not same_spec(manifest, edited)
    assert may_replace(manifest, edited)
    applied = server.apply(manifest)
    assert same_spec(manifest, applied) is (name not in BEYOND_APPLY)
    put_right(server, manifest, applied)


@pytest.mark.parametrize("name", META_EDITS)
def test_an_edit_of_the_metadata_is_put_right(
    server: Server, created: list[Rendered], name: str
) -> None:
    manifest = rendered(NETWORK_POLICY, ORDERS["deny"])
    server.apply(manifest)
    created.append(manifest)
    edited = server.patch(manifest, META_EDITS[name], manager="kubectl-edit", content=MERGE_PATCH)
    assert same_spec(manifest, edited)
    assert not same(manifest, edited)
    assert may_replace(manifest, edited)
    put_right(server, manifest, server.apply(manifest))


def put_right(server: Server, manifest: Rendered, live: Rendered) -> None:
    """Apply, and where that was not enough, correct; then nothing is left to do."""
    changes = corrections(manifest, live)
    assert bool(changes) is not same(manifest, live)
    if changes:
        live = server.patch(manifest, changes, manager=FIELD_MANAGER, content=JSON_PATCH)
    assert same(manifest, live)
    assert is_ours(live)
    version = live["metadata"]["resourceVersion"]
    assert server.apply(manifest)["metadata"]["resourceVersion"] == version


def test_a_correction_does_not_hit_an_object_that_has_changed_since(
    server: Server, created: list[Rendered]
) -> None:
    manifest = rendered(CILIUM, ORDERS["deny"])
    server.apply(manifest)
    created.append(manifest)
    edited = server.patch(
        manifest, {"spec": {"description": "x"}}, manager="kubectl-edit", content=MERGE_PATCH
    )
    server.patch(
        manifest, {"spec": {"description": "y"}}, manager="kubectl-edit", content=MERGE_PATCH
    )
    with pytest.raises(RefusedError):
        server.patch(
            manifest,
            corrections(manifest, edited),
            manager=FIELD_MANAGER,
            content=JSON_PATCH,
        )


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda one: one.name)
def test_a_changed_order_replaces_all_of_the_former_one(
    server: Server, created: list[Rendered], dialect: Any
) -> None:
    before, after = (
        isolate(HOST, OTHER, workload=WEB, reachable=REACHABLE, owners=[POLICY]),
        isolate(
            workload=WEB,
            selector={"matchExpressions": [{"key": "app", "operator": "Exists"}]},
            owners=[OwnerReference(POLICY.api_version, "TelemetryPolicy", "second", "uid-2")],
        ),
    )
    first, second = rendered(dialect, before), rendered(dialect, after)
    server.apply(first)
    created.append(first)
    live = server.apply(second)
    assert same(second, live)
    assert not same(first, live)
    # A correction leaves fields behind that two managers claim; the way back is no other for it.
    spoilt = server.patch(second, EXTRAS[dialect.name], manager="kubectl", content=MERGE_PATCH)
    server.patch(second, corrections(second, spoilt), manager=FIELD_MANAGER, content=JSON_PATCH)
    assert same(first, server.apply(first))


def test_a_copy_under_another_name_is_not_ours(server: Server, created: list[Rendered]) -> None:
    manifest = rendered(NETWORK_POLICY, ORDERS["deny"])
    live = server.apply(manifest)
    created.append(manifest)
    copied = copy.deepcopy(live)
    copied["metadata"] = {
        "name": "my-copy",
        "namespace": "default",
        "labels": live["metadata"]["labels"],
        "annotations": live["metadata"]["annotations"],
    }
    stored = server.apply(copied)
    created.append(copied)
    assert not is_ours(stored)
