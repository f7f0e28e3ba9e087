"""Patches that ``audit --fix`` prints, applied by kubectl itself."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from dev.cluster import Cluster, ensure
from fleet_telemetry.api.workload_telemetry import Sends
from fleet_telemetry.audit.fixing.commands import kubectl_command
from fleet_telemetry.audit.formats.format import Screen
from fleet_telemetry.audit.formats.kustomize import KustomizeFormat
from fleet_telemetry.audit.result import Place
from tests.support.clusters import Clusters
from tests.support.fixes import answers, audited, every_row, fix_for, manifest_of
from tests.support.forked_operator import run_command


def _said(manifests: list[dict[str, Any]]) -> dict[Any, Any]:
    return {
        (fix.name, one.product, one.channel): one.after
        for fix in audited(*manifests).fixes
        if fix.patch_form is not None
        for one in fix.outcomes
    }


def test_kustomize_makes_the_changes_of_every_switch(tmp_path: Path) -> None:
    kubectl = ensure(["kubectl"])["kubectl"]
    manifests = [manifest_of(row, number) for number, row in enumerate(every_row())]
    fixed = tmp_path / "fixed"
    fixed.mkdir()
    (fixed / "kustomization.yaml").write_text(
        KustomizeFormat().render(audited(*manifests), Screen())
    )
    (tmp_path / "all.yaml").write_text(yaml.safe_dump_all(manifests))
    whole = {"resources": ["all.yaml"], "components": ["fixed"]}
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump(whole))
    done = subprocess.run(
        [kubectl, "kustomize", tmp_path], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[:2000]
    now = answers(audited(*yaml.load_all(done.stdout, Loader=yaml.CSafeLoader)))
    said = _said(manifests)
    assert len(said) > 500
    assert {key: now[key] for key in said} == said


@pytest.fixture(scope="module")
def cluster(clusters: Clusters) -> Iterator[Cluster]:
    with clusters.lend(controller_manager=False) as cluster:
        cluster.kubectl("create", "namespace", "team")
        yield cluster


# A product with variables, one with an argument, one whose arguments are the image's, one with a
# suspension, and one that refuses a variable.
PRODUCTS = ("sonarqube", "traefik", "loki", "linkerd", "dependency-track")


@pytest.mark.parametrize("product", PRODUCTS)
def test_the_api_server_accepts_the_command(cluster: Cluster, product: str) -> None:
    context = cluster.kubectl("config", "current-context").stdout.strip()
    for number, row in enumerate(every_row(product)):
        manifest = manifest_of(row, number)
        cluster.kubectl("create", "-f", "-", input=json.dumps(manifest))
        what = manifest["kind"], manifest["metadata"]["name"], "--namespace=team"
        live = json.loads(cluster.kubectl("get", *what, "--output=json").stdout)
        if audited(live).fixes:
            fix = fix_for(live, Place(cluster=context))
            command = kubectl_command(fix)
            if command:
                program, *words = shlex.split(command)
                assert program == "kubectl"
                cluster.kubectl(*words)
                after = json.loads(cluster.kubectl("get", *what, "--output=json").stdout)
                now = answers(audited(after))
                said = {(fix.name, one.product, one.channel): one.after for one in fix.outcomes}
                assert {key: now[key] for key in said} == said
        cluster.kubectl("delete", *what, "--wait=false")


def test_a_command_from_the_text_can_be_pasted_into_a_shell(cluster: Cluster) -> None:
    """From the cluster to the text, and from the text to a shell that reads its quotes."""
    row = next(every_row("sonarqube"))
    manifest = manifest_of(row)
    cluster.kubectl("create", "-f", "-", input=json.dumps(manifest))
    environment = {**os.environ, "KUBECONFIG": str(cluster.kubeconfig)}
    environment["PATH"] = f"{ensure(['kubectl'])['kubectl'].parent}:{environment['PATH']}"
    done = run_command("audit", "--fix", "--namespace=team", environment=environment)
    assert done.stdout, done.stderr
    (command,) = (line for line in done.stdout.splitlines() if line.startswith("    kubectl "))
    subprocess.run(["bash", "-c", command], env=environment, check=True, capture_output=True)
    what = "deployment", manifest["metadata"]["name"], "--namespace=team", "--output=json"
    after = json.loads(cluster.kubectl("get", *what).stdout)
    assert set(answers(audited(after)).values()) == {Sends.NO}
    cluster.kubectl("delete", "deployment", manifest["metadata"]["name"], "--namespace=team")
