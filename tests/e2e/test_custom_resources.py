"""Switches that are fields of custom resources, on a real API server."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.custom_resources import (
    GROUP,
    NOT_READABLE,
    NOT_WRITABLE,
    crd,
    longhorn_crd,
    setting,
    thing_product,
)
from tests.support.world import Manifest, Space, World, container, eventually, workload

pytestmark = pytest.mark.cluster

IMAGE = "longhornio/longhorn-manager:v1.5.0"
USAGE = "allow-collecting-longhorn-usage-metrics"
KIND = "settings.longhorn.io"
REMEDIATE = {"runtime": {"action": "Remediate"}}
VENDOR = ["--field-manager=longhorn-manager"]
OWN = "fleet-telemetry.value"
CONTROLLER = "--as=system:serviceaccount:fleet-telemetry:fleet-telemetry-controller"


def daemon(image: str = IMAGE) -> Manifest:
    return workload("DaemonSet", "longhorn-manager", container(image))


def expect(space: Space, state: str, reason: str) -> Manifest:
    found: Manifest = space.telemetry("DaemonSet", "longhorn-manager", state=state, reason=reason)
    return found


def value(space: Space, name: str = USAGE) -> Any:
    return space.get(KIND, name)["value"]


def managers(space: Space, name: str = USAGE) -> set[str]:
    """Who owns the field."""
    text = space.kubectl("get", KIND, name, "--show-managed-fields", "--output=json").stdout
    entries = json.loads(text)["metadata"].get("managedFields", [])
    return {one["manager"] for one in entries if "f:value" in one["fieldsV1"]}


def events(space: Space) -> set[str]:
    return {one["reason"] for one in space.world.reader.items("events", space.name, "")}


def install(world: World) -> None:
    world.apply(longhorn_crd())
    eventually(
        lambda: "True" in json.dumps(_established(world)), say="the CRD of Longhorn established"
    )


def _established(world: World) -> list[Manifest]:
    found = world.get("customresourcedefinition", "settings.longhorn.io")
    conditions = found.get("status", {}).get("conditions") or []  # null at first
    return [one["status"] for one in conditions if one["type"] == "Established"]


def test_a_setting_of_longhorn_from_its_installation_to_the_end_of_the_policy(
    world: World, space: Space
) -> None:
    space.policy(**REMEDIATE)
    space.apply(daemon())
    if world.find("customresourcedefinition", "settings.longhorn.io") is None:
        expect(space, "Unknown", "ResourceKindMissing")
        install(world)
    expect(space, "Unknown", "ResourceAbsent")

    # It appears later, as the product itself creates it.
    space.apply(setting(USAGE, "true"), setting("upgrade-checker", "true"), flags=VENDOR)
    status = expect(space, "Compliant", "ResourceInEffect")
    assert value(space) == "false"
    assert managers(space) == {OWN}
    assert value(space, "upgrade-checker") == "true"
    (record,) = (one for one in status["resources"] if one["name"] == USAGE)
    assert (record["setValue"], record["valueBefore"], record["uid"]) == (
        "false",
        "true",
        space.get(KIND, USAGE)["metadata"]["uid"],
    )
    assert status["usage"]["sends"] == "No"
    eventually(lambda: "TelemetrySettingOverridden" in events(space), say="an Event")

    # Opted in, and out again.
    space.policy(submission="Enabled", **REMEDIATE)
    eventually(lambda: value(space) == "true", say="opted in")
    expect(space, "Compliant", "ResourceInEffect")
    space.policy(**REMEDIATE)
    eventually(lambda: value(space) == "false", say="opted out")

    # Taken back: the value of before, and nobody's.
    space.kubectl("delete", "telemetrypolicy", "opt-out")
    eventually(lambda: (value(space), managers(space)) == ("true", set()), say="taken back")
    eventually(lambda: "TelemetrySettingRemoved" in events(space), say="an Event")
    # The vendor's next write meets no conflict.
    space.apply(setting(USAGE, "true"), flags=["--server-side", *VENDOR])


def test_another_manager_that_sets_it_back_is_not_fought_for_ever(
    world: World, space: Space
) -> None:
    install(world)
    space.apply(setting(USAGE, "true"), setting("upgrade-checker", "true"), flags=VENDOR)
    gitops = ["--server-side", "--force-conflicts", "--field-manager=argocd-controller"]
    space.policy(injection={"onConflict": "Keep"}, **REMEDIATE)
    space.apply(setting(USAGE, "true"), flags=gitops)
    space.apply(daemon())
    expect(space, "NonCompliant", "ContraryValueKept")
    assert value(space) == "true"

    space.policy(**REMEDIATE)
    for _ in range(3):
        eventually(lambda: value(space) == "false", say="set")
        space.apply(setting(USAGE, "true"), flags=gitops)
    expect(space, "NonCompliant", "SettingFoughtOver")
    assert value(space) == "true"
    eventually(lambda: "TelemetryRemediationConflict" in events(space), say="an Event")


def test_a_product_that_is_upgraded_over_the_border_of_versions(world: World, space: Space) -> None:
    install(world)
    space.apply(setting(USAGE, "true"), setting("upgrade-checker", "true"), flags=VENDOR)
    space.policy(**REMEDIATE)
    space.apply(daemon("longhornio/longhorn-manager:v1.4.4"))
    expect(space, "Unknown", "VersionNotCovered")
    assert value(space) == "true"
    space.apply(daemon())
    eventually(lambda: value(space) == "false", say="set by the newer version")


def test_rights_that_are_missing_are_named_and_nothing_is_written(
    world: World, space: Space
) -> None:
    world.apply(crd(GROUP, "things", "Thing", "v1", namespaced=False))
    eventually(
        lambda: (
            world.try_apply(
                *(
                    {
                        "apiVersion": f"{GROUP}/v1",
                        "kind": "Thing",
                        "metadata": {"name": name},
                        "spec": {"telemetry": {"enabled": True}},
                    }
                    for name in (NOT_WRITABLE, NOT_READABLE)
                )
            ).returncode
            == 0
        ),
        say="the things",
    )
    names = {NOT_WRITABLE: "visible", NOT_READABLE: "hidden"}
    for thing, word in names.items():
        world.apply(thing_product(f"{space.name}-{word}", f"{space.name}/{word}", thing))
    products = [f"{space.name}-{word}" for word in names.values()]
    world.apply(
        {
            "apiVersion": "fleettelemetry.io/v1alpha1",
            "kind": "ClusterTelemetryPolicy",
            "metadata": {"name": space.name},
            "spec": {"submission": "Disabled", "products": products, **REMEDIATE},
        }
    )
    for word in names.values():
        space.apply(workload("Deployment", word, container(f"{space.name}/{word}:1.0.0")))
    hidden = space.telemetry("Deployment", "hidden", reason="ResourceRightMissing")
    assert hidden["usage"]["state"] == "Unknown"
    assert "customResources" in hidden["usage"]["remedy"]
    visible = space.telemetry("Deployment", "visible", reason="ResourceWriteForbidden")
    assert visible["usage"]["state"] == "NonCompliant"
    assert world.get("things", NOT_WRITABLE)["spec"]["telemetry"]["enabled"] is True
    world.cluster.kubectl("delete", "clustertelemetrypolicy", space.name)
    world.cluster.kubectl("delete", "telemetryproduct", *products)


def test_the_controllers_account_changes_the_field_alone(world: World, space: Space) -> None:
    install(world)
    space.apply(setting(USAGE, "true"), setting("other", "true"), flags=VENDOR)

    def patch(name: str, body: Manifest) -> str:
        done = space.kubectl(
            CONTROLLER,
            "patch",
            KIND,
            name,
            "--type=merge",
            f"--patch={json.dumps(body)}",
            check=False,
        )
        return done.stderr

    for body, refused in (
        ({"metadata": {"labels": {"a": "b"}}}, "changes no metadata"),
        ({"metadata": {"annotations": {"a": "b"}}}, "changes no metadata"),
        ({"metadata": {"finalizers": ["a.example.com/b"]}}, "changes no metadata"),
        ({"status": {"applied": True}}, ""),
        ({"value": "false"}, ""),
    ):
        said = patch(USAGE, body)
        assert refused in said, (body, said)
        assert bool(said) is bool(refused), (body, said)
    assert "cannot get resource" in patch("other", {"value": "false"})
    world.apply(crd(GROUP, "things", "Thing", "v1", namespaced=False))
    thing = {
        "apiVersion": f"{GROUP}/v1",
        "kind": "Thing",
        "metadata": {"name": "writable"},
        "spec": {"other": 1, "telemetry": {"enabled": True, "metadata": 1}},
    }
    eventually(lambda: world.try_apply(thing).returncode == 0, say="the thing")
    for spec, is_allowed in (
        ({"telemetry": {"enabled": False}}, True),
        ({"telemetry": {"enabled": None}}, True),
        ({"telemetry": {"enabled": True, "more": 1}}, False),
        ({"telemetry": {"metadata": 2}}, False),
        ({"telemetry": None}, False),
        ({"other": 2}, False),
        ({"other": None}, False),
        ({"metadata": 1}, False),
    ):
        said = space.kubectl(
            CONTROLLER,
            "patch",
            "things",
            "writable",
            "--type=merge",
            f"--patch={json.dumps({'spec': spec})}",
            check=False,
        ).stderr
        assert (not said) is is_allowed, (spec, said)
        assert is_allowed or "changes nothing of a custom resource" in said, (spec, said)
    for verb in ("delete", "list"):
        name = [USAGE] if verb == "delete" else []
        word = "get" if verb == "list" else verb
        done = space.kubectl(CONTROLLER, word, KIND, *name, check=False)
        assert f"cannot {verb} resource" in done.stderr
