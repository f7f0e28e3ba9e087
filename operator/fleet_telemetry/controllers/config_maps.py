"""Reads the ConfigMaps that workloads take variables from: few of each, and no more often than
pods start.

A ConfigMap is read when a workload that refers to it is first reconciled, and again when a pod of
it has started: what it held before says nothing of that pod. Beyond that all are read every few
minutes, one after the other. A watch would need the right to list all ConfigMaps.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field

from fleet_telemetry.controllers.keys import ReconcileKey
from fleet_telemetry.evidence.config_maps import (
    ABSENT,
    ConfigMapFacts,
    ConfigMaps,
    read_config_map,
)
from fleet_telemetry.kube.client import ApiError, KubernetesClient
from fleet_telemetry.kube.kinds import CONFIG_MAP
from fleet_telemetry.kube.store import ObjectKey
from fleet_telemetry.objects.manifest import Manifest, text_at
from fleet_telemetry.workloads.workload import WorkloadRef

_log = logging.getLogger(__name__)

INTERVAL_SECONDS = 300.0
RETRY_SECONDS = 30.0
"""After a failure."""
PAUSE_SECONDS = 0.1
"""Between two requests of the regular reading."""
OLDEST_SECONDS = 1800.0
"""How long what was read counts while it cannot be read again."""

Enqueue = Callable[[ReconcileKey], None]
Start = Hashable
"""A start of a pod's containers."""


@dataclass
class _Known:
    """A ConfigMap, and what is known of it."""

    facts: ConfigMapFacts | None = None
    """None: it could not be read."""
    version: tuple[str, str] = ("", "")
    """The uid and the resource version of what was read."""
    read_at: float = 0.0
    """When it was last read, in seconds."""
    due_at: float = 0.0
    """When it is to be read again; 0: it was never tried."""
    reading: asyncio.Lock = field(default_factory=asyncio.Lock)
    failed: bool = False
    """It could not be read the last time."""
    readers: dict[WorkloadRef, frozenset[Start]] = field(default_factory=dict)
    """With the starts that were known when it was last read: what it held says nothing of later
    ones."""


class ConfigMapReader:
    """What is known of the ConfigMaps of all workloads that refer to one."""

    def __init__(
        self,
        client: KubernetesClient,
        enqueue: Enqueue,
        *,
        interval: float = INTERVAL_SECONDS,
        pause: float = PAUSE_SECONDS,
    ) -> None:
        """``enqueue`` gets every workload of which a ConfigMap changed. Times are in seconds."""
        self._client = client
        self._enqueue = enqueue
        self._interval = interval
        self._pause = pause
        self._known: dict[ObjectKey, _Known] = {}
        self._names: dict[WorkloadRef, frozenset[str]] = {}
        self._starts: dict[WorkloadRef, frozenset[Start]] = {}
        self._warned = False

    async def read(
        self, ref: WorkloadRef, names: Iterable[str], starts: Iterable[Start] = ()
    ) -> None:
        """Read the ConfigMaps of these names that are new, and all if a pod has started since."""
        wanted = frozenset(names)
        self._refer(ref, wanted)
        self._starts[ref] = frozenset(starts)
        for name in sorted(wanted):
            key = ref.namespace, name
            known = self._known[key]
            async with known.reading:
                if not self._is_covered(ref, known) and not (
                    known.failed and _clock() < known.due_at
                ):
                    await self._read(key, known)

    def known(self, ref: WorkloadRef) -> ConfigMaps:
        """The ConfigMaps of a workload as they were last read."""
        found = {}
        for name in self._names.get(ref, ()):
            known = self._known[ref.namespace, name]
            if known.facts is not None and self._is_covered(ref, known):
                found[name] = known.facts
        return found

    def _is_covered(self, ref: WorkloadRef, known: _Known) -> bool:
        """Whether it was read since all starts of the workload's pods that are known."""
        read = known.due_at > 0.0 and known.facts is not None
        return read and self._starts.get(ref, frozenset()) <= known.readers[ref]

    def forget(self, ref: WorkloadRef) -> None:
        """A workload is gone, or refers to none."""
        self._refer(ref, frozenset())

    async def run(self) -> None:
        """Read them again and again, until cancelled."""
        try:
            while True:
                await asyncio.sleep(self._pause)
                due = self._next()
                if due is None:
                    await asyncio.sleep(min(1.0, self._interval))
                    continue
                known = self._known[due]
                async with known.reading:
                    before = self._seen(known)
                    await self._read(due, known)
                    after = self._seen(known)
                for ref in after:
                    if ref in before and before[ref] != after[ref]:
                        self._enqueue(ref)
        finally:
            # Another replica may lead, and know more by the time that this one does again.
            self._known.clear()
            self._names.clear()
            self._starts.clear()

    def _seen(self, known: _Known) -> dict[WorkloadRef, ConfigMapFacts | None]:
        """What each workload sees of it."""
        return {ref: known.facts if self._is_covered(ref, known) else None for ref in known.readers}

    def _refer(self, ref: WorkloadRef, names: frozenset[str]) -> None:
        before = self._names.pop(ref, frozenset())
        for name in before - names:
            key = ref.namespace, name
            known = self._known[key]
            known.readers.pop(ref, None)
            if not known.readers:
                del self._known[key]
        for name in names:
            known = self._known.setdefault((ref.namespace, name), _Known())
            known.readers.setdefault(ref, frozenset())
        if names:
            self._names[ref] = names
        else:
            self._starts.pop(ref, None)

    def _next(self) -> ObjectKey | None:
        """The one that waits longest, if its time has come."""
        tried = [key for key, one in self._known.items() if one.due_at]
        key = min(tried, key=lambda one: self._known[one].due_at, default=None)
        return key if key is not None and self._known[key].due_at <= _clock() else None

    async def _read(self, key: ObjectKey, known: _Known) -> None:
        namespace, name = key
        starts = {ref: self._starts.get(ref, frozenset()) for ref in known.readers}
        try:
            manifest = await self._client.find(CONFIG_MAP, name, namespace)
        except ApiError as error:
            level = logging.DEBUG if self._warned else logging.WARNING
            self._warned = True
            _log.log(
                level,
                "the ConfigMap %s/%s cannot be read, so it is no evidence: %s",
                namespace,
                name,
                error,
            )
            if error.is_forbidden or _clock() - known.read_at > OLDEST_SECONDS:
                known.facts, known.version = None, ("", "")
            known.due_at = _clock() + min(RETRY_SECONDS, self._interval)
            known.failed = True
        else:
            self._warned = known.failed = False
            known.readers |= {ref: seen for ref, seen in starts.items() if ref in known.readers}
            self._take(known, manifest)
            known.read_at = _clock()
            known.due_at = known.read_at + self._interval

    def _take(self, known: _Known, manifest: Manifest | None) -> None:
        if manifest is None:
            known.facts, known.version = ABSENT, ("", "")
            return
        version = tuple(text_at(manifest, "metadata", one) for one in ("uid", "resourceVersion"))
        if known.facts is None or not all(version) or version != known.version:
            known.facts = read_config_map(manifest)
            known.version = version[0], version[1]


def _clock() -> float:
    return asyncio.get_running_loop().time()
