"""Marks of a product on a real API server: what a switch leaves, and what excludes a switch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from dev.harness.dns_server import Records
from tests.support.world import Manifest, Space, World, container, eventually, workload

pytestmark = pytest.mark.cluster

HOST = "telemetry.widget.example"
AT_ONCE = {"rollout": "Immediate"}
SWITCH, FILE = "WIDGET_TELEMETRY", "WIDGET_TELEMETRY__FILE"


@pytest.fixture
def widget(world: World, space: Space) -> Iterator[str]:
    """The image of a TelemetryProduct with these marks; the product has the name of the image."""
    name = f"{space.name[:40]}-widget"
    env = {"name": SWITCH, "disabled": "no", "enabled": "yes", "exclusiveWith": [FILE]}
    rule: dict[str, Any] = {
        "default": "On",
        "switches": [{"semantics": "Start", "env": env}],
        "leaves": "one event at each start",
    }
    manifest: Manifest = {
        "apiVersion": "fleettelemetry.io/v1alpha1",
        "kind": "TelemetryProduct",
        "metadata": {"name": name},
        "spec": {
            "title": "Widget",
            "images": [{"pattern": f"{name}/server", "tags": ["stable-{version}"]}],
            "channels": [{"name": "Usage", "hosts": [{"host": HOST}], "rules": [rule]}],
        },
    }
    world.names.set(HOST, Records(a=["20.1.7.7"], ttl=1))
    world.apply(manifest)
    try:
        eventually(lambda: _is_accepted(world, name), say="the product")
        yield name
    finally:
        world.cluster.kubectl("delete", "tprod", name)


def _is_accepted(world: World, name: str) -> bool:
    conditions = world.get("tprod", name).get("status", {}).get("conditions", [])
    return any((one["type"], one["status"]) == ("Accepted", "True") for one in conditions)


def test_what_a_switch_leaves_is_compliant_only_with_the_network(space: Space, widget: str) -> None:
    space.policy(products=[widget], injection=AT_ONCE)
    image = f"{widget}/server:stable-2.14.10"
    space.apply(workload("Deployment", "w", container(image)))
    found = space.telemetry("Deployment", "w", state="NotEnforceable", reason="PartlyDisabled")
    assert "one event at each start" in found["usage"]["message"]
    assert found["usage"]["provenance"] == "User"
    assert found["version"] == "2.14.10"
    space.policy(products=[widget], injection=AT_ONCE, egress={"action": "Deny"})
    found = space.telemetry("Deployment", "w", state="Compliant", reason="RestDenied")
    assert found["usage"]["egress"] == "Denied"


def test_an_injected_switch_goes_where_the_other_variable_comes(space: Space, widget: str) -> None:
    space.policy(products=[widget], injection=AT_ONCE)
    image = f"{widget}/server:1.0.0"
    space.apply(workload("Deployment", "w", container(image)))
    eventually(lambda: space.env("deployment", "w") == {SWITCH: "no"}, say="the switch")
    space.apply(workload("Deployment", "w", container(image, env={FILE: "/run/widget"})))
    eventually(lambda: space.env("deployment", "w") == {FILE: "/run/widget"}, say="no switch")
    space.telemetry("Deployment", "w", state="Unknown", reason="ExclusiveVariable")
