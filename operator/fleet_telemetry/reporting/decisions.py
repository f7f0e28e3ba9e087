"""One log line for each decision, with what identifies the object.

No line has values of variables. With ``--log-format=json`` each field has its own name.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from fleet_telemetry.api.workload_telemetry import ChannelStatus, WorkloadTelemetryStatus
from fleet_telemetry.objects.manifest import Manifest, dig
from fleet_telemetry.switches.edits import Edit, SkippedEdit
from fleet_telemetry.workloads.workload import Workload

_log = logging.getLogger("fleet_telemetry.decisions")


def log_admission(request: Manifest, changes: Sequence[Edit | SkippedEdit], seconds: float) -> None:
    """Log the edits and skipped edits of an admission."""
    changed = sorted(f"{change.cause} {change.name}" for change in changes)
    if not changed:
        return
    fields = {
        "operation": str(request.get("operation", "")),
        "object_namespace": str(request.get("namespace", "")),
        "object_kind": str(dig(request, "kind", "kind") or ""),
        "object_name": str(request.get("name") or dig(request, "object", "metadata", "name") or ""),
        # The API server's audit log has the same.
        "request_uid": str(request.get("uid", "")),
        "dry_run": bool(request.get("dryRun")),
        "changes": changed,
        "policies": sorted({str(change.policy) for change in changes if change.policy}),
        "milliseconds": round(seconds * 1000, 2),
    }
    _log.info(
        "admission: %(operation)s %(object_namespace)s/%(object_kind)s/%(object_name)s: "
        "%(changed)s",
        {**fields, "changed": ", ".join(changed)},
        extra=fields,
    )


def log_verdicts(
    workload: Workload, before: WorkloadTelemetryStatus | None, after: WorkloadTelemetryStatus
) -> None:
    """Log the verdict of each channel whose state or reason changed."""
    known = _by_channel(before)
    for key, channel in _by_channel(after).items():
        was = known.get(key)
        if was is not None and (was.state, was.reason) == (channel.state, channel.reason):
            continue
        policy = f"{after.policy.kind} {after.policy.name}" if after.policy else ""
        fields = {
            "object_namespace": workload.ref.namespace,
            "object_kind": str(workload.ref.kind),
            "object_name": workload.ref.name,
            "object_uid": workload.uid,
            "product": key[0],
            "version": after.version or "",
            "channel": str(channel.name),
            "state": str(channel.state or ""),
            "reason": channel.reason or "",
            "before": str(was.state or "") if was else "",
            "policy": policy,
        }
        verdict = f"{channel.state} ({channel.reason})" if channel.state else "under no policy"
        _log.info(
            "verdict: %s: %s %s: %s", workload.ref, key[0], channel.name, verdict, extra=fields
        )


def _by_channel(
    record: WorkloadTelemetryStatus | None,
) -> Mapping[tuple[str, Any], ChannelStatus]:
    if record is None:
        return {}
    return {
        (channel.product or record.product or "", channel.name): channel
        for channel in record.channels
    }
