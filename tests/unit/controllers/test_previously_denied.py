"""What denials in the cluster are found to keep pods from."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any

import pytest

from fleet_telemetry.api.policy import EgressAction
from fleet_telemetry.egress.dialects.dialect import Dialect
from fleet_telemetry.egress.dialects.registry import DIALECTS
from fleet_telemetry.egress.model import DesiredNetworkPolicy, Destination
from fleet_telemetry.workloads.registry import WorkloadKind
from fleet_telemetry.workloads.workload import WorkloadRef
from tests.support.dialect_cases import CILIUM, CLUSTER_NETWORK_POLICY, NETWORK_POLICY

NETWORKS = tuple(map(ip_network, ("54.230.1.1/32", "104.16.0.0/13", "2600:9000::1/128")))
DESIRED = DesiredNetworkPolicy(
    workload=WorkloadRef("apps", WorkloadKind.DEPLOYMENT, "it"),
    selector={"matchLabels": {"app": "it"}},
    action=EgressAction.DENY,
    destinations=(Destination("telemetry.example.com", 443, NETWORKS),),
)


@pytest.mark.parametrize(
    ("dialect", "written"),
    [
        (NETWORK_POLICY, NETWORK_POLICY.render(DESIRED)),
        (CLUSTER_NETWORK_POLICY, CLUSTER_NETWORK_POLICY.render(DESIRED)),
        (CILIUM, CILIUM.render_group("telemetry.example.com", NETWORKS)),
    ],
    ids=["NetworkPolicy", "ClusterNetworkPolicy", "CiliumCIDRGroup"],
)
def test_what_was_written_is_found_again(dialect: Dialect, written: Any) -> None:
    assert set(dialect.denied_networks(written)) == set(NETWORKS)


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda one: one.name)
@pytest.mark.parametrize(
    "malformed",
    [
        {},
        {"spec": None},
        {"spec": {"egress": "all", "externalCIDRs": {}}},
        {"spec": {"egress": [{"to": [{"ipBlock": {"except": [5, "x", None]}}, "pods"]}, None]}},
        {"spec": {"egress": [{"to": [{"networks": ["0.0.0.0/0", {}]}]}]}},
        # Nobody wrote this for us, and it would cut off everything.
        {"spec": {"externalCIDRs": ["0.0.0.0/0", "::/0"]}},
    ],
)
def test_what_is_malformed_is_left_out(malformed: Any, dialect: Dialect) -> None:
    assert dialect.denied_networks(malformed) == ()
