"""Events on workloads and policies."""

from __future__ import annotations

import logging
import os
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from fleet_telemetry.kube import kinds
from fleet_telemetry.kube.client import ApiError, KubernetesClient
from fleet_telemetry.objects.text import printable
from fleet_telemetry.workloads.workload import FIELD_MANAGER, WorkloadRef

_log = logging.getLogger(__name__)

REPORTING_CONTROLLER = "fleettelemetry.io/controller"
"""What marks an Event as one of ours."""
LONGEST_NOTE = 1024
_CLUSTER_SCOPED_NAMESPACE = "default"
"""The namespace for events on cluster-scoped objects; `kubectl describe` reads them from there."""


@dataclass(frozen=True, slots=True)
class Regarding:
    """The object that an event is about."""

    api_version: str
    kind: str
    namespace: str
    """Empty for a cluster-scoped object."""
    name: str
    uid: str = ""
    """`kubectl describe` shows only events that carry the object's uid."""

    def __str__(self) -> str:
        return "/".join(filter(None, (self.namespace, self.kind, self.name)))


def regarding_workload(ref: WorkloadRef, uid: str) -> Regarding:
    """The reference to a workload, for an event on it."""
    api_version = kinds.WORKLOAD_BY_KIND[ref.kind].api_version
    return Regarding(api_version, ref.kind, ref.namespace, ref.name, uid)


class EventRecorder:
    """Creates events. A failure to create one is logged and has no other effect."""

    def __init__(self, client: KubernetesClient, now: Callable[[], datetime]) -> None:
        self._client = client
        self._now = now
        self._instance = os.environ.get("HOSTNAME") or FIELD_MANAGER

    async def event(
        self, regarding: Regarding, reason: str, note: str, *, warning: bool = False
    ) -> None:
        """Create an event on an object. ``note`` is put on one line, and cut to 1024
        characters."""
        namespace = regarding.namespace or _CLUSTER_SCOPED_NAMESPACE
        manifest = {
            "apiVersion": kinds.EVENT.api_version,
            "kind": kinds.EVENT.kind,
            "metadata": {
                "name": f"{regarding.name[:200].rstrip('-.')}.{uuid.uuid4().hex[:16]}",
                "namespace": namespace,
            },
            "eventTime": self._now().strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "type": "Warning" if warning else "Normal",
            "reason": reason,
            "action": "CheckTelemetry",
            "note": printable(note, LONGEST_NOTE),
            "regarding": {
                "apiVersion": regarding.api_version,
                "kind": regarding.kind,
                "name": regarding.name,
                **({"namespace": regarding.namespace} if regarding.namespace else {}),
                **({"uid": regarding.uid} if regarding.uid else {}),
            },
            "reportingController": REPORTING_CONTROLLER,
            "reportingInstance": self._instance,
        }
        _log.info("%s: %s: %s", regarding, reason, note)
        try:
            await self._client.create(kinds.EVENT, manifest, namespace)
        except ApiError as error:
            _log.warning("%s: cannot create the event %s: %s", regarding, reason, error)
