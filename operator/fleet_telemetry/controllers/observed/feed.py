"""Gives an observation what the cache has: workloads, their pods and their hosts."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from itertools import chain

from fleet_telemetry.catalogue.catalogue import Catalogue
from fleet_telemetry.catalogue.matching import match_containers
from fleet_telemetry.controllers.observed.hosts import hosts_of_interest
from fleet_telemetry.evidence.hosts import names_asked
from fleet_telemetry.kube.cache import ClusterCache
from fleet_telemetry.kube.entries import PolicyKey
from fleet_telemetry.observed.observation import DnsObservation
from fleet_telemetry.workloads.workload import PodTemplate, Workload, WorkloadRef

_AT_ONCE = 50
"""Workloads between two turns of the loop."""


@dataclass(frozen=True, slots=True)
class _FedWorkload:
    """What was fed of a workload, and what that was derived from."""

    uid: str
    catalogue: Catalogue
    templates: tuple[PodTemplate, ...]
    """Its own and those of its pods, each once."""
    products: frozenset[str]
    hosts: frozenset[str]
    """That its pods may ask for."""

    @classmethod
    def of(
        cls, workload: Workload, templates: tuple[PodTemplate, ...], catalogue: Catalogue
    ) -> _FedWorkload:
        """Match the containers."""
        targets = [one for template in templates for one in match_containers(template, catalogue)]
        products = frozenset(target.product.name for target in targets)
        return cls(workload.uid, catalogue, templates, products, names_asked(targets))


class Feed:
    """A CacheListener that keeps an observation up to date. It does nothing between ``begin`` and
    the next ``begin`` but what it is asked for or ``pump`` is called for."""

    def __init__(self, cache: ClusterCache) -> None:
        self._cache = cache
        self._observation: DnsObservation | None = None
        self._changed: dict[WorkloadRef, None] = {}
        """What is to be fed, in order."""
        self._known: dict[WorkloadRef, _FedWorkload] = {}
        """Each workload that was fed."""
        self._hosts_are_old = False

    def begin(self, observation: DnsObservation) -> None:
        """Feed this one from now on: everything, by and by."""
        self.end()
        self._observation = observation
        self._changed = dict.fromkeys(self._cache.fleet.workloads)
        self._hosts_are_old = True

    def end(self) -> None:
        """Feed nothing from now on."""
        self._observation = None
        self._changed.clear()
        self._known.clear()

    def hosts_of(self, ref: WorkloadRef) -> frozenset[str]:
        """The hosts that the pods of a workload may ask for, as it was fed last."""
        return self._known[ref].hosts if ref in self._known else frozenset()

    def hosts_in_use(self) -> frozenset[str]:
        """Those of all workloads."""
        return frozenset(chain.from_iterable(one.hosts for one in self._known.values()))

    def users_of(self, hosts: frozenset[str]) -> list[WorkloadRef]:
        """The workloads that may ask for one of the hosts."""
        return [ref for ref, known in self._known.items() if known.hosts & hosts]

    def sync(self, ref: WorkloadRef) -> None:
        """Feed a workload at once if that is due."""
        self._update_hosts()
        if ref in self._changed:
            del self._changed[ref]
            self._feed(ref)

    async def pump(self) -> None:
        """Feed everything that is due, and let others run in between."""
        self._update_hosts()
        while self._changed:
            for ref in list(self._changed)[:_AT_ONCE]:
                self.sync(ref)
            await asyncio.sleep(0)

    def workload_changed(self, ref: WorkloadRef) -> None:
        """See CacheListener."""
        if self._observation is not None:
            self._changed[ref] = None

    def product_changed(self, name: str) -> None:
        """See CacheListener."""
        del name
        if self._observation is not None:
            self._hosts_are_old = True
            self._changed |= dict.fromkeys(self._cache.fleet.workloads)

    def policy_changed(self, key: PolicyKey) -> None:
        """See CacheListener."""
        del key
        self._hosts_are_old = True

    def policy_status_changed(self, key: PolicyKey) -> None:
        """See CacheListener."""

    def namespace_changed(self, name: str) -> None:
        """See CacheListener."""

    def network_changed(self, namespace: str) -> None:
        """See CacheListener."""

    def _update_hosts(self) -> None:
        if self._observation is not None and self._hosts_are_old:
            self._hosts_are_old = False
            self._observation.set_hosts(
                hosts_of_interest(self._cache.catalogue, self._cache.policies_in_force())
            )

    def _feed(self, ref: WorkloadRef) -> None:
        observation = self._observation
        if observation is None:
            return
        workload = self._cache.fleet.workloads.get(ref)
        known = self._known.get(ref)
        if known is not None and (workload is None or workload.uid != known.uid):
            del self._known[ref]
            known = None
            observation.forget(ref)
        if workload is None:
            return
        fed = self._fed(workload, known)
        observation.set_pods(ref, tuple(self._cache.fleet.all_pods_of(ref)), set(fed.products))
        # The first time counts: what is stored later is the observation's own.
        status = self._cache.status_of(workload)
        observation.restore(ref, status.contacts if status is not None else ())
        self._known[ref] = fed

    def _fed(self, workload: Workload, known: _FedWorkload | None) -> _FedWorkload:
        """What is to be fed. Most changes are of a status: then no container is matched again."""
        pods = self._cache.fleet.pods_of(workload.ref)
        templates = tuple(dict.fromkeys((workload.template, *(pod.template for pod in pods))))
        catalogue = self._cache.catalogue
        if known is not None and known.catalogue is catalogue and known.templates == templates:
            return known
        return _FedWorkload.of(workload, templates, catalogue)
