"""Whether the network allows a channel, by the network policies that are in the cluster."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from fleet_telemetry.api.policy import EgressAction, Submission
from fleet_telemetry.api.reasons import EgressReason
from fleet_telemetry.api.workload_telemetry import EgressVerdict
from fleet_telemetry.egress.address_set import AddressSet
from fleet_telemetry.egress.desired import EgressPlan
from fleet_telemetry.egress.dialects.object_state import ObjectResult, ObjectState
from fleet_telemetry.egress.facts import (
    EgressInput,
    HostFacts,
    PlannedNetworkPolicy,
    PolicyRole,
    named,
)
from fleet_telemetry.egress.host_use import Key
from fleet_telemetry.egress.model import EVERY_ADDRESS, Destination
from fleet_telemetry.egress.network_policies import EgressRule, NetworkPolicy, PortRange, Protocol
from fleet_telemetry.egress.networks import collapsed
from fleet_telemetry.egress.notes import Note, unanswered_families
from fleet_telemetry.egress.reachability import Judgement, judge
from fleet_telemetry.egress.selectors import read_selector
from fleet_telemetry.evidence.egress import EgressFinding

_HTTPS = 443
ObjectResults = Mapping[PolicyRole, ObjectResult]


def judge_egress(
    given: EgressInput, plan: EgressPlan, results: ObjectResults
) -> dict[Key, EgressFinding]:
    """The finding on every channel of every product in the workload."""
    keys = dict.fromkeys(
        (target.product.name, channel.name)
        for target in given.targets
        for channel in target.product.spec.channels
        if target.product.has_channel(channel.name, target.image)
    )
    return {key: _ChannelJudgement(given, plan, results, key).find() for key in keys}


class _ChannelJudgement:
    """The judgement of one channel."""

    def __init__(
        self,
        given: EgressInput,
        plan: EgressPlan,
        results: ObjectResults,
        key: Key,
    ) -> None:
        self._given = given
        self._uses = [use for use in plan.uses if (use.product, use.channel) == key]
        self._browser_hosts = plan.browser_hosts.get(key, ())
        self._planned = next((one for one in plan.policies if key in one.channels), None)
        self._result = ObjectResult(ObjectState.MISSING)
        if self._planned is not None:
            self._result = results.get(self._planned.role, self._result)
        self._note = self._objection() or plan.notes.get(key)
        in_effect = given.effective.get(key)
        self._section = in_effect.egress if in_effect is not None and not in_effect.exempt else None
        self._opens = in_effect is not None and in_effect.desired is Submission.ENABLED

    def find(self) -> EgressFinding:
        """The finding. What browsers send is never denied."""
        found = self._of_pods()
        if not self._browser_hosts:
            return found
        detail = f"Browsers connect to {named(self._browser_hosts)}."
        if not self._uses or found.verdict is EgressVerdict.DENIED:
            return EgressFinding(EgressVerdict.UNKNOWN, EgressReason.SENT_BY_BROWSERS, detail)
        return replace(found, detail=f"{found.detail} {detail}".strip())

    def _of_pods(self) -> EgressFinding:
        if self._given.workload.template.host_network or self._given.on_host_network:
            return EgressFinding(EgressVerdict.UNKNOWN, EgressReason.HOST_NETWORK)
        planned = self._planned
        if planned is not None and not planned.dialect.is_evaluated:
            return self._by_status(planned)
        return self._by_evaluation()

    def _objection(self) -> Note | None:
        """Why the planned policy is not in effect."""
        reason = {
            ObjectState.NAME_TAKEN: EgressReason.NAME_TAKEN,
            ObjectState.REFUSED: EgressReason.DIALECT_CANNOT,
        }.get(self._result.state)
        return Note(reason, self._result.detail) if reason is not None else None

    def _by_status(self, planned: PlannedNetworkPolicy) -> EgressFinding:
        """By the status of our object, for kinds that are not evaluated here."""
        if self._note is not None:
            return EgressFinding(EgressVerdict.UNKNOWN, self._note.reason, self._note.detail)
        if self._result.state is ObjectState.MISSING:
            reason = EgressReason.AWAITING_WRITE
            return EgressFinding(EgressVerdict.UNKNOWN, reason, self._result.detail)
        if self._result.state is ObjectState.WRITTEN:
            reason = EgressReason.ENFORCEMENT_NOT_SHOWN
            return EgressFinding(EgressVerdict.UNKNOWN, reason, self._result.detail)
        if not all(map(read_selector(planned.desired.selector).matches, self._given.labels)):
            detail = "Some that run have other labels than those by which it selects."
            return EgressFinding(EgressVerdict.UNKNOWN, EgressReason.PODS_NOT_SELECTABLE, detail)
        if self._opens:
            detail = f"{planned.dialect.name} policies of others are not read."
            return EgressFinding(EgressVerdict.ALLOWED, EgressReason.LET_THROUGH, detail)
        if not self._uses:
            return EgressFinding(EgressVerdict.UNKNOWN, EgressReason.NO_HOSTS_KNOWN)
        others = self._given.network.others
        found = planned.dialect.overriding_kinds(planned.desired.action, others)
        if found:
            detail = f"Found: {', '.join(found)}."
            return EgressFinding(EgressVerdict.UNKNOWN, EgressReason.OTHER_POLICY_KINDS, detail)
        return self._beside_others(planned)

    def _beside_others(self, planned: PlannedNetworkPolicy) -> EgressFinding:
        """What is allowed in spite of our policy: by its own rules, and by the NetworkPolicies of
        others where they add up with it."""
        adds_up = planned.dialect.adds_up(planned.desired.action)
        own = NetworkPolicy(
            namespace=planned.desired.workload.namespace,
            name="",
            ours=True,
            isolates=True,
            rules=tuple(_allowed_ranges(planned)),
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
        """By all NetworkPolicies in the namespace together."""
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
        """The finding where the policies decide neither way."""
        if unreadable := [one.name for one in judged.culprits if not one.is_readable]:
            detail = f"NetworkPolicy {named(unreadable)}."
            return EgressFinding(EgressVerdict.UNKNOWN, EgressReason.POLICY_NOT_READABLE, detail)
        looked_up = any(use.host in self._given.hosts for use in self._uses)
        if not self._uses:
            reason = EgressReason.NO_HOSTS_KNOWN
        elif looked_up:
            note = self._missing_addresses()
            return self._noted(EgressVerdict.UNKNOWN, note.reason, note.detail)
        else:
            reason = EgressReason.NOT_EVALUATED
        return self._noted(EgressVerdict.UNKNOWN, reason)

    def _missing_addresses(self) -> Note:
        """Why the addresses of the hosts are not known, or not all of them."""
        hosts = {use.host: self._given.hosts.get(use.host, HostFacts()) for use in self._uses}
        for host, facts in hosts.items():
            if facts.over_quota:
                return Note(EgressReason.TOO_MANY_HOSTS, f"{host}.")
        for host, facts in hosts.items():
            if facts.unresolved or not (facts.allow or facts.deny or facts.ranges):
                return Note(EgressReason.HOSTS_NOT_RESOLVED, f"{host}.")
        for host, facts in hosts.items():
            if facts.unanswered:
                return unanswered_families(host, facts)
        return Note(EgressReason.TOO_MANY_ADDRESSES)

    def _is_reachable(self) -> bool:
        """Whether the planned policy itself allows a host, by a range in ``reachable``."""
        rules = list(_allowed_ranges(self._planned)) if self._planned is not None else []
        return any(
            rule.opens(to.port, Protocol.TCP) and rule.addresses.meets(AddressSet.of(to.networks))
            for to in self._destinations()
            for rule in rules
        )

    def _destinations(self, *, whole: bool = False) -> Iterator[Destination]:
        """The channel's hosts with their addresses. One without known addresses may be anywhere.
        With ``whole``, so may one of which some addresses may not be known; and one may be anywhere
        in a family for which no name server has answered."""
        for use in self._uses:
            facts = self._given.hosts.get(use.host, HostFacts())
            unanswered = (EVERY_ADDRESS[family] for family in facts.unanswered if whole)
            networks = collapsed({*facts.allow, *facts.deny, *facts.ranges, *unanswered})
            anywhere = whole and (facts.unresolved or not facts.complete)
            yield Destination(use.host, use.port, () if anywhere else networks)
        if not self._uses:
            # Its port is not known either, so `_denied` takes no notice of this one.
            yield Destination("", _HTTPS, ())

    def _noted(
        self, verdict: EgressVerdict, reason: EgressReason, detail: str = ""
    ) -> EgressFinding:
        """A verdict, with the reason why it is not the desired one, where there is a reason."""
        if self._note is not None:
            details = dict.fromkeys((self._note.detail, detail))
            return EgressFinding(verdict, self._note.reason, " ".join(filter(None, details)))
        if self._planned is not None and self._result.state is ObjectState.MISSING:
            return EgressFinding(verdict, EgressReason.AWAITING_WRITE, self._result.detail)
        return EgressFinding(verdict, reason, detail)

    def _allowed(self, judged: Judgement) -> EgressFinding:
        culprits = [policy.name for policy in judged.culprits if not policy.ours]
        if not culprits and self._result.state.is_there and self._note is None:
            if self._is_reachable():
                return EgressFinding(EgressVerdict.ALLOWED, EgressReason.IN_REACHABLE_RANGE)
            # Ours has the desired effect. Those of other workloads select the same pods.
            culprits = [policy.name for policy in judged.culprits]
        detail = f"NetworkPolicy {named(culprits)}." if culprits else ""
        if self._section is None or self._opens:
            return EgressFinding(EgressVerdict.ALLOWED, EgressReason.LET_THROUGH, detail)
        if culprits:
            return EgressFinding(EgressVerdict.ALLOWED, EgressReason.NEGATED_BY_POLICY, detail)
        # Only ours isolates. It allows everything that it does not deny, as if it did not exist.
        return self._noted(EgressVerdict.OPEN, EgressReason.AWAITING_WRITE)

    def _denied(self) -> EgressFinding:
        if not self._uses:
            # It may use another port or protocol, or only ask DNS, which every policy lets it.
            return self._noted(EgressVerdict.UNKNOWN, EgressReason.NO_HOSTS_KNOWN)
        network = self._given.network
        everywhere = judge(network.policies, self._given.labels, self._destinations(whole=True))
        if everywhere.verdict is not EgressVerdict.DENIED:
            note = self._missing_addresses()
            return self._noted(EgressVerdict.UNKNOWN, note.reason, note.detail)
        if not network.enforced:
            return EgressFinding(EgressVerdict.UNKNOWN, EgressReason.ENFORCEMENT_NOT_SHOWN)
        if network.others:
            detail = f"Found: {', '.join(network.others)}."
            return EgressFinding(EgressVerdict.UNKNOWN, EgressReason.OTHER_POLICY_KINDS, detail)
        if self._section is not None and self._opens:
            return self._noted(EgressVerdict.DENIED, EgressReason.EVERY_ADDRESS_DENIED)
        return EgressFinding(EgressVerdict.DENIED, EgressReason.EVERY_ADDRESS_DENIED)


def _allowed_ranges(planned: PlannedNetworkPolicy) -> Iterator[EgressRule]:
    """What a planned policy allows outside of the cluster because ``reachable`` lists it."""
    if planned.desired.action is not EgressAction.ISOLATE:
        return
    for peer in planned.desired.reachable:
        if peer.cidr is not None:
            ports = tuple(PortRange(Protocol(name), port, port) for name, port in peer.ports)
            yield EgressRule(AddressSet.of([peer.cidr]), ports or None)
