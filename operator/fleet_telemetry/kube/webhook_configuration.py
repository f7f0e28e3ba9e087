"""The webhook configuration: which requests the API server sends to the webhook.

Its match conditions let through a superset of what the decision acts on and hardly more, so that
workloads without a product pay nothing. ``hack.generate`` writes the chart's configuration from
the built-in catalogue; the controller writes a second one for the cluster's TelemetryProducts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from fleet_telemetry.catalogue.glob import glob_to_regex
from fleet_telemetry.workloads.workload import NO_OP_PATCH_MANAGER

Webhook = dict[str, Any]
TIMEOUT_SECONDS = 2

_CHANGES_TEMPLATE = (
    "request.operation == 'CREATE' || object.{template} != oldObject.{template} || "
    "(has(request.options.fieldManager) && "
    f"request.options.fieldManager == '{NO_OP_PATCH_MANAGER}')"
)
_CONTROLLED = (
    "has(object.metadata.ownerReferences) && "
    "object.metadata.ownerReferences.exists(o, has(o.controller) && o.controller)"
)


def products_configuration(chart_configuration: str) -> str:
    """The name of the controller's configuration beside the chart's."""
    return f"{chart_configuration}-products"


def image_regex(patterns: Iterable[str]) -> str:
    """An RE2 expression that finds every image that one of the patterns covers."""
    alternatives = "|".join(glob_to_regex(pattern) for pattern in sorted(set(patterns)))
    return f"(^|/)({alternatives})([:@]|$)"


def mutating_webhooks(
    patterns: Iterable[str],
    client_config: Mapping[str, Any],
    *,
    suffix: str,
    excluded_namespaces: Iterable[str],
) -> list[Webhook]:
    """The webhooks for workloads, cron jobs and pods whose images match."""
    regex = image_regex(patterns)
    shared = {
        "admissionReviewVersions": ["v1"],
        "clientConfig": dict(client_config),
        "failurePolicy": "Ignore",
        "matchPolicy": "Equivalent",
        "reinvocationPolicy": "IfNeeded",
        "sideEffects": "None",
        "timeoutSeconds": TIMEOUT_SECONDS,
        "namespaceSelector": {
            "matchExpressions": [
                {
                    "key": "kubernetes.io/metadata.name",
                    "operator": "NotIn",
                    "values": list(excluded_namespaces),
                }
            ]
        },
    }
    return [
        {
            "name": f"workloads.{suffix}",
            **shared,
            "rules": [
                _rule(
                    "apps",
                    ["deployments", "statefulsets", "daemonsets", "replicasets"],
                    ["CREATE", "UPDATE"],
                ),
                _rule("batch", ["jobs"], ["CREATE"]),
            ],
            "matchConditions": _template_conditions("spec.template", regex),
        },
        {
            "name": f"cronjobs.{suffix}",
            **shared,
            "rules": [_rule("batch", ["cronjobs"], ["CREATE", "UPDATE"])],
            "matchConditions": _template_conditions("spec.jobTemplate.spec.template", regex),
        },
        {
            "name": f"pods.{suffix}",
            **shared,
            "rules": [_rule("", ["pods"], ["CREATE"])],
            "matchConditions": [
                {"name": "runs-a-product", "expression": _runs("object.spec", regex)},
                {"name": "has-a-controller", "expression": _CONTROLLED},
            ],
        },
    ]


def _rule(group: str, resources: list[str], operations: list[str]) -> dict[str, Any]:
    return {
        "apiGroups": [group],
        "apiVersions": ["v1"],
        "resources": resources,
        "operations": operations,
        "scope": "Namespaced",
    }


def _template_conditions(template: str, regex: str) -> list[dict[str, str]]:
    return [
        # Of a workload that ran a product before the update, what we put there is taken back.
        {
            "name": "runs-a-product",
            "expression": f"{_runs(f'object.{template}.spec', regex)} || "
            f"(oldObject != null && {_runs(f'oldObject.{template}.spec', regex)})",
        },
        {
            "name": "changes-the-template",
            "expression": _CHANGES_TEMPLATE.format(template=template),
        },
        # Somebody else's controller would put its own template back: its pods are injected.
        {"name": "has-no-controller", "expression": f"!({_CONTROLLED})"},
    ]


def _runs(pod_spec: str, regex: str) -> str:
    return f"{pod_spec}.containers.exists(c, has(c.image) && c.image.matches({_quote(regex)}))"


def _quote(text: str) -> str:
    """A CEL string literal; raw, because regular expressions are full of backslashes."""
    return "r'" + text.replace("'", "[']") + "'"
