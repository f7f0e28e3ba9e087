"""Which policies of others count only for what no NetworkPolicy lets through."""

from __future__ import annotations

from typing import Any

import pytest

from fleet_telemetry.egress.dialects.foreign_kinds import ForeignKind
from fleet_telemetry.egress.dialects.registry import DIALECTS, foreign_kinds

KINDS = {foreign.kind.kind: foreign for foreign in foreign_kinds(DIALECTS)}
CALICO, ANTREA = KINDS["GlobalNetworkPolicy"], KINDS["ClusterNetworkPolicy of Antrea"]
CLUSTER_NETWORK_POLICY = KINDS["ClusterNetworkPolicy"]
BASELINE = KINDS["BaselineAdminNetworkPolicy"]
RULES = [{"action": "Deny"}]


@pytest.mark.parametrize(
    ("kind", "spec", "lower_tier"),
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
        (KINDS["ClusterNetworkPolicy of EKS"], {"tier": "Baseline", "egress": RULES}, True),
        (KINDS["ClusterNetworkPolicy of EKS"], {"tier": "Admin", "egress": RULES}, False),
        (KINDS["FQDNNetworkPolicy"], {"egress": RULES}, False),
        (BASELINE, {"egress": RULES}, True),
        (BASELINE, {"ingress": RULES}, False),
        (KINDS["AdminNetworkPolicy"], {"egress": RULES}, False),
        (KINDS["CiliumNetworkPolicy"], {"egress": RULES}, False),
        (CALICO, None, False),
    ],
)
def test_what_a_network_policy_of_ours_would_open(
    kind: ForeignKind, spec: Any, lower_tier: bool
) -> None:
    is_lower_tier = kind.is_lower_tier is not None and kind.is_lower_tier({"spec": spec})
    assert is_lower_tier is lower_tier


def test_which_kinds_may_allow_what_network_policies_deny() -> None:
    assert [one.kind.kind for one in KINDS.values() if one.may_allow] == [
        "CiliumNetworkPolicy",
        "CiliumClusterwideNetworkPolicy",
        "ClusterNetworkPolicy",
        "AdminNetworkPolicy",
        "NetworkPolicy of Calico",
        "GlobalNetworkPolicy",
        "NetworkPolicy of Antrea",
        "ClusterNetworkPolicy of Antrea",
        "ClusterNetworkPolicy of EKS",
        "ApplicationNetworkPolicy",
        "FQDNNetworkPolicy",
    ]
    every = foreign_kinds(DIALECTS)
    assert {one.kind.group for one in every if one.lower_tier_may_allow} == {
        "crd.projectcalico.org",
        "projectcalico.org",
    }
