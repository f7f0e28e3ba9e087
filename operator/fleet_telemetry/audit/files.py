"""Workloads of manifests in files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import yaml

from fleet_telemetry.audit.result import Place
from fleet_telemetry.audit.sources import Gathered
from fleet_telemetry.audit.subject import Subject
from fleet_telemetry.objects.manifest import Manifest, dig
from fleet_telemetry.workloads.reading import read_pod, read_workload
from fleet_telemetry.workloads.registry import TEMPLATE_PATHS
from fleet_telemetry.workloads.workload import Pod


def gather_files(files: Iterable[Path]) -> Gathered:
    """The manifests in files."""
    return Gathered(_subjects(files))


def _subjects(files: Iterable[Path]) -> Iterator[Subject]:
    for file in files:
        for manifest in yaml.safe_load_all(file.read_bytes()):
            workload = read_workload(manifest) if isinstance(manifest, dict) else None
            if workload is not None:
                yield Subject(Place(file=str(file)), workload, pods=(_pod_of(manifest),))


def _pod_of(manifest: Manifest) -> Pod:
    """A pod that the workload would start as it is written."""
    metadata = {"name": "as-written", "uid": "as-written"}
    spec = dig(manifest, *TEMPLATE_PATHS[manifest["kind"]], "spec")
    return read_pod(
        {"kind": "Pod", "metadata": metadata, "spec": spec, "status": {"phase": "Running"}}
    )
