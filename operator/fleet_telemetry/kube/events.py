"""Events on workloads and policies, for what a person would want to know."""

from __future__ import annotations

import logging
import os
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from fleet_telemetry.kube import kinds
from fleet_telemetry.kube.client import ApiError, KubernetesClient
from fleet_telemetry.workloads.workload import FIELD_MANAGER, WorkloadRef

_log = logging.getLogger(__name__)

_LONGEST_NOTE = 1024


_NAMESPACE_OF_OTHERS = "default"
"""Events on cluster-scoped objects are kept there, and `kubectl describe` looks for them there."""


@dataclass(frozen=True, slots=True)
class Regarding:
    """What an event is about."""

    api_version: str
    kind: str
    namespace: str
    name: str
    uid: str = ""

    def __str__(self) -> str:
        return "/".join(filter(None, (self.namespace, self.kind, self.name)))


class EventRecorder:
    """Writes events. One that cannot be written is logged, and stops nothing."""

    def __init__(self, client: KubernetesClient, now: Callable[[], datetime]) -> None:
        self._client = client
        self._now = now
        self._instance = os.environ.get("HOSTNAME") or FIELD_MANAGER

    async def tell(
        self, ref: WorkloadRef, reason: str, note: str, *, uid: str = "", warning: bool = False
    ) -> None:
        """Write an event on a workload."""
        api_version = kinds.WORKLOAD_BY_KIND[ref.kind].api_version
        regarding = Regarding(api_version, ref.kind, ref.namespace, ref.name, uid)
        await self.tell_of(regarding, reason, note, warning=warning)

    async def tell_of(
        self, ref: Regarding, reason: str, note: str, *, warning: bool = False
    ) -> None:
        """Write an event on any object."""
        manifest = {
            "apiVersion": kinds.EVENT.api_version,
            "kind": kinds.EVENT.kind,
            "metadata": {
                "name": f"{ref.name[:200].rstrip('-.')}.{uuid.uuid4().hex[:16]}",
                "namespace": ref.namespace or _NAMESPACE_OF_OTHERS,
            },
            "eventTime": self._now().strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "type": "Warning" if warning else "Normal",
            "reason": reason,
            "action": "CheckTelemetry",
            "note": note[:_LONGEST_NOTE],
            "regarding": {
                "apiVersion": ref.api_version,
                "kind": ref.kind,
                "name": ref.name,
                **({"namespace": ref.namespace} if ref.namespace else {}),
                **({"uid": ref.uid} if ref.uid else {}),
            },
            "reportingController": "fleettelemetry.io/controller",
            "reportingInstance": self._instance,
        }
        _log.info("%s: %s: %s", ref, reason, note)
        try:
            namespace = ref.namespace or _NAMESPACE_OF_OTHERS
            await self._client.create(kinds.EVENT, manifest, namespace)
        except ApiError as error:
            _log.warning("%s: the event %s could not be written: %s", ref, reason, error)
