"""A cluster with the operator on it, as tests use it: like a user, mostly through kubectl."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from dev.cluster import Cluster
from dev.harness.dns_server import LocalDnsServer
from dev.harness.operator import LocalOperator
from tests.support.reader import Reader

Manifest = dict[str, Any]
Found = TypeVar("Found")

DTRACK_4 = "docker.io/dependencytrack/apiserver:4.14.3"
DTRACK_5 = "docker.io/dependencytrack/apiserver:5.0.4"
SONARQUBE = "sonarqube:26.7.0.124771-community"
EMQX = "emqx/emqx:5.8.9"
V4_SWITCH = "TELEMETRY_SUBMISSION_ENABLED_DEFAULT"
V5_SWITCH = "DT_TELEMETRY_SUBMISSION_DEFAULT_ENABLED"
V5_CRON = "DT_TASK_TELEMETRY_SUBMISSION_CRON"
V5_OFF = {V5_SWITCH: "false", V5_CRON: "-"}
"""What version 5 of Dependency-Track gets to be off: a seed, and a task that never runs."""
SONAR_SWITCH = "SONAR_TELEMETRY_ENABLE"
SECONDS = 60.0
"""On a machine that runs several clusters on two cores."""
_SHORTEST_PAUSE = 0.03
_LONGEST_PAUSE = 0.3


def eventually(probe: Callable[[], Found], *, seconds: float = SECONDS, say: str = "it") -> Found:
    """The first true answer; an assertion error with the last one if there is none in time.

    The longer it has waited, the longer are the pauses: up to a tenth of that time is lost, and a
    long wait takes no more questions than a short one."""
    started = time.monotonic()
    while True:
        found = probe()
        if found:
            return found
        waited = time.monotonic() - started
        assert waited < seconds, f"{say} did not come about; at last: {found!r}"
        time.sleep(min(max(waited / 10, _SHORTEST_PAUSE), _LONGEST_PAUSE))


@dataclass(frozen=True)
class World:
    """The cluster and the operator."""

    cluster: Cluster
    operator: LocalOperator
    directory: Path
    names: LocalDnsServer
    """The name server that the operator asks for telemetry hosts."""

    @cached_property
    def reader(self) -> Reader:
        """The cluster, without kubectl."""
        return Reader(self.cluster.kubeconfig)

    def apply(self, *manifests: Manifest, flags: Sequence[str] = ()) -> str:
        """kubectl apply; what it said, warnings included."""
        done = self.cluster.kubectl("apply", *flags, "-f", "-", input=_bundle(manifests))
        return done.stdout + done.stderr

    def try_apply(
        self, *manifests: Manifest, flags: Sequence[str] = ()
    ) -> subprocess.CompletedProcess[str]:
        """kubectl apply that may fail."""
        return self.cluster.kubectl(
            "apply", *flags, "-f", "-", input=_bundle(manifests), check=False
        )

    def get(self, kind: str, name: str, namespace: str = "") -> Manifest:
        """One object, with its managed fields."""
        return self.reader.get(kind, name, namespace)

    def find(self, kind: str, name: str, namespace: str = "") -> Manifest | None:
        """One object, or None."""
        return self.reader.find(kind, name, namespace)


@dataclass(frozen=True)
class Space:
    """A namespace of a test's own."""

    world: World
    name: str

    def apply(self, *manifests: Manifest, flags: Sequence[str] = ()) -> str:
        """kubectl apply in this namespace; what it said."""
        return self.world.apply(*map(self._placed, manifests), flags=flags)

    def try_apply(
        self, *manifests: Manifest, flags: Sequence[str] = ()
    ) -> subprocess.CompletedProcess[str]:
        """kubectl apply in this namespace that may fail."""
        return self.world.try_apply(*map(self._placed, manifests), flags=flags)

    def create(self, manifest: Manifest) -> str:
        """kubectl create; what it said."""
        done = self.kubectl("create", "-f", "-", stdin=json.dumps(self._placed(manifest)))
        return done.stdout + done.stderr

    def replace(self, manifest: Manifest) -> str:
        """kubectl replace, the whole object as given; what it said."""
        done = self.kubectl("replace", "-f", "-", stdin=json.dumps(self._placed(manifest)))
        return done.stdout + done.stderr

    def kubectl(
        self, *arguments: str, stdin: str | None = None, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """kubectl in this namespace."""
        return self.world.cluster.kubectl(
            "--namespace", self.name, *arguments, input=stdin, check=check
        )

    def get(self, kind: str, name: str) -> Manifest:
        """One object."""
        return self.world.get(kind, name, self.name)

    def find(self, kind: str, name: str) -> Manifest | None:
        """One object, or None."""
        return self.world.find(kind, name, self.name)

    def policy(self, name: str = "opt-out", **spec: Any) -> str:
        """Apply a TelemetryPolicy, and wait until the webhook knows it."""
        said = self.apply(policy(name, **spec))
        self.wait_for_policy(name)
        return said

    def wait_for_policy(self, name: str = "opt-out", *, seconds: float = SECONDS) -> Manifest:
        """The policy once its status speaks of its present spec.

        The webhook has a watch of its own; what tests do next is slower than that by far.
        """

        def probe() -> Manifest | None:
            found = self.get("telemetrypolicy", name)
            seen = found.get("status", {}).get("observedGeneration")
            return found if seen == found["metadata"]["generation"] else None

        return eventually(probe, seconds=seconds, say=f"the status of policy {name}")

    def telemetry(
        self, kind: str, name: str, *, seconds: float = SECONDS, **wanted: str
    ) -> Manifest:
        """The status of a workload's WorkloadTelemetry, once its channel Usage is as wanted."""

        def probe() -> Manifest | None:
            found = self.find("workloadtelemetry", f"{kind.lower()}-{name}")
            channels = (found or {}).get("status", {}).get("channels", [])
            usage = next((c for c in channels if c["name"] == "Usage"), None)
            last.clear()
            last.update(usage or {})
            if usage is None or any(usage.get(key) != value for key, value in wanted.items()):
                return None
            return dict(found["status"], usage=usage) if found else None

        last: dict[str, Any] = {}
        try:
            return eventually(probe, seconds=seconds, say=f"{wanted} for {kind} {name}")
        except AssertionError as error:
            raise AssertionError(f"{error}; its usage was {last}") from None

    def condition(self, kind: str, name: str, condition: str, **wanted: str) -> Manifest:
        """A condition of an object in this namespace, once it is as wanted."""

        def probe() -> Manifest | None:
            conditions = self.get(kind, name).get("status", {}).get("conditions", [])
            found = next((c for c in conditions if c["type"] == condition), None)
            last[:] = [found]
            matches = found and all(found.get(key) == value for key, value in wanted.items())
            return found if matches else None

        last: list[Manifest | None] = []
        try:
            return eventually(probe, say=f"condition {condition} {wanted} of {name}")
        except AssertionError as error:
            raise AssertionError(f"{error}; it was {last}") from None

    def env(self, kind: str, name: str, container: str = "app") -> dict[str, str | None]:
        """A container's literal variables; None stands for a reference."""
        return env_of(self.get(kind, name), container)

    def pods_env(self, selector: str, container: str = "app") -> list[dict[str, str | None]]:
        """The same of every pod that runs."""
        return [
            env_of(pod, container)
            for pod in self.world.reader.items("pods", self.name, selector)
            if "deletionTimestamp" not in pod["metadata"]
        ]

    def wait_for_pods(self, selector: str, count: int) -> None:
        """Wait until so many pods run."""

        def probe() -> bool:
            pods = self.world.reader.items("pods", self.name, selector)
            running = [p for p in pods if p["status"].get("phase") == "Running"]
            return len(pods) == len(running) == count

        eventually(probe, say=f"{count} running pods of {selector}")

    def _placed(self, manifest: Manifest) -> Manifest:
        return {**manifest, "metadata": {**manifest["metadata"], "namespace": self.name}}


def _bundle(manifests: Sequence[Manifest]) -> str:
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": list(manifests)})


def containers_of(manifest: Manifest) -> list[Manifest]:
    """The main containers of a workload or a pod."""
    spec = manifest["spec"]
    if manifest["kind"] == "CronJob":
        spec = spec["jobTemplate"]["spec"]["template"]["spec"]
    elif manifest["kind"] != "Pod":
        spec = spec["template"]["spec"]
    found: list[Manifest] = spec["containers"]
    return found


def env_of(manifest: Manifest, container: str = "app") -> dict[str, str | None]:
    """A container's literal variables; None stands for a reference."""
    (found,) = (c for c in containers_of(manifest) if c["name"] == container)
    return {
        entry["name"]: None if "valueFrom" in entry else entry.get("value", "")
        for entry in found.get("env", [])
    }


def policy(name: str = "opt-out", **spec: Any) -> Manifest:
    """A TelemetryPolicy."""
    return {
        "apiVersion": "fleettelemetry.io/v1alpha1",
        "kind": "TelemetryPolicy",
        "metadata": {"name": name},
        "spec": {"submission": "Disabled", **spec},
    }


def container(
    image: str, *, name: str = "app", env: Mapping[str, Any] | None = None, **more: Any
) -> Manifest:
    """A container; a value of ``env`` that is a mapping is a valueFrom."""
    entries = [
        {"name": key, **({"valueFrom": value} if isinstance(value, dict) else {"value": value})}
        for key, value in (env or {}).items()
    ]
    return {"name": name, "image": image, **({"env": entries} if entries else {}), **more}


def workload(
    kind: str,
    name: str,
    *containers: Manifest,
    replicas: int = 1,
    labels: Mapping[str, str] | None = None,
    **spec: Any,
) -> Manifest:
    """A workload of any kind, as small as it can be."""
    pod_labels = {"app": name}
    template: Manifest = {
        "metadata": {"labels": pod_labels},
        "spec": {"containers": list(containers)},
    }
    body: Manifest = {"selector": {"matchLabels": pod_labels}, "template": template, **spec}
    version = "apps/v1"
    match kind:
        case "Deployment" | "ReplicaSet":
            body["replicas"] = replicas
        case "Rollout":
            version = "argoproj.io/v1alpha1"
            body["replicas"] = replicas
        case "ReplicationController":
            version = "v1"
            body |= {"replicas": replicas, "selector": pod_labels}
        case "StatefulSet":
            body |= {"replicas": replicas, "serviceName": name}
        case "Job":
            version = "batch/v1"
            template["spec"]["restartPolicy"] = "Never"
            body = {"template": template, **spec}
        case "CronJob":
            version = "batch/v1"
            template["spec"]["restartPolicy"] = "Never"
            job = {"spec": {"template": template}}
            body = {"schedule": "0 0 1 1 *", "jobTemplate": job, **spec}
    return {
        "apiVersion": version,
        "kind": kind,
        "metadata": {"name": name, "labels": dict(labels or pod_labels)},
        "spec": body,
    }
