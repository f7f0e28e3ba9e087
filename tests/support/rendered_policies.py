"""NetworkPolicies as the operator writes them, for tests of what they do."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any

from fleet_telemetry.api.policy import EgressAction
from fleet_telemetry.egress.dialects.network_policy import NetworkPolicyDialect
from fleet_telemetry.egress.model import DesiredNetworkPolicy, Destination
from fleet_telemetry.workloads.registry import WorkloadKind
from fleet_telemetry.workloads.workload import WorkloadRef
from tests.support.network_policies import NAMESPACE, Manifest


def rendered_policy(action: EgressAction, *networks: str, **how: Any) -> Manifest:
    """What is written for the pods ``app=sonarqube`` and one host on port 443."""
    host = Destination("telemetry.example", 443, tuple(map(ip_network, networks)))
    desired = DesiredNetworkPolicy(
        workload=WorkloadRef(NAMESPACE, WorkloadKind.STATEFUL_SET, "sonarqube"),
        selector={"matchLabels": {"app": "sonarqube"}},
        action=action,
        destinations=(host,) if networks else (),
        **how,
    )
    rendered = NetworkPolicyDialect().render(desired)
    assert rendered
    return rendered
