"""Native sidecars run beside the main containers, so they are read and injected like them."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from fleet_telemetry.catalogue.catalogue import builtin
from fleet_telemetry.catalogue.matching import match_containers
from fleet_telemetry.objects.manifest import dig
from fleet_telemetry.workloads.reading import read_pod, read_workload
from fleet_telemetry.workloads.template_reading import read_template
from fleet_telemetry.workloads.workload import container_path
from tests.support.admission_requests import admitted, creation, policy_manifest, rolled, update
from tests.support.builders import (
    EMQX,
    EMQX_SWITCH,
    NGINX,
    SONAR_SWITCH,
    SONARQUBE,
    Manifest,
    container,
    manifest,
)

OPT_OUT = policy_manifest()
SIDECAR = container(EMQX, name="sidecar", restartPolicy="Always")
SETUP = container(EMQX, name="setup")


def with_init(*init: Manifest, main: str = NGINX, **more: Any) -> Manifest:
    return manifest(container(main), pod={"initContainers": list(init)}, **more)


def variables(given: Manifest) -> dict[str, dict[str, str]]:
    """The variables of each container that has any."""
    spec = dig(given, "spec", "template", "spec")
    return {
        one["name"]: {entry["name"]: entry["value"] for entry in one["env"]}
        for one in (*spec["containers"], *spec.get("initContainers", ()))
        if one.get("env")
    }


def test_only_init_containers_that_go_on_running_are_containers() -> None:
    template = read_template(
        with_init(SETUP, SIDECAR, container(SONARQUBE, name="once", restartPolicy="Never"))["spec"][
            "template"
        ]
    )
    assert [(each.index, each.name) for each in template.containers] == [
        (0, "app"),
        (-2, "sidecar"),
    ]
    assert container_path(-2) == ("initContainers", 1)
    assert container_path(3) == ("containers", 3)


def test_a_sidecar_is_injected_and_a_setup_task_is_not() -> None:
    found = admitted(creation(with_init(SETUP, SIDECAR)), OPT_OUT)
    assert variables(found) == {"sidecar": {EMQX_SWITCH: "false"}}


def test_a_sidecar_and_a_main_container_are_both_injected() -> None:
    found = admitted(creation(with_init(SIDECAR, main=SONARQUBE)), OPT_OUT)
    assert variables(found) == {
        "app": {SONAR_SWITCH: "false"},
        "sidecar": {EMQX_SWITCH: "false"},
    }
    assert (
        admitted(rolled(found), OPT_OUT)["spec"]["template"]["spec"]
        == (rolled(found)["object"]["spec"]["template"]["spec"])
    )


def test_what_was_injected_into_a_sidecar_goes_with_the_policy() -> None:
    given = with_init(SIDECAR)
    found = admitted(creation(given), OPT_OUT)
    assert variables(admitted(rolled(found))) == {}


@pytest.mark.parametrize("owner", ["helm", "kubectl-client-side-apply"])
def test_a_variable_that_somebody_owns_in_a_sidecar_is_theirs(owner: str) -> None:
    given = with_init({**SIDECAR, "env": [{"name": EMQX_SWITCH, "value": "false"}]})
    fields = {
        "f:initContainers": {
            'k:{"name":"sidecar"}': {"f:env": {f'k:{{"name":"{EMQX_SWITCH}"}}': {}}}
        }
    }
    managed = {
        "manager": owner,
        "operation": "Update",
        "fieldsV1": {"f:spec": {"f:template": {"f:spec": fields}}},
    }
    given["metadata"]["managedFields"] = [managed]
    found = read_workload(given)
    assert found is not None
    assert found.field_owners.covers("sidecar", EMQX_SWITCH)
    assert variables(admitted(rolled(given))) == {"sidecar": {EMQX_SWITCH: "false"}}


def test_a_sidecar_that_becomes_a_setup_task_is_no_longer_injected() -> None:
    before = admitted(creation(with_init(SIDECAR)), OPT_OUT)
    after = copy.deepcopy(before)
    (one,) = after["spec"]["template"]["spec"]["initContainers"]
    del one["restartPolicy"], one["env"]
    assert variables(admitted(update(before, after), OPT_OUT)) == {}


def test_the_sidecar_of_a_pod_is_evidence() -> None:
    running = {**SIDECAR, "env": [{"name": EMQX_SWITCH, "value": "false"}]}
    pod = read_pod(
        {
            "kind": "Pod",
            "metadata": {"name": "p"},
            "spec": {"containers": [container(NGINX)], "initContainers": [SETUP, running]},
        }
    )
    (target,) = match_containers(pod.template, builtin())
    entry = target.container.variable(EMQX_SWITCH)
    assert entry is not None
    assert entry.value == "false"


def test_volumes_of_sidecars_are_not_those_of_setup_tasks() -> None:
    mounts = {"volumeMounts": [{"name": "data", "mountPath": "/data"}]}
    template = with_init({**SETUP, **mounts}, {**SIDECAR, "volumeMounts": []})["spec"]["template"]
    assert read_template(template).init_volumes == {"data"}
    template = with_init(SETUP, {**SIDECAR, **mounts})["spec"]["template"]
    assert read_template(template).init_volumes == set()
