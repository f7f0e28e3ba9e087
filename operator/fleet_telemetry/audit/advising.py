"""What the author of a policy should know at once, as the webhook says it when it is applied."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from msgspec.structs import replace

from fleet_telemetry.api.policy import Policy
from fleet_telemetry.api.workload_telemetry import ChannelPolicy
from fleet_telemetry.audit.result import Place, PolicyAdvice
from fleet_telemetry.audit.sources import Definitions, PolicyKey, Scope, policy_key
from fleet_telemetry.catalogue.catalogue import Catalogue
from fleet_telemetry.objects.labels import namespace_labels
from fleet_telemetry.policy.advice.advise import advise
from fleet_telemetry.policy.advice.surroundings import Surroundings
from fleet_telemetry.switches.policy_problems import find_problems, warnings_on
from fleet_telemetry.workloads.workload import Workload, WorkloadRef


@dataclass(frozen=True, slots=True)
class Advisor:
    """Advises on the policies that meet one source."""

    definitions: Definitions
    """All that are in effect."""
    catalogue: Catalogue
    """With their products."""
    now: datetime

    def advise(
        self,
        chosen: Collection[PolicyKey],
        workloads: Mapping[WorkloadRef, Workload],
        scope: Scope,
    ) -> Iterator[PolicyAdvice]:
        """The advice on the ``chosen`` policies. ``workloads`` are those that run a product."""
        named: dict[str, Mapping[str, str]] = {} if scope.is_whole else _of(workloads)
        around = Surroundings(
            now=self.now,
            catalogue=self.catalogue,
            namespaces={**named, **scope.namespaces},
            workloads=workloads,
            policies=self.definitions.policies,
            is_whole=scope.is_whole,
        )
        for policy in self.definitions.policies:
            key = policy_key(policy)
            if key in chosen:
                place = replace(self.definitions.files.get(key, Place()), cluster=scope.cluster)
                for sentence in dict.fromkeys(self._sentences(policy, around)):
                    yield PolicyAdvice(place=place, policy=named_policy(policy), message=sentence)

    def _sentences(self, policy: Policy, around: Surroundings) -> Iterator[str]:
        yield from warnings_on(policy.spec, find_problems(policy.spec, self.catalogue))
        yield from advise(policy, around)


def named_policy(policy: Policy) -> ChannelPolicy:
    """A policy, as results name it."""
    return ChannelPolicy(kind=policy.kind, namespace=policy.namespace or None, name=policy.name)


def _of(workloads: Iterable[WorkloadRef]) -> dict[str, Mapping[str, str]]:
    """Their namespaces. Only the label that each has is known."""
    return {ref.namespace: namespace_labels(ref.namespace) for ref in workloads}


def merged(by_source: Collection[tuple[PolicyAdvice, ...]]) -> Iterator[PolicyAdvice]:
    """The advice of several sources: what holds in all of them once, without a cluster."""
    where: dict[PolicyAdvice, list[PolicyAdvice]] = {}
    for advice in by_source:
        for one in advice:
            anywhere = replace(one, place=replace(one.place, cluster=""))
            where.setdefault(anywhere, []).append(one)
    for anywhere, each in where.items():
        is_everywhere = len(by_source) > 1 and len(each) == len(by_source)
        yield from (anywhere,) if is_everywhere else each
