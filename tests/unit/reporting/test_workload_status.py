"""What WorkloadTelemetry says."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given

from fleet_telemetry.api.policy import ChannelName, Policy
from fleet_telemetry.api.reasons import EgressReason, Reason
from fleet_telemetry.api.workload_telemetry import (
    EgressVerdict,
    InjectedVariable,
    WorkloadTelemetryStatus,
)
from fleet_telemetry.decision import Plan, decide
from fleet_telemetry.evidence.egress import EgressFinding
from fleet_telemetry.evidence.seed import VolumeClaimFacts
from fleet_telemetry.reporting.workload_status import (
    build_workload_status,
    status_manifest,
    workload_telemetry_manifest,
)
from fleet_telemetry.switches.edits import Trigger
from tests.support.builders import (
    DTRACK_4,
    LONG_AGO,
    NAMESPACE,
    NOW,
    SONAR_SWITCH,
    SONARQUBE,
    V4_SWITCH,
    WORKER,
    WORKER_6,
    Manifest,
    claimed,
    container,
    manifest,
    pod_of,
    policy,
    under,
    with_image,
    workload,
)
from tests.support.decision_strategies import manifests, policy_sets
from tests.support.depth import examples

OFF = {SONAR_SWITCH: "false"}
SONAR = claimed(manifest(container(SONARQUBE, env=OFF)), but=OFF)


def plan(given_manifest: Manifest, *policies: Policy, pods: bool = True, **more: Any) -> Plan:
    running = (pod_of(given_manifest),) if pods else ()
    return decide(under(*policies).input(given_manifest, Trigger.RECONCILE, pods=running, **more))


def record(
    given_manifest: Manifest,
    *policies: Policy,
    before: WorkloadTelemetryStatus | None = None,
    now: Any = NOW,
    **more: Any,
) -> WorkloadTelemetryStatus:
    found = plan(given_manifest, *policies, **more)
    return build_workload_status(workload(given_manifest), found, before, now)


def written(status: Any) -> dict[str, Any]:
    """As it goes over the wire."""
    found: dict[str, Any] = json.loads(msgspec.json.encode(msgspec.to_builtins(status)))
    return found


NOT_OBSERVED = {
    "observedReason": "NotObserved",
    "observedMessage": "The cluster's DNS does not report its lookups to the operator (value "
    "observed.enabled).",
}


def test_what_is_written_of_a_workload_under_a_policy() -> None:
    assert written(record(SONAR, policy())) == {
        "workload": {"kind": "Deployment", "name": "it"},
        "product": "sonarqube",
        "version": "26.7.0.124771",
        "policy": {"kind": "TelemetryPolicy", "name": "opt-out"},
        "desired": "Disabled",
        "channels": [
            {
                "name": "Usage",
                "policy": {"kind": "TelemetryPolicy", "namespace": NAMESPACE, "name": "opt-out"},
                "state": "Compliant",
                "reason": "RunningInEveryPod",
                "message": "Every pod was started with the setting, and this version reads it at "
                "every start.",
                "sends": "No",
                "sendsReason": "RunningInEveryPod",
                "sendsMessage": "The channel is switched off in every pod.",
                "hosts": ["telemetry.sonarsource.com"],
                "provenance": "Source",
                "declared": "Disabled",
                "running": "Disabled",
                "reportedReason": "CredentialsMissing",
                "reportedMessage": "The policy names no credentials for the product, so the "
                "product is not checked.",
                **NOT_OBSERVED,
            },
            {
                "name": "UpdateCheck",
                "sends": "Yes",
                "sendsReason": "DefaultApplies",
                "sendsMessage": "The switch is not set or is empty, and this version sends by "
                "default. The server asks for the list of newer versions.",
                "hosts": ["downloads.sonarsource.com", "update.sonarsource.org"],
                "remedy": "Set SONAR_UPDATECENTER_ACTIVATE=false in container app. Or cover the "
                "channel with a policy that has submission: Disabled.",
                "provenance": "Source",
                "declared": "Unset",
                "running": "Unset",
                **NOT_OBSERVED,
            },
        ],
        "summary": {
            "policy": "opt-out",
            "desired": "Disabled",
            "state": "Compliant",
            "stateChannel": "Usage",
            "reason": "RunningInEveryPod",
            "sends": "Yes",
            "channel": "UpdateCheck",
            "product": "sonarqube",
            "declared": "Unset",
            "running": "Unset",
            "reported": "Unknown",
            "egress": "Unknown",
            "provenance": "Source",
        },
        "injected": [{"container": "app", "name": SONAR_SWITCH, "value": "false"}],
        "conditions": [
            {
                "type": "Compliant",
                "status": "True",
                "reason": "RunningInEveryPod",
                "message": "sonarqube, Usage: Every pod was started with the setting, and this "
                "version reads it at every start.",
                "lastTransitionTime": "2026-11-20T08:00:00Z",
            }
        ],
    }


def test_a_workload_without_a_policy_is_listed_too() -> None:
    found = written(record(claimed(manifest(container("sonarqube:latest"))), pods=False))
    assert {key: value for key, value in found.items() if key not in ("channels", "summary")} == {
        "workload": {"kind": "Deployment", "name": "it"},
        "product": "sonarqube",
    }
    usage, updates = found["channels"]
    assert {key: usage[key] for key in ("name", "provenance", "declared", "running")} == {
        "name": "Usage",
        "provenance": "Source",
        "declared": "Unset",
        "running": "Unknown",
    }
    assert (usage["sends"], usage["sendsReason"]) == ("Unknown", "VersionUnreadable")
    assert usage["remedy"] == "Name the version in the image's tag."
    assert updates["name"] == "UpdateCheck"
    assert not {"state", "reason", "message", "policy"} & {*usage, *updates}
    assert found["summary"]["reason"] == "VersionUnreadable"


def test_several_products_and_versions_in_one_workload() -> None:
    both = manifest(
        container(SONARQUBE),
        container(DTRACK_4, name="dtrack"),
        container("sonarqube:9.9.0", name="old"),
        container("sonarqube:latest", name="latest"),
    )
    found = record(both, policy())
    assert found.product == "sonarqube"
    assert found.version == "26.7.0.124771, 4.14.3, 9.9.0"
    assert [(c.product, c.name) for c in found.channels] == [
        ("sonarqube", "Usage"),
        ("sonarqube", "UpdateCheck"),
        ("dependency-track", "Usage"),
    ]


def test_the_policy_on_usage_stands_for_the_workload_else_the_first_that_decides() -> None:
    usage = policy("usage", cluster=True)
    updates = policy("updates", channels=["UpdateCheck"], submission="Enabled")
    both = record(SONAR, updates, usage)
    assert (both.policy.kind, both.policy.name, both.desired) == (  # type: ignore[union-attr]
        "ClusterTelemetryPolicy",
        "usage",
        "Disabled",
    )
    # ... wherever the channel stands.
    two = manifest(container(SONARQUBE), container(DTRACK_4, name="dtrack"))
    dtrack = policy("dtrack", products=["dependency-track"])
    assert record(two, updates, dtrack).policy.name == "dtrack"  # type: ignore[union-attr]
    alone = record(SONAR, updates)
    assert (alone.policy.name, alone.desired) == ("updates", "Enabled")  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("given_manifest", "spec", "status", "reason"),
    [
        (SONAR, {}, "True", "RunningInEveryPod"),
        (SONAR, {"submission": "Enabled"}, "Unknown", "AwaitingRollout"),
        (manifest(container(SONARQUBE)), {}, "False", "AwaitingUpgrade"),
        (manifest(container(WORKER_6)), {}, "False", "NoEffectiveSwitch"),
        (manifest(container("sonarqube:latest")), {}, "Unknown", "VersionUnreadable"),
        # The worst of all channels.
        (SONAR, {"channels": ["Usage", "UpdateCheck"]}, "False", "AwaitingUpgrade"),
    ],
)
def test_the_condition(
    given_manifest: Manifest, spec: dict[str, Any], status: str, reason: str
) -> None:
    (condition,) = record(given_manifest, policy(**spec)).conditions
    assert (condition.type, condition.status, condition.reason) == ("Compliant", status, reason)


def test_where_nothing_is_wished_there_is_no_condition() -> None:
    exception = {"workload": {"kind": "Deployment", "name": "it"}, "reason": "because"}
    assert record(SONAR).conditions == ()
    assert record(SONAR, policy(exceptions=[exception])).conditions == ()


def test_nothing_is_written_when_nothing_changed() -> None:
    """The controller writes where the status differs from the one that it read back."""
    for policies in ((), (policy(),), (policy(submission="Enabled"),)):
        first = record(SONAR, *policies, now=NOW.replace(microsecond=123456))
        read_back = msgspec.convert(written(first), WorkloadTelemetryStatus)
        assert read_back == first
        later = record(SONAR, *policies, before=read_back, now=NOW + timedelta(hours=1))
        assert later == read_back


def test_a_conditions_time_moves_when_its_status_flips_and_not_before() -> None:
    first = record(SONAR, policy())
    later = NOW + timedelta(hours=1)
    stopped = record(SONAR, policy(), before=first, now=later, pods=False)
    assert stopped.conditions[0].status == "Unknown"
    assert stopped.conditions[0].last_transition_time == later
    reason = record(
        SONAR, policy(submission="Enabled"), before=stopped, now=later + later.resolution
    )
    assert reason.conditions[0].reason == "AwaitingRollout"
    assert reason.conditions[0].last_transition_time == later


def test_a_proven_seed_is_kept_for_later_pods() -> None:
    mounts = {"volumeMounts": [{"name": "data", "mountPath": "/data"}]}
    claim = {"name": "data", "persistentVolumeClaim": {"claimName": "it-data"}}
    env = {V4_SWITCH: "false"}
    dtrack = manifest(
        container(DTRACK_4, env=env, **mounts), generation=1, pod={"volumes": [claim]}
    )
    facts = {"it-data": VolumeClaimFacts("uid-1", LONG_AGO, began_empty=True)}
    (seed,) = record(dtrack, policy(), claims=facts).seeds
    assert written(seed) == {
        "product": "dependency-track",
        "channel": "Usage",
        "desired": "Disabled",
        "volumes": ["uid-1"],
    }
    upgraded = with_image(dtrack, "dependencytrack/apiserver:4.14.4")
    upgraded["metadata"]["generation"] = 2
    assert record(upgraded, policy(), claims=facts).seeds == ()
    assert record(upgraded, policy(), claims=facts, seeds=(seed,)).seeds == (seed,)


def test_the_object_is_named_after_its_workload_and_owned_by_it() -> None:
    found = workload_telemetry_manifest(
        workload(manifest(container(SONARQUBE), kind="CronJob", name="a.b")), record(SONAR)
    )
    assert found["metadata"]["name"] == "cronjob-a.b"
    assert found["metadata"]["namespace"] == NAMESPACE
    assert found["metadata"]["ownerReferences"] == [
        {"apiVersion": "batch/v1", "kind": "CronJob", "name": "a.b", "uid": "uid-of-a.b"}
    ]
    # Deleting the workload waits for nobody.
    assert "blockOwnerDeletion" not in found["metadata"]["ownerReferences"][0]
    status = status_manifest(found, record(SONAR, policy()))
    assert status["metadata"] == {"name": "cronjob-a.b", "namespace": NAMESPACE}
    assert status["status"]["product"] == "sonarqube"
    assert (status["kind"], status["apiVersion"]) == (found["kind"], found["apiVersion"])
    assert "status" not in found


LONGEST = 4096


@pytest.mark.parametrize(
    "given_manifest",
    [
        manifest(container("sonarqube:" + "x" * 900)),
        manifest(container(SONARQUBE, args=["-Dsonar.telemetry.enable=true" + "x" * 9000])),
        manifest(container(WORKER, env={"SRC_TELEMETRY_EVENTS_EXPORT_ALL": "true"})),
    ],
)
def test_no_message_is_longer_than_the_schema_allows(given_manifest: Manifest) -> None:
    """One that is would be refused, and with it everything else that is to be said."""
    status = record(given_manifest, policy())
    assert msgspec.convert(written(status), WorkloadTelemetryStatus) == status
    (usage, *_) = status.channels
    assert len(usage.message or "") <= LONGEST
    assert usage.reason is not None
    assert (usage.message or "").startswith(Reason(usage.reason).meaning)
    assert all(len(one.message) <= LONGEST for one in status.conditions)


@examples(80)
@given(policy_sets(), manifests())
def test_whatever_is_written_can_be_read_back(
    policies: tuple[Policy, ...], present: Manifest
) -> None:
    found = plan(present, *policies)
    if not found.targets:
        return
    status = build_workload_status(workload(present), found, None, NOW)
    read_back = msgspec.convert(written(status), WorkloadTelemetryStatus)
    assert read_back == status
    assert (
        build_workload_status(workload(present), found, read_back, NOW + timedelta(days=1))
        == read_back
    )


def test_what_the_network_does_is_told_of_each_channel() -> None:
    found = plan(SONAR, policy())
    finding = EgressFinding(
        EgressVerdict.ALLOWED, EgressReason.NEGATED_BY_POLICY, "By x." + "y" * 9000
    )
    told = replace(found, egress={("sonarqube", ChannelName.USAGE): finding})

    usage, updates = build_workload_status(workload(SONAR), told, None, NOW).channels

    assert (usage.egress, usage.egress_reason) == (EgressVerdict.ALLOWED, "NegatedByPolicy")
    assert "By x." in (usage.egress_message or "")
    assert len(usage.egress_message or "") <= 4096
    # Nobody has looked yet.
    assert (updates.egress, updates.egress_reason) == (EgressVerdict.UNKNOWN, None)


def test_what_was_injected_before_is_remembered_and_not_for_ever() -> None:
    first = record(SONAR, policy())
    assert first.injected_before == ()
    plain = claimed(manifest(container(SONARQUBE)))
    gone = record(plain, policy(), before=first)
    assert (gone.injected, gone.injected_before) == ((), first.injected)
    # It is not forgotten, is written once, and is not listed twice once it is back.
    assert record(plain, policy(), before=gone) == gone
    back = record(SONAR, policy(), before=gone)
    assert (back.injected, back.injected_before) == (first.injected, ())
    many = tuple(
        InjectedVariable(container="app", name=f"V{index}", value="1") for index in range(40)
    )
    full = record(plain, policy(), before=msgspec.structs.replace(first, injected_before=many))
    assert full.injected_before == (*many[-31:], *first.injected)
