"""The same manifests through the audit, the webhook and the controller: one decision."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from typing import Any

import pytest
import yaml

from fleet_telemetry.api.policy import (
    ChannelName,
    ClusterTelemetryPolicySpec,
    Injection,
    Policy,
    PolicyKind,
)
from fleet_telemetry.audit.auditing import audit
from fleet_telemetry.audit.files import gather_files
from fleet_telemetry.audit.result import Audit
from fleet_telemetry.audit.sources import Definitions
from fleet_telemetry.catalogue.catalogue import builtin
from fleet_telemetry.decision import Input, decide
from fleet_telemetry.objects.manifest import dig
from fleet_telemetry.workloads.reading import read_pod, read_workload
from fleet_telemetry.workloads.registry import TEMPLATE_PATHS
from tests.support.admission_requests import admitted, creation, policy_manifest
from tests.support.corpus import corpus, workloads_in
from tests.support.crd_files import DUMPER
from tests.support.every import every
from tests.support.fixes import changes_between
from tests.support.vendor_charts import needs_vendor_manifests, vendor_manifests

_NOW = datetime(2026, 1, 1, tzinfo=UTC)
_CHANNELS = tuple(ChannelName)
_CREATED = {"uid": "u"}  # when, is not in a file; the reasons may depend on it

Manifest = dict[str, Any]


def _id(manifest: Manifest) -> str:
    image = dig(manifest, *TEMPLATE_PATHS[manifest["kind"]], "spec", "containers")[0]["image"]
    return f"{manifest['kind']}-{image}"


_POLICY = policy_manifest(
    cluster=True, channels=[one.value for one in _CHANNELS], injection={"arguments": True}
)
_AS_POLICY = Policy(
    PolicyKind.CLUSTER,
    "",
    "opt-out",
    _NOW,
    ClusterTelemetryPolicySpec(channels=_CHANNELS, injection=Injection(arguments=True)),
)


def _audit(*manifests: Manifest) -> Audit:
    text = yaml.dump_all(manifests, Dumper=DUMPER).encode()
    source = gather_files(["-"], io.BytesIO(text), "default", _NOW)
    return audit([source], _NOW, Definitions(), with_fixes=True)


_OWN = workloads_in(corpus())
_VENDORS = workloads_in(vendor_manifests()) or _OWN  # skipped then, but not empty


@pytest.mark.thorough
@every("manifest", _OWN, ids=_id)
def test_the_audit_says_what_the_controller_says(manifest: Manifest) -> None:
    _says_the_same(manifest)


@needs_vendor_manifests
@every("manifest", _VENDORS, ids=_id)
def test_the_audit_says_what_the_controller_says_of_vendors_charts(manifest: Manifest) -> None:
    _says_the_same(manifest)


@pytest.mark.thorough
@every("manifest", _OWN, ids=_id)
def test_what_the_audit_would_change_is_what_the_webhook_changes(manifest: Manifest) -> None:
    _changes_the_same(manifest)


@needs_vendor_manifests
@every("manifest", _VENDORS, ids=_id)
def test_what_the_audit_would_change_of_vendors_charts_is_what_the_webhook_changes(
    manifest: Manifest,
) -> None:
    _changes_the_same(manifest)


def _says_the_same(manifest: Manifest) -> None:
    """Of the object as it would be in the cluster, with the pod that its controller starts."""
    in_cluster = {**manifest, "metadata": {**manifest["metadata"], **_CREATED}}
    workload = read_workload(in_cluster)
    assert workload is not None
    path = TEMPLATE_PATHS[manifest["kind"]]
    pod = {
        "kind": "Pod",
        "metadata": {**(dig(manifest, *path, "metadata") or {}), "name": "p", "uid": "p"},
        "spec": dig(manifest, *path, "spec"),
        "status": {"phase": "Running"},
    }
    pods = () if workload.is_idle else (read_pod(pod),)
    plan = decide(Input(workload, (_AS_POLICY,), builtin(), _NOW, pods=pods))
    result = _audit(manifest, _POLICY)
    assert result.problems == ()
    assert {
        (one.product, one.channel): (one.state, one.state_reason, one.state_message, one.declared)
        for one in result.findings
    } == {
        (one.product, one.channel): (
            one.state,
            one.reason or "",
            one.message,
            one.observed("declared").setting,
        )
        for one in plan.verdicts
        if one.sends is not None
    }


def _changes_the_same(manifest: Manifest) -> None:
    namespace = manifest["metadata"].get("namespace", "default")
    placed = {**manifest, "metadata": {**manifest["metadata"], "namespace": namespace}}
    after = admitted(creation(placed, namespace=namespace), _POLICY)
    findings = _audit(manifest).findings
    proposed = {
        (change.container, f"{'- ' if change.removed else ''}{change.entry}")
        for one in findings
        for change in one.changes
    }
    made = set(changes_between(placed, after))
    assert proposed <= made
    if all(one.changes for one in findings):
        assert proposed == made
