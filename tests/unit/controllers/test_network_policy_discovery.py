"""Which policies of others count only for what no NetworkPolicy lets through."""

from __future__ import annotations

from typing import Any

import pytest

from fleet_telemetry.controllers.egress.discovery import CLUSTER_NETWORK_POLICY, OTHERS, is_behind
from fleet_telemetry.objects.kind import Kind

KINDS = {kind.kind: kind for kind in OTHERS}
CALICO, ANTREA = KINDS["GlobalNetworkPolicy"], KINDS["ClusterNetworkPolicy of Antrea"]
BASELINE = Kind(
    "policy.networking.k8s.io",
    "v1alpha1",
    "baselineadminnetworkpolicies",
    "BaselineAdminNetworkPolicy",
    namespaced=False,
)
RULES = [{"action": "Deny"}]


@pytest.mark.parametrize(
    ("kind", "spec", "behind"),
    [
        # A default of the cluster's, as Calico's own documentation has it.
        (CALICO, {"types": ["Ingress", "Egress"]}, True),
        (CALICO, {"types": ["Egress"], "order": 2000}, True),
        (CALICO, {"types": ["Egress"], "order": 1000.0, "tier": "default"}, True),
        (CALICO, {"types": ["Egress"], "order": 999}, False),
        (CALICO, {"types": ["Egress"], "tier": "security"}, False),
        (CALICO, {"types": ["Ingress"], "egress": RULES}, False),
        (CALICO, {"egress": RULES}, True),
        (CALICO, {"ingress": RULES}, False),
        (ANTREA, {"tier": "Baseline", "egress": RULES}, True),
        (ANTREA, {"tier": "baseline", "ingress": RULES}, False),
        (ANTREA, {"tier": "securityops", "egress": RULES}, False),
        (ANTREA, {"egress": RULES}, False),
        (CLUSTER_NETWORK_POLICY, {"tier": "Baseline", "egress": RULES}, True),
        (CLUSTER_NETWORK_POLICY, {"tier": "Admin", "egress": RULES}, False),
        (BASELINE, {"egress": RULES}, True),
        (BASELINE, {"ingress": RULES}, False),
        (KINDS["AdminNetworkPolicy"], {"egress": RULES}, False),
        (KINDS["CiliumNetworkPolicy"], {"egress": RULES}, False),
        (CALICO, None, False),
    ],
)
def test_what_a_network_policy_of_ours_would_open(kind: Kind, spec: Any, behind: bool) -> None:
    assert is_behind(kind, {"spec": spec}) is behind
