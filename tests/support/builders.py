"""Manifests as the API server shows them, policies, and a pretend API server with admission."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from fleet_telemetry.api.policy import (
    ClusterTelemetryPolicySpec,
    Policy,
    PolicyKind,
    TelemetryPolicySpec,
)
from fleet_telemetry.api.product.spec import TelemetryProductSpec
from fleet_telemetry.api.workload_telemetry import InjectedVariable
from fleet_telemetry.catalogue.catalogue import Catalogue, builtin
from fleet_telemetry.catalogue.product import Origin, Product
from fleet_telemetry.decision import Input, Plan, decide
from fleet_telemetry.objects.manifest import dig
from fleet_telemetry.switches.edits import Trigger
from fleet_telemetry.switches.mechanism import Operation
from fleet_telemetry.switches.patch import build_patch
from fleet_telemetry.switches.recorded import Recorded
from fleet_telemetry.workloads.reading import read_pod, read_workload
from fleet_telemetry.workloads.registry import TEMPLATE_PATHS
from fleet_telemetry.workloads.workload import Pod, Workload
from tests.support.json_patch import apply_patch

Manifest = dict[str, Any]

NOW = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)
LONG_AGO = NOW - timedelta(days=30)
LATER = NOW + timedelta(days=30)
NAMESPACE = "appsec"

DTRACK_OLD = "dependencytrack/apiserver:4.12.7"
DTRACK_4 = "dependencytrack/apiserver:4.14.3"
DTRACK_RC1 = "dependencytrack/apiserver:5.0.0-rc.1"
DTRACK_5 = "dependencytrack/apiserver:5.0.4"
HYADES = "dependencytrack/hyades-apiserver:5.7.0-alpha.8"
SONARQUBE = "sonarqube:26.7.0.124771-community"
SONARQUBE_9_8 = "sonarqube:9.8.0-community"
EMQX = "emqx/emqx:5.8.9"
EMQX_SEED = "emqx/emqx:5.0.10"
EMQX_6 = "emqx/emqx:6.2.2"
EMQX_ENTERPRISE = "emqx/emqx-enterprise:5.8.6"
WORKER = "index.docker.io/sourcegraph/worker:5.6.0@sha256:" + "0" * 64
WORKER_6 = "index.docker.io/sourcegraph/worker:6.4.0"
WORKER_OLD = "index.docker.io/sourcegraph/worker:5.1.0"
FRONTEND = "sourcegraph/frontend:5.6.0"
FRONTEND_7 = "sourcegraph/frontend:7.6.0"
NGINX = "nginx:1.29"
DIGEST = "@sha256:" + "ab" * 32

V4_SWITCH = "TELEMETRY_SUBMISSION_ENABLED_DEFAULT"
RC1_SWITCH = "DT_TELEMETRY_SUBMISSION_ENABLED_DEFAULT"
V5_SWITCH = "DT_TELEMETRY_SUBMISSION_DEFAULT_ENABLED"
V5_CRON = "DT_TASK_TELEMETRY_SUBMISSION_CRON"
V5_OFF = {V5_SWITCH: "false", V5_CRON: "-"}
"""What version 5 of Dependency-Track gets to be off: a seed, and a task that never runs."""
SONAR_SWITCH = "SONAR_TELEMETRY_ENABLE"
SONAR_UPDATES = "SONAR_UPDATECENTER_ACTIVATE"
EMQX_SWITCH = "EMQX_TELEMETRY__ENABLE"
WORKER_SWITCH = "TELEMETRY_GATEWAY_EXPORTER_EXPORT_ADDR"

FROM_SECRET = {"secretKeyRef": {"name": "settings", "key": "telemetry"}}


def env_list(variables: Mapping[str, Any]) -> list[Manifest]:
    """Entries of ``env``; a value that is a mapping is a ``valueFrom``, None leaves it out."""
    entries = []
    for name, value in variables.items():
        entry: Manifest = {"name": name}
        if isinstance(value, Mapping):
            entry["valueFrom"] = dict(value)
        elif value is not None:
            entry["value"] = value
        entries.append(entry)
    return entries


def container(
    image: str, *, name: str = "app", env: Mapping[str, Any] | None = None, **more: Any
) -> Manifest:
    """A container."""
    given = {"env": env_list(env)} if env else {}
    return {"name": name, "image": image, **given, "resources": {}, **more}


def template(*containers: Manifest, **spec: Any) -> Manifest:
    """A pod template."""
    return {
        "metadata": {"labels": {"app": "it"}},
        "spec": {"containers": list(containers), "restartPolicy": "Always", **spec},
    }


_API_VERSIONS = {
    "Job": "batch/v1",
    "CronJob": "batch/v1",
    "ReplicationController": "v1",
    "RayCluster": "ray.io/v1",
}


def manifest(
    *containers: Manifest,
    kind: str = "Deployment",
    name: str = "it",
    namespace: str = NAMESPACE,
    labels: Mapping[str, str] | None = None,
    owner: Manifest | None = None,
    created: datetime = LONG_AGO,
    generation: int = 2,
    pod: Mapping[str, Any] | None = None,
    **spec: Any,
) -> Manifest:
    """A workload as it stands in the cluster, some time after its creation."""
    body = {"template": template(*containers, **(pod or {})), **spec}
    if kind == "CronJob":
        body = {"schedule": "0 0 * * *", "jobTemplate": {"spec": body}, **spec}
    if kind == "RayCluster":
        body = {"headGroupSpec": {"rayStartParams": {}, **body}, **spec}
    return {
        "apiVersion": _API_VERSIONS.get(kind, "apps/v1"),
        "kind": kind,
        "metadata": {
            "name": name,
            "namespace": namespace,
            "uid": f"uid-of-{name}",
            "generation": generation,
            "creationTimestamp": _stamp(created),
            "labels": dict(labels or {}),
            **({"ownerReferences": [owner]} if owner else {}),
        },
        "spec": body,
    }


OWNER = {
    "apiVersion": "apps.emqx.io/v2beta1",
    "kind": "EMQX",
    "name": "emqx",
    "uid": "uid-of-emqx",
    "controller": True,
}


def controller_of(owner: Manifest) -> Manifest:
    """The owner reference by which an object names its controller."""
    metadata = owner["metadata"]
    names = {"name": metadata["name"], "uid": metadata["uid"], "controller": True}
    return {"apiVersion": owner["apiVersion"], "kind": owner["kind"], **names}


def pod_manifest(
    of: Manifest, name: str = "it-1", *, labels: Mapping[str, str] | None = None, **more: Any
) -> Manifest:
    """A running pod that an object controls, started with the object's template."""
    body = dig(of, *TEMPLATE_PATHS[of["kind"]])
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": of["metadata"]["namespace"],
            "uid": f"uid-of-{name}",
            "labels": {**body["metadata"]["labels"], **(labels or {})},
            "ownerReferences": [controller_of(of)],
        },
        "spec": copy.deepcopy(body["spec"]),
        "status": {"phase": "Running"},
        **more,
    }


def claimed(
    given: Manifest,
    *,
    manager: str = "kubectl-client-side-apply",
    but: Iterable[str] = (),
    path: str | None = None,
) -> Manifest:
    """The same object, every variable but some claimed by a manager, as managed fields say it."""
    fields: Manifest = {
        "f:containers": {
            f"k:{json.dumps({'name': found['name']}, separators=(',', ':'))}": {
                ".": {},
                "f:image": {},
                **({"f:args": {}} if "args" in found else {}),
                "f:env": {
                    f"k:{json.dumps({'name': entry['name']}, separators=(',', ':'))}": {
                        ".": {},
                        "f:name": {},
                        "f:value": {},
                    }
                    for entry in found.get("env") or ()
                    if entry["name"] not in but
                },
            }
            for found in containers_of(given)
        }
    }
    kind = path or given["kind"]
    for key in reversed((*TEMPLATE_PATHS[kind], "spec")):
        fields = {f"f:{key}": fields}
    if "suspend" in given.get("spec", {}):
        fields["f:spec"]["f:suspend"] = {}
    entry = {"manager": manager, "operation": "Update", "fieldsV1": fields}
    metadata = {**given["metadata"], "managedFields": [entry]}
    return {**given, "metadata": metadata}


def containers_of(given: Manifest) -> list[Manifest]:
    """The main containers of a workload or a pod."""
    found: list[Manifest] = dig(given, *TEMPLATE_PATHS[given["kind"]], "spec", "containers")
    return found


def env_of(given: Manifest, name: str = "app") -> dict[str, str | None]:
    """A container's variables; None stands for a reference."""
    (found,) = (c for c in containers_of(given) if c["name"] == name)
    return {
        entry["name"]: None if "valueFrom" in entry else entry.get("value", "")
        for entry in found.get("env") or ()
    }


def without_variable(given: Manifest, *names: str) -> Manifest:
    """The same object without some variables, as after a ``kubectl replace`` that drops them."""
    changed = copy.deepcopy(given)
    for found in containers_of(changed):
        kept = [entry for entry in found.get("env", ()) if entry["name"] not in names]
        found.pop("env", None)
        if kept:
            found["env"] = kept
    return changed


def touched(given: Manifest) -> Manifest:
    """The same object after a change of the pod template that concerns nobody here."""
    changed = copy.deepcopy(given)
    pod_template = dig(changed, *TEMPLATE_PATHS[changed["kind"]])
    annotations = pod_template["metadata"].setdefault("annotations", {})
    annotations["kubectl.kubernetes.io/restartedAt"] = str(len(annotations))
    return changed


def with_image(given: Manifest, image: str, name: str = "app") -> Manifest:
    """The same object with another image."""
    changed = copy.deepcopy(given)
    for found in containers_of(changed):
        if found["name"] == name:
            found["image"] = image
    return changed


def policy(
    name: str = "opt-out",
    *,
    cluster: bool = False,
    namespace: str = NAMESPACE,
    created: datetime = NOW - timedelta(days=10),
    generation: int = 3,
    asked: bool = False,
    **spec: Any,
) -> Policy:
    """A policy; the spec in the words of its manifest. ``asked``: it has credentials for every
    product that has an API."""
    if asked:
        reference = {"name": "key", **({"namespace": namespace} if cluster else {})}
        scope = {"namespaces": [namespace], "requireTLS": False} if cluster else {}
        credentials = [
            {"product": name, "secretRef": reference, **scope}
            for name, product in builtin().products.items()
            if product.spec.api is not None
        ]
        spec = {"runtime": {"credentials": credentials}, **spec}
    kind = PolicyKind.CLUSTER if cluster else PolicyKind.NAMESPACED
    spec_type = ClusterTelemetryPolicySpec if cluster else TelemetryPolicySpec
    return Policy(
        kind=kind,
        namespace="" if cluster else namespace,
        name=name,
        created=created,
        spec=msgspec.convert(spec, spec_type),
        generation=generation,
        uid=f"uid-of-{name}",
    )


def product(name: str, **spec: Any) -> Product:
    """A product of the user's own."""
    title = {"title": name, "images": [{"pattern": f"acme/{name}"}], **spec}
    return Product.compile(name, msgspec.convert(title, TelemetryProductSpec))


def own_product(
    name: str, *, created: datetime = LONG_AGO, changed: datetime | None = None, **spec: Any
) -> Product:
    """The product of a TelemetryProduct, which is not reviewed. Policies cover it by its name."""
    found = product(name, **spec)
    return replace(found, origin=Origin(created, changed or created))


def catalogue(*products: Product) -> Catalogue:
    """The built-in catalogue with products of the user's own."""
    return builtin().with_products({found.name: found for found in products})


def workload(given: Manifest) -> Workload:
    """What is read of a manifest."""
    found = read_workload(given)
    assert found is not None
    return found


def pod_of(given: Manifest, name: str = "it-1", **changes: Any) -> Pod:
    """A running pod of a workload, started with the template that the workload has."""
    spec = dig(given, *TEMPLATE_PATHS[given["kind"]], "spec")
    pod = {
        "kind": "Pod",
        "metadata": {"name": name, "uid": f"uid-of-{name}"},
        "spec": copy.deepcopy(spec),
        "status": {"phase": "Running"},
    }
    return replace(read_pod(pod), **changes)


@dataclass(frozen=True)
class Written:
    """An object after a decision, and how it came about."""

    manifest: Manifest
    plan: Plan
    patch: list[Operation]

    @property
    def env(self) -> dict[str, str | None]:
        """The variables of the container that is called app."""
        return env_of(self.manifest)

    @property
    def edits(self) -> dict[str, str | None]:
        """What was written into the container that is called app."""
        return {edit.name: edit.value for edit in self.plan.edits}


@dataclass(frozen=True)
class Cluster:
    """Decides as the webhook and the controller do, and applies what comes of it."""

    policies: tuple[Policy, ...] = ()
    catalogue: Catalogue = field(default_factory=builtin)
    namespace_labels: Mapping[str, str] = field(default_factory=dict)
    now: datetime = NOW
    recorded: tuple[InjectedVariable, ...] = ()

    def create(self, given: Manifest, *, claims: bool = True) -> Written:
        """A workload comes in. Its author claims what they wrote."""
        return self._write(claimed(given) if claims else given, Trigger.CREATE)

    def update(self, old: Manifest, new: Manifest) -> Written:
        """Somebody changes a workload. Managed fields are as the new manifest has them."""
        return self._write(new, Trigger.UPDATE, before=old)

    def reconcile(self, given: Manifest) -> Written:
        """The controller finds a workload as it is."""
        return self._write(given, Trigger.RECONCILE)

    def input(self, given: Manifest, trigger: Trigger, **more: Any) -> Input:
        """Everything a decision depends on."""
        return Input(
            workload=workload(given),
            policies=self.policies,
            catalogue=self.catalogue,
            now=self.now,
            trigger=trigger,
            namespace_labels=self.namespace_labels,
            recorded=Recorded(self.recorded),
            **more,
        )

    def _write(
        self, given: Manifest, trigger: Trigger, *, before: Manifest | None = None
    ) -> Written:
        old = workload(before) if before is not None else None
        plan = decide(self.input(given, trigger, before=old))
        patch = build_patch(given, TEMPLATE_PATHS[given["kind"]], plan.edits)
        return Written(apply_patch(given, patch), plan, patch)


def under(*policies: Policy, **more: Any) -> Cluster:
    """A cluster with these policies."""
    return Cluster(policies, **more)


def _stamp(time: datetime) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")
