"""What the operator does with a container that a table describes: the decision itself, on a
Deployment or a CronJob that exists nowhere."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from fleet_telemetry.api.policy import (
    ChannelName,
    ClusterRuntime,
    ClusterTelemetryPolicySpec,
    Injection,
    Policy,
    PolicyKind,
    RuntimeAction,
    Submission,
)
from fleet_telemetry.catalogue.catalogue import Catalogue
from fleet_telemetry.decision import Input, decide, plan_injection
from fleet_telemetry.evidence.verdict import Verdict
from fleet_telemetry.linting.table import TableKind
from fleet_telemetry.linting.trial_fields import TrialFields
from fleet_telemetry.objects.manifest import Manifest, dig
from fleet_telemetry.switches.edits import Trigger
from fleet_telemetry.switches.patch import apply_operations, build_patch
from fleet_telemetry.workloads.reading import read_pod, read_workload
from fleet_telemetry.workloads.registry import TEMPLATE_PATHS
from fleet_telemetry.workloads.workload import Pod, Workload

_NOW = datetime(2026, 1, 1, tzinfo=UTC)
_NAMESPACE = "trial"


@dataclass(frozen=True, slots=True)
class TrialContainer:
    """A container, as its owner wrote it."""

    image: str
    container: str = "main"
    command: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    env: tuple[tuple[str, str], ...] = ()
    kind: TableKind = TableKind.DEPLOYMENT
    fields: tuple[tuple[str, str], ...] = ()
    """Fields of custom resources by their label, as they were before."""


@dataclass(frozen=True, slots=True)
class TrialOutcome:
    """What was set, and the verdict once every pod was started with it."""

    changes: tuple[str, ...]
    """``NAME=value`` for a variable, the word for an argument, ``spec.suspend=true``, and the label
    of a custom resource's field with ``=value``; with ``- `` in front if it was removed."""
    verdict: Verdict | None
    manifest: Manifest
    """The workload with what was set."""


def run_trial(
    given: TrialContainer,
    catalogue: Catalogue,
    product: str,
    channel: ChannelName,
    desired: Submission,
) -> TrialOutcome:
    """Create a workload of the container under a policy, and judge it once it runs."""
    policy = _policy(product, channel, desired)
    manifest = workload_manifest(given)
    path = TEMPLATE_PATHS[manifest["kind"]]
    created = plan_injection(_input(manifest, catalogue, policy, Trigger.CREATE))
    after = apply_operations(manifest, build_patch(manifest, path, created.edits))
    # A CronJob that is suspended runs no pod.
    pods = () if dig(after, "spec", "suspend") else (_pod_of(after),)
    fields = TrialFields(catalogue.products[product], given.fields, _NAMESPACE)
    reconciled = _input(after, catalogue, policy, Trigger.RECONCILE, pods)
    before = decide(replace(reconciled, fields=fields.states()))
    fields.write(before.fields)
    running = decide(
        replace(reconciled, fields=fields.states(), field_records=before.fields.records)
    )
    verdict = next(
        (one for one in running.verdicts if (one.product, one.channel) == (product, channel)), None
    )
    return TrialOutcome((*_changes(manifest, after), *fields.changes), verdict, after)


def workload_manifest(
    given: TrialContainer, name: str = "trial", namespace: str = _NAMESPACE
) -> Manifest:
    """A workload with the container."""
    container: dict[str, Any] = {"name": given.container, "image": given.image}
    if given.command:
        container["command"] = list(given.command)
    if given.args:
        container["args"] = list(given.args)
    if given.env:
        container["env"] = [{"name": one, "value": value} for one, value in given.env]
    labels = {"app": name}
    if given.kind is TableKind.CRON_JOB:
        pod = {"restartPolicy": "Never", "containers": [container]}
        template = {"metadata": {"labels": labels}, "spec": pod}
        return {
            "apiVersion": "batch/v1",
            "kind": "CronJob",
            "metadata": {"name": name, "namespace": namespace, "uid": name, "generation": 1},
            "spec": {"schedule": "0 0 * * *", "jobTemplate": {"spec": {"template": template}}},
        }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace, "uid": name, "generation": 1},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        },
    }


def _policy(product: str, channel: ChannelName, desired: Submission) -> Policy:
    spec = ClusterTelemetryPolicySpec(
        submission=desired,
        products=(product,),
        channels=(channel,),
        injection=Injection(arguments=True),
        runtime=ClusterRuntime(action=RuntimeAction.REMEDIATE),
    )
    return Policy(PolicyKind.CLUSTER, "", "trial", _NOW, spec)


def _input(
    manifest: Manifest,
    catalogue: Catalogue,
    policy: Policy,
    trigger: Trigger,
    pods: tuple[Pod, ...] = (),
) -> Input:
    return Input(
        workload=_workload(manifest),
        policies=(policy,),
        catalogue=catalogue,
        now=_NOW,
        trigger=trigger,
        pods=pods,
    )


def _workload(manifest: Manifest) -> Workload:
    workload = read_workload(manifest)
    assert workload is not None, "it is one that the operator knows"
    return workload


def _pod_of(manifest: Manifest) -> Pod:
    return read_pod(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "trial-1", "namespace": _NAMESPACE, "uid": "trial-1"},
            "spec": dig(manifest, *TEMPLATE_PATHS[manifest["kind"]], "spec"),
            "status": {"phase": "Running"},
        }
    )


def _changes(before: Manifest, after: Manifest) -> Iterator[str]:
    old, new = _entries(before), _entries(after)
    yield from (new - old).elements()
    yield from (f"- {entry}" for entry in (old - new).elements())


def _entries(manifest: Manifest) -> Counter[str]:
    path = TEMPLATE_PATHS[manifest["kind"]]
    container: Mapping[str, Any] = dig(manifest, *path, "spec", "containers")[0]
    env = container.get("env") or ()
    return Counter(
        [
            *(f"{entry['name']}={entry.get('value', '')}" for entry in env),
            *(container.get("command") or ()),
            *(container.get("args") or ()),
            *(["spec.suspend=true"] if dig(manifest, "spec", "suspend") else ()),
        ]
    )
