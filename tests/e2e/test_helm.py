"""Helm installs, upgrades and rolls back workloads as before: Helm 4 by server-side apply, Helm 3
by patches of its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.support.world import DTRACK_4, DTRACK_5, V4_SWITCH, V5_OFF, Space, workload
from tests.support.world import container as container_of

pytestmark = pytest.mark.cluster

Helm = Callable[..., str]


@pytest.fixture
def chart(tmp_path: Path) -> Path:
    """A vendor's chart in small: an image, replicas and variables from values."""
    (tmp_path / "templates").mkdir()
    meta = {"apiVersion": "v2", "name": "dtrack", "version": "1.0.0"}
    (tmp_path / "Chart.yaml").write_text(yaml.safe_dump(meta))
    (tmp_path / "values.yaml").write_text(yaml.safe_dump({"image": DTRACK_4, "env": []}))
    manifest = workload("StatefulSet", "dtrack", container_of("{{ .Values.image }}"))
    (app,) = manifest["spec"]["template"]["spec"]["containers"]
    app["env"] = "ENV"
    text = yaml.safe_dump(manifest).replace("ENV", "{{ toJson .Values.env }}")
    (tmp_path / "templates" / "statefulset.yaml").write_text(text)
    return tmp_path


@pytest.fixture(params=["helm", "helm3"], ids=["helm-4", "helm-3"])
def helm(space: Space, request: pytest.FixtureRequest) -> Helm:
    """Runs it in the test's namespace, and returns what it said."""

    def run(*arguments: str) -> str:
        where = f"--namespace={space.name}"
        done = space.world.cluster.helm(*arguments, where, program=request.param)
        return done.stdout + done.stderr

    return run


def test_install_upgrade_rollback_and_uninstall(space: Space, helm: Helm, chart: Path) -> None:
    space.policy()
    said = helm("install", "dtrack", str(chart))
    assert f"set {V4_SWITCH}=" in said
    assert space.env("statefulset", "dtrack") == {V4_SWITCH: "false"}

    own = '[{"name": "A", "value": "1"}]'
    helm("upgrade", "dtrack", str(chart), "--set-json", f"env={own}")
    assert space.env("statefulset", "dtrack") == {"A": "1", V4_SWITCH: "false"}

    helm("upgrade", "dtrack", str(chart), "--set", f"image={DTRACK_5}")
    assert space.env("statefulset", "dtrack") == V5_OFF

    helm("rollback", "dtrack", "1")
    assert space.env("statefulset", "dtrack") == {V4_SWITCH: "false"}

    helm("uninstall", "dtrack")
    assert space.find("statefulset", "dtrack") is None


def test_an_upgrade_that_changes_nothing_causes_no_rollout(
    space: Space, helm: Helm, chart: Path
) -> None:
    space.policy()
    helm("install", "dtrack", str(chart))
    before = space.get("statefulset", "dtrack")["metadata"]["generation"]
    helm("upgrade", "dtrack", str(chart))
    assert space.get("statefulset", "dtrack")["metadata"]["generation"] == before


def test_a_chart_that_sets_the_switch_itself_meets_no_conflict(
    space: Space, helm: Helm, chart: Path
) -> None:
    space.policy()
    helm("install", "dtrack", str(chart))
    contrary = f'[{{"name": "{V4_SWITCH}", "value": "true"}}]'
    said = helm("upgrade", "dtrack", str(chart), "--set-json", f"env={contrary}")
    assert f"replaced the value of {V4_SWITCH}" in said
    assert space.env("statefulset", "dtrack") == {V4_SWITCH: "false"}


def test_an_immediate_policy_leaves_nothing_that_a_later_upgrade_conflicts_with(
    space: Space, helm: Helm, chart: Path
) -> None:
    helm("install", "dtrack", str(chart))
    space.policy(injection={"rollout": "Immediate"})
    space.telemetry("StatefulSet", "dtrack", declared="Disabled")
    contrary = f'[{{"name": "{V4_SWITCH}", "value": "true"}}]'
    helm("upgrade", "dtrack", str(chart), "--set-json", f"env={contrary}")
    assert space.env("statefulset", "dtrack") == {V4_SWITCH: "false"}
