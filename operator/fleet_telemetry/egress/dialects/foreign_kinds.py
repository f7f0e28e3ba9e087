"""Kinds of network policy of other projects, which this operator neither writes nor evaluates.

A policy of such a kind may allow what a NetworkPolicy denies. A policy of a *lower tier* applies
only to connections that no NetworkPolicy decides: a NetworkPolicy that allows a connection
overrides its denial. So a NetworkPolicy of ours must not be written beside it where that would
allow more than before.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from fleet_telemetry.objects.kind import Kind
from fleet_telemetry.objects.manifest import Manifest, mapping_at, text_at

_LOWEST_CALICO_ORDER = 1000
"""The order of NetworkPolicies in Calico's tier ``default``
(projectcalico/calico: libcalico-go/lib/backend/k8s/conversion)."""


@dataclass(frozen=True, slots=True)
class ForeignKind:
    """A kind of network policy that others write. Policies of ours of this kind are left out."""

    kind: Kind
    is_lower_tier: Callable[[Manifest], bool] | None = None
    """Whether a policy of the kind is of a lower tier; None where no policy of the kind is."""
    may_allow: bool = True
    """A policy of the kind that is not of a lower tier may allow what NetworkPolicies deny."""
    lower_tier_may_allow: bool = False
    """A policy of a lower tier may do so, too."""
    stored_as: Kind | None = None
    """Another kind in which a cluster may store the same policies. Where it is served, only that is
    listed."""


def baseline_has_egress(manifest: Manifest) -> bool:
    """For kinds of which every policy is of a lower tier: whether it is about egress."""
    return bool(mapping_at(manifest, "spec").get("egress"))


def is_baseline_tier(manifest: Manifest) -> bool:
    """For kinds with a tier ``Baseline``, in any case: whether a policy in it is about egress."""
    return text_at(manifest, "spec", "tier").lower() == "baseline" and baseline_has_egress(manifest)


def is_last_in_calico(manifest: Manifest) -> bool:
    """Whether a policy of Calico is about egress and applies after NetworkPolicies."""
    spec = mapping_at(manifest, "spec")
    # Policies without an order apply last. Without types, a policy has the types of its rules.
    order = spec.get("order")
    is_last = not isinstance(order, int | float) or order >= _LOWEST_CALICO_ORDER
    types = spec.get("types") or (["Egress"] if spec.get("egress") else [])
    return text_at(spec, "tier") in ("", "default") and is_last and "Egress" in types


def _calico(plural: str, kind: str, *, namespaced: bool) -> tuple[ForeignKind, ForeignKind]:
    """As Calico's API server stores them, and as they are without it: Calico 3.32 can do with
    definitions of its public API alone (docs.tigera.io: calico/latest/operations/native-v3-crds).
    Calico's API server also lists NetworkPolicies among them."""
    stored = Kind("crd.projectcalico.org", "v1", plural, kind, namespaced=namespaced)
    public = Kind("projectcalico.org", "v3", plural, kind, namespaced=namespaced)
    # Calico also evaluates those of a lower tier for what a NetworkPolicy does not allow.
    return (
        ForeignKind(stored, is_last_in_calico, lower_tier_may_allow=True),
        ForeignKind(public, is_last_in_calico, lower_tier_may_allow=True, stored_as=stored),
    )


def _antrea(plural: str, kind: str, *, namespaced: bool) -> ForeignKind:
    return ForeignKind(
        Kind("crd.antrea.io", "v1beta1", plural, kind, namespaced=namespaced), is_baseline_tier
    )


def _eks(plural: str, kind: str, *, namespaced: bool) -> Kind:
    return Kind("networking.k8s.aws", "v1alpha1", plural, kind, namespaced=namespaced)


FOREIGN_KINDS = (
    *_calico("networkpolicies", "NetworkPolicy of Calico", namespaced=True),
    *_calico("globalnetworkpolicies", "GlobalNetworkPolicy", namespaced=False),
    _antrea("networkpolicies", "NetworkPolicy of Antrea", namespaced=True),
    _antrea("clusternetworkpolicies", "ClusterNetworkPolicy of Antrea", namespaced=False),
    # Amazon's VPC CNI; both name hosts (docs.aws.amazon.com: eks, cni-network-policy).
    ForeignKind(
        _eks("clusternetworkpolicies", "ClusterNetworkPolicy of EKS", namespaced=False),
        is_baseline_tier,
    ),
    ForeignKind(_eks("applicationnetworkpolicies", "ApplicationNetworkPolicy", namespaced=True)),
    # It adds to NetworkPolicies (cloud.google.com: kubernetes-engine, fqdn-network-policies).
    ForeignKind(
        Kind(
            "networking.gke.io",
            "v1alpha1",
            "fqdnnetworkpolicies",
            "FQDNNetworkPolicy",
            namespaced=True,
        )
    ),
)
"""Kinds of network plug-ins for which there is no dialect. A dialect names those of its own."""
