"""What else happens when a fix is applied, and what it does not reach."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fleet_telemetry.api.product.setting import Semantics
from fleet_telemetry.audit.fixing.charts import chart_of
from fleet_telemetry.catalogue.matching import MatchedContainer
from fleet_telemetry.switches.desired import injectable_rule
from fleet_telemetry.switches.disabling import ChannelKey
from fleet_telemetry.switches.edits import Edit
from fleet_telemetry.switches.registry import mechanism_of
from fleet_telemetry.switches.suspend import SuspendMechanism
from fleet_telemetry.workloads.registry import WorkloadKind
from fleet_telemetry.workloads.workload import Workload

_MANAGED_BY = "app.kubernetes.io/managed-by"
_SOURCES = {
    "argocd.argoproj.io/instance": "Argo CD",
    "kustomize.toolkit.fluxcd.io/name": "Flux",
    "helm.toolkit.fluxcd.io/name": "Flux",
}
"""Labels by which these tools mark what they write.

Sources: argoproj/argo-cd: docs/user-guide/resource_tracking.md; fluxcd/flux2 documentation,
kustomize-controller and helm-controller.
"""


def notes_of(
    workload: Workload,
    targets: Sequence[MatchedContainer],
    channels: Sequence[ChannelKey],
    edits: Sequence[Edit],
) -> Iterator[str]:
    """Sentences for a person, the most important first."""
    yield from _where_to_change(workload)
    if workload.ref.kind.type.is_injected_by_pod:
        yield "It has several pod templates. The operator edits its pods as they are created."
    elif edits and workload.controller is None:
        yield _what_restarts(workload, edits)
    for target in targets:
        yield from _seeds(target, channels, edits)
    yield from dict.fromkeys(f"{one.name}: {one.note}." for one in edits if one.note)


def _where_to_change(workload: Workload) -> Iterator[str]:
    if workload.controller is not None:
        owner = workload.controller
        yield (
            f"{owner.kind} {owner.name} writes this {workload.ref.kind}, and would undo a patch. "
            "Make the change there."
        )
    tool = next((tool for label, tool in _SOURCES.items() if label in workload.labels), "")
    if tool:
        yield f"{tool} writes this workload, and would undo a patch. Make the change at its source."
    elif workload.labels.get(_MANAGED_BY) == "Helm" or chart_of(workload.labels):
        yield (
            "Helm wrote this workload. A patch of it may last until the next upgrade only: make "
            "the change in the values of the chart, too."
        )


def _what_restarts(workload: Workload, edits: Sequence[Edit]) -> str:
    kind = workload.ref.kind
    if all(edit.mechanism == SuspendMechanism.name for edit in edits):
        return "The CronJob starts no more Jobs. A Job that runs now goes on."
    if workload.template_immutable:
        return (
            f"The template of a {kind} cannot be changed. Delete it, and create it with the change."
        )
    if kind is WorkloadKind.CRON_JOB:
        return "No pod is restarted. The next Job has the change."
    if workload.is_idle:
        return "No pod runs. The next one has the change."
    if workload.restarts_no_pod:
        return "No pod is restarted. Pods have the change once somebody deletes them."
    if workload.paused:
        return "The pods are replaced once the workload is resumed, because it is paused."
    return "The pods are replaced: it is a rollout."


def _seeds(
    target: MatchedContainer, channels: Sequence[ChannelKey], edits: Sequence[Edit]
) -> Iterator[str]:
    written = {edit.name for edit in edits if edit.container == target.container.index}
    for product, channel in channels:
        rule = injectable_rule(target, channel) if product == target.product.name else None
        for switch in rule.switches if rule is not None else ():
            mechanism = mechanism_of(switch)
            if (
                switch.semantics is Semantics.SEED
                and mechanism is not None
                and mechanism.label(switch) in written
            ):
                yield (
                    f"{mechanism.label(switch)} counts only when the product first initialises its "
                    "data. Where there is data already, change the setting in the product, too."
                )
