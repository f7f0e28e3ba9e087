"""Reads one workload of a cluster, with all that explains it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace as with_changes
from typing import Any

from msgspec.structs import replace

from fleet_telemetry.audit.cluster.failures import failure_of
from fleet_telemetry.audit.cluster.gathering import ClusterReader, GatheringRequest, connect_first
from fleet_telemetry.audit.cluster.progress import GatheringProgress
from fleet_telemetry.audit.explaining.explain import explain
from fleet_telemetry.audit.explaining.explanation import (
    ExplainedWorkload,
    Explanation,
    Happened,
)
from fleet_telemetry.audit.explaining.reference import Reference
from fleet_telemetry.audit.result import Problem
from fleet_telemetry.audit.sources import Definitions
from fleet_telemetry.audit.subject import Other, Subject, workloads_in
from fleet_telemetry.catalogue.catalogue import builtin
from fleet_telemetry.catalogue.combining import combine
from fleet_telemetry.kube import kinds
from fleet_telemetry.kube.client import ApiError, KubernetesClient
from fleet_telemetry.kube.connecting import Connection
from fleet_telemetry.kube.events import REPORTING_CONTROLLER
from fleet_telemetry.objects.kind import Kind
from fleet_telemetry.objects.manifest import Manifest, read_time, text_at
from fleet_telemetry.objects.text import printable
from fleet_telemetry.workloads.owner import read_controller
from fleet_telemetry.workloads.reading import read_workload_or_part
from fleet_telemetry.workloads.registry import kind_of_owner, whole_of
from fleet_telemetry.workloads.template_reading import read_template

_MOST_EVENTS = 20
_EVENTS = 500
"""Read of one workload; the API server keeps them for an hour."""
_MOST_OWNERS = 4
_LONGEST = 300


Define = Callable[[str], tuple[Definitions, list[Problem]]]
"""The policies and products to apply over those of the cluster, and what is wrong with them. It
gets the namespace of what names none."""


def explain_in_cluster(
    request: GatheringRequest,
    reference: Reference,
    progress: GatheringProgress,
    define: Define | None = None,
) -> Explanation:
    """The explanation. Nothing is raised: what cannot be read is a problem of it. Only the first
    context and the first namespace of the request count; by default the current ones."""
    try:
        return asyncio.run(_explain(request, reference, progress, define))
    finally:
        progress.clear()


async def _explain(
    request: GatheringRequest,
    reference: Reference,
    progress: GatheringProgress,
    define: Define | None,
) -> Explanation:
    connection = await connect_first(request)
    if isinstance(connection, Problem):
        return _nothing(request, reference, "", connection)
    namespace = next(iter(request.namespaces), connection.namespace)
    try:
        own = with_changes(request, namespaces=(namespace,))
        problems: list[Problem] = []
        if define is not None:
            # It reads files.
            definitions, problems = await asyncio.to_thread(define, namespace)
            own = with_changes(own, definitions=definitions)
        explained = await _Reading(connection, own, namespace, progress).explain(reference)
        return replace(explained, problems=(*problems, *explained.problems))
    finally:
        await connection.client.close()


def _nothing(
    request: GatheringRequest, reference: Reference, namespace: str, problem: Problem
) -> Explanation:
    workload = ExplainedWorkload(namespace=namespace, kind=reference.kind.kind, name=reference.name)
    return Explanation(
        time=request.now, place=problem.place, workload=workload, problems=(problem,)
    )


class _Reading:
    def __init__(
        self,
        connection: Connection,
        request: GatheringRequest,
        namespace: str,
        progress: GatheringProgress,
    ) -> None:
        self._connection = connection
        self._request = request
        self._namespace = namespace
        self._reader = ClusterReader(connection, request, progress)

    @property
    def _client(self) -> KubernetesClient:
        return self._connection.client

    async def explain(self, reference: Reference) -> Explanation:
        try:
            found = await self._find_whole(reference)
        except ApiError as error:
            failure = failure_of(error, self._connection.server)
            what = f"{reference} in namespace {self._namespace} cannot be read: {failure.what}"
            return self._failed(reference, what, failure.advice)
        if found is None:
            what = f"there is no {reference} in namespace {printable(self._namespace, _LONGEST)}"
            return self._failed(reference, what, "correct the name, or the namespace with -n")
        kind, manifest = found
        source = await self._reader.read()
        name, uid = (text_at(manifest, "metadata", key) for key in ("name", "uid"))
        subjects = list(source.subjects)
        named = (one for one in subjects if _is(one, kind, name))
        subject = next(named, None) or self._without_product(kind, manifest)
        definitions = self._request.definitions.over(source.definitions)
        catalogue = combine(builtin(), (one for _, one in definitions.products)).catalogue
        history = await self._history(kind, name, uid)
        return explain(
            subject,
            definitions,
            catalogue,
            self._request.now,
            scope=source.scope,
            workloads=workloads_in(subjects),
            history=history,
            problems=dict.fromkeys(source.problems),
        )

    def _failed(self, reference: Reference, what: str, advice: str) -> Explanation:
        problem = Problem(place=self._reader.place, what=what, advice=advice)
        return _nothing(self._request, reference, self._namespace, problem)

    async def _find_whole(self, reference: Reference) -> tuple[Kind, dict[str, Any]] | None:
        """The object, or the workload that it is a part or a pod of. Raises ApiError."""
        kind = reference.kind
        manifest = await self._client.find(kind, reference.name, self._namespace)
        for _ in range(_MOST_OWNERS):
            if manifest is None:
                return None
            controller = read_controller(manifest)
            owner = kind_of_owner(controller) if controller is not None else None
            is_part = kind.kind == kinds.POD.kind or whole_of(kind, controller) is not None
            if controller is None or owner is None or not is_part:
                break
            above = await self._client.find(owner.type.api, controller.name, self._namespace)
            if above is None or text_at(above, "metadata", "uid") != controller.uid:
                break
            kind, manifest = owner.type.api, above
        return None if manifest is None else (kind, {"kind": kind.kind, **manifest})

    def _without_product(self, kind: Kind, manifest: Manifest) -> Subject | Other:
        workload = read_workload_or_part(manifest)
        if workload is not None:
            return Subject(self._reader.place, workload)
        name = text_at(manifest, "metadata", "name")
        template = read_template(manifest)
        return Other(self._reader.place, self._namespace, kind.kind, name, template)

    async def _history(self, kind: Kind, name: str, uid: str) -> list[Happened]:
        """The newest Events that an operator wrote about the workload."""
        fields = f"regarding.kind={kind.kind},regarding.name={name}"
        try:
            page = await self._client.page(
                kinds.EVENT, self._namespace, size=_EVENTS, fields=fields
            )
        except ApiError as error:
            failure = failure_of(error, self._connection.server)
            self._reader.problems.append(
                Problem(
                    place=self._reader.place,
                    what=f"no events read: {failure.what}",
                    advice=failure.advice,
                )
            )
            return []
        found = [
            Happened(
                time=read_time(text_at(event, "eventTime")),
                reason=text_at(event, "reason"),
                note=text_at(event, "note"),
                warning=event.get("type") == "Warning",
            )
            for event in page.items
            if event.get("reportingController") == REPORTING_CONTROLLER
            and text_at(event, "regarding", "uid") in ("", uid)
        ]
        found.sort(key=lambda one: (one.time.isoformat() if one.time else "", one.reason))
        return found[-_MOST_EVENTS:]


def _is(one: Subject | Other, kind: Kind, name: str) -> bool:
    if isinstance(one, Other):
        return (one.kind, one.name) == (kind.kind, name)
    return (one.workload.ref.kind, one.workload.ref.name) == (kind.kind, name)
