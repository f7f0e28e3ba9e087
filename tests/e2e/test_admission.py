"""What users see when they create and update workloads under a policy."""

from __future__ import annotations

import json
import time

import pytest

from tests.support.world import (
    DTRACK_4,
    DTRACK_5,
    EMQX,
    SONAR_SWITCH,
    SONARQUBE,
    V4_SWITCH,
    V5_OFF,
    V5_SWITCH,
    Space,
    container,
    containers_of,
    env_of,
    workload,
)

pytestmark = pytest.mark.cluster

TEMPLATE_KINDS = [
    "Deployment",
    "StatefulSet",
    "DaemonSet",
    "ReplicaSet",
    "ReplicationController",
    "CronJob",
    "Job",
]


@pytest.mark.parametrize("kind", TEMPLATE_KINDS)
def test_a_new_workload_gets_the_setting_and_its_author_is_told(space: Space, kind: str) -> None:
    space.policy()
    said = space.apply(workload(kind, "sonar", container(SONARQUBE, env={"OWN": "1"})))
    assert (
        f"Warning: TelemetryPolicy {space.name}/opt-out: {kind} {space.name}/sonar: "
        f'set {SONAR_SWITCH}="false" in container app'
    ) in said
    assert space.env(kind, "sonar") == {"OWN": "1", SONAR_SWITCH: "false"}


def test_nothing_but_the_variable_is_added_and_nobody_owns_it(space: Space) -> None:
    manifest = workload("Deployment", "dtrack", container(DTRACK_4))
    space.apply(manifest)
    plain = space.get("deployment", "dtrack")
    space.kubectl("delete", "deployment", "dtrack")

    space.policy()
    space.apply(manifest)
    injected = space.get("deployment", "dtrack")

    (app,) = containers_of(injected)
    assert app.pop("env") == [{"name": V4_SWITCH, "value": "false"}]
    assert injected["spec"] == plain["spec"]
    assert injected["metadata"]["generation"] == 1
    # The Deployment's controller adds its own sooner or later.
    revision = {"deployment.kubernetes.io/revision"}
    added = set(injected["metadata"]["annotations"]) ^ set(plain["metadata"]["annotations"])
    assert added <= revision
    assert "finalizers" not in injected["metadata"]
    managers = injected["metadata"]["managedFields"]
    assert V4_SWITCH not in json.dumps(managers)
    assert not any("fleet" in entry["manager"] for entry in managers)


def test_without_a_policy_nothing_is_added(space: Space) -> None:
    said = space.apply(workload("Deployment", "dtrack", container(DTRACK_4)))
    assert "Warning" not in said
    assert space.env("deployment", "dtrack") == {}


def test_applying_the_same_again_changes_nothing(space: Space) -> None:
    space.policy()
    manifest = workload("Deployment", "dtrack", container(DTRACK_4, env={"A": "1", "B": "2"}))
    space.apply(manifest)
    before = space.get("deployment", "dtrack")
    # kubectl says "configured" wherever a list has an entry more than the manifest.
    space.apply(manifest)
    after = space.get("deployment", "dtrack")
    assert after["metadata"]["generation"] == before["metadata"]["generation"]
    assert after["spec"] == before["spec"]


def test_what_was_injected_is_kept_through_an_unrelated_update(space: Space) -> None:
    space.policy()
    space.apply(workload("Deployment", "dtrack", container(DTRACK_4)))
    said = space.apply(workload("Deployment", "dtrack", container(DTRACK_4, env={"A": "1"})))
    assert "Warning" not in said
    assert space.env("deployment", "dtrack") == {"A": "1", V4_SWITCH: "false"}


@pytest.mark.parametrize("when", ["FirstInstallOrUpgrade", "Always", "Never"])
def test_a_replace_that_drops_the_variable_does_not_lose_it(space: Space, when: str) -> None:
    space.policy()
    manifest = workload("Deployment", "dtrack", container(DTRACK_4))
    space.apply(manifest)
    space.policy(injection={"when": when})
    space.replace(workload("Deployment", "dtrack", container(DTRACK_4, env={"A": "1"})))
    assert space.env("deployment", "dtrack") == {"A": "1", V4_SWITCH: "false"}


def test_an_upgrade_to_version_5_swaps_the_variables(space: Space) -> None:
    space.policy()
    space.apply(workload("Deployment", "dtrack", container(DTRACK_4, env={"A": "1"})))
    said = space.apply(workload("Deployment", "dtrack", container(DTRACK_5, env={"A": "1"})))
    assert f'set {V5_SWITCH}="false"' in said
    assert f"removed {V4_SWITCH} in container app: version 5 refuses to start" in said
    assert space.env("deployment", "dtrack") == {"A": "1", **V5_OFF}
    assert space.get("deployment", "dtrack")["metadata"]["generation"] == 2


def test_first_install_or_upgrade_leaves_an_older_workload_alone_until_its_version_changes(
    space: Space,
) -> None:
    space.apply(workload("Deployment", "dtrack", container(DTRACK_4)))
    _let_a_second_pass()
    space.policy()
    space.apply(workload("Deployment", "dtrack", container(DTRACK_4, env={"A": "1"})))
    assert space.env("deployment", "dtrack") == {"A": "1"}
    newer = DTRACK_4.replace("4.14.3", "4.14.4")
    space.apply(workload("Deployment", "dtrack", container(newer, env={"A": "1"})))
    assert space.env("deployment", "dtrack") == {"A": "1", V4_SWITCH: "false"}


def test_always_adds_at_any_change_of_the_template(space: Space) -> None:
    space.apply(workload("Deployment", "dtrack", container(DTRACK_4)))
    _let_a_second_pass()
    space.policy(injection={"when": "Always"})
    space.kubectl("rollout", "restart", "deployment/dtrack")
    assert space.env("deployment", "dtrack") == {V4_SWITCH: "false"}


def test_scaling_and_labelling_are_no_occasion(space: Space) -> None:
    space.apply(workload("Deployment", "dtrack", container(DTRACK_4)))
    _let_a_second_pass()
    space.policy(injection={"when": "Always"})
    space.kubectl("scale", "deployment/dtrack", "--replicas=2")
    space.kubectl("label", "deployment/dtrack", "team=a")
    assert space.env("deployment", "dtrack") == {}


def test_a_users_contrary_value_is_overridden_and_that_is_said(space: Space) -> None:
    space.policy()
    manifest = workload("Deployment", "dtrack", container(DTRACK_4, env={V4_SWITCH: "true"}))
    said = space.apply(manifest)
    assert f'replaced the value of {V4_SWITCH} by "false" in container app' in said
    assert space.env("deployment", "dtrack") == {V4_SWITCH: "false"}
    # The user's next apply says "true" again, and works as before.
    space.apply(manifest)
    assert space.env("deployment", "dtrack") == {V4_SWITCH: "false"}
    assert space.get("deployment", "dtrack")["metadata"]["generation"] == 1


def test_a_users_contrary_value_is_kept_where_the_policy_says_so(space: Space) -> None:
    space.policy(injection={"onConflict": "Keep"})
    said = space.apply(
        workload("Deployment", "s", container(SONARQUBE, env={SONAR_SWITCH: "true"}))
    )
    assert f"kept {SONAR_SWITCH} in container app because of onConflict: Keep" in said
    assert space.env("deployment", "s") == {SONAR_SWITCH: "true"}
    space.telemetry("Deployment", "s", state="NonCompliant", reason="ContraryValueKept")


def test_a_reference_is_only_reported_and_the_next_apply_still_works(space: Space) -> None:
    space.policy()
    reference = {"secretKeyRef": {"name": "settings", "key": "telemetry"}}
    manifest = workload("Deployment", "s", container(SONARQUBE, env={SONAR_SWITCH: reference}))
    said = space.apply(manifest)
    said_so = f"did not replace {SONAR_SWITCH} in container app: its value comes from a reference"
    assert said_so in said
    assert space.env("deployment", "s") == {SONAR_SWITCH: None}
    assert "unchanged" in space.apply(manifest)
    space.telemetry("Deployment", "s", state="Unknown", reason="SetByReference")


def test_variables_from_a_whole_config_map_are_shadowed(space: Space) -> None:
    space.policy()
    from_map = [{"configMapRef": {"name": "emqx-env"}}]
    space.apply(workload("StatefulSet", "emqx", container(EMQX, envFrom=from_map)))
    assert space.env("statefulset", "emqx") == {"EMQX_TELEMETRY__ENABLE": "false"}
    space.telemetry("StatefulSet", "emqx", state="Compliant")


def test_related_settings_come_with_the_switch_and_their_values_stay_unsaid(space: Space) -> None:
    setting = {"name": "SONAR_UPDATECENTER_ACTIVATE", "value": "false"}
    space.policy(injection={"settings": [{"product": "sonarqube", "env": [setting]}]})
    said = space.apply(workload("Deployment", "s", container(SONARQUBE)))
    assert "set SONAR_UPDATECENTER_ACTIVATE in container app" in said
    assert space.env("deployment", "s") == {
        SONAR_SWITCH: "false",
        "SONAR_UPDATECENTER_ACTIVATE": "false",
    }


def test_an_audit_policy_writes_nothing(space: Space) -> None:
    space.policy(mode="Audit")
    said = space.apply(workload("Deployment", "s", container(SONARQUBE)))
    assert "Warning" not in said
    assert space.env("deployment", "s") == {}
    space.telemetry("Deployment", "s", state="NonCompliant", reason="AuditOnly")


def test_an_image_without_a_version_gets_only_what_does_no_harm(space: Space) -> None:
    space.policy()
    digest = "sha256:" + "0" * 64
    unreadable = {"dtrack": f"dependencytrack/apiserver@{digest}", "sonar": "sonarqube:latest"}
    for name, image in unreadable.items():
        space.apply(workload("Deployment", name, container(image)))
        space.telemetry("Deployment", name, state="Unknown", reason="VersionUnreadable")
    assert space.env("deployment", "dtrack") == {}
    assert space.env("deployment", "sonar") == {SONAR_SWITCH: "false"}


def test_only_the_containers_that_matter_are_touched(space: Space) -> None:
    space.policy()
    manifest = workload(
        "Deployment",
        "dtrack",
        container("dependencytrack/frontend:4.14.3", name="front"),
        container(DTRACK_4, name="api"),
        container("busybox:1", name="side"),
    )
    manifest["spec"]["template"]["spec"]["initContainers"] = [container(DTRACK_4, name="init")]
    space.apply(manifest)
    found = space.get("deployment", "dtrack")
    assert env_of(found, "front") == env_of(found, "side") == {}
    assert env_of(found, "api") == {V4_SWITCH: "false"}
    assert "env" not in found["spec"]["template"]["spec"]["initContainers"][0]


def test_fifty_containers_and_a_megabyte_go_through(space: Space) -> None:
    space.policy()
    many = [container("busybox:1", name=f"c{number}") for number in range(49)]
    manifest = workload("Deployment", "big", *many, container(SONARQUBE))
    manifest["spec"]["template"]["metadata"]["annotations"] = {"filler": "x" * 200_000}
    manifest["metadata"]["annotations"] = {}
    space.create(manifest)
    assert space.env("deployment", "big") == {SONAR_SWITCH: "false"}


def test_a_server_side_apply_by_another_manager_works_as_before(space: Space) -> None:
    space.policy()
    manifest = workload("Deployment", "s", container(SONARQUBE, env={"A": "1"}))
    flags = ["--server-side", "--field-manager=flux"]
    space.apply(manifest, flags=flags)
    assert space.env("deployment", "s") == {"A": "1", SONAR_SWITCH: "false"}
    before = space.get("deployment", "s")["metadata"]["generation"]
    space.apply(manifest, flags=flags)
    assert space.get("deployment", "s")["metadata"]["generation"] == before
    # Another value of the same variable meets no conflict, and is overridden.
    contrary = workload("Deployment", "s", container(SONARQUBE, env={SONAR_SWITCH: "true"}))
    space.apply(contrary, flags=flags)
    assert space.env("deployment", "s") == {SONAR_SWITCH: "false"}
    assert space.get("deployment", "s")["metadata"]["generation"] == before + 1


def test_a_dry_run_shows_what_would_be_injected(space: Space) -> None:
    space.policy()
    manifest = workload("Deployment", "s", container(SONARQUBE))
    said = space.apply(manifest, flags=["--dry-run=server", "--output=json"])
    assert SONAR_SWITCH in said
    assert space.find("deployment", "s") is None


def test_a_policy_for_another_namespace_does_nothing(space: Space) -> None:
    other = f"{space.name[:40]}-other"
    space.world.cluster.kubectl("create", "namespace", other)
    space.policy()
    elsewhere = Space(space.world, other)
    elsewhere.apply(workload("Deployment", "s", container(SONARQUBE)))
    assert elsewhere.env("deployment", "s") == {}
    space.world.cluster.kubectl("delete", "namespace", other, "--wait=false")


def test_a_selector_and_the_products_narrow_a_policy(space: Space) -> None:
    space.policy(selector={"matchLabels": {"tier": "gold"}}, products=["sonarqube"])
    gold = {"tier": "gold"}
    space.apply(
        workload("Deployment", "gold", container(SONARQUBE), labels=gold),
        workload("Deployment", "iron", container(SONARQUBE)),
        workload("Deployment", "dtrack", container(DTRACK_4), labels=gold),
    )
    assert space.env("deployment", "gold") == {SONAR_SWITCH: "false"}
    assert space.env("deployment", "iron") == {}
    assert space.env("deployment", "dtrack") == {}


def test_opting_in_is_injected_too(space: Space) -> None:
    space.policy("opt-in", submission="Enabled")
    space.apply(workload("Deployment", "s", container(SONARQUBE)))
    assert space.env("deployment", "s") == {SONAR_SWITCH: "true"}
    assert space.telemetry("Deployment", "s", state="Compliant")["desired"] == "Enabled"


def _let_a_second_pass() -> None:
    """Timestamps of the API server count seconds: what comes next shall be younger."""
    time.sleep(1.1)
