"""What can be seen: every workload that runs a product, and what each policy makes of its own."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta

import pytest

from tests.support.world import (
    DTRACK_4,
    EMQX,
    SONAR_SWITCH,
    SONARQUBE,
    Manifest,
    Space,
    World,
    container,
    eventually,
    policy,
    workload,
)

pytestmark = pytest.mark.cluster


def test_a_workload_without_a_policy_is_listed_too(space: Space) -> None:
    space.apply(workload("Deployment", "s", container(SONARQUBE)))
    status = space.telemetry("Deployment", "s", declared="Unset")
    assert status["product"] == "sonarqube"
    assert status["version"] == "26.7.0.124771"
    assert "policy" not in status
    assert "state" not in status["usage"]


def test_a_workload_without_a_product_is_not(space: Space) -> None:
    space.apply(
        workload("Deployment", "web", container("nginx:1.29")),
        workload("Deployment", "front", container("dependencytrack/frontend:4.14.3")),
        workload("StatefulSet", "search", container("sonarqube:2026.4.0-datacenter-search")),
        workload("Deployment", "s", container(SONARQUBE)),
    )
    space.telemetry("Deployment", "s")
    text = space.kubectl("get", "workloadtelemetries", "-o", "name").stdout
    assert text.split() == ["workloadtelemetry.fleettelemetry.io/deployment-s"]


def test_a_record_is_owned_by_its_workload_and_goes_with_it(space: Space) -> None:
    space.apply(workload("Deployment", "s", container(SONARQUBE)))
    space.telemetry("Deployment", "s")
    record = space.get("workloadtelemetry", "deployment-s")
    (owner,) = record["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["name"]) == ("Deployment", "s")
    space.kubectl("delete", "deployment", "s")
    eventually(
        lambda: space.find("workloadtelemetry", "deployment-s") is None, say="the record's end"
    )


def test_a_record_goes_when_the_workload_stops_running_a_product(space: Space) -> None:
    space.apply(workload("Deployment", "s", container(SONARQUBE)))
    space.telemetry("Deployment", "s")
    space.apply(workload("Deployment", "s", container("nginx:1.29")))
    eventually(
        lambda: space.find("workloadtelemetry", "deployment-s") is None, say="the record's end"
    )


def test_a_record_that_somebody_deletes_or_edits_comes_back(space: Space) -> None:
    space.policy()
    space.apply(workload("Deployment", "s", container(SONARQUBE)))
    space.telemetry("Deployment", "s", state="Compliant")
    space.kubectl("delete", "workloadtelemetry", "deployment-s")
    space.telemetry("Deployment", "s", state="Compliant")
    lie = json.dumps({"status": {"channels": [], "product": "nothing"}})
    record = ("workloadtelemetry", "deployment-s")
    space.kubectl("patch", *record, "--subresource=status", "--type=merge", "-p", lie)
    space.telemetry("Deployment", "s", state="Compliant")
    eventually(
        lambda: space.get(*record)["status"]["product"] == "sonarqube", say="the product's name"
    )


def test_kubectl_shows_the_fleet_at_a_glance(space: Space) -> None:
    space.policy()
    space.apply(workload("Deployment", "s", container(SONARQUBE)))
    space.telemetry("Deployment", "s", state="Compliant")
    head, line = space.kubectl("get", "wtel").stdout.splitlines()
    assert head.split() == [
        "NAME", "PRODUCT", "VERSION", "POLICY", "DESIRED", "STATE", "REASON", "SENDS",
        "CHANNEL", "AGE",
    ]  # fmt: skip
    # The policy covers Usage, and nothing covers the other channel.
    assert line.split()[:9] == [
        "deployment-s", "sonarqube", "26.7.0.124771", "opt-out", "Disabled", "Compliant",
        "RunningInEveryPod", "Yes", "UpdateCheck",
    ]  # fmt: skip


def test_a_policy_counts_its_workloads_by_state(space: Space) -> None:
    space.apply(workload("Deployment", "old", container(SONARQUBE)))
    space.wait_for_pods("app=old", 1)
    space.policy(injection={"when": "Never"})
    space.apply(
        workload("Deployment", "own", container(SONARQUBE, env={SONAR_SWITCH: "false"})),
        workload("Deployment", "blind", container("sonarqube:latest")),
        workload("Deployment", "asleep", container(EMQX, env={"EMQX_TELEMETRY__ENABLE": "false"}),
                 replicas=0),
    )  # fmt: skip
    wanted = {
        "matched": 4, "compliant": 1, "nonCompliant": 1, "pending": 0, "unknown": 1,
        "notEnforceable": 0, "exempt": 0, "idle": 1,
    }  # fmt: skip

    def summary() -> bool:
        found = space.get("telemetrypolicy", "opt-out")["status"]["summary"]
        return {**dict.fromkeys(wanted, 0), **found} == wanted

    eventually(summary, say=f"the summary {wanted}")
    message = space.condition(
        "telemetrypolicy", "opt-out", "Compliant", status="False", reason="WorkloadsNotCompliant"
    )["message"]
    assert message == f"1 of 3: {space.name}/Deployment/old"
    space.condition("telemetrypolicy", "opt-out", "Programmed", status="True")


def test_a_policy_that_matches_nothing_says_so(space: Space) -> None:
    space.policy(selector={"matchLabels": {"nobody": "has-this"}})
    space.condition(
        "telemetrypolicy", "opt-out", "Compliant", status="Unknown", reason="NothingMatched"
    )


def test_an_unknown_product_is_a_warning_and_a_condition(space: Space) -> None:
    said = space.policy(products=["sonarqube", "sonarcube"])
    assert "unknown product 'sonarcube'" in said
    found = space.condition(
        "telemetrypolicy", "opt-out", "Accepted", status="False", reason="UnknownProduct"
    )
    assert "'sonarcube'" in found["message"]
    assert "sonarqube" in found["message"]
    # What can be understood is in force.
    space.apply(workload("Deployment", "s", container(SONARQUBE)))
    assert space.env("deployment", "s") == {SONAR_SWITCH: "false"}


def test_a_setting_that_names_a_switch_is_refused(space: Space) -> None:
    setting = {"name": SONAR_SWITCH, "value": "true"}
    injection = {"settings": [{"product": "sonarqube", "env": [setting]}]}
    done = space.try_apply(policy(injection=injection))
    assert done.returncode != 0
    assert f"{SONAR_SWITCH} is a switch of sonarqube" in done.stderr


def test_contradictory_policies_agree_on_a_winner_and_the_loser_says_so(space: Space) -> None:
    space.policy("in", submission="Enabled")
    space.policy("out", submission="Disabled")
    space.apply(workload("Deployment", "s", container(SONARQUBE)))
    assert space.env("deployment", "s") == {SONAR_SWITCH: "false"}
    lost = space.condition("telemetrypolicy", "in", "Conflicted", status="True", reason="Overruled")
    assert f"overruled by TelemetryPolicy {space.name}/out" in lost["message"]
    space.condition("telemetrypolicy", "in", "Compliant", status="False")
    space.condition("telemetrypolicy", "out", "Conflicted", status="False")
    space.condition("telemetrypolicy", "out", "Compliant", status="True")


def test_a_cluster_policy_covers_selected_namespaces_and_a_tenant_cannot_lift_it(
    world: World, space: Space
) -> None:
    world.cluster.kubectl("label", "namespace", space.name, f"covered={space.name}")
    everywhere = policy(space.name, namespaceSelector={"matchLabels": {"covered": space.name}})
    everywhere["kind"] = "ClusterTelemetryPolicy"
    world.apply(everywhere)
    exempted = {"kind": "Deployment", "name": "s"}
    space.policy("mine", exceptions=[{"workload": exempted, "reason": "because I say so"}])
    space.apply(workload("Deployment", "s", container(SONARQUBE)))
    status = space.telemetry("Deployment", "s", state="Compliant")
    assert status["policy"] == {"kind": "ClusterTelemetryPolicy", "name": space.name}
    world.cluster.kubectl("delete", "ctpol", space.name)


def test_an_exception_ends_by_itself(space: Space) -> None:
    space.apply(workload("Deployment", "s", container(SONARQUBE)))
    time.sleep(1.1)  # so that the workload is older than the policy
    soon = (datetime.now(UTC) + timedelta(seconds=4)).isoformat(timespec="seconds")
    exempted = {"kind": "Deployment", "name": "s"}
    exception = {"workload": exempted, "reason": "for a moment", "expiresAt": soon}
    space.policy(exceptions=[exception])
    space.telemetry("Deployment", "s", state="Exempt")
    space.telemetry("Deployment", "s", state="NonCompliant")
    ended = space.condition("telemetrypolicy", "opt-out", "ExceptionExpired", status="True")
    assert "Deployment/s" in ended["message"]


def test_an_exception_needs_a_reason(space: Space) -> None:
    exempted = {"workload": {"kind": "Deployment", "name": "s"}}
    assert space.try_apply(policy(exceptions=[exempted])).returncode != 0


def test_a_product_can_be_added_and_overridden_while_running(world: World, space: Space) -> None:
    product = {
        "apiVersion": "fleettelemetry.io/v1alpha1",
        "kind": "TelemetryProduct",
        "metadata": {"name": space.name[:40].strip("-")},
        "spec": {
            "title": "Acme",
            "images": [{"pattern": f"{space.name}/acme"}],
            "channels": [
                {
                    "name": "Usage",
                    "rules": [
                        {
                            "default": "On",
                            "switches": [
                                {
                                    "semantics": "Start",
                                    "env": {"name": "ACME_PHONE_HOME", "disabled": "no"},
                                }
                            ],
                        }
                    ],
                }
            ],
        },
    }
    image = f"registry.example/{space.name}/acme:1.0"
    space.apply(workload("Deployment", "before", container(image)))
    world.apply(product)
    name = product["metadata"]["name"]  # type: ignore[index]
    space.policy(additionalProducts=[name])
    space.telemetry("Deployment", "before", declared="Unset")
    world.cluster.kubectl("get", "mutatingwebhookconfiguration", "fleet-telemetry")
    eventually(
        lambda: "webhooks" in world.get("mutatingwebhookconfiguration", "fleet-telemetry-products"),
        say="the second webhook configuration",
    )
    eventually(
        lambda: (
            ("Accepted", "True")
            in {
                (one["type"], one["status"])
                for one in world.get("tprod", name).get("status", {}).get("conditions", [])
            }
        ),
        say="the product's acceptance",
    )
    space.apply(workload("Deployment", "after", container(image)))
    assert space.env("deployment", "after") == {"ACME_PHONE_HOME": "no"}
    space.telemetry("Deployment", "after", state="Compliant")

    world.cluster.kubectl("delete", "tprod", name)
    # What was injected stays until the template changes, and the record says what it is.
    eventually(
        lambda: space.find("workloadtelemetry", "deployment-before") is None,
        say="the end of the record without a product",
    )
    injected = [{"container": "app", "kind": "Variable", "name": "ACME_PHONE_HOME", "value": "no"}]
    left = eventually(
        lambda: (
            (found := space.find("workloadtelemetry", "deployment-after"))
            and "product" not in found["status"]
            and found
        ),
        say="the record of what is left",
    )
    assert left["status"]["injected"] == injected
    assert space.env("deployment", "after") == {"ACME_PHONE_HOME": "no"}
    space.kubectl("rollout", "restart", "deployment/after")
    assert space.env("deployment", "after") == {}
    eventually(
        lambda: space.find("workloadtelemetry", "deployment-after") is None,
        say="the record's end without the product",
    )
    eventually(
        lambda: (
            "webhooks" not in world.get("mutatingwebhookconfiguration", "fleet-telemetry-products")
        ),
        say="the end of the second webhook configuration",
    )


def test_a_product_that_contradicts_itself_is_refused(world: World) -> None:
    rules = [{"versions": [">=1.0"], "default": "On"}, {"versions": ["<2.0"], "default": "On"}]
    product = {
        "apiVersion": "fleettelemetry.io/v1alpha1",
        "kind": "TelemetryProduct",
        "metadata": {"name": "twisted"},
        "spec": {
            "title": "Twisted",
            "images": [{"pattern": "acme/twisted"}],
            "channels": [{"name": "Usage", "rules": rules}],
        },
    }
    done = world.try_apply(product)
    assert done.returncode != 0
    assert "two rules overlap for acme/twisted" in done.stderr


def test_the_metrics_tell_the_fleet(world: World, space: Space) -> None:
    space.policy()
    space.apply(workload("Deployment", "s", container(SONARQUBE)))
    space.apply(workload("Deployment", "dtrack", container(DTRACK_4)))
    space.telemetry("Deployment", "s", state="Compliant")
    metrics = world.operator.metrics("controller")
    labels = f'kind="Deployment",name="s",product="sonarqube",resource_namespace="{space.name}"'
    for evidence in ("declared", "running"):
        series = (
            "fleet_telemetry_submission_enabled{"
            f'channel="Usage",evidence="{evidence}",{labels}}} 0.0'
        )
        assert series in metrics
    assert 'fleet_telemetry_build_info{role="controller"' in metrics
    assert "fleet_telemetry_leader 1.0" in metrics
    assert (
        'fleet_telemetry_workloads{channel="Usage",desired="Disabled",product="sonarqube",'
        f'resource_namespace="{space.name}",state="Compliant"}} 1.0'
    ) in metrics
    webhook = world.operator.metrics("webhook")
    assert 'fleet_telemetry_admission_requests_total{kind="Deployment"' in webhook
    assert "fleet_telemetry_submission_enabled" not in webhook


def events(space: Space, reason: str) -> list[Manifest]:
    text = space.kubectl(
        "get", "events.events.k8s.io", f"--field-selector=reason={reason}", "--output=json"
    ).stdout
    found: list[Manifest] = json.loads(text)["items"]
    return found


def test_what_a_person_would_want_to_know_is_an_event_once(space: Space) -> None:
    space.policy("out", products=["sonarqube", "sonarcube"])
    (told,) = eventually(lambda: events(space, "PolicyNotAccepted"), say="the event")
    assert (told["regarding"]["name"], told["type"]) == ("out", "Warning")
    assert "'sonarcube'" in told["note"]

    space.apply(workload("Deployment", "s", container(SONARQUBE)))
    space.telemetry("Deployment", "s", state="Compliant")
    # Somebody's argument beats the switch.
    beaten = container(SONARQUBE, args=["-Dsonar.telemetry.enable=true"])
    space.apply(workload("Deployment", "s", beaten))
    space.telemetry("Deployment", "s", state="NonCompliant")
    (told,) = eventually(lambda: events(space, "TelemetryNotCompliant"), say="the event")
    assert told["regarding"]["name"] == "s"
    space.apply(workload("Deployment", "s", container(SONARQUBE)))
    space.telemetry("Deployment", "s", state="Compliant")
    assert len(events(space, "TelemetryNotCompliant")) == 1
    assert len(events(space, "PolicyNotAccepted")) == 1
