"""Whether the network lets a channel through, by the network policies as they stand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from fleet_telemetry.api.policy import EgressAction, EgressDialect, Submission
from fleet_telemetry.api.reasons import EgressReason
from fleet_telemetry.api.workload_telemetry import EgressVerdict
from fleet_telemetry.egress.address_set import AddressSet
from fleet_telemetry.egress.desired import EgressPlan, collapsed
from fleet_telemetry.egress.facts import EgressInput, HostFacts, Note, Ordered, named
from fleet_telemetry.egress.host_use import Key
from fleet_telemetry.egress.model import Destination
from fleet_telemetry.egress.network_policies import EgressRule, NetworkPolicy, PortRange, Protocol
from fleet_telemetry.egress.reachability import Judgement, judge
from fleet_telemetry.egress.selectors import read_selector
from fleet_telemetry.evidence.egress import EgressFinding
from fleet_telemetry.objects.manifest import Manifest, items_at, number_at, text_at

_HTTPS = 443
_BEFORE_OURS = frozenset({"ClusterNetworkPolicy", "AdminNetworkPolicy"})
"""Kinds whose policies may let through what a ClusterNetworkPolicy of ours denies."""


class Standing(StrEnum):
    """What became of an order."""

    MISSING = "Missing"
    """It is not there, or not as ordered."""
    WRITTEN = "Written"
    """It is there as ordered; nothing shows that anything acts on it."""
    SHOWN = "Shown"
    """The network plug-in says that it acts on it."""
    TAKEN = "Taken"
    """Something else has its name."""
    REFUSED = "Refused"
    """Its kind cannot express the order, or the network plug-in says that it cannot act on it."""

    @property
    def is_there(self) -> bool:
        """Whether it is there as ordered, and nobody says that it is of no use."""
        return self in (Standing.WRITTEN, Standing.SHOWN)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an order, and what else there is to say of it."""

    fakeg: Standing
    detail: str = ""


_SAYS_SO = frozenset({"Valid", "Accepted", "Programmed", "Ready"})
"""Conditions by which network plug-ins say that they act on a policy. Cilium's is Valid."""


def read_fakeg(live: Manifest) -> Outcome:
    """What the network plug-in says of an object as it stands."""
    generation = number_at(live, "metadata", "generation")
    said: dict[object, str] = {}
    for condition in items_at(live, "status", "conditions"):
        seen = number_at(condition, "observedGeneration", default=generation)
        if condition.get("type") in _SAYS_SO and seen >= generation:
            said.setdefault(condition.get("status"), text_at(condition, "message"))
    if "False" in said:
        return Outcome(Standing.REFUSED, said["False"])
    if "True" in said:
        return Outcome(Standing.SHOWN)
    return Outcome(Standing.WRITTEN, "The object's own status does not say so.")


OrderKey = tuple[EgressDialect, EgressAction]
Outcomes = Mapping[OrderKey, Outcome]


def judge_egress(
    given: EgressInput, plan: EgressPlan, outcomes: Outcomes
) -> dict[Key, EgressFinding]:
    """The finding on every channel of every product in the workload."""
    keys = dict.fromkeys(
        (target.product.name, channel.name)
        for target in given.targets
        for channel in target.product.spec.channels
        if target.product.has_channel(channel.name, target.image)
    )
    return {key: _Case(given, plan, outcomes, key).find() for key in keys}


class _Case:
    """One channel."""

    def __init__(
        self,
        given: EgressInput,
        plan: EgressPlan,
        outcomes: Outcomes,
        key: Key,
    ) -> None:
        self._given = given
        self._uses = [use for use in plan.uses if (use.product, use.channel) == key]
        self._ordered = next((one for one in plan.orders if key in one.channels), None)
        self._outcome = Outcome(Standing.MISSING)
        if self._ordered is not None:
            self._outcome = outcomes.get(self._ordered.key, self._outcome)
        self._note = self._objection() or plan.notes.get(key)
        in_effect = given.effective.get(key)
        self._section = in_effect.egress if in_effect is not None and not in_effect.exempt else None
        self._opens = in_effect is not None and in_effect.desired is Submission.ENABLED

    def find(self) -> EgressFinding:
        """The finding."""
        if self._given.workload.template.host_network or self._given.on_host_network:
            return EgressFinding(EgressVerdict.UNKNOWN, EgressReason.HOST_NETWORK)
        ordered = self._ordered
        if ordered is not None and ordered.dialect is not EgressDialect.NETWORK_POLICY:
            return self._by_status(ordered)
        return self._by_evaluation()

    def _objection(self) -> Note | None:
        """Why the order does not stand."""
        reason = {
            Standing.TAKEN: EgressReason.NAME_TAKEN,
            Standing.REFUSED: EgressReason.DIALECT_CANNOT,
        }.get(self._outcome.fakeg)
        return Note(reason, self._outcome.detail) if reason is not None else None

    def _by_status(self, ordered: Ordered) -> EgressFinding:
        """Kinds that are not evaluated here say themselves whether they are acted on."""
        if self._note is not None:
            return EgressFinding(EgressVerdict.UNKNOWN, self._note.reason, self._note.detail)
        if self._outcome.fakeg is Standing.MISSING:
            return EgressFinding(EgressVerdict.UNKNOWN, EgressReason.AWAITING_WRITE)
        if self._outcome.fakeg is Standing.WRITTEN:
            reason = EgressReason.ENFORCEMENT_NOT_SHOWN
            return EgressFinding(EgressVerdict.UNKNOWN, reason, self._outcome.detail)
        if not all(map(read_selector(ordered.order.selector).matches, self._given.labels)):
            detail = "Some that run have other labels than those by which it selects."
            return EgressFinding(EgressVerdict.UNKNOWN, EgressReason.PODS_NOT_SELECTABLE, detail)
        if self._opens:
            detail = f"{ordered.dialect} policies of others are not read."
            return EgressFinding(EgressVerdict.ALLOWED, EgressReason.LET_THROUGH, detail)
        isolates = ordered.order.action is EgressAction.ISOLATE
        if not self._uses and not isolates:
            return EgressFinding(EgressVerdict.UNKNOWN, EgressReason.NO_HOSTS_KNOWN)
        adds_up = isolates and ordered.dialect is EgressDialect.CILIUM
        if adds_up or ordered.dialect is EgressDialect.CLUSTER_NETWORK_POLICY:
            others = self._given.network.others
            found = [kind for kind in others if adds_up or kind in _BEFORE_OURS]
            if found:
                detail = f"Found: {', '.join(found)}."
                return EgressFinding(EgressVerdict.UNKNOWN, EgressReason.OTHER_POLICY_KINDS, detail)
        return self._beside(ordered, adds_up=adds_up)

    def _beside(self, ordered: Ordered, *, adds_up: bool) -> EgressFinding:
        """What is let through all the same: by the order itself, and where isolations add up by
        the NetworkPolicies of others."""
        own = NetworkPolicy(
            namespace=ordered.order.workload.namespace,
            name="",
            ours=True,
            isolates=True,
            rules=tuple(_rules(ordered)),
        )
        others = [one for one in self._given.network.policies if adds_up and not one.ours]
        destinations = self._destinations(whole=True)
        judged = judge([own, *others], self._given.labels, destinations)
        match judged.verdict:
            case EgressVerdict.ALLOWED:
                return self._allowed(judged)
            case EgressVerdict.DENIED:
                return EgressFinding(EgressVerdict.DENIED, EgressReason.EVERY_ADDRESS_DENIED)
        return self._unknown(judged)

    def _by_evaluation(self) -> EgressFinding:
        """All NetworkPolicies, as they stand, taken together."""
        judged = judge(self._given.network.policies, self._given.labels, self._destinations())
        match judged.verdict:
            case EgressVerdict.OPEN:
                others = self._given.network.others
                detail = f"Not read are: {', '.join(others)}." if others else ""
                return self._noted(EgressVerdict.OPEN, EgressReason.NOTHING_ISOLATES, detail)
            case EgressVerdict.ALLOWED:
                return self._allowed(judged)
            case EgressVerdict.DENIED:
                return self._denied()
        return self._unknown(judged)

    def _unknown(self, judged: Judgement) -> EgressFinding:
        """Neither is shown."""
        if unreadable := [one.name for one in judged.culprits if not one.is_readable]:
            detail = f"NetworkPolicy {named(unreadable)}."
            return EgressFinding(EgressVerdict.UNKNOWN, EgressReason.POLICY_NOT_READABLE, detail)
        looked_up = any(use.host in self._given.hosts for use in self._uses)
        if not self._uses:
            reason = EgressReason.NO_HOSTS_KNOWN
        elif looked_up:
            reason = self._lack()
        else:
            reason = EgressReason.NOT_EVALUATED
        return self._noted(EgressVerdict.UNKNOWN, reason)

    def _lack(self) -> EgressReason:
        """Why it is not known where the hosts are."""
        hosts = [self._given.hosts.get(use.host, HostFacts()) for use in self._uses]
        for facts in hosts:
            if facts.unheard or not (facts.allow or facts.deny or facts.ranges):
                return EgressReason.HOSTS_NOT_RESOLVED
        return EgressReason.TOO_MANY_ADDRESSES

    def _is_reachable(self) -> bool:
        """Whether the order itself lets a host through, as something that is listed."""
        rules = list(_rules(self._ordered)) if self._ordered is not None else []
        return any(
            rule.opens(to.port, Protocol.TCP) and rule.addresses.meets(AddressSet.of(to.networks))
            for to in self._destinations()
            for rule in rules
        )

    def _destinations(self, *, whole: bool = False) -> Iterator[Destination]:
        """Where the channel's hosts are. One of which no address is known may be anywhere;
        ``whole`` says so of those, too, of which some may not be known."""
        for use in self._uses:
            facts = self._given.hosts.get(use.host, HostFacts())
            networks = collapsed({*facts.allow, *facts.deny, *facts.ranges})
            anywhere = whole and (facts.unheard or not facts.complete)
            yield Destination(use.host, use.port, () if anywhere else networks)
        if not self._uses:
            yield Destination("", _HTTPS, ())

    def _noted(
        self, verdict: EgressVerdict, reason: EgressReason, detail: str = ""
    ) -> EgressFinding:
        """A verdict, with the reason why it is not what is wished, where there is one."""
        if self._note is not None:
            return EgressFinding(
                verdict, self._note.reason, f"{self._note.detail} {detail}".strip()
            )
        if self._ordered is not None and self._outcome.fakeg is Standing.MISSING:
            return EgressFinding(verdict, EgressReason.AWAITING_WRITE)
        return EgressFinding(verdict, reason, detail)

    def _allowed(self, judged: Judgement) -> EgressFinding:
        culprits = [policy.name for policy in judged.culprits if not policy.ours]
        if not culprits and self._outcome.fakeg.is_there and self._note is None:
            if self._is_reachable():
                return EgressFinding(EgressVerdict.ALLOWED, EgressReason.IN_REACHABLE_RANGE)
            # Ours does what is ordered. Those of other workloads select the same pods.
            culprits = [policy.name for policy in judged.culprits]
        detail = f"NetworkPolicy {named(culprits)}." if culprits else ""
        if self._section is None or self._opens:
            return EgressFinding(EgressVerdict.ALLOWED, EgressReason.LET_THROUGH, detail)
        if culprits:
            return EgressFinding(EgressVerdict.ALLOWED, EgressReason.NEGATED_BY_POLICY, detail)
        # Only ours isolates: it lets everything through that it was not told to deny, as if it
        # were not there.
        return self._noted(EgressVerdict.OPEN, EgressReason.AWAITING_WRITE)

    def _denied(self) -> EgressFinding:
        network = self._given.network
        everywhere = judge(network.policies, self._given.labels, self._destinations(whole=True))
        if everywhere.verdict is not EgressVerdict.DENIED:
            return self._noted(EgressVerdict.UNKNOWN, self._lack())
        if not network.enforced:
            return EgressFinding(EgressVerdict.UNKNOWN, EgressReason.ENFORCEMENT_NOT_SHOWN)
        if network.others:
            detail = f"Found: {', '.join(network.others)}."
            return EgressFinding(EgressVerdict.UNKNOWN, EgressReason.OTHER_POLICY_KINDS, detail)
        if self._section is not None and self._opens:
            return self._noted(EgressVerdict.DENIED, EgressReason.EVERY_ADDRESS_DENIED)
        return EgressFinding(EgressVerdict.DENIED, EgressReason.EVERY_ADDRESS_DENIED)


def _rules(ordered: Ordered) -> Iterator[EgressRule]:
    """What an order lets through outside of the cluster because the policy lists it."""
    if ordered.order.action is not EgressAction.ISOLATE:
        return
    for peer in ordered.order.reachable:
        if peer.cidr is not None:
            ports = tuple(PortRange(Protocol(name), port, port) for name, port in peer.ports)
            yield EgressRule(AddressSet.of([peer.cidr]), ports or None)
