"""Variables beside which a product does not start: no pair is made, and one of ours is undone."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_telemetry.api.policy import Policy
from fleet_telemetry.api.workload_telemetry import InjectedVariable
from fleet_telemetry.catalogue.catalogue import Catalogue
from fleet_telemetry.decision import decide
from fleet_telemetry.reporting.changes import change_notices, warning_for
from fleet_telemetry.switches.edits import EditCause, Trigger
from tests.support.builders import (
    FROM_SECRET,
    LONG_AGO,
    NOW,
    Cluster,
    Manifest,
    Written,
    catalogue,
    claimed,
    container,
    containers_of,
    manifest,
    own_product,
    policy,
    product,
    touched,
    under,
    with_image,
)
from tests.support.depth import examples

X, FILE, ALIAS = "GF_X", "GF_X__FILE", "GF_OLD_X"
Y = "GF_Y"
_ENV = {"name": X, "disabled": "no", "enabled": "yes", "aliases": [ALIAS], "exclusiveWith": [FILE]}
_NEW = {"name": Y, "disabled": "no", "enabled": "yes", "exclusiveWith": [X]}
_CHANNELS = [
    {
        "name": "Usage",
        "rules": [
            {
                "versions": ["<2"],
                "default": "On",
                "switches": [{"semantics": "Start", "env": _ENV}],
            },
            {
                "versions": [">=2"],
                "default": "On",
                "switches": [{"semantics": "Start", "env": _NEW}],
            },
        ],
    }
]
KNOWN = catalogue(product("acme", channels=_CHANNELS))
ONE, TWO, LATEST = "acme/acme:1.0.0", "acme/acme:2.0.0", "acme/acme:latest"
ENV_FROM = {"envFrom": [{"configMapRef": {"name": "settings"}}]}
ALWAYS: dict[str, Any] = {"injection": {"when": "Always"}}


def acme(env: dict[str, Any] | None = None, *, ours: tuple[str, ...] = (), **more: Any) -> Manifest:
    image = more.pop("image", ONE)
    shape = more.pop("shape", {})
    return claimed(manifest(container(image, env=env, **more), **shape), but=ours)


def opted_out(**spec: Any) -> Cluster:
    return under(policy(**(spec or ALWAYS)), catalogue=KNOWN)


def causes(written: Written) -> dict[str, EditCause]:
    return {change.name: change.cause for change in written.plan.changes}


def every_trigger(cluster: Cluster, present: Manifest) -> list[Written]:
    return [
        cluster.create(present),
        cluster.update(present, touched(present)),
        cluster.reconcile(present),
    ]


@pytest.mark.parametrize("value", ["/run/secrets/x", "", FROM_SECRET])
def test_the_switch_is_not_set_beside_the_other_variable(value: Any) -> None:
    immediate = {"injection": {"rollout": "Immediate"}}
    for written in every_trigger(opted_out(**immediate), acme({FILE: value})):
        assert written.edits == {}
        assert causes(written) == {X: EditCause.NOT_BESIDE}
        (skipped,) = written.plan.skipped_edits
        assert (
            f"did not set {X} in container app: the product does not start with it and {FILE}"
            in warning_for(skipped, "Deployment it")
        )
        assert list(change_notices([skipped], "Admission")) == []


def test_the_users_switch_is_not_turned_beside_the_other_variable() -> None:
    for name in (X, ALIAS):
        for written in every_trigger(opted_out(), acme({name: "yes", FILE: "/run/x"})):
            assert written.edits == {}


def test_the_switch_is_not_set_beside_an_env_from() -> None:
    immediate = {"injection": {"rollout": "Immediate"}}
    for written in every_trigger(opted_out(**immediate), acme(**ENV_FROM)):
        assert written.edits == {}
        (skipped,) = written.plan.skipped_edits
        assert f"{FILE}, which the envFrom may hold" in skipped.note


def test_a_switch_that_is_there_is_turned_beside_an_env_from() -> None:
    # It makes no new pair.
    for written in every_trigger(opted_out(), acme({X: "yes"}, **ENV_FROM))[:2]:
        assert written.env == {X: "no"}


def test_other_switches_are_set_beside_an_env_from() -> None:
    rules = [{"default": "On", "switches": [{"semantics": "Start", "env": {**_NEW, "name": "Z"}}]}]
    rules[0]["switches"][0]["env"].pop("exclusiveWith")  # type: ignore[index]
    known = catalogue(product("acme", channels=[{"name": "Usage", "rules": rules}]))
    cluster = under(policy(**ALWAYS), catalogue=known)
    assert cluster.create(acme(**ENV_FROM)).env == {"Z": "no"}


def test_an_injected_switch_is_removed_at_once_where_the_other_variable_appears() -> None:
    present = acme({X: "no", FILE: "/run/x"}, ours=(X,))
    for written in every_trigger(opted_out(), present)[1:]:
        assert written.edits == {X: None}
        assert all(edit.is_urgent for edit in written.plan.edits)
        (notice,) = change_notices(written.plan.edits, "The controller")
        assert notice.reason == "TelemetrySettingRemoved"
        assert f"the product does not start with it and {FILE}" in notice.note
    # ... also without a policy, and where the policy only audits.
    assert under(catalogue=KNOWN).reconcile(present).edits == {X: None}
    assert opted_out(mode="Audit").reconcile(present).edits == {X: None}


def test_the_version_need_not_be_known_to_undo_a_pair() -> None:
    present = acme({X: "no", FILE: "/run/x"}, ours=(X,), image=LATEST)
    assert opted_out().reconcile(present).edits == {X: None}


def test_the_users_own_pair_stays() -> None:
    present = acme({X: "no", FILE: "/run/x"})
    for written in every_trigger(opted_out(), present):
        assert written.edits == {}


def test_an_injected_switch_goes_where_an_update_adds_an_env_from_and_only_there() -> None:
    before = acme({X: "no"}, ours=(X,))
    after = acme({X: "no"}, ours=(X,), **ENV_FROM)
    assert opted_out().update(before, after).edits == {X: None}
    # It stood beside it, and the product starts.
    assert opted_out().update(after, touched(after)).edits == {}
    assert opted_out().reconcile(after).edits == {}


def test_a_dropped_switch_does_not_come_back_beside_the_other_variable() -> None:
    before = acme({X: "no"}, ours=(X,))
    for when in ("Always", "FirstInstallOrUpgrade", "Never"):
        cluster = under(policy(injection={"when": when}), catalogue=KNOWN)
        assert cluster.update(before, acme({FILE: "/run/x"})).env == {FILE: "/run/x"}


def test_a_related_setting_makes_no_pair_either() -> None:
    settings = [{"product": "acme", "env": [{"name": FILE, "value": "/run/x"}]}]
    cluster = opted_out(injection={"when": "Always", "settings": settings})
    assert cluster.create(acme()).env == {X: "no"}
    # The user's switch counts as well, also where the policy sets none.
    opted_in = opted_out(submission="Enabled", injection={"when": "Always", "settings": settings})
    assert opted_in.create(acme({ALIAS: "yes"})).env == {ALIAS: "yes"}


def test_an_injected_related_setting_gives_way_to_the_switch() -> None:
    recorded = (InjectedVariable(container="app", name=FILE, value="/run/x"),)
    cluster = under(policy(**ALWAYS), catalogue=KNOWN, recorded=recorded)
    alone = acme({FILE: "/run/x"}, ours=(FILE,))
    at_once = policy(injection={"rollout": "Immediate"})
    for written in (
        cluster.update(alone, touched(alone)),
        under(at_once, catalogue=KNOWN, recorded=recorded).reconcile(alone),
    ):
        assert written.edits == {FILE: None, X: "no"}
        assert len(written.plan.edits) == len(written.edits)
    turned = acme({FILE: "/run/x", X: "yes"}, ours=(FILE, X))
    written = cluster.update(turned, touched(turned))
    assert written.edits == {FILE: None, X: "no"}
    assert len(written.plan.edits) == len(written.edits)
    both = acme({FILE: "/run/x", X: "no"}, ours=(FILE,))
    assert cluster.reconcile(both).edits == {FILE: None}
    assert cluster.reconcile(acme({FILE: "/run/x", X: "no"}, ours=(FILE, X))).edits == {FILE: None}


def test_an_upgrade_replaces_a_switch_by_another_one_that_excludes_it() -> None:
    before = acme({X: "no"}, ours=(X,))
    written = opted_out().update(before, with_image(before, TWO))
    assert written.env == {Y: "no"}
    assert {edit.name: edit.value for edit in written.plan.edits} == {X: None, Y: "no"}


def test_a_product_of_the_users_own_is_treated_alike() -> None:
    own = catalogue(own_product("acme", channels=_CHANNELS))
    cluster = under(policy(additionalProducts=["acme"], **ALWAYS), catalogue=own)
    assert cluster.create(acme({FILE: "/run/x"})).edits == {}
    assert cluster.create(acme()).env == {X: "no"}


_VALUES = ("no", "yes", "/run/x", "")
_ENTRIES = st.lists(
    st.tuples(st.sampled_from((X, FILE, ALIAS, Y, "A")), st.sampled_from((*_VALUES, FROM_SECRET))),
    max_size=4,
    unique_by=lambda pair: pair[0],
)
_SHAPES: tuple[dict[str, Any], ...] = ({}, {"kind": "CronJob"}, {"replicas": 0}, {"created": NOW})


@st.composite
def workloads(draw: st.DrawFn) -> Manifest:
    env = dict(draw(_ENTRIES))
    return acme(
        env,
        ours=draw(st.sampled_from(((), (X,), (FILE,), (X, FILE, ALIAS, Y)))),
        image=draw(st.sampled_from((ONE, TWO, LATEST))),
        shape=draw(st.sampled_from(_SHAPES)),
        **draw(st.sampled_from(({}, ENV_FROM))),
    )


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    setting = draw(st.sampled_from((None, (FILE, "/run/x"), ("A", "b"))))
    env = [{"name": setting[0], "value": setting[1]}] if setting else []
    injection = {
        "when": draw(st.sampled_from(("Always", "FirstInstallOrUpgrade", "Never"))),
        "onConflict": draw(st.sampled_from(("Keep", "Override"))),
        "rollout": draw(st.sampled_from(("OnNextRollout", "Immediate"))),
        "settings": [{"product": "acme", "env": env}] if env else [],
    }
    return policy(
        submission=draw(st.sampled_from(("Disabled", "Enabled"))),
        mode=draw(st.sampled_from(("Enforce", "Audit"))),
        created=draw(st.sampled_from((LONG_AGO, NOW))),
        injection=injection,
    )


def _pairs(given_: Manifest) -> set[tuple[str, str]]:
    names = {entry["name"] for entry in containers_of(given_)[0].get("env", ())}
    version = containers_of(given_)[0]["image"]
    first = {(own, FILE) for own in (X, ALIAS) if {own, FILE} <= names and version != TWO}
    second = {(Y, X)} if {X, Y} <= names and version != ONE else set()
    return first | second


def _write(cluster: Cluster, trigger: Trigger, before: Manifest, present: Manifest) -> Written:
    match trigger:
        case Trigger.CREATE:
            return cluster.create(present, claims=False)
        case Trigger.UPDATE:
            return cluster.update(before, present)
        case Trigger.RECONCILE:
            return cluster.reconcile(present)


@examples(300)
@given(
    st.lists(policies(), max_size=1),
    st.lists(policies(), max_size=1),
    st.sampled_from(Trigger),
    workloads(),
    workloads(),
)
def test_nothing_makes_a_pair_and_nothing_is_decided_twice(
    current: list[Policy],
    former: list[Policy],
    trigger: Trigger,
    before: Manifest,
    present: Manifest,
) -> None:
    known: Catalogue = KNOWN
    recorded = decide(under(*former, catalogue=known).input(present, Trigger.RECONCILE)).injected
    cluster = under(*current, catalogue=known, recorded=recorded)
    written = _write(cluster, trigger, before, present)
    assert _pairs(written.manifest) <= _pairs(present)
    added = {name for name, value in written.edits.items() if value is not None}
    had = {entry["name"] for entry in containers_of(present)[0].get("env", ())}
    if "envFrom" in containers_of(present)[0]:
        assert not {X, Y} & (added - had)
    assert len(written.plan.edits) == len(written.edits)
    again = _write(cluster, trigger, before, written.manifest)
    assert again.plan.edits == ()
