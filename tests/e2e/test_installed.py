"""What the chart says of the processes is so: probes, ports, `helm test`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request

import pytest
import yaml

from dev.harness.operator import NAMESPACE, RELEASE, Role
from tests.support.world import Manifest, World

pytestmark = pytest.mark.cluster

ROLES: tuple[Role, ...] = ("webhook", "controller")


def _container(world: World, role: str) -> Manifest:
    found = world.get("deployment", f"{RELEASE}-{role}", NAMESPACE)
    container: Manifest = found["spec"]["template"]["spec"]["containers"][0]
    return container


@pytest.mark.parametrize("role", ROLES)
def test_probes_ask_what_is_answered(world: World, role: Role) -> None:
    container = _container(world, role)
    (port,) = [p["containerPort"] for p in container["ports"] if p["name"] == "http"]
    assert f"--http-port={port}" in container["args"]
    for probe in ("livenessProbe", "readinessProbe"):
        get = container[probe]["httpGet"]
        assert get["port"] == "http"
        with urllib.request.urlopen(world.operator.url(role) + get["path"], timeout=5) as answer:
            assert answer.status == 200


def test_the_service_leads_to_the_port_on_which_the_webhook_listens(world: World) -> None:
    container = _container(world, "webhook")
    (port,) = world.get("service", f"{RELEASE}-webhook", NAMESPACE)["spec"]["ports"]
    ports = {p["name"]: p["containerPort"] for p in container["ports"]}
    assert f"--webhook-port={ports[port['targetPort']]}" in container["args"]
    configuration = world.get("mutatingwebhookconfiguration", RELEASE)
    for webhook in configuration["webhooks"]:
        service = webhook["clientConfig"]["service"]
        assert (service["name"], service["port"]) == (f"{RELEASE}-webhook", port["port"])


def _run_test(world: World, urls: list[str]) -> subprocess.CompletedProcess[str]:
    """The command of the chart's test pod, with other addresses: there is no cluster DNS here."""
    text = world.cluster.helm("get", "hooks", RELEASE, f"--namespace={NAMESPACE}").stdout
    (pod,) = [found for found in yaml.safe_load_all(text) if found]
    (container,) = pod["spec"]["containers"]
    (variable,) = container["env"]
    expected = [f"http://{RELEASE}-{r}-metrics.{NAMESPACE}.svc:8080/readyz" for r in ROLES]
    assert variable["value"].split() == expected
    program, *arguments = container["command"]
    assert program == "python"
    return subprocess.run(
        [sys.executable, *arguments],
        env={"PATH": os.environ["PATH"], variable["name"]: " ".join(urls)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_helm_test_passes_when_both_are_ready_and_fails_when_not(world: World) -> None:
    urls = [f"{world.operator.url(role)}/readyz" for role in ROLES]
    done = _run_test(world, urls)
    assert (done.returncode, done.stdout.count(" ok\n")) == (0, 2), done.stderr
    assert _run_test(world, [*urls, "http://127.0.0.1:9/readyz"]).returncode != 0


def test_the_metrics_services_select_each_role(world: World) -> None:
    for role in ROLES:
        service = world.get("service", f"{RELEASE}-{role}-metrics", NAMESPACE)
        labels = ",".join(f"{key}={value}" for key, value in service["spec"]["selector"].items())
        pods = world.cluster.kubectl(
            "get", "pods", f"--namespace={NAMESPACE}", "-l", labels, "--output=json"
        ).stdout
        names = [pod["metadata"]["name"] for pod in json.loads(pods)["items"]]
        assert names
        assert all(name.startswith(f"{RELEASE}-{role}-") for name in names)
