"""How fast manifests in files and a large cluster are audited, with how much memory, and how long
the least audit takes.

Each audit is a process of its own, as a user starts it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

from dev.bench.audited_server import audited_server
from dev.bench.errors import BenchError
from dev.bench.figures import Figure, Target
from dev.bench.manifests import NO_PRODUCT, PRODUCTS, Manifest, deployment
from dev.bench.progress import Progress

_SECTION = "Audit of files"
_CLUSTERS = "Audit of a cluster"
_KILOBYTES = 1 << 10
_COMMAND = (sys.executable, "-m", "fleet_telemetry.cli.main", "audit")
_WITH_PRODUCT = 5
"""Every fifth workload runs a product."""


@dataclass(frozen=True)
class Size:
    """How much is measured."""

    manifests: int
    repetitions: int


@dataclass(frozen=True)
class _Run:
    seconds: float
    processor: float
    """Seconds of CPU time."""
    megabytes: float


def measure(directory: Path, size: Size, progress: Progress) -> list[Figure]:
    """Measure, and return the figures."""
    figures = []
    for name, kinds in (("as charts write them", 5), ("workloads alone", 1)):
        progress.begin(f"audit: {size.manifests} manifests, {name}")
        file = directory / f"manifests-{kinds}.yaml"
        with file.open("w") as out:
            out.writelines(_texts(size.manifests, kinds))
        runs = [_run(directory, str(file), "-o", "json") for _ in range(size.repetitions)]
        is_target = kinds > 1
        figures += [
            Figure.of(
                _SECTION,
                f"manifests, {name}",
                "/s",
                [size.manifests / one.processor for one in runs],
                Target(2000, at_least=True) if is_target else None,
            ),
            Figure.of(
                _SECTION,
                f"peak memory, {name}",
                "MB",
                [one.megabytes for one in runs],
                Target(200),
            ),
        ]
    figures += _clusters(directory, size, progress)
    small = directory / "small.yaml"
    small.write_text("".join(_texts(5, 5)))
    progress.begin("audit: one small file")
    starts = [_run(directory, str(small)).seconds * 1000 for _ in range(max(5, size.repetitions))]
    figures.append(Figure.of(_SECTION, "one small file, whole process", "ms", starts, Target(500)))
    return figures


def _clusters(directory: Path, size: Size, progress: Progress) -> list[Figure]:
    """A cluster in which nothing is installed, with a ReplicaSet and a pod of each workload."""
    progress.begin(f"audit: a cluster of {size.manifests} workloads")
    with audited_server(directory, size.manifests) as kubeconfig:
        words = (f"--kubeconfig={kubeconfig}", "-o", "json")
        runs = [_run(directory, *words) for _ in range(size.repetitions)]
    found = json.loads((directory / "output").read_text())
    if found["coverage"]["workloads"] != size.manifests or found["problems"]:
        raise BenchError("the audit of the cluster is not complete")
    name = f"cluster of {size.manifests:,} workloads"
    return [
        Figure.of(_CLUSTERS, name, "s", [one.seconds for one in runs], Target(30)),
        Figure.of(_CLUSTERS, f"peak memory, {name}", "MB", [one.megabytes for one in runs]),
    ]


def _run(directory: Path, *arguments: str) -> _Run:
    """One audit. The time is that of the process; of its CPU time, the start is a part."""
    with (directory / "output").open("w") as out:
        begin = time.perf_counter()
        process = subprocess.Popen([*_COMMAND, *arguments], stdout=out)
        _, status, used = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - begin
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in (0, 2, 3):
        raise BenchError(f"the audit ended with the status {process.returncode}")
    return _Run(seconds, used.ru_utime + used.ru_stime, used.ru_maxrss / _KILOBYTES)


class _Writer(yaml.SafeDumper):
    """Writes no anchors, as no chart does. A document with anchors is read more slowly."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002  # PyYAML decides on the arguments
        return True


def _texts(count: int, kinds: int) -> Iterator[str]:
    """Documents: of each ``kinds`` two are a Deployment, or all if that is 1."""
    templates: dict[tuple[int, str], str] = {}
    for number in range(count):
        part = number % kinds
        workload = number // kinds
        is_product = workload % _WITH_PRODUCT == 0
        image = PRODUCTS[workload // _WITH_PRODUCT % len(PRODUCTS)] if is_product else NO_PRODUCT
        key = part, image
        if key not in templates:
            templates[key] = yaml.dump(_manifest(part, image), Dumper=_Writer)
        yield f"---\n{templates[key].replace('NAME', f'app-{number}')}"


def _manifest(part: int, image: str) -> Manifest:
    if part < 2:  # noqa: PLR2004
        return deployment(image, name="NAME")
    labels = {"app.kubernetes.io/name": "NAME", "app.kubernetes.io/managed-by": "Helm"}
    metadata = {"name": "NAME", "labels": labels}
    if part == 2:  # noqa: PLR2004
        port = {"name": "http", "port": 80, "targetPort": "http", "protocol": "TCP"}
        spec = {"selector": labels, "type": "ClusterIP", "ports": [port]}
        return {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec}
    if part == 3:  # noqa: PLR2004
        data = {"application.properties": "server.port=8080\nlogging.level=INFO\n" * 20}
        return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}
