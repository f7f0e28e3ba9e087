"""``fleet-telemetry allowlist`` prints what the ConfigMap holds, or one sentence why it cannot."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
import yaml

from dev.cluster import Cluster
from fleet_telemetry.egress.allowlist import (
    NAME,
    AllowlistEntry,
    AllowlistFormat,
    config_map,
    render,
)
from fleet_telemetry.kube.client import KubernetesClient
from fleet_telemetry.kube.kinds import CONFIG_MAP
from tests.support.allowlist_entries import FLEET, entry
from tests.support.forked_operator import run_command

NAMESPACE = "fleet-telemetry"


def run(*arguments: str, home: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    own = {"PATH": os.environ["PATH"], "HOME": str(home)}
    return run_command("allowlist", *arguments, environment={**own, **environment})


def failed(done: subprocess.CompletedProcess[str]) -> str:
    """The one sentence of a failure."""
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("fleet-telemetry: ")
    return line.removeprefix("fleet-telemetry: ")


# Without a cluster


def test_without_a_kubeconfig_it_says_how_to_name_one(tmp_path: Path) -> None:
    path = tmp_path / ".kube" / "config"
    advice = "give one with --kubeconfig or in the variable KUBECONFIG"
    expected = f"there is no kubeconfig at {path}; {advice}"
    assert failed(run(home=tmp_path)) == expected
    missing = f"{tmp_path / 'a'}:{tmp_path / 'b'}"
    expected = f"there is no kubeconfig at {missing}; {advice}"
    assert failed(run(home=tmp_path, KUBECONFIG=missing)) == expected


@pytest.mark.parametrize("text", ["", "hello", "a: [", "- a", "current-context: x\ncontexts: []"])
def test_a_kubeconfig_that_is_none_is_told_in_one_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text(text)
    message = failed(run("--kubeconfig", str(path), home=tmp_path))
    assert re.match(rf"(the )?(kubeconfig|file) {re.escape(str(path))}", message), message


def test_in_a_pod_its_service_account_is_used(tmp_path: Path) -> None:
    message = failed(run(home=tmp_path, KUBERNETES_SERVICE_HOST="127.0.0.1"))
    assert message.startswith("the pod has no service account that can be used; ")


def test_where_no_api_server_answers_it_says_so(tmp_path: Path) -> None:
    message = failed(run("--kubeconfig", str(unreachable(tmp_path)), home=tmp_path))
    assert message.startswith(
        f"ConfigMap {NAMESPACE}/{NAME} cannot be read: the API server does not answer: "
        "Cannot connect to host 127.0.0.1:1 "
    )


def unreachable(folder: Path) -> Path:
    path = folder / "unreachable"
    named: dict[str, Any] = {"name": "a"}
    content = {
        "apiVersion": "v1",
        "clusters": [named | {"cluster": {"server": "https://127.0.0.1:1"}}],
        "users": [named | {"user": {"token": "t"}}],
        "contexts": [named | {"context": {"cluster": "a", "user": "a"}}],
        "current-context": "a",
    }
    path.write_text(yaml.safe_dump(content))
    return path


def test_another_format_is_a_usage_error(tmp_path: Path) -> None:
    done = run("--format", "xml", home=tmp_path)
    assert done.returncode == 2
    assert "is not one of 'plain', 'json', 'csv', 'squid'" in done.stderr


# On the API server


@dataclass(frozen=True)
class Place:
    """A cluster with the allowlist in it, and an account that may read that alone."""

    cluster: Cluster
    reader: Path
    stranger: Path
    home: Path

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        environment.setdefault("KUBECONFIG", str(self.reader))
        return run(*arguments, home=self.home, **environment)

    def write(self, manifest: dict[str, Any]) -> dict[str, Any]:
        """As the controller does."""

        async def write() -> dict[str, Any]:
            client = await KubernetesClient.connect(str(self.cluster.kubeconfig))
            try:
                return await client.apply(CONFIG_MAP, manifest)
            finally:
                await client.close()

        return asyncio.run(write())


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    home = tmp_path_factory.mktemp("allowlist")
    with Cluster(home / "cluster", controller_manager=False, audit=True) as cluster:
        cluster.kubectl("create", "namespace", NAMESPACE)
        kubeconfigs = {}
        for name in ("reader", "stranger"):
            cluster.kubectl("create", "serviceaccount", name, "--namespace", NAMESPACE)
            kubeconfigs[name] = cluster.service_account_kubeconfig(NAMESPACE, name, home / name)
        where = ("--namespace", NAMESPACE)
        which = ("--verb=get", "--resource=configmaps", f"--resource-name={NAME}")
        cluster.kubectl("create", "role", "reader", *which, *where)
        account = f"--serviceaccount={NAMESPACE}:reader"
        cluster.kubectl("create", "rolebinding", "reader", "--role=reader", account, *where)
        yield Place(cluster, kubeconfigs["reader"], kubeconfigs["stranger"], home)


@pytest.fixture
def allowlist(place: Place) -> Iterator[dict[str, Any]]:
    yield place.write(config_map(FLEET, NAMESPACE, NAME))
    place.cluster.kubectl("delete", "configmap", NAME, "--namespace", NAMESPACE)


@pytest.mark.cluster
@pytest.mark.parametrize("form", AllowlistFormat)
def test_each_format_is_what_the_config_map_holds(
    place: Place, allowlist: dict[str, Any], form: AllowlistFormat
) -> None:
    done = place.run("--format", form.value)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == render(FLEET, form)
    assert done.stdout == allowlist["data"][form.key]


@pytest.mark.cluster
@pytest.mark.usefixtures("allowlist")
def test_plain_is_the_default_and_one_request_is_enough(place: Place) -> None:
    def requests() -> list[tuple[str, str]]:
        user = f"system:serviceaccount:{NAMESPACE}:reader"
        return [
            (event["verb"], event["requestURI"])
            for event in place.cluster.audit_events()
            if event["user"]["username"] == user and event["stage"] == "ResponseComplete"
        ]

    before = len(requests())
    assert place.run().stdout == render(FLEET, AllowlistFormat.PLAIN)
    (one,) = requests()[before:]
    assert one == ("get", f"/api/v1/namespaces/{NAMESPACE}/configmaps/{NAME}")


@pytest.mark.cluster
def test_an_allowlist_is_found_by_namespace_and_name(place: Place) -> None:
    place.cluster.kubectl("create", "namespace", "elsewhere")
    some = (entry("a.example", addresses=["192.0.2.1"]),)
    place.write(config_map(some, "elsewhere", "mine"))
    admin = str(place.cluster.kubeconfig)
    named = place.run("--namespace", "elsewhere", "--name", "mine", "--kubeconfig", admin)
    assert named.stdout == render(some, AllowlistFormat.PLAIN)
    by_environment = place.run("--name", "mine", POD_NAMESPACE="elsewhere", KUBECONFIG=admin)
    assert by_environment.stdout == render(some, AllowlistFormat.PLAIN)


@pytest.mark.cluster
@pytest.mark.usefixtures("allowlist")
def test_the_kubeconfig_of_the_home_folder_is_used(place: Place, tmp_path: Path) -> None:
    (tmp_path / ".kube").mkdir()
    (tmp_path / ".kube" / "config").write_text(place.reader.read_text())
    assert run(home=tmp_path).stdout == render(FLEET, AllowlistFormat.PLAIN)
    # Those that are missing are passed over.
    several = f"{tmp_path / 'missing'}:{place.reader}"
    assert place.run(KUBECONFIG=several).stdout == render(FLEET, AllowlistFormat.PLAIN)


@pytest.mark.cluster
def test_where_there_is_none_it_says_who_writes_it(place: Place) -> None:
    assert failed(place.run()) == (
        f"ConfigMap {NAMESPACE}/{NAME} does not exist; the controller writes it into its own "
        "namespace, which --namespace gives, when a policy has an egress section"
    )


@pytest.mark.cluster
@pytest.mark.usefixtures("allowlist")
def test_who_may_not_read_it_is_told(place: Place) -> None:
    message = failed(place.run(KUBECONFIG=str(place.stranger)))
    assert message == (
        f"ConfigMap {NAMESPACE}/{NAME} may not be read; RBAC has to allow you to get that ConfigMap"
    )


@pytest.mark.cluster
@pytest.mark.usefixtures("allowlist")
def test_a_token_that_is_not_accepted_is_told(place: Place, tmp_path: Path) -> None:
    content = yaml.safe_load(place.reader.read_text())
    content["users"][0]["user"] = {"token": "no-such-token"}
    (tmp_path / "kubeconfig").write_text(yaml.safe_dump(content))
    message = failed(place.run(KUBECONFIG=str(tmp_path / "kubeconfig")))
    assert message.startswith(f"ConfigMap {NAMESPACE}/{NAME} cannot be read: ")
    assert "Unauthorized" in message
    assert "no-such-token" not in message


@pytest.mark.cluster
@pytest.mark.usefixtures("allowlist")
def test_a_config_map_that_somebody_changed_is_told(place: Place) -> None:
    patch = '{"data": {"allowlist.json": "{}"}}'
    place.cluster.kubectl("patch", "configmap", NAME, f"--namespace={NAMESPACE}", f"-p={patch}")
    message = failed(place.run("--format", "squid"))
    assert message.startswith(f"ConfigMap {NAMESPACE}/{NAME} has no allowlist under allowlist.json")


@pytest.mark.cluster
def test_the_same_entries_in_another_order_are_no_change(
    place: Place, allowlist: dict[str, Any]
) -> None:
    again = place.write(config_map(FLEET[::-1], NAMESPACE, NAME))
    assert again["metadata"]["resourceVersion"] == allowlist["metadata"]["resourceVersion"]


@pytest.mark.cluster
def test_the_api_server_takes_the_largest_one(place: Place) -> None:
    entries: list[AllowlistEntry] = []
    for number in range(580):
        first = int(ip_address("198.51.100.0")) + number * 64
        addresses = [str(ip_address(first + last)) for last in range(64)]
        entries.append(entry(f"host-{number}.telemetry.example.com", addresses=addresses))
    manifest = config_map(entries, NAMESPACE, "largest")
    assert sum(map(len, manifest["data"].values())) > 780_000
    written = place.write(manifest)
    assert written["data"] == manifest["data"]
    admin = str(place.cluster.kubeconfig)
    done = place.run("--name", "largest", "--format", "csv", KUBECONFIG=admin)
    assert done.stdout == render(entries, AllowlistFormat.CSV)
