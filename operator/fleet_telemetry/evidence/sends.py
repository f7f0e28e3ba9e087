"""Whether a workload sends something on a channel, whatever policies say.

There is no second set of rules: the answer is that of the verdict under imagined policies.

- No: it would be Compliant with ``Disabled``, so nothing is sent, now and by the next pods.
- Yes: a container of the template or of a pod would be Compliant with ``Enabled``, or sends what
  its switches leave, so something is sent, now or by the next pods.
- Unknown: neither is proven.

A default counts. Where a version sends by default and has no switch outside the product, that is
Yes, unless the product itself reports otherwise.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass, replace

from fleet_telemetry.api.policy import (
    ChannelName,
    ClusterTelemetryPolicySpec,
    Mode,
    Submission,
)
from fleet_telemetry.api.product.channel import ChannelRule
from fleet_telemetry.api.product.setting import DefaultState, Semantics, Setting
from fleet_telemetry.api.reasons import Reason
from fleet_telemetry.api.workload_telemetry import Sends, State
from fleet_telemetry.evidence.case import Case
from fleet_telemetry.evidence.facts import Facts
from fleet_telemetry.evidence.judge import judge_container, with_rest
from fleet_telemetry.evidence.pod_facts import PodFacts
from fleet_telemetry.evidence.verdict import SendsFinding, StateFinding, Verdict, worst_finding
from fleet_telemetry.evidence.workload_checks import judge_workload
from fleet_telemetry.policy.imagined import imagined
from fleet_telemetry.policy.precedence import EffectivePolicy
from fleet_telemetry.switches.start import doubt_of_start
from fleet_telemetry.workloads.workload import Container

_MOST_PODS = 16
"""Pods that differ and are looked at one by one. A rollout has two kinds."""
_LONGEST_SUMMARY = 240
_SHORTEST_SUMMARY = 20
_SHORTEST_NAME = 4
_WORD = re.compile(r"[\w.-]+", re.ASCII)
_SENTENCE_END = re.compile(r"\.\s")
_AGAINST_POLICY = frozenset(
    {Reason.AUDIT_ONLY, Reason.SWITCH_OVERRIDDEN, Reason.CONFIG_MAP_CONTRARY}
)

_WITH_A_REPORT = frozenset(
    {Reason.PARTLY_DISABLED, Reason.REFUSED_VARIABLE, Reason.EXCLUSIVE_VARIABLE}
)
"""What is wrong also where the product reports that it is off."""


def find_sends(facts: Facts, verdict: Verdict) -> SendsFinding | None:
    """Whether the channel of a verdict sends something; None if the workload does not use it."""
    return _by_verdict(verdict) or _find(facts, verdict.product, verdict.channel)


def _by_verdict(verdict: Verdict) -> SendsFinding | None:
    """What a real policy has shown need not be imagined again."""
    by_next_pod = verdict.reason is Reason.SCALED_TO_ZERO
    if verdict.state is not State.COMPLIANT or verdict.reason is None or by_next_pod:
        return None
    if verdict.desired is Submission.DISABLED:
        return SendsFinding(Sends.NO, verdict.reason, verdict.detail)
    return None


def _find(facts: Facts, product: str, channel: ChannelName) -> SendsFinding | None:
    facts = replace(facts, contested=frozenset())
    off = [(case, judge_container(case)) for case in _cases(facts, product, channel, _OFF)]
    if not off:
        return None
    found = worst_finding(with_rest(case, one) for case, one in off)
    if found.state is State.COMPLIANT:
        return SendsFinding(Sends.NO, found.reason, found.detail)
    for finding in _what_is_sent(_Question(facts, product, channel, tuple(off), found)):
        return finding
    return _unknown(off)


@dataclass(frozen=True, slots=True)
class _Question:
    """A channel that is not proven to be off."""

    facts: Facts
    product: str
    channel: ChannelName
    off: tuple[tuple[Case, StateFinding], ...]
    """The containers with their findings under Disabled."""
    found: StateFinding
    """The worst of them."""

    def cases(self, facts: Facts, effective: EffectivePolicy) -> Iterator[Case]:
        """The containers by other facts."""
        return _cases(facts, self.product, self.channel, effective)

    def pods(self) -> Iterator[Facts]:
        """The pods that run, those that differ, each as if there were no other one and no
        template."""
        seen = set()
        for pod in self.facts.pods:
            key = _likeness(pod)
            if pod.finished or key in seen:
                continue
            seen.add(key)
            yield self.facts.of_pod(pod)
            if len(seen) == _MOST_PODS:
                return


def _what_is_sent(asked: _Question) -> Iterator[SendsFinding]:
    """The answers, the first one of which counts."""
    yield from _what_is_left(asked.off)
    if asked.found.state is State.PENDING:
        for pod in asked.pods():
            cases = asked.cases(pod, _OFF)
            yield from _what_is_left((case, judge_container(case)) for case in cases)
    yield from _by_report(asked)
    # Another controller's pods may be injected, so its template says nothing of the next one.
    by_template = not asked.facts.workload.is_injected_by_pod
    now = replace(asked.facts, idle=asked.facts.idle and by_template)
    answers = [*_by_settings(asked, now)]
    yield from filter(_is_yes, answers)
    if by_template:
        reason = Reason.NEXT_PODS_SEND if now.pods else Reason.NO_PODS
        next_pods = _by_settings(asked, replace(now, pods=(), idle=True))
        yield from (replace(one, reason=reason) for one in filter(_is_yes, next_pods))
    for pod in asked.pods():
        for one in filter(_is_yes, _by_settings(asked, pod)):
            is_older = asked.found.state is State.PENDING
            yield replace(one, reason=asked.found.reason) if is_older else one
    yield from answers


def _is_yes(found: SendsFinding) -> bool:
    return found.sends is Sends.YES


def _by_report(asked: _Question) -> Iterator[SendsFinding]:
    """A report overrides the settings of the workload."""
    reported, found = asked.off[0][0].report.setting, asked.found
    is_stopped = all(one.state is State.COMPLIANT for _, one in asked.off)
    if reported is Setting.ENABLED and not is_stopped:
        waits = found.reason is Reason.RESTART_NEEDED
        yield _yes(asked, Reason.RESTART_NEEDED if waits else Reason.REPORTED)
    if reported is Setting.DISABLED:
        stands = found.state is State.PENDING or found.reason in _WITH_A_REPORT
        reason = found.reason if stands else Reason.RESTART_MAY_UNDO
        yield SendsFinding(Sends.UNKNOWN, reason, found.detail if stands else "")


def _what_is_left(judged: Iterable[tuple[Case, StateFinding]]) -> Iterator[SendsFinding]:
    """What versions that are known send in spite of their switches."""
    for case, one in judged:
        found = with_rest(case, one)
        if found.reason is Reason.PARTLY_DISABLED and case.lookup.rule is not None:
            yield SendsFinding(Sends.YES, found.reason, found.detail)


def _by_settings(asked: _Question, facts: Facts) -> Iterator[SendsFinding]:
    """Yes for each container that is proven to send, by its switches or by default; Unknown if its
    default may not count. Nothing if its verdict has to say why nothing is proven."""
    for case in asked.cases(facts, _ON):
        found = judge_container(case)
        in_cluster = facts.workload.created is not None
        if found.state is State.COMPLIANT:
            yield _yes(asked, found.reason, found.detail)
        elif found.reason is Reason.SEED_NOT_PROVEN and not in_cluster:
            begun = judge_container(replace(case, new_data=True))
            if begun.state is State.COMPLIANT:
                yield _yes(asked, found.reason)
        else:
            yield from _by_default(asked, case)


def _by_default(asked: _Question, case: Case) -> Iterator[SendsFinding]:
    """The default of a version that has no switch outside the product."""
    rule, target = case.lookup.rule, case.target
    if rule is None or rule.default is not DefaultState.ON:
        return
    found = judge_workload(case)
    if not (found.reason is Reason.NO_EFFECTIVE_SWITCH or _is_only_reported(rule, found)):
        return
    doubt = doubt_of_start(target)
    name = next(_named_by_remedy(target.container, rule.remedy), "")
    if not target.verified:
        detail = f"Image: {target.reference}."
        yield SendsFinding(Sends.UNKNOWN, Reason.VERSION_NOT_VERIFIED, detail)
    elif doubt:
        yield SendsFinding(Sends.UNKNOWN, Reason.COMMAND_OVERRIDDEN, f"({doubt})")
    elif name:
        detail = f"{name} is set, and whether this version obeys it has not been verified."
        yield SendsFinding(Sends.UNKNOWN, found.reason, detail)
    else:
        yield _yes(asked, found.reason)


def _is_only_reported(rule: ChannelRule, found: StateFinding) -> bool:
    return found.reason is Reason.NOT_REPORTED and all(
        switch.semantics is Semantics.RUNTIME for switch in rule.switches
    )


def _named_by_remedy(container: Container, remedy: str) -> Iterator[str]:
    """The variables and flags of a container that the catalogue's remedy speaks of."""
    words = {word.rstrip(".") for word in _WORD.findall(remedy)}
    names = (entry.name for entry in container.env)
    flags = (word.split("=")[0] for word in container.arguments if word.startswith("-"))
    for name in (*names, *flags):
        if len(name) >= _SHORTEST_NAME and name in words:
            yield name


def _unknown(off: Iterable[tuple[Case, StateFinding]]) -> SendsFinding:
    """Why nothing is proven: the verdict's reason, unless it only says that a policy would
    differ."""
    rested = [(case, with_rest(case, one)) for case, one in off]
    found = worst_finding(one for _, one in rested)
    if _differs(found):
        case = next(case for case, one in rested if one is found)
        found = judge_container(replace(case, effective=_ON))
    if found.state is State.COMPLIANT:  # by a template that says nothing of the next pod
        return SendsFinding(Sends.UNKNOWN, Reason.NO_PODS)
    if _differs(found):
        return SendsFinding(Sends.UNKNOWN, Reason.VALUE_NOT_UNDERSTOOD)
    return SendsFinding(Sends.UNKNOWN, found.reason, found.detail)


def _differs(found: StateFinding) -> bool:
    """Whether the setting is known, and not the one that the imagined policy wants."""
    return found.state is State.NON_COMPLIANT and found.reason in _AGAINST_POLICY


def _yes(asked: _Question, reason: Reason, detail: str = "") -> SendsFinding:
    return SendsFinding(Sends.YES, reason, detail, _summary(asked))


def _summary(asked: _Question) -> str:
    """The first sentences on what the channel sends; empty if they are long. A TelemetryProduct's
    author may have written them."""
    spec = asked.off[0][0].target.product.spec
    text = next((one.summary for one in spec.channels if one.name is asked.channel), "")
    words = ""
    for sentence in _SENTENCE_END.split(text[: 2 * _LONGEST_SUMMARY]):
        readable = "".join(one if one.isprintable() else " " for one in sentence)
        words = f"{words} {' '.join(readable.split()).rstrip('.')}.".strip()
        if len(words) >= _SHORTEST_SUMMARY:
            break
    return words if _SHORTEST_SUMMARY <= len(words) <= _LONGEST_SUMMARY else ""


def _likeness(pod: PodFacts) -> Hashable:
    """What may make pods of a workload differ in what they send. Each has a volume of its own with
    a token, under a name of its own."""
    return tuple(
        (
            one.reference,
            one.version,
            one.container.name,
            one.container.arguments,
            one.container.env,
            one.container.has_env_from,
            tuple(mount.path for mount in one.container.mounts),
        )
        for one in pod.targets
    )


def _cases(
    facts: Facts, product: str, channel: ChannelName, effective: EffectivePolicy
) -> Iterator[Case]:
    for target in facts.targets_of(product, channel):
        yield Case(facts, target, channel, effective, imagined=True)


_OFF, _ON = (
    imagined(ClusterTelemetryPolicySpec(submission=submission, mode=Mode.AUDIT))
    for submission in (Submission.DISABLED, Submission.ENABLED)
)
