"""What denials in the cluster are found to keep pods from."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any

import pytest

from fleet_telemetry.api.policy import EgressAction
from fleet_telemetry.controllers.egress.previously_denied import denied_networks
from fleet_telemetry.egress.dialects import cilium, cluster_network_policy, network_policy
from fleet_telemetry.egress.model import Destination, Order
from fleet_telemetry.workloads.registry import WorkloadKind
from fleet_telemetry.workloads.workload import WorkloadRef

NETWORKS = tuple(map(ip_network, ("54.230.1.1/32", "104.16.0.0/13", "2600:9000::1/128")))
ORDER = Order(
    workload=WorkloadRef("apps", WorkloadKind.DEPLOYMENT, "it"),
    selector={"matchLabels": {"app": "it"}},
    action=EgressAction.DENY,
    destinations=(Destination("telemetry.example.com", 443, NETWORKS),),
)


@pytest.mark.parametrize(
    "written",
    [
        network_policy.render(ORDER),
        cluster_network_policy.render(ORDER),
        cilium.render_cidr_group("telemetry.example.com", NETWORKS),
    ],
    ids=["NetworkPolicy", "ClusterNetworkPolicy", "CiliumCIDRGroup"],
)
def test_what_was_written_is_found_again(written: Any) -> None:
    assert set(denied_networks(written)) == set(NETWORKS)


@pytest.mark.parametrize(
    "spoilt",
    [
        {},
        {"spec": None},
        {"spec": {"egress": "all", "externalCIDRs": {}}},
        {"spec": {"egress": [{"to": [{"ipBlock": {"except": [5, "x", None]}}, "pods"]}, None]}},
        # Nobody wrote this for us, and it would cut off everything.
        {"spec": {"externalCIDRs": ["0.0.0.0/0", "::/0"]}},
    ],
)
def test_what_somebody_spoilt_is_left_out(spoilt: Any) -> None:
    assert denied_networks(spoilt) == ()
