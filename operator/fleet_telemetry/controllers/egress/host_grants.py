"""Keeps which hosts of TelemetryPolicies are looked up, as policies change."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from fleet_telemetry.api.policy import Policy
from fleet_telemetry.controllers.keys import PolicyStatusKey, ReconcileKey
from fleet_telemetry.egress.host_quota import QUOTA, HostQuota, grant_hosts, wanted_hosts
from fleet_telemetry.kube.cache import ClusterCache


class HostGrants:
    """What ``grant_hosts`` grants for the policies in the cache."""

    def __init__(
        self,
        cache: ClusterCache,
        enqueue: Callable[[ReconcileKey], None],
        quota: HostQuota = QUOTA,
    ) -> None:
        """``enqueue`` is called with the workloads and policies of each namespace whose grant
        changed."""
        self._cache = cache
        self._enqueue = enqueue
        self._quota = quota
        self._wanted: dict[str, tuple[str, ...]] = {}
        self._granted: Mapping[str, frozenset[str]] = {}
        self._stale: set[str] | None = None
        """The namespaces whose policies changed; None for all of them."""

    def mark(self, namespace: str) -> None:
        """Note that a policy of a namespace changed."""
        if self._stale is not None:
            self._stale.add(namespace)

    def granted(self, namespace: str) -> frozenset[str]:
        """The hosts that TelemetryPolicies of a namespace may have looked up."""
        if self._stale is None or self._stale:
            self._update()
        return self._granted.get(namespace, frozenset())

    def not_looked_up(self, policy: Policy) -> tuple[str, ...]:
        """The hosts of a policy that are not looked up, sorted."""
        if not policy.namespace or policy.spec.egress is None:
            return ()
        named = {host.host for host in policy.spec.egress.hosts}
        return tuple(sorted(named - self.granted(policy.namespace))) if named else ()

    def _update(self) -> None:
        policies: dict[str, list[Policy]] = {}
        for (_, namespace, _), entry in self._cache.namespaced_policies.items():
            if entry.policy is not None and (self._stale is None or namespace in self._stale):
                policies.setdefault(namespace, []).append(entry.policy)
        for namespace in list(self._wanted) if self._stale is None else self._stale:
            self._wanted.pop(namespace, None)
        for namespace, own in policies.items():
            if wanted := wanted_hosts(own, self._quota):
                self._wanted[namespace] = wanted
        is_first = self._stale is None
        self._stale = set()
        before, self._granted = self._granted, grant_hosts(self._wanted, self._quota)
        changed = {
            namespace
            for namespace in before.keys() | self._granted.keys()
            if before.get(namespace) != self._granted.get(namespace)
        }
        if changed and not is_first:
            self._announce(changed)

    def _announce(self, namespaces: set[str]) -> None:
        for ref in self._cache.fleet.workloads:
            if ref.namespace in namespaces:
                self._enqueue(ref)
        for key in self._cache.namespaced_policies:
            if key[1] in namespaces:
                self._enqueue(PolicyStatusKey(key))
