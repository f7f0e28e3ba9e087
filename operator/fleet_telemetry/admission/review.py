"""The response to an admission request: a pure function of the request and the cache."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from fleet_telemetry.decision import Input, plan_injection
from fleet_telemetry.kube.cache import ClusterCache
from fleet_telemetry.objects.manifest import Manifest, dig, mapping_at
from fleet_telemetry.switches.edits import Cause, Edit, SkippedEdit, Trigger
from fleet_telemetry.switches.mechanism import Operation
from fleet_telemetry.switches.patch import build_patch
from fleet_telemetry.workloads.reading import (
    read_field_owners,
    read_template,
    read_workload,
)
from fleet_telemetry.workloads.registry import TEMPLATE_PATHS
from fleet_telemetry.workloads.workload import NO_OP_PATCH_MANAGER, Workload

_LONGEST_WARNING = 250
"""The API server truncates longer ones."""


@dataclass(frozen=True, slots=True)
class AdmissionResult:
    """The patch and the warnings of a response. No request is denied."""

    patch: tuple[Operation, ...] = ()
    warnings: tuple[str, ...] = ()
    changes: tuple[Edit | SkippedEdit, ...] = ()
    """The edits and skipped edits behind both."""


NOTHING = AdmissionResult()


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
        recorded=cache.ever_injected_into(workload),
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
    )
    return _answer(given, manifest, ())


def _trigger(request: Manifest) -> Trigger | None:
    """The trigger; None if the pod template does not change."""
    if request.get("operation") == "CREATE":
        return Trigger.CREATE
    path = TEMPLATE_PATHS.get(str(dig(request, "kind", "kind")), ())
    if dig(request, "object", *path) != dig(request, "oldObject", *path):
        return Trigger.UPDATE
    # The controller sends a no-op patch so that admission edits the workload. A no-op patch of
    # another client gets no more than the policy permits the controller.
    if dig(request, "options", "fieldManager") == NO_OP_PATCH_MANAGER:
        return Trigger.RECONCILE
    return None


def _with_namespace(request: Manifest, key: str) -> dict[str, Any]:
    """The manifest with the namespace of the request, which the object may omit."""
    manifest = dict(mapping_at(request, key))
    metadata = dict(mapping_at(manifest, "metadata"))
    metadata["namespace"] = request.get("namespace", "")
    return {**manifest, "metadata": metadata}


def _answer(given: Input, manifest: Manifest, path: tuple[str, ...]) -> AdmissionResult:
    plan = plan_injection(given)
    return AdmissionResult(
        patch=tuple(build_patch(manifest, path, plan.edits)),
        warnings=tuple(_cut(warning_for(change)) for change in plan.changes),
        changes=plan.changes,
    )


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST_WARNING else text[: _LONGEST_WARNING - 3] + "..."


def warning_for(change: Edit | SkippedEdit) -> str:
    """The warning for an edit or skipped edit. It has no values of related settings."""
    who = f"{change.policy}: " if change.policy else "fleet-telemetry: "
    where = f"in container {change.container_name}"
    match change.cause:
        case Cause.INJECTED if isinstance(change, Edit) and change.value is not None:
            return f'{who}set {change.name}="{change.value}" {where}'
        case Cause.RESTORED if isinstance(change, Edit) and change.value is not None:
            return (
                f'{who}set {change.name}="{change.value}" {where} again: the update drops it, '
                "and the setting stays while a policy asks for it"
            )
        case Cause.DROPPED:
            return (
                f"{who}did not set {change.name} {where} again, which the update drops, because "
                "of when: Never; the default of the product applies"
            )
        case Cause.OVERRIDDEN if isinstance(change, Edit) and change.value is not None:
            return f'{who}replaced the value of {change.name} by "{change.value}" {where}'
        case Cause.SETTING:
            note = f", {change.note}" if change.note else ""
            return f"{who}set {change.name} {where}{note}"
        case Cause.KEPT:
            note = f" ({change.note})" if change.note else ""
            return f"{who}kept {change.name} {where} because of onConflict: Keep{note}"
        case Cause.BY_REFERENCE:
            return f"{who}did not replace {change.name} {where}: its value comes from a reference"
        case Cause.REVERTED:
            return f"{who}removed {change.name} {where}: no policy asks for it on this version"
        case _:
            note = f": {change.note}" if change.note else ""
            return f"{who}removed {change.name} {where}{note}"
