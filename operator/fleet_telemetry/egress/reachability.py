"""What NetworkPolicies, taken together, let pods reach outside of the cluster.

Policies add up: as soon as one isolates a pod, the pod reaches what any policy that selects it lets
through, and nothing else; no policy takes back what another one gives. So one allowance too many
undoes a denial, and it is named.

The addresses are exact sets; nothing is sampled. What could not be read in a policy never leads to
"denied" (see ``model/network_policy.py``), and leads to "allowed" only where what could be read is
enough for that.

All policies here are those of the pods' own namespace. Pods on the host's network are outside of
all this: whether policies hold for them is left to the network plug-in, so whoever asks for them
must not believe the answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from fleet_telemetry.api.workload_telemetry import EgressVerdict
from fleet_telemetry.egress.address_set import EVERYWHERE, AddressSet
from fleet_telemetry.egress.model import Destination, Network
from fleet_telemetry.egress.network_policies import NetworkPolicy


class Coverage(StrEnum):
    """How many of some addresses."""

    NONE = "None"
    SOME = "Some"
    ALL = "All"


@dataclass(frozen=True, slots=True)
class Reach:
    """What pods with the same labels reach of some addresses, on one port."""

    isolated: bool
    """Some policy isolates them, so that they reach only what is let through."""
    coverage: Coverage
    """How much they reach at most; this is what a denial is judged by."""
    certain: Coverage
    """How much they surely reach. Less than ``coverage`` only where a policy is unreadable."""
    culprits: tuple[NetworkPolicy, ...] = ()
    """The policies that let any of it through, or may, by namespace and name. Without isolation
    they are those of which it cannot be read: nothing else needs to be let through."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What several pods reach of several destinations, in one word and in detail."""

    verdict: EgressVerdict
    coverage: Coverage
    """How much is surely reached, of all destinations, from all pods; ALL is what an allowance
    wants. Of destinations without known addresses this is ALL or NONE."""
    culprits: tuple[NetworkPolicy, ...] = ()
    """The policies that let anything through, or may; by namespace and name."""


def isolators(
    policies: Iterable[NetworkPolicy], labels: Mapping[str, str]
) -> tuple[NetworkPolicy, ...]:
    """The policies that surely isolate pods with these labels for egress, by namespace and name."""
    return _sorted(policy for policy in _selecting(policies, labels) if policy.isolates)


def reach(
    policies: Iterable[NetworkPolicy],
    labels: Mapping[str, str],
    networks: Iterable[Network],
    port: int,
    protocol: str = "TCP",
) -> Reach:
    """What pods with these labels reach of external networks.

    Without networks the answer is about every address there is: NONE and ALL then hold wherever the
    destination may be.
    """
    wanted = AddressSet.of(networks) or EVERYWHERE
    return _reach(_selecting(policies, labels), wanted, port, protocol)


def judge(
    policies: Iterable[NetworkPolicy],
    pods: Iterable[Mapping[str, str]],
    destinations: Iterable[Destination],
) -> Judgement:
    """Whether the network lets pods, given by their labels, reach telemetry hosts by TCP.

    Where pods or hosts differ, the word is that of the one that is reached most: ``Open`` before
    ``Allowed`` before ``Unknown`` before ``Denied``; so ``Denied`` says that no pod reaches any
    address of any of them. Of a host without known addresses only what holds for all addresses is
    said, else ``Unknown``. Without pods or without destinations: ``Unknown``.
    """
    policies = tuple(policies)
    destinations = tuple(destinations)
    # Pods are many and alike: those that the same policies select need one answer only.
    groups = {
        tuple(map(id, selecting)): selecting
        for selecting in (_selecting(policies, labels) for labels in pods)
    }
    verdicts: list[EgressVerdict] = []
    covered: set[Coverage] = set()
    culprits: dict[str, NetworkPolicy] = {}
    for destination in destinations:
        wanted = AddressSet.of(destination.networks)
        for selecting in groups.values():
            reached = _reach(selecting, wanted or EVERYWHERE, destination.port, "TCP")
            surely = reached.certain
            if not wanted and surely is Coverage.SOME:
                # Some of all the addresses there are: it need not be where the host is.
                surely = Coverage.NONE
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


def _verdict(reached: Reach, surely: Coverage) -> EgressVerdict:
    if reached.coverage is Coverage.NONE:
        return EgressVerdict.DENIED
    if surely is Coverage.NONE:
        return EgressVerdict.UNKNOWN
    return EgressVerdict.ALLOWED if reached.isolated else EgressVerdict.OPEN


def _overall(parts: set[Coverage]) -> Coverage:
    if not parts:
        return Coverage.NONE
    return parts.pop() if len(parts) == 1 else Coverage.SOME


def _selecting(
    policies: Iterable[NetworkPolicy], labels: Mapping[str, str]
) -> tuple[NetworkPolicy, ...]:
    return tuple(policy for policy in policies if policy.pod_selector.matches(labels))


def _reach(
    selecting: tuple[NetworkPolicy, ...], wanted: AddressSet, port: int, protocol: str
) -> Reach:
    if not any(policy.isolates for policy in selecting):
        # One of which it cannot be read may isolate after all, and let nothing through.
        unknown = [policy for policy in selecting if not policy.certain]
        return Reach(
            isolated=False,
            coverage=Coverage.ALL,
            certain=Coverage.NONE if unknown else Coverage.ALL,
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


def _coverage(unreached: AddressSet, wanted: AddressSet) -> Coverage:
    if not unreached:
        return Coverage.ALL
    return Coverage.NONE if unreached == wanted else Coverage.SOME


def _sorted(policies: Iterable[NetworkPolicy]) -> tuple[NetworkPolicy, ...]:
    return tuple(sorted(policies, key=lambda policy: (policy.namespace, policy.name)))
