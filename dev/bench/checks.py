"""How fast a thousand products are checked."""

from __future__ import annotations

import asyncio
import base64
import re
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvloop

from dev.bench.figures import Figure, Target
from dev.bench.manifests import (
    DEPENDENCY_TRACK,
    NAMESPACES,
    POLICIES,
    Manifest,
    deployment,
    deployments,
    fleet_namespace,
    namespace,
    policy,
)
from dev.bench.progress import Progress
from dev.bench.server import Server, connect, until
from dev.cluster import Cluster
from dev.harness.operator import NAMESPACE, LocalOperator
from dev.harness.products import CREDENTIALS, ProductAddress, start_products
from fleet_telemetry.kube.secrets import CREDENTIAL_LABEL

_PORT = 8080
_PODS_SECONDS = 600.0
_CHECKED_SECONDS = 600.0
_MINUTE = Target(60)
_ASKED = re.compile(
    r'^fleet_telemetry_vendor_checks_total\{product="dependency-track",result="(\w+)"\} (\S+)$',
    re.MULTILINE,
)


@dataclass(frozen=True)
class Size:
    """How much is measured."""

    instances: int
    namespaces: int
    repetitions: int


def measure(directory: Path, size: Size, progress: Progress) -> list[Figure]:
    """Start what is needed, measure, and stop it. Raises BenchError, DevclusterError."""
    with ExitStack() as stack:
        progress.begin("checks: start a cluster")
        cluster = Cluster(directory / "checks", scheduler=True, kwok=True)
        stack.enter_context(cluster)
        operator = LocalOperator(cluster, directory / "checks-operator")
        stack.callback(operator.children.kill_all)
        return uvloop.run(_Checks(cluster, operator, size, progress).measure())


@dataclass(frozen=True)
class _Checks:
    cluster: Cluster
    operator: LocalOperator
    size: Size
    progress: Progress

    async def measure(self) -> list[Figure]:
        """From the start of the controller until every instance has been checked."""
        seconds = []
        async with connect(self.cluster) as server:
            await self._create(server)
            for number in range(self.size.repetitions):
                self.progress.begin(f"checks: round {number + 1} of {self.size.repetitions}")
                await asyncio.to_thread(self.operator.start, "controller")
                await asyncio.to_thread(self.operator.wait_until_ready)
                started = time.monotonic()
                await until(
                    "every instance to be checked", _CHECKED_SECONDS, self._are_asked, every=0.25
                )
                seconds.append(time.monotonic() - started)
                await asyncio.to_thread(self.operator.stop, "controller")
        section = f"Checks: {self.size.instances:,} instances of Dependency-Track (fakes)"
        rates = [self.size.instances / each for each in seconds]
        return [
            Figure.of(section, "until every instance has been checked", "s", seconds, _MINUTE),
            Figure.of(section, "checks", "/s", rates),
        ]

    async def _create(self, server: Server) -> None:
        self.progress.begin("checks: create the workloads and their Services")
        for number in range(self.size.namespaces):
            await server.create(NAMESPACES, namespace(fleet_namespace(number)))
        secrets = [{"namespace": NAMESPACE, "names": ["dependency-track"]}]
        await asyncio.to_thread(self.operator.install, {"runtime": {"secrets": secrets}})
        await server.create(f"/api/v1/namespaces/{NAMESPACE}/secrets", _secret())
        async for count in server.create_all(self._objects()):
            self.progress.at(f"{count} of {2 * self.size.instances}")
        self.progress.begin("checks: wait for the pods")

        async def run() -> bool:
            names = await server.names("/api/v1/pods?fieldSelector=status.phase%3DRunning")
            return len(names) >= self.size.instances

        await until("every workload's pod to run", _PODS_SECONDS, run, every=2.0)
        self.progress.begin("checks: start the fakes")
        pods = (await server.get("/api/v1/pods"))["items"]
        places = [
            ProductAddress("dependency-track", pod["status"]["podIP"], _PORT)
            for pod in pods
            if pod["metadata"]["name"].startswith("instance-")
        ]
        await asyncio.to_thread(start_products, self.operator, places)
        await asyncio.to_thread(self.operator.start, "webhook")  # it validates policies
        await asyncio.to_thread(self.operator.wait_until_ready)
        await server.create(POLICIES, _asking_policy(self.size.namespaces))

    def _objects(self) -> Iterator[tuple[str, Manifest]]:
        for number in range(self.size.instances):
            place = fleet_namespace(number % self.size.namespaces)
            manifest = deployment(DEPENDENCY_TRACK, name=f"instance-{number:04}")
            selector = manifest["spec"]["selector"]["matchLabels"]
            yield deployments(place), manifest
            yield f"/api/v1/namespaces/{place}/services", _service(number, selector)

    async def _are_asked(self) -> bool:
        text = await asyncio.to_thread(self.operator.metrics, "controller")
        asked = sum(float(count) for _, count in _ASKED.findall(text))
        self.progress.at(f"{asked:.0f} of {self.size.instances}")
        return asked >= self.size.instances


def _service(number: int, selector: dict[str, str]) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": f"instance-{number:04}"},
        "spec": {"selector": selector, "ports": [{"name": "web", "port": _PORT}]},
    }


def _secret() -> Manifest:
    keys = CREDENTIALS["dependency-track"].items()
    data = {key: base64.b64encode(value.encode()).decode() for key, value in keys}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "dependency-track", "labels": {CREDENTIAL_LABEL: "true"}},
        "data": data,
    }


def _asking_policy(namespaces: int) -> Manifest:
    manifest = policy()
    spec: dict[str, Any] = manifest["spec"]
    reference = {"namespace": NAMESPACE, "name": "dependency-track"}
    credential = {
        "product": "dependency-track",
        "secretRef": reference,
        "namespaces": [fleet_namespace(number) for number in range(namespaces)],
        "requireTLS": False,
    }
    spec["runtime"] = {"credentials": [credential]}
    return manifest
