"""A CronJob that only calls home, as each client creates it: suspended, kept so, and resumed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.world import Manifest, Space, container, eventually, workload

pytestmark = pytest.mark.cluster

IMAGE = "cr.l5d.io/linkerd/controller:stable-2.14.10"
NAMES = ("created", "applied", "server-side", "explicit")


def heartbeat(name: str, **spec: Any) -> Manifest:
    return workload("CronJob", name, container(IMAGE, name="heartbeat"), **spec)


def is_suspended(space: Space, name: str) -> object:
    return space.get("cronjob", name)["spec"]["suspend"]


def managers(space: Space, name: str) -> set[str]:
    """Who owns the field."""
    text = space.kubectl("get", "cronjob", name, "--show-managed-fields", "--output=json").stdout
    return {
        entry["manager"]
        for entry in json.loads(text)["metadata"]["managedFields"]
        if "f:suspend" in entry["fieldsV1"].get("f:spec", {})
    }


def verdict(space: Space, name: str) -> tuple[str, str]:
    found = space.find("workloadtelemetry", f"cronjob-{name}") or {}
    channels = found.get("status", {}).get("channels") or [{}]
    return channels[0].get("state", ""), channels[0].get("reason", "")


def test_it_is_suspended_however_it_is_created_and_resumed_with_the_policy(space: Space) -> None:
    space.apply(heartbeat("before"), heartbeat("users", suspend=True))
    assert (is_suspended(space, "before"), is_suspended(space, "users")) == (False, True)
    space.policy(channels=["UpdateCheck"])
    eventually(lambda: is_suspended(space, "before") is True, say="the one that was there before")

    space.create(heartbeat("created"))
    space.apply(heartbeat("applied"))
    space.apply(heartbeat("server-side"), flags=["--server-side"])
    space.apply(heartbeat("explicit", suspend=False))
    for name in NAMES:
        assert is_suspended(space, name) is True, name
    for name in (*NAMES, "before"):
        assert managers(space, name) == set(), name
        eventually(
            lambda name=name: verdict(space, name) == ("Compliant", "CronJobSuspended"),
            say=f"the verdict on {name}",
        )

    # What sets the field back meets the webhook in the same request.
    space.apply(heartbeat("applied"), heartbeat("explicit", suspend=False))
    space.apply(heartbeat("server-side", suspend=False), flags=["--server-side"])
    space.replace(heartbeat("created"))
    resume = '{"spec":{"suspend":false}}'
    answer = space.kubectl("patch", "cronjob", "before", "--patch", resume, "--output=json").stdout
    assert json.loads(answer)["spec"]["suspend"] is True
    for name in (*NAMES, "before"):
        assert is_suspended(space, name) is True, name
        assert managers(space, name) == set(), name

    # Whoever applies the suspension becomes its owner.
    space.apply(heartbeat("server-side", suspend=True), flags=["--server-side"])
    assert managers(space, "server-side") == {"kubectl"}

    space.kubectl("delete", "telemetrypolicy", "opt-out")
    for name in ("created", "applied", "explicit", "before"):
        eventually(lambda name=name: is_suspended(space, name) is False, say=f"{name} resumed")
    assert is_suspended(space, "users") is True
    assert is_suspended(space, "server-side") is True


def test_who_suspended_it_himself_keeps_it(space: Space) -> None:
    space.policy(channels=["UpdateCheck"], submission="Enabled")
    space.apply(heartbeat("users", suspend=True), heartbeat("runs"))
    eventually(
        lambda: verdict(space, "users") == ("NonCompliant", "ValueMayHoldMore"), say="the verdict"
    )
    assert is_suspended(space, "users") is True
    assert is_suspended(space, "runs") is False


def test_it_is_suspended_without_the_webhook(space: Space) -> None:
    """By the controller's own patch, which leaves no owner either."""
    space.policy(channels=["UpdateCheck"])
    operator = space.world.operator
    operator.stop("webhook")
    try:
        space.apply(heartbeat("missed"))
        eventually(lambda: is_suspended(space, "missed") is True, say="the controller's patch")
        eventually(lambda: managers(space, "missed") == set(), say="no owner")
        space.kubectl("delete", "telemetrypolicy", "opt-out")
        eventually(lambda: is_suspended(space, "missed") is False, say="the resumption")
    finally:
        operator.start("webhook")
        operator.wait_until_ready()
