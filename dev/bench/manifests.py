"""The objects that the benchmark creates."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Manifest = dict[str, Any]

DEPENDENCY_TRACK = "docker.io/dependencytrack/apiserver:4.14.3"
NO_PRODUCT = "registry.example.com/team/service:4.14.3"
PRODUCTS = (
    DEPENDENCY_TRACK,
    "sonarqube:26.7.0.124771-community",
    "emqx/emqx:5.8.9",
    "index.docker.io/sourcegraph/worker:5.6.2535",
)
SWITCH = "TELEMETRY_SUBMISSION_ENABLED_DEFAULT"
POLICIES = "/apis/fleettelemetry.io/v1alpha1/clustertelemetrypolicies"
NAMESPACES = "/api/v1/namespaces"
_ADMISSION = "/apis/admissionregistration.k8s.io/v1"
NATIVE_POLICIES = f"{_ADMISSION}/mutatingadmissionpolicies"
NATIVE_BINDINGS = f"{_ADMISSION}/mutatingadmissionpolicybindings"
WEBHOOKS = f"{_ADMISSION}/mutatingwebhookconfigurations"
_NAME = "bench"
_RULE = {
    "apiGroups": ["apps"],
    "apiVersions": ["v1"],
    "resources": ["deployments"],
    "operations": ["CREATE", "UPDATE"],
}


def namespace(name: str) -> Manifest:
    """A namespace."""
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def deployments(namespace: str) -> str:
    """Where a namespace has its Deployments."""
    return f"/apis/apps/v1/namespaces/{namespace}/deployments"


def policy() -> Manifest:
    """Telemetry off everywhere."""
    return {
        "apiVersion": "fleettelemetry.io/v1alpha1",
        "kind": "ClusterTelemetryPolicy",
        "metadata": {"name": "opt-out"},
        "spec": {"submission": "Disabled"},
    }


def deployment(image: str, **metadata: str) -> Manifest:
    """A Deployment as large as the one that Dependency-Track's chart makes of its API server."""
    labels = {
        "app.kubernetes.io/name": "dependency-track-api-server",
        "app.kubernetes.io/instance": metadata.get("name", "dtrack"),
        "app.kubernetes.io/component": "api-server",
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"labels": {**labels, "app.kubernetes.io/managed-by": "Helm"}, **metadata},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels, "annotations": {"prometheus.io/scrape": "true"}},
                "spec": _pod(image),
            },
        },
    }


def _pod(image: str) -> Manifest:
    container = {
        "name": "api-server",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
            "runAsNonRoot": True,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "resources": {
            "limits": {"memory": "1Gi"},
            "requests": {"cpu": "200m", "memory": "1Gi"},
        },
        "env": [
            {"name": "ALPINE_METRICS_ENABLED", "value": "true"},
            {"name": "ALPINE_DATABASE_MODE", "value": "external"},
            {"name": "ALPINE_DATABASE_URL", "value": "jdbc:postgresql://postgres/dtrack"},
            {
                "name": "ALPINE_DATABASE_PASSWORD",
                "valueFrom": {"secretKeyRef": {"name": "dtrack-database", "key": "password"}},
            },
        ],
        "ports": [{"name": "web", "containerPort": 8080, "protocol": "TCP"}],
        "volumeMounts": [
            {"name": "data", "mountPath": "/data"},
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108  # a path in a manifest
        ],
        **{
            f"{probe}Probe": {
                "httpGet": {"port": "web", "path": f"/health/{path}"},
                "initialDelaySeconds": 10,
                "periodSeconds": 15,
                "timeoutSeconds": 5,
            }
            for probe, path in (
                ("startup", "started"),
                ("liveness", "live"),
                ("readiness", "ready"),
            )
        },
    }
    return {
        "securityContext": {"fsGroup": 1000},
        "containers": [container],
        "volumes": [{"name": "data", "emptyDir": {}}, {"name": "tmp", "emptyDir": {}}],
    }


def native_policy(in_namespace: str) -> tuple[Manifest, Manifest]:
    """A MutatingAdmissionPolicy that sets the same variable, and its binding: the best case, for
    one product, one version and one variable, with no regard for what the user wrote."""
    runs = "c.image.contains('dependencytrack/apiserver:4.')"
    containers = "Object.spec.template.spec.containers"
    setting = f'{containers}.env{{name: "{SWITCH}", value: "false"}}'
    expression = f"""
        Object{{spec: Object.spec{{template: Object.spec.template{{spec: Object.spec.template.spec{{
          containers: object.spec.template.spec.containers.filter(c, {runs})
            .map(c, {containers}{{name: c.name, env: [{setting}]}})
        }}}}}}}}"""
    policy = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingAdmissionPolicy",
        "metadata": {"name": _NAME},
        "spec": {
            "failurePolicy": "Ignore",
            "reinvocationPolicy": "IfNeeded",
            "matchConstraints": {
                "resourceRules": [_RULE],
                "namespaceSelector": _only(in_namespace),
            },
            "matchConditions": [
                {
                    "name": "runs-the-product",
                    "expression": f"object.spec.template.spec.containers.exists(c, {runs})",
                }
            ],
            "mutations": [
                {
                    "patchType": "ApplyConfiguration",
                    "applyConfiguration": {"expression": expression},
                }
            ],
        },
    }
    binding = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingAdmissionPolicyBinding",
        "metadata": {"name": _NAME},
        "spec": {"policyName": _NAME},
    }
    return policy, binding


def idle_webhook(in_namespace: str) -> Manifest:
    """A webhook that is never called, because its one match condition is false: what Kubernetes
    itself takes for any webhook with a match condition."""
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingWebhookConfiguration",
        "metadata": {"name": _NAME},
        "webhooks": [
            {
                "name": "idle.bench.example",
                "admissionReviewVersions": ["v1"],
                "clientConfig": {"url": "https://127.0.0.1:1/"},
                "failurePolicy": "Ignore",
                "sideEffects": "None",
                "rules": [_RULE],
                "namespaceSelector": _only(in_namespace),
                "matchConditions": [{"name": "never", "expression": "false"}],
            }
        ],
    }


def _only(namespace: str) -> Manifest:
    return {"matchLabels": {"kubernetes.io/metadata.name": namespace}}


def fleet(count: int, namespaces: int) -> Iterator[tuple[str, Manifest]]:
    """So many Deployments and where to create them; every fifth runs a product, all in turn."""
    for number in range(count):
        image = PRODUCTS[number // 5 % len(PRODUCTS)] if number % 5 == 0 else NO_PRODUCT
        place = deployments(fleet_namespace(number // 5 % namespaces))
        yield place, deployment(image, name=f"workload-{number:04}")


def fleet_namespace(number: int) -> str:
    """The name of one of the fleet's namespaces."""
    return f"fleet-{number:02}"
