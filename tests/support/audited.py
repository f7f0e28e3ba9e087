"""A cluster that is audited: like a user, by the command in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from dev.cluster import Cluster
from tests.support.forked_operator import run_command
from tests.support.reader import Reader
from tests.support.world import eventually

Manifest = dict[str, Any]
SONARQUBE = "sonarqube:26.7.0.124771-community"
EMQX = "emqx/emqx:5.8.9"
_SECONDS = 240.0


@dataclass(frozen=True)
class Audited:
    """The cluster, and the commands on it."""

    cluster: Cluster
    directory: Path

    def run(self, *words: str, kubeconfig: Path | None = None) -> subprocess.CompletedProcess[str]:
        """A command of ``fleet-telemetry``."""
        path = kubeconfig or self.cluster.kubeconfig
        first, *others = words
        return run_command(
            first, f"--kubeconfig={path}", *others, environment=os.environ, timeout=_SECONDS
        )

    def audit(self, *words: str, kubeconfig: Path | None = None) -> Manifest:
        """The result of an audit, with the status of the command as ``exit``."""
        done = self.run("audit", "--output=json", *words, kubeconfig=kubeconfig)
        assert done.stdout, done.stderr
        assert "Traceback" not in done.stderr
        found: Manifest = json.loads(done.stdout)
        return {"findings": [], "problems": [], **found, "exit": done.returncode}

    def apply(self, namespace: str, manifest: Manifest) -> None:
        """kubectl apply."""
        self.cluster.kubectl("-n", namespace, "apply", "-f", "-", input=json.dumps(manifest))

    def pod(self, name: str, image: str) -> Manifest:
        """A pod without a controller."""
        spec = {"containers": [{"name": "app", "image": image}]}
        return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}

    def wait_for_pods(self, count: int) -> None:
        """Wait until so many pods run in all namespaces."""
        reader = Reader(self.cluster.kubeconfig)

        def probe() -> bool:
            phases = [pod["status"].get("phase") for pod in reader.items("pods")]
            return phases == ["Running"] * count

        eventually(probe, say=f"{count} running pods")

    def account(self, name: str, bindings: Sequence[Sequence[str]]) -> Path:
        """The kubeconfig of a new service account with these bindings: what ``kubectl create`` gets
        for each, without the subject."""
        kubectl = self.cluster.kubectl
        kubectl("-n", "default", "create", "serviceaccount", name)
        for binding in bindings:
            kubectl("create", *binding, f"--serviceaccount=default:{name}")
        path = self.directory / f"{name}.yaml"
        return self.cluster.service_account_kubeconfig("default", name, path)

    def kubeconfig(self, name: str, **contexts: tuple[str, bytes | None]) -> Path:
        """A kubeconfig with a context for each URL of an API server, with the CA to trust; by
        default that of this cluster. The user is that of the cluster's own."""
        given = yaml.safe_load(self.cluster.kubeconfig.read_text())
        (user,) = given["users"]
        clusters = []
        for context, (url, authority) in contexts.items():
            path = self.directory / f"{name}-{context}.crt"
            path.write_bytes(authority or self.cluster.ca_path.read_bytes())
            entry = {"server": url, "certificate-authority": path.name}
            clusters.append({"name": context, "cluster": entry})
        document = {
            "clusters": clusters,
            "users": [user],
            "contexts": [
                {"name": one, "context": {"cluster": one, "user": user["name"]}} for one in contexts
            ],
        }
        path = self.directory / f"{name}.yaml"
        path.write_text(yaml.safe_dump(document))
        return path


def rows(found: Manifest) -> set[tuple[str, str, str, str]]:
    """Cluster, namespace, workload and answer of each row about usage."""
    return {
        (
            one["place"].get("cluster", ""),
            one["namespace"],
            f"{one['kind']}/{one['name']}",
            one["sends"],
        )
        for one in found["findings"]
        if one["channel"] == "Usage"
    }


def problems(found: Manifest) -> list[str]:
    """What could not be read."""
    return [one["what"] for one in found["problems"]]
