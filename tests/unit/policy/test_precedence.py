from __future__ import annotations

from datetime import timedelta
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given

from fleet_telemetry.api.policy import ChannelName, Policy, Submission, When
from fleet_telemetry.policy.precedence import (
    EffectivePolicy,
    covers_channel,
    has_expired,
    live_exception,
    resolve_effective,
    select_policies,
)
from fleet_telemetry.workloads.workload import WorkloadRef
from tests.support.builders import (
    DTRACK_4,
    LATER,
    LONG_AGO,
    NAMESPACE,
    NOW,
    SONARQUBE,
    container,
    manifest,
    policy,
    under,
    workload,
)
from tests.support.decision_strategies import policy_sets
from tests.support.depth import examples

USAGE = ChannelName.USAGE
UPDATES = ChannelName.UPDATE_CHECK
WORKLOAD = workload(manifest(container(SONARQUBE), labels={"tier": "gold"}))
REF = WORKLOAD.ref


def exception(kind: str = "Deployment", name: str = "it", **more: Any) -> dict[str, Any]:
    namespace = {"namespace": more.pop("namespace")} if "namespace" in more else {}
    workload = {"kind": kind, "name": name, **namespace}
    return {"workload": workload, "reason": "contract until spring", **more}


def govern_all(*policies: Policy, channel: ChannelName = USAGE) -> EffectivePolicy | None:
    """Who decides, whatever the order in which the policies come."""
    found = {
        in_effect.policy.name
        if (in_effect := resolve_effective(order, REF, "sonarqube", channel, NOW))
        else ""
        for order in permutations(policies)
    }
    assert len(found) == 1
    return resolve_effective(policies, REF, "sonarqube", channel, NOW)


@pytest.mark.parametrize(
    ("winner", "loser"),
    [
        ({"submission": "Disabled"}, {"submission": "Enabled"}),
        ({"cluster": True}, {"cluster": False}),
        ({"created": NOW - timedelta(days=2)}, {"created": NOW - timedelta(days=1)}),
        ({}, {}),
        # Each step only counts where the one before says nothing.
        ({"submission": "Disabled"}, {"submission": "Enabled", "cluster": True}),
        ({"submission": "Disabled", "created": NOW}, {"submission": "Enabled"}),
        ({"cluster": True, "created": NOW}, {"created": LONG_AGO}),
        ({"cluster": True, "submission": "Enabled"}, {"submission": "Enabled"}),
        ({"submission": "Enabled"}, {"submission": "Disabled", "mode": "Audit"}),
        ({"created": NOW}, {"cluster": True, "mode": "Audit", "created": LONG_AGO}),
    ],
)
def test_the_winner(winner: dict[str, Any], loser: dict[str, Any]) -> None:
    in_effect = govern_all(policy("a", **winner), policy("b", **loser))
    assert in_effect is not None
    assert in_effect.policy.name == "a"
    assert in_effect.exempt is None


def test_an_older_policy_beats_a_name_that_comes_first() -> None:
    old = policy("z", created=LONG_AGO)
    assert govern_all(policy("a"), old, policy("m")).policy is old  # type: ignore[union-attr]


def test_policies_merge_per_product_and_channel() -> None:
    usage = policy("usage")
    updates = policy("updates", submission="Enabled", channels=["UpdateCheck"])
    both = policy("both", submission="Enabled", channels=["Usage", "UpdateCheck"], created=NOW)
    assert govern_all(usage, updates, both).policy is usage  # type: ignore[union-attr]
    found = govern_all(usage, updates, both, channel=UPDATES)
    assert found is not None
    assert found.policy is updates
    assert found.desired is Submission.ENABLED
    assert govern_all(usage, channel=UPDATES) is None
    assert govern_all(policy(products=["emqx"])) is None


def test_an_audit_decides_where_nothing_enforces_and_writes_nothing() -> None:
    audit = policy("a", mode="Audit", submission="Disabled", cluster=True)
    alone = govern_all(audit)
    assert alone is not None
    assert alone.policy is audit
    assert not alone.enforced
    beside = govern_all(audit, policy("b", submission="Enabled"))
    assert beside is not None
    assert (beside.policy.name, beside.enforced) == ("b", True)


def test_an_exception_lifts_only_its_own_policy() -> None:
    lifted = policy("a", exceptions=[exception()])
    other = policy("b", cluster=True, created=NOW, submission="Enabled")
    beside = govern_all(lifted, other)
    assert beside is not None
    assert beside.policy is other
    assert beside.exempt is None
    alone = govern_all(lifted)
    assert alone is not None
    assert alone.exempt is not None
    assert alone.exempt.reason == "contract until spring"
    assert not alone.enforced


def test_where_every_policy_is_lifted_the_highest_says_why() -> None:
    one = policy("a", exceptions=[exception()])
    two = policy("b", cluster=True, exceptions=[exception(namespace=NAMESPACE)])
    assert govern_all(one, two).policy is two  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("changes", "lifts"),
    [
        ({}, True),
        ({"expiresAt": LATER}, True),
        ({"expiresAt": NOW + timedelta(seconds=1)}, True),
        ({"expiresAt": NOW}, False),
        ({"expiresAt": LONG_AGO}, False),
        ({"kind": "StatefulSet"}, False),
        ({"name": "other"}, False),
    ],
)
def test_an_exception_names_one_workload_until_it_ends(
    changes: dict[str, Any], *, lifts: bool
) -> None:
    found = live_exception(policy(exceptions=[exception(**changes)]), REF, NOW)
    assert (found is not None) is lifts


def test_the_exception_of_a_cluster_policy_names_the_namespace_too() -> None:
    here = policy(cluster=True, exceptions=[exception(namespace=NAMESPACE)])
    there = policy(cluster=True, exceptions=[exception(namespace="elsewhere")])
    assert live_exception(here, REF, NOW) is not None
    assert live_exception(there, REF, NOW) is None
    foreign = WorkloadRef("elsewhere", REF.kind, REF.name)
    assert live_exception(policy(exceptions=[exception()]), foreign, NOW) is None


def test_an_exception_that_ended_leaves_a_later_one_of_the_same_workload_in_force() -> None:
    both = [exception(expiresAt=LONG_AGO), exception(expiresAt=LATER)]
    found = live_exception(policy(exceptions=both), REF, NOW)
    assert found is not None
    assert not has_expired(found, NOW)


@pytest.mark.parametrize(
    ("spec", "labels", "selected"),
    [
        ({}, {}, True),
        ({"selector": {}}, {}, True),
        ({"selector": {"matchLabels": {"tier": "gold"}}}, {}, True),
        ({"selector": {"matchLabels": {"tier": "iron"}}}, {}, False),
        ({"namespace": "elsewhere"}, {}, False),
        ({"cluster": True}, {}, True),
        ({"cluster": True, "selector": {"matchLabels": {"tier": "iron"}}}, {}, False),
        ({"cluster": True, "namespaceSelector": {}}, {}, True),
        ({"cluster": True, "namespaceSelector": {"matchLabels": {"team": "a"}}}, {}, False),
        (
            {"cluster": True, "namespaceSelector": {"matchLabels": {"team": "a"}}},
            {"team": "a"},
            True,
        ),
        # The workload's own labels are not the namespace's, nor the other way round.
        ({"cluster": True, "namespaceSelector": {"matchLabels": {"tier": "gold"}}}, {}, False),
        ({"selector": {"matchLabels": {"team": "a"}}}, {"team": "a"}, False),
    ],
)
def test_which_policies_select_a_workload(
    spec: dict[str, Any], labels: dict[str, str], *, selected: bool
) -> None:
    given_policy = policy(**spec)
    found = select_policies([given_policy], WORKLOAD, labels)
    assert found == ((given_policy,) if selected else ())


def test_a_section_is_taken_whole_from_the_highest_that_has_it_and_asks_for_the_same() -> None:
    def in_effect(*policies: Policy) -> object:
        found = govern_all(*policies)
        assert found is not None
        return found.injection

    plain = policy("a", cluster=True)
    always = policy("b", injection={"when": "Always"}, created=LONG_AGO)
    keep = policy("c", injection={"onConflict": "Keep"})
    assert in_effect(plain, always, keep) == always.injection
    assert in_effect(plain, keep) == keep.injection
    assert in_effect(keep, policy("d", cluster=True, injection={})) == policy().injection
    # Who wishes the contrary, only audits, is lifted or speaks of another channel gives nothing.
    section = {"when": "Never"}
    for other in (
        policy("x", submission="Enabled", injection=section),
        policy("x", mode="Audit", injection=section),
        policy("x", injection=section, exceptions=[exception()]),
        policy("x", injection=section, channels=["UpdateCheck"]),
    ):
        assert in_effect(plain, other) == policy().injection


def test_the_section_of_another_policy_rules_what_is_written() -> None:
    winner = policy("a", cluster=True)
    other = policy("b", injection={"when": "Never"})
    assert other.injection.when is When.NEVER
    assert under(winner).create(manifest(container(DTRACK_4))).plan.edits != ()
    assert under(winner, other).create(manifest(container(DTRACK_4))).plan.edits == ()


@examples(80)
@given(policy_sets())
def test_who_decides_does_not_depend_on_the_order(policies: tuple[Policy, ...]) -> None:
    found = [
        resolve_effective(order, REF, "sonarqube", USAGE, NOW) for order in permutations(policies)
    ]
    assert all(in_effect == found[0] for in_effect in found)
    if found[0] is not None and found[0].exempt is None:
        in_force = [
            p
            for p in policies
            if USAGE in p.spec.channels
            and p.spec.products in (None, ("sonarqube", "unanswered-of"))
            and live_exception(p, REF, NOW) is None
        ]
        enforcing = [p for p in in_force if p.spec.mode == "Enforce"] or in_force
        wishes = {p.spec.submission for p in enforcing}
        assert found[0].desired == ("Disabled" if "Disabled" in wishes else "Enabled")


def test_a_product_that_is_not_built_in_has_to_be_named() -> None:
    def covers(*, built_in: bool, **spec: Any) -> bool:
        return covers_channel(policy(**spec), "widget", USAGE, built_in=built_in)

    assert covers(built_in=True)
    assert not covers(built_in=False)
    assert covers(built_in=False, additionalProducts=["widget"])
    assert covers(built_in=False, products=["widget"])
    assert covers(built_in=False, products=["emqx"], additionalProducts=["widget"])
    assert not covers(built_in=True, products=["emqx"])
