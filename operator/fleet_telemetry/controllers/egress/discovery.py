"""Which kinds of network policy the cluster has, and those of ours of the kinds that are not
mirrored.

Their definitions may come and go, and watching a kind that may not be there is more than a look now
and then: whatever somebody edits is put right within a minute.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain

from fleet_telemetry.api.policy import EgressDialect
from fleet_telemetry.kube.client import ApiError, KubernetesClient
from fleet_telemetry.kube.kinds import NETWORK_POLICY
from fleet_telemetry.objects.kind import Kind
from fleet_telemetry.objects.manifest import Manifest, mapping_at, text_at
from fleet_telemetry.workloads.workload import FIELD_MANAGER

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
POLICY_KINDS: Mapping[EgressDialect, Kind] = {
    EgressDialect.NETWORK_POLICY: NETWORK_POLICY,
    EgressDialect.CILIUM: CILIUM_NETWORK_POLICY,
    EgressDialect.CLUSTER_NETWORK_POLICY: CLUSTER_NETWORK_POLICY,
}
"""As what an order of a dialect is written."""
_BASELINE = Kind(
    "policy.networking.k8s.io",
    "v1alpha1",
    "baselineadminnetworkpolicies",
    "BaselineAdminNetworkPolicy",
    namespaced=False,
)
_CALICO = (
    Kind("crd.projectcalico.org", "v1", "networkpolicies", "NetworkPolicy of Calico"),
    Kind(
        "crd.projectcalico.org",
        "v1",
        "globalnetworkpolicies",
        "GlobalNetworkPolicy",
        namespaced=False,
    ),
)
_ANTREA = (
    Kind("crd.antrea.io", "v1beta1", "networkpolicies", "NetworkPolicy of Antrea"),
    Kind(
        "crd.antrea.io",
        "v1beta1",
        "clusternetworkpolicies",
        "ClusterNetworkPolicy of Antrea",
        namespaced=False,
    ),
)
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
    *_CALICO,
    *_ANTREA,
)
"""Kinds of network policy that are not evaluated and may let through what NetworkPolicies deny."""

_MAY_BE_BEHIND = (CLUSTER_NETWORK_POLICY, _BASELINE, *_CALICO, *_ANTREA)
_OTHERS_OR_BEHIND = tuple(dict.fromkeys((*OTHERS, *_MAY_BE_BEHIND)))
_KINDS = frozenset((*_OTHERS_OR_BEHIND, *chain.from_iterable(KINDS_OF.values())))
_ORDER_OF_NETWORK_POLICIES = 1000
"""In Calico's tier "default" (projectcalico/calico: libcalico-go/lib/backend/k8s/conversion)."""

OURS = f"app.kubernetes.io/managed-by={FIELD_MANAGER}"
_NOT_OURS = f"app.kubernetes.io/managed-by!={FIELD_MANAGER}"

ObjectPlace = tuple[Kind, str, str]
"""Kind, namespace and name."""


def is_behind(kind: Kind, manifest: Manifest) -> bool:
    """Whether a policy counts for egress where no NetworkPolicy lets through, and only there.

    What such a policy shuts off, any NetworkPolicy that lets it through opens.
    """
    spec = mapping_at(manifest, "spec")
    tier = text_at(spec, "tier")
    if kind in _CALICO:
        # Policies without an order are asked last. Without types, they are what they have rules of.
        order = spec.get("order")
        is_last = not isinstance(order, int | float) or order >= _ORDER_OF_NETWORK_POLICIES
        types = spec.get("types") or (["Egress"] if spec.get("egress") else [])
        return tier in ("", "default") and is_last and "Egress" in types
    if kind in _ANTREA or kind == CLUSTER_NETWORK_POLICY:
        return tier.lower() == "baseline" and bool(spec.get("egress"))
    return kind == _BASELINE and bool(spec.get("egress"))


class Dialects:
    """What was found when ``refresh`` was called last."""

    def __init__(self, client: KubernetesClient) -> None:
        self._client = client
        self.reset()

    def reset(self) -> None:
        """Nobody has looked yet."""
        self.known = False
        """Whether anybody has looked: nothing follows from an absence before."""
        self.served: frozenset[EgressDialect] = frozenset({EgressDialect.NETWORK_POLICY})
        self.others: tuple[str, ...] = ()
        """Kinds that are not evaluated and of which somebody has an object. One that may not be
        listed counts as one that there is."""
        self.live: dict[ObjectPlace, Manifest] = {}
        """Our own objects of the dialects that are not mirrored."""
        self._behind: dict[str, tuple[str, ...]] = {}
        """By namespace; those of the whole cluster by the empty string."""
        self._touched: set[ObjectPlace] = set()
        """What was written while it was listed, which is newer than the list."""

    def behind(self, namespace: str) -> tuple[str, ...]:
        """The policies behind NetworkPolicies that may be about pods of a namespace, by name."""
        return (*self._behind.get("", ()), *self._behind.get(namespace, ()))

    async def refresh(self) -> bool:
        """Look again; whether anything is different. Raises ApiError."""
        self._touched.clear()
        there = await self._find_kinds()
        served = frozenset(
            {
                EgressDialect.NETWORK_POLICY,
                *(dialect for dialect, needed in KINDS_OF.items() if there.issuperset(needed)),
            }
        )
        others, behind = await self._find_others(there)
        live: dict[ObjectPlace, Manifest] = {
            (kind, *_key(manifest)): manifest
            for dialect in sorted(served & KINDS_OF.keys())
            for kind in KINDS_OF[dialect]
            async for manifest in self._client.list(kind, selector=OURS)
        }
        for place in self._touched:
            live.pop(place, None)
            if place in self.live:
                live[place] = self.live[place]
        same = (
            self.known
            and (served, others, behind) == (self.served, self.others, self._behind)
            and _alike(live, self.live)
        )
        self.served, self.others, self._behind, self.live = served, others, behind, live
        self.known = True
        return not same

    def observe(self, kind: Kind, manifest: Manifest) -> None:
        """One of ours as it was written."""
        place = (kind, *_key(manifest))
        self._touched.add(place)
        self.live[place] = manifest

    def forget(self, kind: Kind, manifest: Manifest) -> None:
        """One of ours that was deleted."""
        place = (kind, *_key(manifest))
        self._touched.add(place)
        self.live.pop(place, None)

    async def _find_kinds(self) -> frozenset[Kind]:
        """The kinds that the cluster has, of all that are of interest: each group is asked once."""
        groups = dict.fromkeys((kind.group, kind.version) for kind in _KINDS)
        plurals = {group: await self._client.served_plurals(*group) for group in groups}
        return frozenset(
            kind for kind in _KINDS if kind.plural in plurals[kind.group, kind.version]
        )

    async def _find_others(
        self, there: frozenset[Kind]
    ) -> tuple[tuple[str, ...], dict[str, tuple[str, ...]]]:
        """The kinds of which there are some, and the policies that are behind NetworkPolicies."""
        others: list[str] = []
        behind: dict[str, list[str]] = {}
        for kind in _OTHERS_OR_BEHIND:
            if kind not in there:
                continue
            found, places = await self._look_at(kind)
            if found and kind in OTHERS:
                others.append(kind.kind)
            for namespace, name in places:
                behind.setdefault(namespace, []).append(f"{kind.kind} {name}".strip())
        return tuple(others), {place: tuple(sorted(names)) for place, names in behind.items()}

    async def _look_at(self, kind: Kind) -> tuple[bool, list[tuple[str, str]]]:
        """Whether somebody has an object that counts before NetworkPolicies or beside them, and
        those that are behind."""
        found, places = False, []
        try:
            async for manifest in self._client.list(kind, selector=_NOT_OURS):
                if is_behind(kind, manifest):
                    places.append(_key(manifest))
                    # Calico asks them for what a NetworkPolicy does not let through.
                    found = found or kind in _CALICO
                else:
                    found = True
                if found and kind not in _MAY_BE_BEHIND:
                    break
        except ApiError as error:
            if error.is_forbidden:
                return True, [("", "")] if kind in _MAY_BE_BEHIND else []
            if not error.is_not_found:
                raise
        return found, places


def _key(manifest: Manifest) -> tuple[str, str]:
    metadata = manifest["metadata"]
    return metadata.get("namespace", ""), metadata["name"]


def _alike(some: Mapping[ObjectPlace, Manifest], others: Mapping[ObjectPlace, Manifest]) -> bool:
    """Whether they are the very same objects in the very same state."""

    def versions(found: Mapping[ObjectPlace, Manifest]) -> dict[ObjectPlace, object]:
        return {key: one["metadata"].get("resourceVersion") for key, one in found.items()}

    return versions(some) == versions(others)
