"""What to do about a channel that does not have the desired setting, or that sends something."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from fleet_telemetry.api.policy import Submission
from fleet_telemetry.api.product import Switch
from fleet_telemetry.api.workload_telemetry import Sends, State
from fleet_telemetry.catalogue.matching import MatchedContainer
from fleet_telemetry.evidence.reason_remedies import REMEDIES
from fleet_telemetry.evidence.verdict import Verdict
from fleet_telemetry.switches.registry import mechanism_of

_NOTHING_TO_DO = (State.COMPLIANT, State.EXEMPT)
_COVER = "Or cover the channel with a policy that has submission: Disabled."
_DENY = "Deny its hosts by a policy with spec.egress.action: Deny."


def remedy_of(targets: Iterable[MatchedContainer], verdict: Verdict) -> str:
    """In sentences; empty if nothing is to be done."""
    own = [one for one in targets if one.product.name == verdict.product]
    return " ".join(dict.fromkeys(filter(None, _sentences(own, verdict))))


def _sentences(targets: list[MatchedContainer], verdict: Verdict) -> Iterator[str]:
    yield reason_remedy(verdict)
    if verdict.state is None and verdict.sends is not None and verdict.sends.sends is Sends.YES:
        to_set = list(_to_set(targets, verdict))
        yield from to_set
        yield _COVER if to_set else _DENY
    yield from vendor_remedies(targets, verdict)


def _is_open(verdict: Verdict) -> bool:
    """Whether anything is to be done."""
    if verdict.state is not None:
        return verdict.state not in _NOTHING_TO_DO
    return verdict.sends is not None and verdict.sends.sends is not Sends.NO


def reason_remedy(verdict: Verdict) -> str:
    """What to do about the reason for the state; without a policy, why nothing is known of what is
    sent. Empty if the reason itself says so, or nothing is to be done."""
    if not _is_open(verdict):
        return ""
    found = verdict.sends
    if verdict.state is not None:
        return REMEDIES.get(verdict.reason, "") if verdict.reason is not None else ""
    is_unknown = found is not None and found.sends is Sends.UNKNOWN
    return REMEDIES.get(found.reason, "") if found is not None and is_unknown else ""


def vendor_remedies(targets: Iterable[MatchedContainer], verdict: Verdict) -> Iterator[str]:
    """What the catalogue advises for the versions that the containers may have, to switch the
    channel off."""
    if verdict.desired is Submission.ENABLED or not _is_open(verdict):
        return
    for one in targets:
        if one.product.name == verdict.product:
            for rule in one.product.possible_rules(verdict.channel, one.image, one.version):
                if rule.remedy:
                    yield rule.remedy


def _to_set(targets: Iterable[MatchedContainer], verdict: Verdict) -> Iterator[str]:
    """What switches off the containers that are not off."""
    for one in targets:
        rule = one.product.rule_for(verdict.channel, one.image, one.version).rule
        open_ = [
            switch
            for switch in (rule.switches if rule is not None else ())
            if (found := mechanism_of(switch)) is not None
            and not found.is_met(one.container, switch, Submission.DISABLED)
        ]
        words = ", ".join(filter(None, map(_word_of, open_)))
        if words:
            yield f"Set {words} in container {one.container.name}."


def _word_of(switch: Switch) -> str:
    """The switch with the value that disables; empty if it has to be absent."""
    mechanism = mechanism_of(switch)
    value = mechanism.value_for(switch, Submission.DISABLED) if mechanism is not None else None
    if mechanism is None or value is None:
        return ""
    return value if switch.argument is not None else f"{mechanism.label(switch)}={value}"
