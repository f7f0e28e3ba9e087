"""The response to an admission request: a pure function of the request and the cache."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from fleet_telemetry.decision import Input, plan_injection
from fleet_telemetry.kube.cache import ClusterCache
from fleet_telemetry.objects.manifest import Manifest, dig, mapping_at, text_at
from fleet_telemetry.reporting.changes import warning_for
from fleet_telemetry.switches.edits import Edit, SkippedEdit, Trigger
from fleet_telemetry.switches.mechanism import Operation
from fleet_telemetry.switches.patch import build_patch
from fleet_telemetry.switches.recorded import Recorded
from fleet_telemetry.switches.suspend import disown_suspension
from fleet_telemetry.workloads.field_owner_reading import read_field_owners
from fleet_telemetry.workloads.owner import read_controller
from fleet_telemetry.workloads.reading import read_workload
from fleet_telemetry.workloads.registry import TEMPLATE_PATHS, WorkloadKind
from fleet_telemetry.workloads.template_reading import read_template
from fleet_telemetry.workloads.workload import NO_OP_PATCH_MANAGER, Workload


@dataclass(frozen=True, slots=True)
class AdmissionResult:
    """The patch and the warnings of a response. No request is denied."""

    patch: tuple[Operation, ...] = ()
    warnings: tuple[str, ...] = ()
    changes: tuple[Edit | SkippedEdit, ...] = ()
    """The edits and skipped edits behind both."""
    workload: Workload | None = None
    """The workload of the request, or the owner of its pod; None if there are no changes."""
    before: Workload | None = None
    """The workload before the update."""
    is_pod: bool = False
    """The request is about a pod of the workload."""
    is_final: bool = True
    """No other part of the operator reports these changes."""


NOTHING = AdmissionResult()
_SUSPENDING = frozenset(kind.value for kind in WorkloadKind if kind.type.suspends)


def review_workload(request: Manifest, cache: ClusterCache, now: datetime) -> AdmissionResult:
    """Review a workload that is created or updated."""
    manifest = _with_namespace(request, "object")
    workload = read_workload(manifest)
    trigger = _trigger(request)
    if workload is None or trigger is None:
        return NOTHING
    old = mapping_at(request, "oldObject")
    given = Input(
        workload=workload,
        policies=cache.policies_for(workload.ref.namespace),
        catalogue=cache.catalogue,
        now=now,
        trigger=trigger,
        namespace_labels=cache.labels_of(workload.ref.namespace),
        before=read_workload(_with_namespace(request, "oldObject")) if old else None,
        recorded=Recorded(cache.ever_injected_into(workload)),
    )
    return _answer(given, manifest, workload.ref.kind.type.template_path)


def review_pod(
    request: Manifest, owner: Workload, cache: ClusterCache, now: datetime
) -> AdmissionResult:
    """Review a pod that its workload creates."""
    manifest = mapping_at(request, "object")
    as_pod = replace(
        owner,
        template=read_template(manifest),
        field_owners=read_field_owners(mapping_at(manifest, "metadata"), ()),
    )
    given = Input(
        workload=as_pod,
        policies=cache.policies_for(owner.ref.namespace),
        catalogue=cache.catalogue,
        now=now,
        trigger=Trigger.CREATE,
        namespace_labels=cache.labels_of(owner.ref.namespace),
        is_pod=True,
        origin=cache.fleet.origin_of(
            owner.ref.namespace, read_controller(manifest), as_pod.template
        ),
    )
    return _answer(given, manifest, ())


def _trigger(request: Manifest) -> Trigger | None:
    """The trigger; None if neither the pod template changes nor whether a CronJob is suspended."""
    if request.get("operation") == "CREATE":
        return Trigger.CREATE
    kind = str(dig(request, "kind", "kind"))
    path = TEMPLATE_PATHS.get(kind, ())
    if kind in _SUSPENDING and _is_suspended(request, "object") is not _is_suspended(
        request, "oldObject"
    ):
        return Trigger.UPDATE
    if dig(request, "object", *path) != dig(request, "oldObject", *path):
        return Trigger.UPDATE
    # The controller sends a no-op patch so that admission edits the workload. A no-op patch of
    # another client gets no more than the policy permits the controller.
    if dig(request, "options", "fieldManager") == NO_OP_PATCH_MANAGER:
        return Trigger.RECONCILE
    return None


def _is_suspended(request: Manifest, key: str) -> bool:
    return dig(request, key, "spec", "suspend") is True


def _with_namespace(request: Manifest, key: str) -> dict[str, Any]:
    """The manifest with the namespace of the request, which the object may omit."""
    manifest = dict(mapping_at(request, key))
    metadata = dict(mapping_at(manifest, "metadata"))
    metadata["namespace"] = request.get("namespace", "")
    return {**manifest, "metadata": metadata}


def _answer(given: Input, manifest: Manifest, path: tuple[str, ...]) -> AdmissionResult:
    plan = plan_injection(given)
    if not plan.changes:
        return NOTHING
    ref = given.workload.ref
    # kubectl shows equal warnings of several objects once.
    workload = f"{ref.kind} {ref.namespace}/{_name_of(manifest, given)}"
    return AdmissionResult(
        patch=(
            *build_patch(manifest, path, plan.edits),
            *disown_suspension(manifest, plan.edits),
        ),
        warnings=tuple(warning_for(change, workload) for change in plan.changes),
        changes=plan.changes,
        workload=given.workload,
        before=given.before,
        is_pod=given.is_pod,
        # The controller reports what it asked for by a no-op patch.
        is_final=given.trigger is not Trigger.RECONCILE,
    )


def _name_of(manifest: Manifest, given: Input) -> str:
    """The workload's name, or the prefix from which the API server makes one."""
    prefix = text_at(manifest, "metadata", "generateName")
    return given.workload.ref.name or (f"{prefix}..." if prefix else "")
