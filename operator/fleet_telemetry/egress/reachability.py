"""What NetworkPolicies together allow pods to reach outside of the cluster.

Policies add up: once one isolates a pod, the pod reaches what any policy that selects it allows,
and nothing else. No policy can deny what another one allows. So one policy that allows too much
negates a denial, and the result names it.

The addresses are exact sets; nothing is sampled. A part of a policy that could not be read never
leads to "denied" (see ``network_policies.py``). It leads to "allowed" only where the parts that
could be read are enough for that.

All policies here are those of the pods' own namespace. The results do not hold for pods on the
host's network: it depends on the network plug-in whether policies apply to them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from fleet_telemetry.api.workload_telemetry import EgressVerdict
from fleet_telemetry.egress.address_set import EVERYWHERE, AddressSet
from fleet_telemetry.egress.model import Destination
from fleet_telemetry.egress.network_policies import NetworkPolicy


class AddressCoverage(StrEnum):
    """How many of some addresses are reached."""

    NONE = "None"
    SOME = "Some"
    ALL = "All"


@dataclass(frozen=True, slots=True)
class Reach:
    """Which of some addresses pods with the same labels reach, on one port."""

    isolated: bool
    """Some policy isolates them, so they reach only what is allowed."""
    coverage: AddressCoverage
    """How much they reach at most. A denial is judged by this."""
    certain: AddressCoverage
    """How much they certainly reach. Less than ``coverage`` only where a policy is unreadable."""
    culprits: tuple[NetworkPolicy, ...] = ()
    """The policies that allow any of it, or may, by namespace and name. Without isolation they are
    the policies of which it could not be read whether they isolate."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """Which of several destinations several pods reach, in one word and in detail."""

    verdict: EgressVerdict
    coverage: AddressCoverage
    """How much of all destinations all pods certainly reach; an allowance needs ALL. For
    destinations without known addresses this is ALL or NONE."""
    culprits: tuple[NetworkPolicy, ...] = ()
    """The policies that allow anything, or may; by namespace and name."""


def policies_selecting(
    policies: Iterable[NetworkPolicy], labels: Mapping[str, str]
) -> tuple[NetworkPolicy, ...]:
    """The policies that select pods with these labels."""
    return tuple(policy for policy in policies if policy.pod_selector.matches(labels))


def find_reach(
    selecting: tuple[NetworkPolicy, ...], wanted: AddressSet, port: int, protocol: str
) -> Reach:
    """What pods reach of the wanted addresses, by the policies that select them."""
    if not any(policy.isolates for policy in selecting):
        # A policy of which it could not be read may isolate, and allow nothing.
        unknown = [policy for policy in selecting if not policy.certain]
        return Reach(
            isolated=False,
            coverage=AddressCoverage.ALL,
            certain=AddressCoverage.NONE if unknown else AddressCoverage.ALL,
            culprits=_sorted(unknown),
        )
    unreached = uncertain = wanted
    culprits = []
    for policy in selecting:
        lets_through = False
        for rule in policy.rules:
            if rule.opens(port, protocol) and wanted.meets(rule.addresses):
                lets_through = True
                unreached = unreached.minus(rule.addresses)
                if rule.certain:
                    uncertain = uncertain.minus(rule.addresses)
        if lets_through:
            culprits.append(policy)
    return Reach(
        isolated=True,
        coverage=_coverage(unreached, wanted),
        certain=_coverage(uncertain, wanted),
        culprits=_sorted(culprits),
    )


def judge(
    policies: Iterable[NetworkPolicy],
    pods: Iterable[Mapping[str, str]],
    destinations: Iterable[Destination],
) -> Judgement:
    """Whether the network allows pods, given by their labels, to reach telemetry hosts by TCP.

    Where pods or hosts differ, the verdict is the one that leaks most: ``Open`` before ``Allowed``
    before ``Unknown`` before ``Denied``. So ``Denied`` means that no pod reaches any address of any
    host. For a host without known addresses, the verdict is ``Unknown`` unless one holds for all
    addresses. Without pods or without destinations it is ``Unknown``.
    """
    policies = tuple(policies)
    destinations = tuple(destinations)
    # Many pods are alike: those that the same policies select are judged once.
    groups = {
        tuple(map(id, selecting)): selecting
        for selecting in (policies_selecting(policies, labels) for labels in pods)
    }
    verdicts: list[EgressVerdict] = []
    covered: set[AddressCoverage] = set()
    culprits: dict[str, NetworkPolicy] = {}
    for destination in destinations:
        wanted = AddressSet.of(destination.networks)
        for selecting in groups.values():
            reached = find_reach(selecting, wanted or EVERYWHERE, destination.port, "TCP")
            surely = reached.certain
            if not wanted and surely is AddressCoverage.SOME:
                # Some of all addresses: the host need not be among them.
                surely = AddressCoverage.NONE
            verdicts.append(_verdict(reached, surely))
            covered.add(surely)
            culprits.update((str(policy), policy) for policy in reached.culprits)
    return Judgement(
        verdict=max(verdicts, key=_LEAKS.index, default=EgressVerdict.UNKNOWN),
        coverage=_overall(covered),
        culprits=_sorted(culprits.values()),
    )


_LEAKS = (EgressVerdict.DENIED, EgressVerdict.UNKNOWN, EgressVerdict.ALLOWED, EgressVerdict.OPEN)
"""From what leaks least to what leaks most."""


def _verdict(reached: Reach, surely: AddressCoverage) -> EgressVerdict:
    if reached.coverage is AddressCoverage.NONE:
        return EgressVerdict.DENIED
    if surely is AddressCoverage.NONE:
        return EgressVerdict.UNKNOWN
    return EgressVerdict.ALLOWED if reached.isolated else EgressVerdict.OPEN


def _overall(parts: set[AddressCoverage]) -> AddressCoverage:
    if not parts:
        return AddressCoverage.NONE
    return parts.pop() if len(parts) == 1 else AddressCoverage.SOME


def _coverage(unreached: AddressSet, wanted: AddressSet) -> AddressCoverage:
    if not unreached:
        return AddressCoverage.ALL
    return AddressCoverage.NONE if unreached == wanted else AddressCoverage.SOME


def _sorted(policies: Iterable[NetworkPolicy]) -> tuple[NetworkPolicy, ...]:
    return tuple(sorted(policies, key=lambda policy: (policy.namespace, policy.name)))
