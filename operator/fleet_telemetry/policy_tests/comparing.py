"""Compares what is expected with what comes out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from fleet_telemetry.api.policy import Policy
from fleet_telemetry.audit.subject import Subject
from fleet_telemetry.catalogue.catalogue import Catalogue
from fleet_telemetry.evidence.verdict import Verdict
from fleet_telemetry.linting.problem import FileProblem
from fleet_telemetry.policy_tests.suite import Expectation, SuiteFile
from fleet_telemetry.policy_tests.trying import AdmissionOutcome, run_workload
from fleet_telemetry.workloads.workload import Container, Workload

WorkloadKey = tuple[str, str]
"""A namespace, and ``KIND/NAME``."""


@dataclass(frozen=True, slots=True)
class SuiteInputs:
    """What a suite names, read from its files."""

    subjects: Mapping[WorkloadKey, Subject]
    policies: tuple[Policy, ...]
    catalogue: Catalogue
    expected: Mapping[tuple[str, WorkloadKey], Workload] = field(default_factory=dict)
    """The workloads of the files that ``patched`` names."""


@dataclass(frozen=True, slots=True)
class PolicyTestResult:
    """One test: a result that is expected, and what differs."""

    name: str
    file: str
    line: int
    differences: tuple[str, ...] = ()
    """None if it passes."""
    found: str = ""
    """The state and its reason."""


def key_of(workload: Workload) -> WorkloadKey:
    """How results name a workload."""
    return workload.ref.namespace, f"{workload.ref.kind}/{workload.ref.name}"


def run_suite(
    suite: SuiteFile, given: SuiteInputs, now: datetime
) -> tuple[tuple[PolicyTestResult, ...], tuple[FileProblem, ...]]:
    """The results, in the order of the file, and what is wrong with the file itself: names of what
    is not there, and policies that no result is about."""
    outcomes: dict[WorkloadKey, AdmissionOutcome] = {}
    results: list[PolicyTestResult] = []
    problems: list[FileProblem] = []
    tried: set[str] = set()
    for row, expected in enumerate(suite.suite.results):
        key = expected.namespace, expected.workload
        subject = given.subjects.get(key)
        if subject is None:
            problems.append(_no_workload(suite, row, expected, given.subjects))
            continue
        if key not in outcomes:
            at = suite.suite.now or now
            outcomes[key] = run_workload(subject, given.policies, given.catalogue, at)
        outcome = outcomes[key]
        chosen = _verdict(suite, row, expected, outcome)
        if isinstance(chosen, FileProblem):
            problems.append(chosen)
            continue
        about = (
            names_of(one.policy)[-1]
            for one in outcome.plan.by_policy
            if any((v.product, v.channel) == (chosen.product, chosen.channel) for v in one.verdicts)
        )
        tried.update(about)
        unknown = _unknown_policy(suite, row, expected, given.policies)
        if unknown is not None:
            problems.append(unknown)
            continue
        results.append(
            PolicyTestResult(
                name=f"{expected.namespace}/{expected.workload} {chosen.product} {chosen.channel}",
                file=suite.document.file,
                line=suite.document.line("results", row),
                differences=tuple(_differences(expected, chosen, outcome, given)),
                found=f"{chosen.state or 'no policy'} {chosen.reason or ''}".strip(),
            )
        )
    problems += _untried(suite, given.policies, tried)
    return tuple(results), tuple(problems)


def _no_workload(
    suite: SuiteFile, row: int, expected: Expectation, subjects: Iterable[WorkloadKey]
) -> FileProblem:
    elsewhere = sorted(space for space, name in subjects if name == expected.workload)
    what = f"no resource is {expected.workload} in the namespace {expected.namespace}"
    advice = f"it is in the namespace {elsewhere[0]}" if elsewhere else "correct the name"
    return suite.problem(row, "workload", what, advice)


def _verdict(
    suite: SuiteFile, row: int, expected: Expectation, outcome: AdmissionOutcome
) -> Verdict | FileProblem:
    found = outcome.plan.verdicts
    products = sorted({one.product for one in found})
    if not products:
        what = f"{expected.workload} runs no product that is known"
        return suite.problem(row, "workload", what, "see fleet-telemetry catalogue")
    if expected.product and expected.product not in products:
        what = f"{expected.workload} does not run {expected.product}, but {', '.join(products)}"
        return suite.problem(row, "product", what, "correct the name")
    if not expected.product and len(products) > 1:
        what = f"{expected.workload} runs several products: {', '.join(products)}"
        return suite.problem(row, "product", what, "name one by product")
    product = expected.product or products[0]
    channels = {one.channel: one for one in found if one.product == product}
    if expected.channel not in channels:
        what = f"{product} has no channel {expected.channel} here, but {', '.join(channels)}"
        return suite.problem(row, "channel", what, "correct the name")
    return channels[expected.channel]


def _unknown_policy(
    suite: SuiteFile, row: int, expected: Expectation, policies: Iterable[Policy]
) -> FileProblem | None:
    if not expected.policy or any(expected.policy in names_of(one) for one in policies):
        return None
    what = f"no policy is {expected.policy}"
    advice = "write KIND/NAME, or KIND/NAMESPACE/NAME, of one in policies"
    return suite.problem(row, "policy", what, advice)


def names_of(policy: Policy | None) -> tuple[str, ...]:
    """What a result may call a policy."""
    if policy is None:
        return ("",)
    names = [policy.kind.value, policy.namespace, policy.name]
    return f"{policy.kind.value}/{policy.name}", "/".join(filter(None, names))


def _untried(
    suite: SuiteFile, policies: Iterable[Policy], tried: set[str]
) -> Iterator[FileProblem]:
    for policy in policies:
        if names_of(policy)[-1] not in tried:
            what = f"no result is about what {names_of(policy)[-1]} covers"
            advice = "add a result, or remove the policy from the test"
            yield suite.document.problem(("policies",), what, advice)


def _differences(
    expected: Expectation, verdict: Verdict, outcome: AdmissionOutcome, given: SuiteInputs
) -> Iterator[str]:
    policy = names_of(verdict.policy)
    if expected.policy is not None and expected.policy not in policy:
        yield _unlike("policy", policy[-1] or "none", expected.policy or "none")
    why = f" ({verdict.reason}: {verdict.message})" if verdict.reason else ""
    if expected.state is not None and verdict.state is not expected.state:
        state = f"{verdict.state}{why}" if verdict.state else "none, as no policy covers it"
        yield _unlike("state", state, expected.state)
    elif expected.reason is not None and verdict.reason is not expected.reason:
        yield _unlike("reason", str(verdict.reason or "none"), expected.reason)
    sends = verdict.sends
    if expected.sends is not None and (sends is None or sends.sends is not expected.sends):
        found = f"{sends.sends} ({sends.reason}: {sends.message})" if sends else "not known"
        yield _unlike("sends", found, expected.sends)
    if expected.sets is not None and tuple(sorted(expected.sets)) != outcome.sets:
        yield _unlike("sets", _listed(outcome.sets), _listed(sorted(expected.sets)))
    if expected.patched:
        wanted = given.expected[expected.patched, key_of(outcome.after)]
        yield from _unlike_containers(outcome.after, wanted)


def _unlike(field_: str, found: str, wanted: str) -> str:
    return f"{field_} is {found}, not {wanted}"


def _listed(entries: Iterable[str]) -> str:
    return f"[{', '.join(entries)}]"


def _unlike_containers(found: Workload, wanted: Workload) -> Iterator[str]:
    """The settings alone: no value that may be a secret is printed."""
    theirs = {one.name: one for one in wanted.template.containers}
    ours = {one.name: one for one in found.template.containers}
    for name in sorted({*theirs, *ours}):
        if name not in theirs or name not in ours:
            where = "the patched file" if name not in theirs else "the resource"
            yield f"patched: there is no container {name} in {where}"
        else:
            yield from _unlike_settings(name, ours[name], theirs[name])


def _unlike_settings(name: str, found: Container, wanted: Container) -> Iterator[str]:
    for variable in sorted({one.name for one in (*found.env, *wanted.env)}):
        if found.variable(variable) != wanted.variable(variable):
            yield f"patched: container {name}: the variable {variable} differs"
    if found.args != wanted.args:
        yield f"patched: container {name}: args differ"
    if found.schedule != wanted.schedule:
        yield f"patched: container {name}: spec.suspend differs"
