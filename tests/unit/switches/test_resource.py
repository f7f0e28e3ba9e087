"""Fields of custom resources: what is read, what is set, what is taken back, and what never is."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_telemetry.api.policy import Policy
from fleet_telemetry.api.product.resource_switch import ResourceSwitch
from fleet_telemetry.api.product.setting import Setting
from fleet_telemetry.api.product.spec import TelemetryProductSpec
from fleet_telemetry.api.reasons import Reason
from fleet_telemetry.api.workload_telemetry import Sends, State
from fleet_telemetry.catalogue.catalogue import builtin
from fleet_telemetry.catalogue.own_products import compile_own
from fleet_telemetry.catalogue.product import Product, ProductError
from fleet_telemetry.decision import Plan
from fleet_telemetry.evidence.verdict import Verdict
from fleet_telemetry.switches.reading import ReadingSource
from fleet_telemetry.switches.resource import as_value, read_state
from fleet_telemetry.workloads.resource_fields import (
    FieldFault,
    FieldRef,
    FieldRefusal,
    FieldState,
    is_of,
    read_field,
)
from tests.support.builders import (
    NAMESPACE,
    NOW,
    catalogue,
    container,
    manifest,
    pod_of,
    policy,
    product,
)
from tests.support.depth import examples
from tests.support.resource_world import SINCE, CustomResource, ResourceWorld

IMAGE = "longhornio/longhorn-manager:v1.5.0"
BEFORE_THE_SETTING = "longhornio/longhorn-manager:v1.4.4"
MANAGER = "longhorn-manager"
USAGE = FieldRef(
    group="longhorn.io",
    version="v1beta2",
    plural="settings",
    kind="Setting",
    name="allow-collecting-longhorn-usage-metrics",
    path="value",
    namespace=NAMESPACE,
)
CHECK = replace(USAGE, name="upgrade-checker")
ON = FieldState(exists=True, value="true", uid="checker")


def remediating(submission: str = "Disabled", **more: Any) -> Policy:
    given: dict[str, Any] = {"runtime": {"action": "Remediate"}, **more}
    return policy(submission=submission, **given)


OFF = remediating()
IN = remediating("Enabled")
KEEP = remediating(injection={"onConflict": "Keep"})


def world(value: Any = "true", *, owner: str = MANAGER, **more: Any) -> ResourceWorld:
    """Longhorn as it is after its installation."""
    owners = {owner: "Update"} if value is not None else {}
    return ResourceWorld(
        more.pop("image", IMAGE), CustomResource(USAGE, value, owners), others={CHECK: ON}, **more
    )


def verdict_of(plan: Plan) -> Verdict:
    return plan.verdicts[0]


def shown(plan: Plan) -> tuple[State | None, Reason | None]:
    found = verdict_of(plan)
    return found.state, found.reason


# Setting it


def test_it_is_set_and_proven_and_given_back() -> None:
    longhorn = world()
    plan = longhorn.reconcile(OFF)
    assert longhorn.one.value == "false"
    assert longhorn.one.owners == {"fleet-telemetry.value": "Apply"}
    assert shown(plan) == (State.COMPLIANT, Reason.RESOURCE_IN_EFFECT)
    sends = verdict_of(plan).sends
    assert sends is not None
    assert sends.sends is Sends.NO
    (record,) = (one for one in plan.fields.records if one.name == USAGE.name)
    assert (record.set_value, record.value_before, record.setting) == (
        "false",
        "true",
        Setting.DISABLED,
    )
    assert not longhorn.reconcile(OFF).fields.changes

    longhorn.reconcile()
    assert (longhorn.one.value, longhorn.one.owners) == ("true", {})
    assert longhorn.set_value is None
    assert not longhorn.reconcile().fields.changes


def test_it_is_switched_on_again_and_what_stood_before_is_not_forgotten() -> None:
    longhorn = world("F", owner="kubectl")
    plan = longhorn.reconcile(IN)
    assert longhorn.one.value == "true"
    assert shown(plan) == (State.COMPLIANT, Reason.RESOURCE_IN_EFFECT)
    longhorn.reconcile(OFF)
    assert longhorn.one.value == "false"
    longhorn.reconcile()
    assert longhorn.one.value == "F"


def test_a_value_that_means_the_same_is_left_to_its_owner() -> None:
    longhorn = world("f", owner="helm")
    assert shown(longhorn.reconcile(OFF)) == (State.COMPLIANT, Reason.RESOURCE_IN_EFFECT)
    assert longhorn.one.owners == {"helm": "Update"}
    longhorn.reconcile()
    assert longhorn.one.value == "f"


def test_who_sets_it_after_the_operator_has_it() -> None:
    longhorn = world()
    longhorn.reconcile(OFF)
    longhorn.one.write("true", "helm")
    longhorn.reconcile(OFF)
    assert longhorn.one.value == "false"
    longhorn.one.write("false", "helm", applies=True)
    longhorn.reconcile()
    # He wants what is there.
    assert (longhorn.one.value, longhorn.one.owners) == ("false", {"helm": "Apply"})


def test_a_value_of_another_after_the_policy_is_gone_is_not_touched() -> None:
    longhorn = world()
    longhorn.reconcile(OFF)
    longhorn.one.write("true", "helm", applies=True)
    assert not longhorn.reconcile().fields.changes
    assert longhorn.one.owners == {"helm": "Apply"}


def test_with_keep_the_default_of_the_product_is_replaced_and_a_users_value_is_not() -> None:
    longhorn = world()
    longhorn.reconcile(KEEP)
    assert longhorn.one.value == "false"
    for owner in ("helm", "longhorn-ui"):
        users = world(owner=owner)
        assert shown(users.reconcile(KEEP)) == (State.NON_COMPLIANT, Reason.CONTRARY_VALUE_KEPT)
        assert users.one.value == "true"
    shared = world()
    shared.one.owners["helm"] = "Apply"
    shared.reconcile(KEEP)
    assert shared.one.value == "true"
    nobodys = world()
    nobodys.one.owners.clear()
    assert shown(nobodys.reconcile(KEEP)) == (State.NON_COMPLIANT, Reason.CONTRARY_VALUE_KEPT)


@pytest.mark.parametrize(
    ("given", "state", "reason"),
    [
        (policy(), State.NON_COMPLIANT, Reason.RESOURCE_NOT_MANAGED),
        (policy(runtime={"action": "Off"}), State.NON_COMPLIANT, Reason.RESOURCE_NOT_MANAGED),
        (remediating(mode="Audit"), State.NON_COMPLIANT, Reason.AUDIT_ONLY),
    ],
)
def test_what_only_reads_sets_nothing_and_takes_nothing_back(
    given: Policy, state: State, reason: Reason
) -> None:
    longhorn = world()
    assert shown(longhorn.reconcile(given)) == (state, reason)
    assert longhorn.one.value == "true"
    longhorn.reconcile(OFF)
    assert shown(longhorn.reconcile(given)) == (State.COMPLIANT, Reason.RESOURCE_IN_EFFECT)
    assert longhorn.one.value == "false"
    longhorn.reconcile()
    assert longhorn.one.value == "true"


def test_an_excluded_namespace_and_a_label_leave_it_as_it_is() -> None:
    longhorn = world()
    plan = longhorn.reconcile(OFF, excluded=True)
    assert shown(plan) == (State.NON_COMPLIANT, Reason.NAMESPACE_EXCLUDED)
    longhorn.reconcile(OFF)
    longhorn.reconcile(excluded=True)
    assert longhorn.one.value == "false"


def test_an_exception_gives_it_back() -> None:
    longhorn = world()
    longhorn.reconcile(OFF)
    exempt = remediating(
        exceptions=[{"workload": {"kind": "DaemonSet", "name": "it"}, "reason": "agreed"}]
    )
    assert longhorn.reconcile(exempt) is not None
    assert longhorn.one.value == "true"


def test_it_is_not_fought_over() -> None:
    longhorn = world()
    longhorn.policies = (OFF,)
    lost = replace(longhorn.one.state(), refusal=FieldRefusal.CONFLICT)
    plan = longhorn.decide(fields={USAGE: lost, CHECK: ON})
    assert not plan.fields.changes
    assert shown(plan) == (State.NON_COMPLIANT, Reason.SETTING_FOUGHT_OVER)


@pytest.mark.parametrize(
    ("refusal", "state", "reason"),
    [
        (FieldRefusal.FORBIDDEN, State.NON_COMPLIANT, Reason.RESOURCE_WRITE_FORBIDDEN),
        (FieldRefusal.REFUSED, State.NON_COMPLIANT, Reason.RESOURCE_WRITE_REFUSED),
        (FieldRefusal.FAILED, State.PENDING, Reason.RESOURCE_AWAITS_WRITE),
        (None, State.PENDING, Reason.RESOURCE_AWAITS_WRITE),
    ],
)
def test_why_it_was_not_set_is_said(
    refusal: FieldRefusal | None, state: State, reason: Reason
) -> None:
    longhorn = world()
    longhorn.policies = (OFF,)
    seen = replace(longhorn.one.state(), refusal=refusal, detail="Because." if refusal else "")
    plan = longhorn.decide(fields={USAGE: seen, CHECK: ON})
    assert shown(plan) == (state, reason)
    assert plan.fields.changes
    assert ("Because." in verdict_of(plan).message) is (refusal is not None)


def test_two_workloads_that_want_different_values_get_none() -> None:
    longhorn = world()
    longhorn.policies = (OFF,)
    seen = replace(longhorn.one.state(), contested="storage/DaemonSet/other", shared=True)
    plan = longhorn.decide(fields={USAGE: seen, CHECK: ON})
    assert not plan.fields.changes
    assert shown(plan) == (State.NON_COMPLIANT, Reason.RESOURCE_CONTESTED)
    assert "storage/DaemonSet/other" in verdict_of(plan).message


def test_what_another_workload_still_wants_is_not_taken_back() -> None:
    longhorn = world()
    longhorn.reconcile(OFF)
    longhorn.policies = ()
    seen = replace(longhorn.one.state(), shared=True)
    plan = longhorn.decide(fields={USAGE: seen, CHECK: ON})
    assert not plan.fields.changes
    assert any(one.set_value == "false" for one in plan.fields.records)


def test_another_object_of_the_same_name_owes_nothing() -> None:
    longhorn = world()
    longhorn.reconcile(OFF)
    longhorn.one.uid = "object-2"
    longhorn.one.owners = {"helm": "Apply"}
    assert not longhorn.reconcile().fields.changes
    assert longhorn.one.value == "false"


def test_a_copy_of_the_object_from_a_backup_keeps_its_value_and_loses_the_owner() -> None:
    longhorn = world()
    longhorn.reconcile(OFF)
    longhorn.one.uid = "object-2"
    longhorn.reconcile()
    assert (longhorn.one.value, longhorn.one.owners) == ("false", {})


def test_a_lost_record_leaves_the_value_and_no_owner() -> None:
    longhorn = world()
    longhorn.reconcile(OFF)
    longhorn.records = ()
    longhorn.reconcile()
    assert (longhorn.one.value, longhorn.one.owners) == ("false", {})


def test_it_appears_later() -> None:
    longhorn = world()
    longhorn.one.exists = False
    plan = longhorn.reconcile(OFF)
    assert shown(plan) == (State.UNKNOWN, Reason.RESOURCE_ABSENT)
    longhorn.one.exists = True
    assert shown(longhorn.reconcile(OFF)) == (State.COMPLIANT, Reason.RESOURCE_IN_EFFECT)


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (FieldFault.NOT_READ, Reason.RESOURCE_NOT_READ),
        (FieldFault.FORBIDDEN, Reason.RESOURCE_RIGHT_MISSING),
        (FieldFault.KIND_MISSING, Reason.RESOURCE_KIND_MISSING),
        (FieldFault.UNREACHABLE, Reason.RESOURCE_UNREACHABLE),
    ],
)
def test_what_cannot_be_read_is_unknown_and_neither_set_nor_forgotten(
    fault: FieldFault, reason: Reason
) -> None:
    longhorn = world()
    longhorn.reconcile(OFF)
    blind = {USAGE: FieldState(fault), CHECK: FieldState(fault)}
    for policies in ((OFF,), ()):
        longhorn.policies = policies
        plan = longhorn.decide(fields=blind)
        assert not plan.fields.changes
        assert any(one.set_value == "false" for one in plan.fields.records)
        found = verdict_of(plan)
        assert found.sends is not None
        assert (found.sends.sends, found.sends.reason) == (Sends.UNKNOWN, reason)
        assert shown(plan) == ((State.UNKNOWN, reason) if policies else (None, None))


def test_nothing_is_known_where_nobody_reads() -> None:
    longhorn = world()
    longhorn.policies = (OFF,)
    assert shown(longhorn.decide(fields={})) == (State.UNKNOWN, Reason.RESOURCE_NOT_READ)


# Versions and pods


def test_an_upgrade_over_the_border_sets_it_and_a_downgrade_gives_it_back() -> None:
    longhorn = world(image=BEFORE_THE_SETTING)
    plan = longhorn.reconcile(OFF)
    assert shown(plan) == (State.UNKNOWN, Reason.VERSION_NOT_COVERED)
    assert longhorn.one.value == "true"
    longhorn.image = IMAGE
    assert shown(longhorn.reconcile(OFF))[0] is State.COMPLIANT
    assert longhorn.one.value == "false"


def test_pods_of_a_version_that_does_not_read_it_are_outdated() -> None:
    acme = own(rules=[rule(["<2"], switches=[]), rule([">=2"])])
    both = seen(acme, "acme/thing:2.0", value=False)
    old = pod_of(manifest(container("acme/thing:1.0")))
    new = pod_of(manifest(container("acme/thing:2.0")), "it-2")
    assert shown(both.decide(pods=(new,))) == (State.COMPLIANT, Reason.RESOURCE_IN_EFFECT)
    assert shown(both.decide(pods=(old, new))) == (State.PENDING, Reason.PODS_OUTDATED)
    assert shown(both.decide(pods=())) == (State.PENDING, Reason.NO_PODS)


def test_a_version_without_the_switch_gives_it_back() -> None:
    acme = own(rules=[rule([">=2"], switches=[], remedy="ask"), rule(["<2"])])
    one = seen(acme, "acme/thing:1.0", value=True)
    one.reconcile(CLUSTER_OFF)
    assert one.one.value is False
    one.image = "acme/thing:2.0"
    plan = one.reconcile(CLUSTER_OFF)
    assert one.one.value is True
    assert shown(plan) == (State.NOT_ENFORCEABLE, Reason.NO_EFFECTIVE_SWITCH)


def test_a_version_that_cannot_be_read_keeps_it() -> None:
    acme = own(rules=[rule(["<2"]), rule([">=2"], switches=[], remedy="ask")])
    one = seen(acme, "acme/thing:1.0", value=True)
    one.reconcile(CLUSTER_OFF)
    one.image = "acme/thing:latest"
    one.reconcile(CLUSTER_OFF)
    assert one.one.value is False


@pytest.mark.parametrize(
    ("started", "changed", "expected"),
    [
        (SINCE + timedelta(minutes=5), True, (State.COMPLIANT, Reason.RESOURCE_IN_EFFECT)),
        (SINCE - timedelta(minutes=5), True, (State.PENDING, Reason.PODS_OUTDATED)),
        # The clocks of two machines may differ.
        (SINCE + timedelta(seconds=5), True, (State.PENDING, Reason.PODS_OUTDATED)),
        (None, True, (State.PENDING, Reason.PODS_OUTDATED)),
        (SINCE + timedelta(minutes=5), False, (State.UNKNOWN, Reason.RESOURCE_CHANGE_UNKNOWN)),
    ],
)
def test_what_is_read_at_the_start_counts_for_pods_that_are_younger(
    started: datetime | None, changed: bool, expected: tuple[State, Reason]
) -> None:
    acme = own(rules=[rule([], semantics="Start")])
    one = seen(acme, "acme/thing:1.0", value=False)
    if not changed:
        one.one.owners.clear()
    pod = replace(pod_of(manifest(container("acme/thing:1.0"))), started=started)
    assert shown(one.decide(pods=(pod,))) == expected


# Whose policy


def test_a_field_of_the_cluster_is_set_by_a_policy_of_the_cluster_alone() -> None:
    one = seen(own(), "acme/thing:1.0", value=True)
    local = remediating(products=["thing"])
    assert shown(one.reconcile(local)) == (
        State.NON_COMPLIANT,
        Reason.RESOURCE_NEEDS_CLUSTER_POLICY,
    )
    assert one.one.value is True
    assert shown(one.reconcile(CLUSTER_OFF))[0] is State.COMPLIANT
    # A TelemetryPolicy that only lends its runtime section decides, too.
    passive = policy("all", cluster=True, products=["thing"])
    again = seen(own(), "acme/thing:1.0", value=True)
    assert shown(again.reconcile(passive, local))[1] in (
        Reason.RESOURCE_NEEDS_CLUSTER_POLICY,
        Reason.RESOURCE_NOT_MANAGED,
    )
    assert again.one.value is True


def test_only_absence_may_enable() -> None:
    switch = {**SWITCH, "absent": "Unset"}
    del switch["enabled"]
    acme = own(rules=[rule([], switch=switch)])
    one = seen(acme, "acme/thing:1.0", value=False)
    on = remediating("Enabled", cluster=True, products=["thing"])
    plan = one.reconcile(on)
    assert one.one.value is None
    assert shown(plan) == (State.COMPLIANT, Reason.DEFAULT_APPLIES)
    one.reconcile()
    assert one.one.value is False


def test_the_switch_of_another_channel_is_only_read() -> None:
    stopped = ResourceWorld(
        IMAGE,
        CustomResource(USAGE, "true", {MANAGER: "Update"}),
        others={CHECK: replace(ON, value="false")},
    )
    stopped.policies = (policy(),)
    assert shown(stopped.decide()) == (State.COMPLIANT, Reason.RESOURCE_IN_EFFECT)
    on = world()
    on.policies = (IN,)
    on.others = {CHECK: replace(ON, value="false")}
    # Nothing is sent, and this policy does not switch the other channel on.
    assert shown(on.decide()) == (State.NON_COMPLIANT, Reason.RESOURCE_READ_ONLY)
    assert not on.decide().fields.changes


# What the operator may be made to read


SWITCH: dict[str, Any] = {
    "group": "acme.example.com",
    "version": "v1",
    "plural": "things",
    "kind": "Thing",
    "name": "default",
    "scope": "Cluster",
    "path": "spec.telemetry.enabled",
    "type": "Boolean",
    "disabled": "false",
    "enabled": "true",
}
CLUSTER_OFF = remediating(cluster=True, products=["thing"])


def rule(
    versions: list[str],
    *,
    switch: dict[str, Any] | None = None,
    semantics: str = "Runtime",
    **more: Any,
) -> dict[str, Any]:
    switches = [{"semantics": semantics, "resource": switch or SWITCH}]
    return {"versions": versions, "default": "On", "switches": switches, **more}


def own(rules: list[dict[str, Any]] | None = None) -> Product:
    return product("thing", channels=[{"name": "Usage", "rules": rules or [rule([])]}])


def seen(of: Product, image: str, *, value: bool) -> ResourceWorld:
    """A world in which the object of the cluster has a value that a user owns."""
    switch = next(one.resource for one in of.all_switches if one.resource)
    ref = switch.field.at(NAMESPACE)
    assert ref.namespace == ""
    one = CustomResource(ref, value, {"kubectl": "Update"})
    return ResourceWorld(
        image, one, catalogue=catalogue(of), policies=(CLUSTER_OFF,), kind="Deployment"
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"group": "apps"},
        {"group": "rbac.authorization.k8s.io"},
        {"group": "apiextensions.k8s.io"},
        {"group": "cluster.x-k8s.io"},
        {"group": "policy.kubernetes.io"},
        {"group": "oauth.openshift.io"},
        {"group": "openshift.io"},
        {"group": "k8s.io"},
        {"group": "fleettelemetry.io"},
        {"group": "more.fleettelemetry.io"},
        {"path": "metadata.labels.a"},
        {"path": "status.phase"},
        {"path": "kind"},
        {"path": "apiVersion"},
        {"path": ".".join("abcdefghi")},
    ],
)
def test_a_product_cannot_name_what_is_not_the_vendors(changes: dict[str, Any]) -> None:
    rules = [rule([], switch={**SWITCH, **changes})]
    spec: dict[str, Any] = {
        "title": "Thing",
        "images": [{"pattern": "acme/thing"}],
        "channels": [{"name": "Usage", "rules": rules}],
    }
    with pytest.raises((ProductError, msgspec.ValidationError)):
        compile_own("thing", msgspec.convert(spec, TelemetryProductSpec))


def test_a_product_of_ones_own_may_have_one() -> None:
    spec = {
        "title": "Thing",
        "images": [{"pattern": "acme/thing"}],
        "channels": [{"name": "Usage", "rules": [rule([])]}],
    }
    assert compile_own("thing", msgspec.convert(spec, TelemetryProductSpec)).all_switches


# Reading


def switch_of(**changes: Any) -> ResourceSwitch:
    return msgspec.convert({**SWITCH, **changes}, ResourceSwitch)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.floats(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["spec", "telemetry", "enabled", "value", "f:spec", "f:telemetry"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=12,
)


@examples(200)
@given(
    spec=ANYTHING,
    fields=ANYTHING,
    metadata=st.none() | st.dictionaries(st.sampled_from(["uid", "managedFields"]), ANYTHING),
)
def test_whatever_stands_there_is_read_and_only_the_type_counts(
    spec: Any, fields: Any, metadata: Any
) -> None:
    metadata = {**(metadata or {}), "name": "default"}
    metadata.setdefault("managedFields", [{"manager": "a", "fieldsV1": fields}, fields])
    state = read_field({"spec": spec, "metadata": metadata}, switch_of().field)
    assert state.exists
    for kind in ("Boolean", "String"):
        found = read_state(state, switch_of(type=kind))
        inner = spec.get("telemetry") if isinstance(spec, dict) else None
        value = inner.get("enabled") if isinstance(inner, dict) else None
        if found.setting in (Setting.ENABLED, Setting.DISABLED):
            assert isinstance(value, bool if kind == "Boolean" else str)
        if found.setting is Setting.UNSET:
            assert value is None


@pytest.mark.parametrize(
    ("kind", "value", "setting", "source"),
    [
        ("Boolean", False, Setting.DISABLED, ReadingSource.FIELD),
        ("Boolean", True, Setting.ENABLED, ReadingSource.FIELD),
        ("Boolean", "false", Setting.UNKNOWN, ReadingSource.FIELD_TYPE),
        ("Boolean", 0, Setting.UNKNOWN, ReadingSource.FIELD_TYPE),
        ("String", "false", Setting.DISABLED, ReadingSource.FIELD),
        ("String", "FALSE", Setting.DISABLED, ReadingSource.FIELD),
        ("String", "no", Setting.UNKNOWN, ReadingSource.FIELD),
        ("String", False, Setting.UNKNOWN, ReadingSource.FIELD_TYPE),
        ("String", {"a": "b"}, Setting.UNKNOWN, ReadingSource.FIELD_TYPE),
        ("String", "x" * 5000, Setting.UNKNOWN, ReadingSource.FIELD_TYPE),
        ("String", None, Setting.UNSET, ReadingSource.NOTHING),
    ],
)
def test_readings(kind: str, value: Any, setting: Setting, source: ReadingSource) -> None:
    resource = switch_of(type=kind)
    found = read_state(
        read_field({"spec": {"telemetry": {"enabled": value}}}, resource.field), resource
    )
    assert (found.setting, found.source) == (setting, source)


def test_a_path_through_something_else_is_of_another_type() -> None:
    for spec in ("text", [], {"telemetry": 1}):
        state = read_field({"spec": spec}, switch_of().field)
        assert state.is_other


def test_owners_are_those_of_the_field_or_of_the_whole_of_what_it_is_in() -> None:
    def owner(fields: Any, **more: Any) -> dict[str, Any]:
        return {
            "manager": "m",
            "operation": "Apply",
            "time": "2026-11-20T07:00:00Z",
            "fieldsV1": fields,
            **more,
        }

    for fields, owns in (
        ({"f:spec": {"f:telemetry": {"f:enabled": {}}}}, True),
        ({"f:spec": {}}, True),
        ({"f:spec": {"f:telemetry": {}}}, True),
        ({"f:spec": {".": {}, "f:telemetry": {".": {}}}}, False),
        ({"f:spec": {"f:other": {}}}, False),
        ({}, False),
    ):
        state = read_field({"metadata": {"managedFields": [owner(fields)]}}, switch_of().field)
        assert state.owned_by("m") is owns
        assert (state.changed is not None) is owns
    status = owner({"f:spec": {}}, subresource="status")
    assert not read_field({"metadata": {"managedFields": [status]}}, switch_of().field).owners


def test_the_last_change_is_known_only_if_every_owner_has_a_time() -> None:
    whole = {"f:spec": {}}
    entries = [
        {"manager": "a", "time": "2026-11-20T07:00:00Z", "fieldsV1": whole},
        {"manager": "b", "time": "2026-11-20T09:00:00Z", "fieldsV1": whole},
    ]
    field = switch_of().field
    state = read_field({"metadata": {"managedFields": entries}}, field)
    assert state.changed == datetime(2026, 11, 20, 9, tzinfo=UTC)
    entries.append({"manager": "c", "time": "soon", "fieldsV1": whole})
    assert read_field({"metadata": {"managedFields": entries}}, field).changed is None


def test_an_object_is_the_one_of_group_kind_and_name_in_any_version() -> None:
    field = switch_of().field
    its = {"apiVersion": "acme.example.com/v2", "kind": "Thing", "metadata": {"name": "default"}}
    assert is_of(its, field)
    assert not is_of({**its, "apiVersion": "other.example.com/v1"}, field)
    assert not is_of({**its, "kind": "Other"}, field)
    assert not is_of({**its, "metadata": {"name": "b"}}, field)
    assert not is_of({}, field)


def test_a_boolean_is_written_as_one() -> None:
    from fleet_telemetry.api.policy import Submission  # noqa: PLC0415  # this test alone

    assert as_value(switch_of(), Submission.DISABLED) is False
    assert as_value(switch_of(type="String"), Submission.DISABLED) == "false"


# Any history


STEP = st.one_of(
    st.sampled_from([(), (OFF,), (IN,), (KEEP,), (policy(),)]).map(lambda one: ("policies", one)),
    st.tuples(
        st.just("write"),
        st.sampled_from(["true", "false", "F", "odd", None]),
        st.sampled_from(["helm", MANAGER]),
        st.booleans(),
    ),
    st.sampled_from([("replaced",), ("gone",), ("back",), ("forgotten",)]),
)


@pytest.mark.thorough
@examples(300)
@given(steps=st.lists(STEP, max_size=12))
def test_whatever_happens_it_settles_and_a_users_value_survives_the_policy(
    steps: list[Any],
) -> None:
    longhorn = world()
    policies: tuple[Policy, ...] = ()
    users: Any = "true"
    """What stands there, or stood there before the operator wrote it."""
    forgotten = False
    for step in steps:
        match step:
            case ("policies", given):
                policies = given
            case ("write", value, manager, applies):
                longhorn.one.write(value, manager, applies=applies)
                if manager in longhorn.one.owners or value is None:
                    users, forgotten = value, False
            case ("replaced",):
                longhorn.one = CustomResource(USAGE, "true", {MANAGER: "Update"}, uid="next")
                users, forgotten = "true", False
            case ("gone",):
                longhorn.one.exists = False
            case ("back",):
                longhorn.one.exists = True
            case _:
                longhorn.records, forgotten = (), True
        plan = longhorn.reconcile(*policies)
        assert not plan.fields.changes
        if shown(plan)[0] is State.COMPLIANT:
            wanted = Setting.ENABLED if policies == (IN,) else Setting.DISABLED
            longhorn_setting = verdict_of(plan).observed("declared").setting
            assert longhorn_setting is wanted
    longhorn.one.exists = True
    longhorn.reconcile()
    longhorn.reconcile()
    assert longhorn.one.ref.manager not in longhorn.one.owners
    assert longhorn.set_value is None
    if not forgotten and all(step[0] not in ("gone", "replaced", "forgotten") for step in steps):
        assert longhorn.one.value == users or longhorn.one.owners


def test_the_catalogue_has_it() -> None:
    longhorn = builtin().products["longhorn"]
    fields = {one.resource.label for one in longhorn.all_switches if one.resource}
    assert fields == {
        "settings.longhorn.io/allow-collecting-longhorn-usage-metrics value",
        "settings.longhorn.io/upgrade-checker value",
    }
    assert NOW > SINCE
