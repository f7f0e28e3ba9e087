"""What became of each policy, and why."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from fleet_telemetry.api.policy import ChannelName, Policy
from fleet_telemetry.policy.outcomes import PolicyEffect, PolicyOutcome, outcomes_of
from tests.support.builders import LATER, LONG_AGO, NOW, SONARQUBE, container, manifest, policy
from tests.support.builders import workload as read


def found(
    *policies: Policy, labels: dict[str, str] | None = None, **given: Any
) -> list[PolicyOutcome]:
    return list(
        outcomes_of(
            policies,
            read(manifest(container(SONARQUBE), labels={"app": "it"})),
            "sonarqube",
            ChannelName.USAGE,
            namespace_labels=labels or {},
            now=NOW,
            **{"built_in": True, **given},
        )
    )


def outcomes(*policies: Policy, **given: Any) -> list[tuple[str, PolicyEffect]]:
    return [(one.policy.name, one.outcome) for one in found(*policies, **given)]


YES = {"submission": "Enabled"}


@pytest.mark.parametrize(
    ("winner", "loser", "why"),
    [
        (policy("a"), policy("b", mode="Audit"), "it enforces, and the other has mode: Audit"),
        (policy("z"), policy("b", cluster=True, **YES), "Disabled comes before Enabled"),
        (policy("z", cluster=True), policy("a"), "a ClusterTelemetryPolicy comes before"),
        (policy("z", created=LONG_AGO), policy("a"), "it is older"),
        (policy("a"), policy("b"), "its name comes first"),
    ],
)
def test_why_a_policy_decides(winner: Policy, loser: Policy, why: str) -> None:
    for order in ((winner, loser), (loser, winner)):
        first, second = found(*order)
        assert (first.policy, first.outcome) == (winner, PolicyEffect.EFFECTIVE)
        assert second.policy is loser
        assert f"before {loser}: {why}" in first.why
        assert f"{winner} decides: {why}" in second.why


def test_who_asks_for_the_same_agrees_and_who_does_not_is_below() -> None:
    below = policy("c", **YES)
    assert outcomes(policy("a"), policy("b"), below) == [
        ("a", PolicyEffect.EFFECTIVE),
        ("b", PolicyEffect.AGREES),
        ("c", PolicyEffect.LOWER_PRECEDENCE),
    ]


def test_an_exception_leaves_it_to_the_next() -> None:
    exception = {
        "workload": {"kind": "Deployment", "name": "it"},
        "reason": "until spring",
        "expiresAt": LATER.isoformat(),
    }
    exempt, effective = found(policy("a", exceptions=[exception]), policy("b"))
    assert (exempt.outcome, effective.outcome) == (PolicyEffect.EXEMPT, PolicyEffect.EFFECTIVE)
    assert "until spring, until 2026-12-20" in exempt.why
    assert effective.why == "no other policy covers the channel"
    expired = {**exception, "expiresAt": (NOW - timedelta(days=1)).isoformat()}
    assert outcomes(policy("a", exceptions=[expired])) == [("a", PolicyEffect.EFFECTIVE)]


@pytest.mark.parametrize(
    ("spec", "given", "why"),
    [
        ({"channels": ["UpdateCheck"]}, {}, "covers the channels UpdateCheck, and not Usage"),
        ({"products": ["emqx"]}, {}, "does not name the product sonarqube"),
        ({}, {"built_in": False}, "sonarqube is not built in"),
    ],
)
def test_what_does_not_cover_the_channel(
    spec: dict[str, Any], given: dict[str, Any], why: str
) -> None:
    (one,) = found(policy(**spec), **given)
    assert one.outcome is PolicyEffect.NOT_COVERED
    assert why in one.why


def test_what_does_not_select_the_workload_comes_last() -> None:
    elsewhere = policy("b", namespace="other")
    by_label = policy("c", selector={"matchLabels": {"app": "another"}})
    selector = {"matchLabels": {"tier": "prod"}}
    by_namespace = policy("a", cluster=True, namespaceSelector=selector)
    every = (by_namespace, by_label, elsewhere, policy("d"))
    assert outcomes(*every) == [
        ("d", PolicyEffect.EFFECTIVE),
        ("a", PolicyEffect.NOT_SELECTED),
        ("c", PolicyEffect.NOT_SELECTED),
    ]
    assert "namespaceSelector" in found(*every)[1].why
    assert "labels of the workload" in found(*every)[2].why
    assert outcomes(by_namespace, labels={"tier": "prod"}) == [("a", PolicyEffect.EFFECTIVE)]
