"""Workloads of manifests in files."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

import yaml

from fleet_telemetry.audit.judging import decide_on, findings_of
from fleet_telemetry.audit.result import Audit, Finding, Place, in_order
from fleet_telemetry.audit.subject import Subject
from fleet_telemetry.catalogue.catalogue import builtin
from fleet_telemetry.objects.manifest import Manifest, dig
from fleet_telemetry.workloads.reading import read_pod, read_workload
from fleet_telemetry.workloads.registry import TEMPLATE_PATHS
from fleet_telemetry.workloads.workload import Pod


def audit_files(files: Iterable[Path], now: datetime) -> Audit:
    """The audit of the manifests in files."""
    findings: list[Finding] = []
    for file in files:
        for manifest in yaml.safe_load_all(file.read_bytes()):
            workload = read_workload(manifest) if isinstance(manifest, dict) else None
            if workload is None:
                continue
            subject = Subject(Place(file=str(file)), workload, pods=(_pod_of(manifest),))
            findings += findings_of(subject, decide_on(subject, (), builtin(), now))
    return Audit(time=now, findings=in_order(findings))


def _pod_of(manifest: Manifest) -> Pod:
    """A pod that the workload would start as it is written."""
    metadata = {"name": "as-written", "uid": "as-written"}
    spec = dig(manifest, *TEMPLATE_PATHS[manifest["kind"]], "spec")
    return read_pod(
        {"kind": "Pod", "metadata": metadata, "spec": spec, "status": {"phase": "Running"}}
    )
