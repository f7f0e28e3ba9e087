"""What to do about a channel that does not have the desired setting, or that sends something."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from fleet_telemetry.api.policy import Submission
from fleet_telemetry.api.workload_telemetry import Sends, State
from fleet_telemetry.catalogue.matching import MatchedContainer
from fleet_telemetry.evidence.reason_remedies import REMEDIES
from fleet_telemetry.evidence.verdict import Verdict
from fleet_telemetry.switches.disabling import changes_in, obstacles_in, plan_disabling, sentences
from fleet_telemetry.workloads.workload import Workload

_NOTHING_TO_DO = (State.COMPLIANT, State.EXEMPT)
_COVER = "Or cover the channel with a policy that has submission: Disabled."
_DENY = "Deny its hosts by a policy with spec.egress.action: Deny."


def remedy_of(workload: Workload, targets: Iterable[MatchedContainer], verdict: Verdict) -> str:
    """In sentences; empty if nothing is to be done."""
    own = [one for one in targets if one.product.name == verdict.product]
    return " ".join(dict.fromkeys(filter(None, _sentences(workload, own, verdict))))


def _sentences(
    workload: Workload, targets: list[MatchedContainer], verdict: Verdict
) -> Iterator[str]:
    yield reason_remedy(verdict)
    if verdict.state is None and verdict.sends is not None and verdict.sends.sends is Sends.YES:
        planned = plan_disabling(workload, targets, [(verdict.product, verdict.channel)])
        changes = list(sentences(changes_in(workload, planned)))
        yield from changes
        yield from (one.message for one in obstacles_in(planned))
        yield _COVER if changes else _DENY
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
