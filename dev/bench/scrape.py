"""The cost of a scrape of a large fleet: time, size, and memory of the scraped process.

``python -m dev.bench.scrape COUNT`` is that process: a server of metrics with so many workloads,
as the controller has them after it decided on each.
"""

from __future__ import annotations

import asyncio
import http.client
import re
import subprocess
import sys
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
from prometheus_client import CollectorRegistry

from dev.bench.errors import BenchError
from dev.bench.figures import Figure, Target
from dev.bench.manifests import PRODUCTS, deployment
from dev.bench.processes import NOW, PEAK, figure_on_linux, memory
from dev.bench.progress import Progress
from fleet_telemetry.api.policy import ClusterTelemetryPolicySpec, Policy, PolicyKind
from fleet_telemetry.api.product.setting import Setting
from fleet_telemetry.catalogue.catalogue import builtin
from fleet_telemetry.decision import Input, Plan, decide
from fleet_telemetry.evidence.verdict import Observation
from fleet_telemetry.reporting.fleet_metrics import FleetCollector, FleetSource, LastCheck
from fleet_telemetry.reporting.status_server import StatusServer
from fleet_telemetry.reporting.workload_metrics import render_workloads
from fleet_telemetry.workloads.reading import read_workload
from fleet_telemetry.workloads.workload import Pod, Workload, WorkloadRef

_TIME, _MEMORY = Target(1), Target(60)
_MEGABYTE = 1e6
_READY = re.compile(r"listening on (\d+)")
_PER_NAMESPACE = 50


@dataclass(frozen=True)
class Size:
    """How much is measured."""

    workloads: int
    repetitions: int

    @property
    def section(self) -> str:
        """The heading of what is measured."""
        return f"Scrape: {self.workloads:,} workloads, 2 channels each"


def measure(directory: Path, size: Size, progress: Progress) -> list[Figure]:
    """Start the process, scrape it, and end it. Raises BenchError."""
    del directory
    progress.begin("scrape: make the fleet")
    command = [sys.executable, "-m", "dev.bench.scrape", str(size.workloads)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            return list(_figures(server, size, progress))
        finally:
            server.kill()


def _figures(server: subprocess.Popen[str], size: Size, progress: Progress) -> Iterator[Figure]:
    assert server.stdout is not None
    ready = _READY.search(server.stdout.readline())
    if ready is None:
        raise BenchError("the process to scrape did not start")
    before = memory(server.pid, NOW)
    progress.begin("scrape: scrape")
    seconds, sizes, text = [], [], b""
    for number in range(size.repetitions):
        progress.at(f"{number + 1} of {size.repetitions}")
        started = time.perf_counter()
        body = _get(int(ready[1]))
        seconds.append(time.perf_counter() - started)
        sizes.append(len(body) / _MEGABYTE)
        text = zlib.decompress(body, 16 + zlib.MAX_WBITS)
    series = sum(not line.startswith(b"#") for line in text.splitlines())
    section = size.section
    yield Figure.of(section, "a scrape", "s", seconds, _TIME)
    yield Figure.of(section, "series", "", [series])
    yield Figure.of(section, "text", "MB", [len(text) / _MEGABYTE])
    yield Figure.of(section, "text as it is sent, compressed", "MB", sizes)
    name = "peak memory above that before the first scrape"
    peak = memory(server.pid, PEAK)
    grown = [peak - before] if peak is not None and before is not None else []
    yield figure_on_linux(section, name, "MB", grown, _MEMORY)


def _get(port: int) -> bytes:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("GET", "/metrics", headers={"Accept-Encoding": "gzip"})
        answer = connection.getresponse()
        body = answer.read()
        if answer.status != http.client.OK or answer.getheader("Content-Encoding") != "gzip":
            raise BenchError(f"the scrape was answered with {answer.status}")
        return body
    finally:
        connection.close()


# The process that is scraped


def _fleet(count: int) -> Iterator[tuple[WorkloadRef, Plan]]:
    """Decided one by one, as in the controller, so that they share no more objects than there."""
    now = datetime.now(UTC)
    catalogue = builtin()
    policy = Policy(
        kind=PolicyKind.CLUSTER,
        namespace="",
        name="opt-out",
        created=now,
        spec=msgspec.convert({"channels": ["Usage", "UpdateCheck"]}, ClusterTelemetryPolicySpec),
    )
    images = [image for image in PRODUCTS if _channels(image) >= 2]  # noqa: PLR2004  # as promised
    for number in range(count):
        manifest: dict[str, Any] = deployment(
            images[number % len(images)],
            name=f"workload-{number:05}",
            namespace=f"fleet-{number // _PER_NAMESPACE:04}",
            uid=f"uid-{number}",
        )
        workload = read_workload(manifest)
        assert workload is not None
        pod = _pod(workload)
        plan = decide(
            Input(workload=workload, policies=(policy,), catalogue=catalogue, now=now, pods=(pod,))
        )
        verdicts = tuple(
            replace(
                verdict,
                observations={
                    **verdict.observations,
                    "reported": Observation(Setting.DISABLED, Setting.DISABLED, now),
                },
            )
            for verdict in plan.verdicts[:2]
        )
        yield workload.ref, replace(plan, verdicts=verdicts)


def _channels(image: str) -> int:
    found = builtin().match_image(image, "api-server")
    return len(found.product.spec.channels) if found else 0


def _pod(workload: Workload) -> Pod:
    return Pod(name=f"{workload.ref.name}-1", uid="pod", template=workload.template)


async def _serve(count: int) -> None:
    fleet = list(_fleet(count))
    now = datetime.now(UTC)
    checks = [LastCheck(ref, plan.targets[0].product.name, "ok", now) for ref, plan in fleet]
    source = FleetSource(plans=lambda: fleet, checks=lambda: checks)
    registry = CollectorRegistry()
    registry.register(FleetCollector(source))
    server = StatusServer(registry, alive=str, ready=str)
    server.add_metrics(lambda: render_workloads(source))
    await server.start("127.0.0.1", 0)
    print(f"listening on {server.port}", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1])))
