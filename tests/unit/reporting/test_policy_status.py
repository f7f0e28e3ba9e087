"""What a policy says of itself, and a product."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest

from fleet_telemetry.api.conditions import Condition
from fleet_telemetry.api.policy import ChannelName, Policy, PolicyStatus
from fleet_telemetry.api.product.setting import Setting
from fleet_telemetry.api.product.spec import TelemetryProductStatus
from fleet_telemetry.api.reasons import EgressReason, PolicyReason, Reason
from fleet_telemetry.api.workload_telemetry import EgressVerdict
from fleet_telemetry.catalogue.catalogue import builtin
from fleet_telemetry.catalogue.combining import Rejection
from fleet_telemetry.decision import decide
from fleet_telemetry.evidence.egress import EgressFinding
from fleet_telemetry.evidence.report import Reported
from fleet_telemetry.reporting.events import Notice, policy_notices, product_notices
from fleet_telemetry.reporting.policy_status import (
    Covered,
    build_invalid_status,
    build_policy_status,
    build_product_status,
    find_product_problem,
    next_expiry,
)
from fleet_telemetry.switches.edits import Trigger
from tests.support.builders import (
    DTRACK_4,
    LATER,
    LONG_AGO,
    NAMESPACE,
    NOW,
    SONAR_SWITCH,
    SONARQUBE,
    WORKER_6,
    Manifest,
    claimed,
    container,
    manifest,
    pod_of,
    policy,
    under,
    workload,
)

OFF = {SONAR_SWITCH: "false"}
ON = {SONAR_SWITCH: "true"}


def sonar(name: str = "it", env: dict[str, str] | None = None, **more: Any) -> Manifest:
    return claimed(manifest(container(SONARQUBE, env=env), name=name, **more))


def covered(
    asking: Policy,
    *manifests: Manifest,
    others: tuple[Policy, ...] = (),
    pods: bool = True,
    reports: Mapping[str, Reported] | None = None,
) -> list[Covered]:
    """``reports`` are what SonarQube reports, by the names of the workloads."""
    found = []
    for given in manifests:
        running = (pod_of(given),) if pods else ()
        own = (reports or {}).get(given["metadata"]["name"])
        plan = decide(
            under(asking, *others).input(
                given,
                Trigger.RECONCILE,
                pods=running,
                reported={} if own is None else {("sonarqube", ChannelName.USAGE): own},
            )
        )
        found += [
            Covered(workload(given).ref, verdict)
            for verdict in plan.by_policy
            if verdict.policy is asking
        ]
    return found


def status(
    asking: Policy,
    *manifests: Manifest,
    before: PolicyStatus | None = None,
    now: datetime = NOW,
    **more: Any,
) -> PolicyStatus:
    found = covered(asking, *manifests, **more)
    return build_policy_status(asking, found, builtin(), before or PolicyStatus(), now)


def condition(found: PolicyStatus, name: str) -> Condition:
    (one,) = (condition for condition in found.conditions if condition.type == name)
    return one


def seen(found: PolicyStatus, name: str) -> tuple[str, str]:
    one = condition(found, name)
    return one.status, one.reason


def test_a_policy_that_is_all_well() -> None:
    found = status(policy(), sonar("a", OFF), sonar("b", OFF))
    assert found.observed_generation == 3
    assert msgspec.to_builtins(found.summary) == {"matched": 2, "compliant": 2}
    assert {c.type: (c.status, c.reason) for c in found.conditions} == {
        "Accepted": ("True", "Valid"),
        "Programmed": ("True", "EverythingWritten"),
        "Compliant": ("True", "EveryWorkloadCompliant"),
        "Conflicted": ("False", "NoConflict"),
        "ExceptionExpired": ("False", "NotExpired"),
    }
    for one in found.conditions:
        assert one.message == PolicyReason(one.reason).meaning
        assert (one.observed_generation, one.last_transition_time) == (3, NOW)


def test_workloads_are_counted_by_their_worst_state() -> None:
    exception = {"workload": {"kind": "Deployment", "name": "exempt"}, "reason": "because"}
    asking = policy(
        channels=["Usage", "UpdateCheck"], injection={"when": "Never"}, exceptions=[exception]
    )
    off = OFF | {"SONAR_UPDATECENTER_ACTIVATE": "false"}
    latest = claimed(manifest(container("sonarqube:latest"), name="latest"))
    worker = claimed(manifest(container(WORKER_6), name="worker"))
    good, half = sonar("good", off), sonar("half", OFF)
    found = status(asking, good, half, latest, worker, sonar("exempt", ON))
    assert msgspec.to_builtins(found.summary) == {
        "matched": 5,
        "compliant": 1,
        "nonCompliant": 1,
        "unknown": 1,
        "notEnforceable": 1,
        "exempt": 1,
    }
    asleep = status(policy(), sonar("asleep", OFF), pods=False)
    assert msgspec.to_builtins(asleep.summary) == {"matched": 1, "pending": 1}


IN = f"{NAMESPACE}/Deployment"
LATEST = [claimed(manifest(container("sonarqube:latest"), name=name)) for name in ("z", "y")]
WORKER = claimed(manifest(container(WORKER_6), name="w"))


@pytest.mark.parametrize(
    ("manifests", "wanted", "message"),
    [
        ([], ("Unknown", "NothingMatched"), PolicyReason.NOTHING_MATCHED.meaning),
        (
            [sonar("a", OFF)],
            ("True", "EveryWorkloadCompliant"),
            PolicyReason.EVERY_WORKLOAD_COMPLIANT.meaning,
        ),
        ([sonar("a", OFF), sonar("b")], ("False", "WorkloadsNotCompliant"), f"1 of 2: {IN}/b"),
        ([sonar("a", OFF), WORKER], ("False", "WorkloadsNotCompliant"), f"1 of 2: {IN}/w"),
        ([sonar("b"), LATEST[0]], ("False", "WorkloadsNotCompliant"), f"1 of 2: {IN}/b"),
        ([sonar("a", OFF), sonar("b", created=NOW)], ("Unknown", "NotProven"), f"1 of 2: {IN}/b"),
        (LATEST, ("Unknown", "NotProven"), f"2 of 2: {IN}/y, {IN}/z"),
        (
            [sonar(f"s{number}") for number in range(5)],
            ("False", "WorkloadsNotCompliant"),
            f"5 of 5: {', '.join(f'{IN}/s{number}' for number in range(5))}",
        ),
        (
            [sonar(f"s{number}") for number in range(7)],
            ("False", "WorkloadsNotCompliant"),
            f"7 of 7: {', '.join(f'{IN}/s{number}' for number in range(5))} and 2 more",
        ),
    ],
)
def test_whether_it_is_compliant(
    manifests: list[Manifest], wanted: tuple[str, str], message: str
) -> None:
    found = status(policy(), *manifests)
    assert seen(found, "Compliant") == wanted
    assert condition(found, "Compliant").message == message


def test_exempt_workloads_spoil_nothing() -> None:
    exception = {"workload": {"kind": "Deployment", "name": "bad"}, "reason": "because"}
    found = status(policy(exceptions=[exception]), sonar("good", OFF), sonar("bad", ON))
    assert seen(found, "Compliant") == ("True", "EveryWorkloadCompliant")
    assert found.summary is not None
    assert (found.summary.matched, found.summary.exempt) == (2, 1)


@pytest.mark.parametrize(
    ("spec", "given", "status_", "reason"),
    [
        ({}, sonar(env=OFF), "True", "EverythingWritten"),
        ({}, sonar(), "False", "SettingsMissing"),
        ({}, sonar(created=NOW), "False", "SettingsMissing"),
        ({"injection": {"when": "Always"}}, sonar(), "False", "SettingsMissing"),
        ({"injection": {"rollout": "Immediate"}}, sonar(), "False", "SettingsMissing"),
        ({}, sonar(kind="Job"), "False", "SettingsMissing"),
        # What it may not write is not missing.
        ({"injection": {"when": "Never"}}, sonar(), "True", "EverythingWritten"),
        ({"injection": {"onConflict": "Keep"}}, sonar(env=ON), "True", "EverythingWritten"),
        ({}, claimed(manifest(container("sonarqube:latest"))), "True", "EverythingWritten"),
        ({}, claimed(manifest(container(WORKER_6))), "True", "EverythingWritten"),
        ({"mode": "Audit"}, sonar(env=OFF), "False", "Audit"),
        ({"mode": "Audit"}, sonar(), "False", "Audit"),
    ],
)
def test_whether_it_is_programmed(
    spec: dict[str, Any], given: Manifest, status_: str, reason: str
) -> None:
    found = status(policy(**spec), given)
    assert seen(found, "Programmed") == (status_, reason)
    if reason == "SettingsMissing":
        assert (
            condition(found, "Programmed").message == f"without the setting: {workload(given).ref}"
        )


def test_a_seed_that_is_not_written_yet_is_missing_too() -> None:
    mounts = {"volumeMounts": [{"name": "data", "mountPath": "/data"}]}
    claim = {"name": "data", "persistentVolumeClaim": {"claimName": "it-data"}}

    def dtrack(env: dict[str, str]) -> Manifest:
        return claimed(manifest(container(DTRACK_4, env=env, **mounts), pod={"volumes": [claim]}))

    switch = "TELEMETRY_SUBMISSION_ENABLED_DEFAULT"
    for env, spec, wanted in (
        ({}, {}, "SettingsMissing"),
        ({switch: "false"}, {}, "EverythingWritten"),
        ({}, {"injection": {"when": "Never"}}, "EverythingWritten"),
    ):
        found = status(policy(**spec), dtrack(env))
        assert seen(found, "Compliant")[1] == "NotProven"
        assert seen(found, "Programmed")[1] == wanted


def test_a_policy_that_lost_names_the_winner() -> None:
    loser = policy("in", submission="Enabled")
    winner = policy("out", cluster=True)
    found = status(loser, sonar("a", OFF), sonar("b", OFF), others=(winner,))
    assert seen(found, "Conflicted") == ("True", "Overruled")
    assert condition(found, "Conflicted").message == (
        "overruled by ClusterTelemetryPolicy out for "
        f"{NAMESPACE}/Deployment/a, {NAMESPACE}/Deployment/b"
    )
    assert seen(found, "Compliant") == ("False", "WorkloadsNotCompliant")
    assert seen(status(winner, sonar("a", OFF), others=(loser,)), "Conflicted")[0] == "False"


def test_a_policy_with_mistakes_is_not_accepted_and_says_all_of_them() -> None:
    env = [{"name": SONAR_SWITCH, "value": "true"}]
    asking = policy(
        products=["sonarqube", "sonarcube"],
        injection={"settings": [{"product": "sonarqube", "env": env}]},
    )
    found = status(asking, sonar("a", OFF))
    assert seen(found, "Accepted") == ("False", "UnknownProduct")
    message = condition(found, "Accepted").message
    assert "'sonarcube'" in message
    assert f"{SONAR_SWITCH} is a switch of sonarqube" in message
    assert message.endswith("The rest of the policy is in force.")
    assert seen(found, "Compliant")[0] == "True"


def exceptions(*ends: datetime | None, name: str = "w") -> list[dict[str, Any]]:
    return [
        {
            "workload": {"kind": "StatefulSet", "name": f"{name}{index}"},
            "reason": "because",
            **({"expiresAt": end} if end else {}),
        }
        for index, end in enumerate(ends)
    ]


def test_an_exception_that_ended_is_a_condition() -> None:
    asking = policy(exceptions=exceptions(None, LATER, NOW, LONG_AGO))
    found = status(asking)
    assert seen(found, "ExceptionExpired") == ("True", "Expired")
    assert condition(found, "ExceptionExpired").message == (
        "ended, and the policy applies again: StatefulSet/w2, StatefulSet/w3"
    )
    assert seen(status(asking, now=LONG_AGO - timedelta(days=1)), "ExceptionExpired")[0] == "False"


def test_when_the_next_exception_ends() -> None:
    sooner = NOW + timedelta(hours=1)
    assert next_expiry(policy(exceptions=exceptions(None, LATER, sooner, LONG_AGO)), NOW) == sooner
    assert next_expiry(policy(exceptions=exceptions(None, NOW, LONG_AGO)), NOW) is None
    assert next_expiry(policy(), NOW) is None


def read_back(found: PolicyStatus) -> PolicyStatus:
    return msgspec.convert(msgspec.to_builtins(found), PolicyStatus)


def test_nothing_is_written_when_nothing_changed() -> None:
    for manifests in ([], [sonar("a", OFF)], [sonar("a"), sonar("b", ON)]):
        first = status(policy(), *manifests, now=NOW.replace(microsecond=5))
        assert read_back(first) == first
        # The order in which workloads are known makes no difference.
        again = status(policy(), *reversed(manifests), before=read_back(first), now=LATER)
        assert again == first


def test_a_times_moves_only_when_a_status_flips() -> None:
    first = status(policy(), sonar("a", OFF))
    second = status(policy(generation=4), sonar("a"), before=first, now=LATER)
    assert second.observed_generation == 4
    times = {one.type: one.last_transition_time for one in second.conditions}
    assert times["Compliant"] == LATER
    assert times["Accepted"] == NOW
    assert all(one.observed_generation == 4 for one in second.conditions)


@pytest.mark.parametrize(
    "asking",
    [
        policy(products=[f"unanswered-of-{'x' * 40}-{number}" for number in range(200)]),
        policy(exceptions=exceptions(*[LONG_AGO] * 256, name="x" * 60)),
    ],
)
def test_no_message_is_longer_than_the_schema_allows(asking: Policy) -> None:
    """One that is would be refused, and with it everything else that is to be said."""
    found = status(asking)
    assert read_back(found) == found
    assert all(len(one.message) <= 4096 for one in found.conditions)


def test_many_winners_fit_in_a_message() -> None:
    loser = policy("in", submission="Enabled")
    manifests = [sonar(f"s{number}", OFF, labels={"n": str(number)}) for number in range(60)]
    winners = tuple(
        policy("o" * 200 + str(n), selector={"matchLabels": {"n": str(n)}}) for n in range(60)
    )
    found = status(loser, *manifests, others=winners)
    assert read_back(found) == found


# Specs that cannot be read, and products.


def test_a_policy_that_cannot_be_read_says_only_that() -> None:
    before = status(policy(), sonar("a", OFF))
    found = build_invalid_status("submission: what?", 4, before, LATER)
    (one,) = found.conditions
    assert (one.type, one.status, one.reason, one.message) == (
        "Accepted",
        "False",
        "InvalidSpec",
        "submission: what?",
    )
    assert (found.observed_generation, found.summary) == (4, None)
    assert build_invalid_status("submission: what?", 4, found, LATER + timedelta(1)) == found
    endless = build_invalid_status("x" * 9000, 4, found, LATER)
    assert read_back(endless) == endless


def product_status(
    problem: str,
    generation: int,
    before: TelemetryProductStatus,
    now: datetime,
    *,
    rejection: Rejection | None = None,
    overrides: bool = False,
    covered: bool = True,
) -> TelemetryProductStatus:
    found = find_product_problem(problem, rejection)
    return build_product_status(
        found, generation, before, now, overrides=overrides, covered=covered
    )


def test_a_product_is_in_force_or_says_why_not() -> None:
    good = product_status("", 2, TelemetryProductStatus(), NOW)
    (one, *_) = good.conditions
    assert (one.type, one.status, one.reason) == ("Accepted", "True", "Valid")
    assert one.message == PolicyReason.VALID.meaning
    bad = product_status("rules overlap", 3, good, LATER)
    (one, *_) = bad.conditions
    assert (one.status, one.reason, one.message) == ("False", "InvalidProduct", "rules overlap")
    assert (bad.observed_generation, one.last_transition_time) == (3, LATER)
    assert product_status("rules overlap", 3, bad, LATER + timedelta(1)) == bad
    endless = product_status("x" * 9000, 3, bad, LATER)
    found = msgspec.convert(msgspec.to_builtins(endless), TelemetryProductStatus)
    assert found == endless


def test_a_product_that_loses_an_image_says_which_and_to_whom() -> None:
    lost = Rejection(PolicyReason.CONFLICT, "the image a/b belongs to x")
    found = product_status("", 2, TelemetryProductStatus(), NOW, rejection=lost)
    accepted, _, overrides = found.conditions
    assert (accepted.status, accepted.reason) == ("False", "Conflict")
    assert accepted.message == lost.message
    assert (overrides.type, overrides.status) == ("OverridesBuiltin", "False")
    (notice,) = product_notices((), found.conditions)
    assert notice == Notice("ProductNotAccepted", lost.message)


def test_a_product_that_no_policy_names_says_so() -> None:
    for covered, status_, reason in (
        (True, "True", "NamedByPolicy"),
        (False, "False", "NotNamedByPolicy"),
    ):
        found = product_status("", 2, TelemetryProductStatus(), NOW, covered=covered)
        (one,) = [one for one in found.conditions if one.type == "Covered"]
        assert (one.status, one.reason) == (status_, reason)


def test_a_replaced_built_in_product_is_told_by_a_condition_and_an_event() -> None:
    found = product_status("", 2, TelemetryProductStatus(), NOW, overrides=True)
    (overrides,) = [one for one in found.conditions if one.type == "OverridesBuiltin"]
    assert (overrides.status, overrides.reason) == ("True", "OverridesBuiltin")
    (notice,) = product_notices((), found.conditions)
    assert notice.reason == "BuiltinProductOverridden"
    assert product_notices(found.conditions, found.conditions) == ()


EGRESS_OUT = policy("egress-out", egress={"action": "Deny"})


def with_egress(reason: EgressReason, *, asking: Policy = EGRESS_OUT) -> Condition:
    (found,) = covered(asking, sonar(env=OFF))
    finding = EgressFinding(EgressVerdict.OPEN, reason, "Detail.")
    key = ("sonarqube", ChannelName.USAGE)
    told = replace(found, egress={key: finding})
    result = build_policy_status(asking, [told], builtin(), PolicyStatus(), NOW)
    return condition(result, "Programmed")


@pytest.mark.parametrize(
    "reason",
    [
        EgressReason.AWAITING_WRITE,
        EgressReason.NEGATED_BY_POLICY,
        EgressReason.HOSTS_NOT_RESOLVED,
        EgressReason.SHARED_ADDRESSES,
        EgressReason.DIALECT_NOT_SERVED,
        EgressReason.NAME_TAKEN,
    ],
)
def test_an_egress_wish_that_is_not_carried_out_is_told(reason: EgressReason) -> None:
    found = with_egress(reason)

    assert (found.status, found.reason) == ("False", PolicyReason.EGRESS_MISSING)
    assert str(reason) in found.message
    assert "Detail." in found.message


@pytest.mark.parametrize(
    "reason",
    [
        EgressReason.EVERY_ADDRESS_DENIED,
        EgressReason.ENFORCEMENT_NOT_SHOWN,
        EgressReason.NOT_ISOLATED,
        EgressReason.LET_THROUGH,
        EgressReason.OTHER_POLICY_KINDS,
    ],
)
def test_an_egress_wish_that_is_written_is_programmed_whatever_it_comes_to(
    reason: EgressReason,
) -> None:
    assert with_egress(reason).status == "True"


def test_without_an_egress_section_the_network_is_nobodys_business() -> None:
    asking = policy("plain")

    assert with_egress(EgressReason.SHARED_ADDRESSES, asking=asking).status == "True"


def test_an_overruled_policy_does_not_wait_for_its_egress() -> None:
    asking = policy("in", submission="Enabled", egress={"action": "Allow"})
    (found,) = covered(asking, sonar(env=OFF), others=(policy("out"),))
    finding = EgressFinding(EgressVerdict.OPEN, EgressReason.SHARED_ADDRESSES)
    told = replace(found, egress={("sonarqube", ChannelName.USAGE): finding})

    result = build_policy_status(asking, [told], builtin(), PolicyStatus(), NOW)

    assert condition(result, "Programmed").reason != PolicyReason.EGRESS_MISSING


def test_a_policy_that_covers_nothing_has_written_nothing() -> None:
    found = status(policy())
    assert seen(found, "Programmed") == ("Unknown", "NothingMatched")
    assert seen(found, "Compliant") == ("Unknown", "NothingMatched")
    assert seen(status(policy(mode="Audit")), "Programmed") == ("False", "Audit")


def accepted(**credential: Any) -> Condition:
    reference = {"name": "key", "namespace": "vault"}
    of_product = {"product": "sonarqube", "secretRef": reference, **credential}
    asking = policy(cluster=True, runtime={"credentials": [of_product]})
    return condition(status(asking), "Accepted")


def test_a_credential_of_an_earlier_version_that_does_not_say_where_is_told() -> None:
    found = accepted()
    assert (found.status, found.reason) == ("False", PolicyReason.CREDENTIAL_SCOPE_MISSING)
    assert "the credential for sonarqube is not used; add namespaces" in found.message


def test_a_cluster_policy_that_sends_credentials_in_clear_says_so() -> None:
    found = accepted(namespaces=["a"], requireTLS=False)
    assert (found.status, found.reason) == ("True", PolicyReason.VALID)
    assert found.message == (
        f"{PolicyReason.VALID.meaning} Credentials are sent in clear where the endpoint is http, "
        "because requireTLS is false: sonarqube."
    )
    assert accepted(namespaces=["a"]).message == PolicyReason.VALID.meaning
    assert accepted(requireTLS=False).message.endswith("requireTLS is false: sonarqube.")


ASKING = {"runtime": {"credentials": [{"product": "sonarqube", "secretRef": {"name": "sonar"}}]}}
SAYS_OFF = Reported(Setting.DISABLED)
REFUSED = Reported(fault=Reason.CREDENTIALS_REJECTED, message="GET /api/system/info: 401.")
SILENT = Reported(lacks_setting=True)
HTML = Reported(fault=Reason.UNEXPECTED_ANSWER, message="GET /api/system/info: no JSON.")


def test_a_policy_without_credentials_says_nothing_of_checks() -> None:
    for more in ({}, {"runtime": {}}, {"runtime": {**ASKING["runtime"], "action": "Off"}}):
        found = status(policy(**more), sonar("a", OFF))
        assert "Verified" not in {one.type for one in found.conditions}


def test_checks_that_fail_are_reported_though_the_policy_is_compliant() -> None:
    asking = policy(**ASKING)
    reports = {"a": SAYS_OFF, "b": REFUSED, "c": HTML, "d": REFUSED}
    found = status(asking, *(sonar(name, OFF) for name in "abcd"), reports=reports)
    assert seen(found, "Compliant") == ("True", "EveryWorkloadCompliant")
    assert seen(found, "Verified") == ("False", "ChecksFail")
    message = condition(found, "Verified").message
    assert message.startswith(
        "the checks of 3 of 4 products fail: CredentialsRejected (2), UnexpectedAnswer (1); for "
        f"example sonarqube of {NAMESPACE}/Deployment/b: The product rejects the credentials."
    )
    assert "GET /api/system/info: 401." in message
    (notice,) = policy_notices((), found.conditions)
    assert (notice.reason, notice.warning) == ("TelemetryChecksFail", True)


@pytest.mark.parametrize(
    ("reports", "expected"),
    [
        ({"a": SAYS_OFF, "b": SAYS_OFF}, ("True", "EveryProductReports")),
        ({"a": Reported(Setting.ENABLED), "b": SAYS_OFF}, ("True", "EveryProductReports")),
        ({"a": SAYS_OFF}, ("Unknown", "NotCheckedYet")),
        ({}, ("Unknown", "NotCheckedYet")),
        ({"b": REFUSED}, ("False", "ChecksFail")),
        ({"a": SILENT, "b": SAYS_OFF}, ("False", "ChecksFail")),
        # It reports, and the setting could not be remediated.
        (
            {"a": Reported(Setting.ENABLED, fault=Reason.PERMISSION_MISSING), "b": SAYS_OFF},
            ("False", "ChecksFail"),
        ),
    ],
)
def test_whether_the_products_report(
    reports: Mapping[str, Reported], expected: tuple[str, str]
) -> None:
    found = status(policy(**ASKING), sonar("a", OFF), sonar("b", OFF), reports=reports)
    assert seen(found, "Verified") == expected


def test_a_policy_counts_only_what_is_checked_with_its_own_credentials() -> None:
    worker = claimed(manifest(container(WORKER_6), name="w"))
    exempt = {"exceptions": [{"workload": {"kind": "Deployment", "name": "a"}, "reason": "x"}]}
    stronger = policy("stronger", cluster=True, asked=True)
    for asking, others in (
        (policy(**ASKING), ()),
        (policy(**ASKING, **exempt), ()),
        (policy(**ASKING), (stronger,)),
    ):
        workloads = [worker] if not (others or asking.spec.exceptions) else [sonar("a", OFF)]
        found = status(asking, *workloads, others=others, reports={"a": REFUSED})
        assert seen(found, "Verified") == ("Unknown", "NothingToCheck")
    many = status(
        policy(**ASKING),
        sonar("a", OFF),
        reports={"a": Reported(fault=Reason.UNREACHABLE, message="x" * 9000)},
    )
    assert len(condition(many, "Verified").message) <= 4096


def test_a_namespace_that_the_policy_gives_no_credential_is_not_missed() -> None:
    # Its author meant that; a tenant who runs the product there makes no noise in the policy.
    credential = {
        "product": "sonarqube",
        "secretRef": {"name": "key", "namespace": "vault"},
        "requireTLS": False,
    }
    for namespace, expected in ((NAMESPACE, "NotCheckedYet"), ("other", "NothingToCheck")):
        runtime = {"credentials": [{**credential, "namespaces": [namespace]}]}
        found = status(policy(cluster=True, runtime=runtime), sonar("a", OFF))
        assert seen(found, "Verified") == ("Unknown", expected)


# Workloads in which nothing runs


def idle(env: dict[str, str] | None = None, **more: Any) -> Manifest:
    return sonar("idle", env, **{"replicas": 0, **more})


def test_where_nothing_runs_and_nothing_will_nothing_has_to_be_proven() -> None:
    asking = policy(mode="Audit")
    running = covered(asking, sonar("a", OFF))
    # Neither the setting nor the lack of it, nor a version that nobody can read.
    for given in (idle(OFF), idle(ON), idle(), claimed(manifest(container(WORKER_6), replicas=0))):
        both = [*running, *covered(asking, given, pods=False)]
        found = build_policy_status(asking, both, builtin(), PolicyStatus(), NOW)
        assert seen(found, "Compliant") == ("True", "EveryWorkloadCompliant")
        summary = found.summary
        assert summary is not None
        assert (summary.matched, summary.compliant, summary.idle) == (2, 1, 1)
        assert (summary.non_compliant, summary.pending, summary.unknown) == (0, 0, 0)


def test_a_pod_that_still_runs_counts() -> None:
    found = status(policy(mode="Audit"), idle(ON))
    assert seen(found, "Compliant") == ("False", "WorkloadsNotCompliant")


def test_a_policy_for_idle_workloads_alone_has_nothing_to_prove() -> None:
    for given in (idle(OFF), sonar("s", OFF, kind="CronJob", suspend=True)):
        assert seen(status(policy(), given, pods=False), "Compliant") == ("Unknown", "NothingRuns")
    one = sonar("s", OFF, kind="CronJob")
    assert seen(status(policy(), one, pods=False), "Compliant") == ("Unknown", "NotProven")
