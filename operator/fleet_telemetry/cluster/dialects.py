"""Which kinds of network policy the cluster has, and those of ours of the kinds that are not
mirrored.

Their definitions may come and go, and watching a kind that may not be there is more than a look now
and then: whatever somebody edits is put right within a minute.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from fleet_telemetry.cluster.client import ApiError, KubernetesClient
from fleet_telemetry.cluster.kinds import Kind
from fleet_telemetry.model.manifest import Manifest
from fleet_telemetry.model.policy import EgressDialect
from fleet_telemetry.model.workload import FIELD_MANAGER

CILIUM_NETWORK_POLICY = Kind("cilium.io", "v2", "ciliumnetworkpolicies", "CiliumNetworkPolicy")
CILIUM_CIDR_GROUP = Kind("cilium.io", "v2", "ciliumcidrgroups", "CiliumCIDRGroup", namespaced=False)
CLUSTER_NETWORK_POLICY = Kind(
    "policy.networking.k8s.io",
    "v1alpha2",
    "clusternetworkpolicies",
    "ClusterNetworkPolicy",
    namespaced=False,
)
KINDS_OF: Mapping[EgressDialect, tuple[Kind, ...]] = {
    EgressDialect.CILIUM: (CILIUM_NETWORK_POLICY, CILIUM_CIDR_GROUP),
    EgressDialect.CLUSTER_NETWORK_POLICY: (CLUSTER_NETWORK_POLICY,),
}
"""What has to be served for a dialect. NetworkPolicies are part of Kubernetes."""
OTHERS = (
    CILIUM_NETWORK_POLICY,
    Kind(
        "cilium.io",
        "v2",
        "ciliumclusterwidenetworkpolicies",
        "CiliumClusterwideNetworkPolicy",
        namespaced=False,
    ),
    CLUSTER_NETWORK_POLICY,
    Kind(
        "policy.networking.k8s.io",
        "v1alpha1",
        "adminnetworkpolicies",
        "AdminNetworkPolicy",
        namespaced=False,
    ),
    Kind("crd.projectcalico.org", "v1", "networkpolicies", "NetworkPolicy of Calico"),
    Kind(
        "crd.projectcalico.org",
        "v1",
        "globalnetworkpolicies",
        "GlobalNetworkPolicy",
        namespaced=False,
    ),
    Kind("crd.antrea.io", "v1beta1", "networkpolicies", "NetworkPolicy of Antrea"),
    Kind(
        "crd.antrea.io",
        "v1beta1",
        "clusternetworkpolicies",
        "ClusterNetworkPolicy of Antrea",
        namespaced=False,
    ),
)
"""Kinds of network policy that are not evaluated and may let through what NetworkPolicies deny."""

_OURS = f"app.kubernetes.io/managed-by={FIELD_MANAGER}"
_NOT_OURS = f"app.kubernetes.io/managed-by!={FIELD_MANAGER}"

ObjectPlace = tuple[Kind, str, str]
"""Kind, namespace and name."""


class Dialects:
    """What was found when ``refresh`` was called last."""

    def __init__(self, client: KubernetesClient) -> None:
        self._client = client
        self.known = False
        """Whether anybody has looked: nothing follows from an absence before."""
        self.served: frozenset[EgressDialect] = frozenset({EgressDialect.NETWORK_POLICY})
        self.others: tuple[str, ...] = ()
        """Kinds that are not evaluated and of which somebody has an object. One that may not be
        listed counts as one that there is."""
        self.live: dict[ObjectPlace, Manifest] = {}
        """Our own objects of the dialects that are not mirrored."""

    async def refresh(self) -> bool:
        """Look again; whether anything is different. Raises ApiError."""
        served = await self._find_served()
        others = await self._find_others()
        live: dict[ObjectPlace, Manifest] = {
            (kind, *_key(manifest)): manifest
            for dialect in sorted(served & KINDS_OF.keys())
            for kind in KINDS_OF[dialect]
            async for manifest in self._client.list(kind, selector=_OURS)
        }
        same = (
            self.known
            and (served, others) == (self.served, self.others)
            and _alike(live, self.live)
        )
        self.served, self.others, self.live = served, others, live
        self.known = True
        return not same

    def observe(self, kind: Kind, manifest: Manifest) -> None:
        """One of ours as it was written."""
        self.live[(kind, *_key(manifest))] = manifest

    async def _find_served(self) -> frozenset[EgressDialect]:
        served = {EgressDialect.NETWORK_POLICY}
        for dialect, kinds in KINDS_OF.items():
            if await self._serves(kinds):
                served.add(dialect)
        return frozenset(served)

    async def _serves(self, kinds: Iterable[Kind]) -> bool:
        wanted = list(kinds)
        found = await self._client.served_plurals(wanted[0].group, wanted[0].version)
        return {kind.plural for kind in wanted} <= found

    async def _find_others(self) -> tuple[str, ...]:
        return tuple(
            [
                kind.kind
                for kind in OTHERS
                if await self._serves([kind]) and await self._somebody_has(kind)
            ]
        )

    async def _somebody_has(self, kind: Kind) -> bool:
        try:
            async for _ in self._client.list(kind, selector=_NOT_OURS):
                return True
        except ApiError as error:
            if error.is_forbidden:
                return True
            if not error.is_not_found:
                raise
        return False


def _key(manifest: Manifest) -> tuple[str, str]:
    metadata = manifest["metadata"]
    return metadata.get("namespace", ""), metadata["name"]


def _alike(some: Mapping[ObjectPlace, Manifest], others: Mapping[ObjectPlace, Manifest]) -> bool:
    """Whether they are the very same objects in the very same state."""

    def versions(found: Mapping[ObjectPlace, Manifest]) -> dict[ObjectPlace, object]:
        return {key: one["metadata"].get("resourceVersion") for key, one in found.items()}

    return versions(some) == versions(others)
