"""A GitOps tool that applies its manifests again and again, and what admission adds: no fight.

Argo CD and Flux apply from the server's or the client's side, and look for drift by a dry run of
that: `kubectl apply` and `kubectl diff` do the same.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest

from tests.support.world import (
    DTRACK_4,
    SONAR_SWITCH,
    SONARQUBE,
    V4_SWITCH,
    Manifest,
    Space,
    container,
    eventually,
    workload,
)

pytestmark = pytest.mark.cluster

SERVER_SIDE = ["--server-side", "--field-manager=gitops"]
"""Without --force-conflicts: a conflict would be an error."""
WAYS = [pytest.param(SERVER_SIDE, id="server-side"), pytest.param([], id="client-side")]
WARNING = f"replaced the value of {SONAR_SWITCH}"


def _drift(space: Space, manifest: Manifest, flags: Sequence[str]) -> str:
    """What the tool would change.

    `kubectl diff` compares two answers: what others wrote between them is not the tool's.
    """
    kind, name = manifest["kind"].lower(), manifest["metadata"]["name"]
    placed = {**manifest, "metadata": {**manifest["metadata"], "namespace": space.name}}

    def version() -> str:
        found: str = space.get(kind, name)["metadata"]["resourceVersion"]
        return found

    def undisturbed() -> list[str]:
        before = version()
        done = space.kubectl("diff", *flags, "-f", "-", stdin=json.dumps(placed), check=False)
        assert done.returncode in (0, 1), done.stderr
        return [done.stdout] if version() == before else []

    (told,) = eventually(undisturbed, say="a look while nobody writes")
    return told


def _sync_five_times(space: Space, manifest: Manifest, flags: Sequence[str]) -> list[str]:
    """What the tool was told each time; it never had anything to change."""
    kind, name = manifest["kind"].lower(), manifest["metadata"]["name"]
    before = space.get(kind, name)
    said = []
    for _ in range(5):
        assert _drift(space, manifest, flags) == ""
        said.append(space.apply(manifest, flags=flags))
    after = space.get(kind, name)
    assert after["spec"] == before["spec"]
    assert after["metadata"]["generation"] == before["metadata"]["generation"]
    return said


@pytest.mark.parametrize("flags", WAYS)
def test_what_is_injected_is_no_drift(space: Space, flags: list[str]) -> None:
    space.policy()
    manifest = workload("Deployment", "s", container(SONARQUBE, env={"A": "1"}))
    space.apply(manifest, flags=flags)
    space.telemetry("Deployment", "s", state="Compliant")
    for said in _sync_five_times(space, manifest, flags):
        assert "conflict" not in said
    assert space.env("deployment", "s") == {"A": "1", SONAR_SWITCH: "false"}

    # A real change of the tool's own goes through, and what is injected stays.
    changed = workload("Deployment", "s", container(SONARQUBE, env={"A": "2"}))
    assert "A" in _drift(space, changed, flags)
    space.apply(changed, flags=flags)
    _sync_five_times(space, changed, flags)
    assert space.env("deployment", "s") == {"A": "2", SONAR_SWITCH: "false"}


@pytest.mark.parametrize("flags", WAYS)
def test_what_the_controller_brings_up_to_date_is_no_drift(space: Space, flags: list[str]) -> None:
    manifest = workload("StatefulSet", "d", container(DTRACK_4, env={"A": "1"}))
    space.apply(manifest, flags=flags)
    space.policy(injection={"rollout": "Immediate"})
    space.telemetry("StatefulSet", "d", declared="Disabled")
    _sync_five_times(space, manifest, flags)
    assert space.env("statefulset", "d") == {"A": "1", V4_SWITCH: "false"}


@pytest.mark.parametrize("flags", WAYS)
def test_a_tool_that_wants_the_contrary_is_told_each_time_and_changes_nothing(
    space: Space, flags: list[str]
) -> None:
    space.policy()
    manifest = workload("Deployment", "s", container(SONARQUBE, env={SONAR_SWITCH: "true"}))
    assert WARNING in space.apply(manifest, flags=flags)
    space.telemetry("Deployment", "s", state="Compliant")
    for said in _sync_five_times(space, manifest, flags):
        assert WARNING in said
    assert space.env("deployment", "s") == {SONAR_SWITCH: "false"}


@pytest.mark.parametrize("flags", WAYS)
def test_a_tool_that_wants_the_same_owns_it(space: Space, flags: list[str]) -> None:
    space.policy()
    manifest = workload("Deployment", "s", container(SONARQUBE, env={SONAR_SWITCH: "false"}))
    space.apply(manifest, flags=flags)
    space.telemetry("Deployment", "s", state="Compliant")
    for said in _sync_five_times(space, manifest, flags):
        assert "Warning" not in said
    space.kubectl("delete", "telemetrypolicy", "opt-out")
    space.kubectl("rollout", "restart", "deployment/s")
    assert space.env("deployment", "s") == {SONAR_SWITCH: "false"}


def test_a_tool_that_lets_others_keep_their_fields_may_stay_at_odds(space: Space) -> None:
    """With onConflict: Keep the tool has its way, and the record says so."""
    space.policy(injection={"onConflict": "Keep"})
    manifest = workload("Deployment", "s", container(SONARQUBE, env={SONAR_SWITCH: "true"}))
    space.apply(manifest, flags=SERVER_SIDE)
    space.telemetry("Deployment", "s", state="NonCompliant")
    _sync_five_times(space, manifest, SERVER_SIDE)
    assert space.env("deployment", "s") == {SONAR_SWITCH: "true"}
