"""The webhook configuration: which requests the API server sends to the webhook.

The rules come from the registered workload types. The match conditions pass a slight superset of
the requests that the decision acts on, so workloads without a product cost nothing.
``hack.generate`` writes the chart's configuration from the built-in catalogue. The controller
writes a second one for the cluster's TelemetryProducts.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from fleet_telemetry.kube.image_condition import runs_one_of
from fleet_telemetry.workloads.registry import WorkloadKind
from fleet_telemetry.workloads.workload import (
    LEFT_OUT_LABEL,
    LEFT_OUT_VALUES,
    NO_OP_PATCH_MANAGER,
)
from fleet_telemetry.workloads.workload_type import TemplatePath, WorkloadType

Webhook = dict[str, Any]
TIMEOUT_SECONDS = 2
_CHOSEN_IN_CHART = ("failurePolicy", "timeoutSeconds", "namespaceSelector")

_CHANGES_TEMPLATE = (
    "request.operation == 'CREATE' || !has(object.{template}) || !has(oldObject.{template}) || "
    "object.{template} != oldObject.{template} || "
    "(has(request.options.fieldManager) && "
    f"request.options.fieldManager == '{NO_OP_PATCH_MANAGER}')"
)
_CHANGES_SUSPENSION = (
    "(has(object.spec.suspend) && object.spec.suspend) != "
    "(has(oldObject.spec.suspend) && oldObject.spec.suspend)"
)
_CONTROLLED = (
    "has(object.metadata.ownerReferences) && "
    "object.metadata.ownerReferences.exists(o, has(o.controller) && o.controller)"
)


def products_configuration(chart_configuration: str) -> str:
    """The name of the configuration that the controller writes, next to the chart's."""
    return f"{chart_configuration}-products"


def mutating_webhooks(
    patterns: Iterable[str],
    client_config: Mapping[str, Any],
    *,
    suffix: str,
    like: Mapping[str, Any] | None = None,
) -> list[Webhook]:
    """The webhooks for workloads and pods whose images match one of the patterns.

    ``suffix`` ends each webhook's name, ``client_config`` is its ``clientConfig``. ``like`` is a
    webhook of the chart's, whose namespaces, failure policy and timeout the others get.
    """
    patterns = tuple(patterns)
    shared = {
        "admissionReviewVersions": ["v1"],
        "clientConfig": dict(client_config),
        "failurePolicy": "Ignore",
        "matchPolicy": "Equivalent",
        "reinvocationPolicy": "IfNeeded",
        "sideEffects": "None",
        "timeoutSeconds": TIMEOUT_SECONDS,
        "namespaceSelector": {},
        # The API server calls the webhook if the object before or after an update is selected, so
        # the decision looks at the label, too.
        "objectSelector": {
            "matchExpressions": [
                {"key": LEFT_OUT_LABEL, "operator": "NotIn", "values": list(LEFT_OUT_VALUES)}
            ]
        },
    }
    shared |= {key: like[key] for key in _CHOSEN_IN_CHART if like and key in like}
    return [
        *(
            {
                "name": f"{_webhook_name(path, types)}.{suffix}",
                **shared,
                "rules": _workload_rules(types),
                "matchConditions": _template_conditions(
                    ".".join(path), patterns, suspends=any(one.suspends for one in types)
                ),
            }
            for path, types in _types_by_template_path().items()
        ),
        {
            "name": f"pods.{suffix}",
            **shared,
            "rules": [_rule("", "v1", ["pods"], ["CREATE"])],
            "matchConditions": [
                {
                    "name": "runs-a-product",
                    "expression": runs_one_of(patterns, _containers("object", "spec")),
                },
                {"name": "has-a-controller", "expression": _CONTROLLED},
            ],
        },
    ]


def _types_by_template_path() -> dict[TemplatePath, list[WorkloadType]]:
    """The workload types whose templates are edited; those of one path share a webhook."""
    types = defaultdict(list)
    for kind in WorkloadKind:
        if kind.type.operations:
            types[kind.type.template_path].append(kind.type)
    return types


def _webhook_name(path: TemplatePath, types: list[WorkloadType]) -> str:
    return "workloads" if path == WorkloadType.template_path else types[0].api.plural


def _workload_rules(types: Iterable[WorkloadType]) -> list[dict[str, Any]]:
    """The admission rules for some workload types; resources of one API version and with the same
    operations share a rule."""
    resources = defaultdict(list)
    for one in types:
        resources[one.api.group, one.api.version, one.operations].append(one.api.plural)
    return [
        _rule(group, version, plurals, list(operations))
        for (group, version, operations), plurals in resources.items()
    ]


def _rule(group: str, version: str, resources: list[str], operations: list[str]) -> dict[str, Any]:
    return {
        "apiGroups": [group],
        "apiVersions": [version],
        "resources": resources,
        "operations": operations,
        "scope": "Namespaced",
    }


def _template_conditions(
    template: str, patterns: Sequence[str], *, suspends: bool
) -> list[dict[str, str]]:
    changes = _CHANGES_TEMPLATE.format(template=template)
    return [
        # Where a workload ran a product before the update, our variables are reverted.
        {
            "name": "runs-a-product",
            "expression": runs_one_of(
                patterns,
                (
                    *_containers("object", f"{template}.spec"),
                    *_containers("oldObject", f"{template}.spec"),
                ),
            ),
        },
        {
            "name": "changes-the-template",
            "expression": f"{changes} || {_CHANGES_SUSPENSION}" if suspends else changes,
        },
        # Another controller would restore its own template, so its pods are injected instead.
        {"name": "has-no-controller", "expression": f"!({_CONTROLLED})"},
    ]


def _containers(manifest: str, spec: str) -> tuple[str, str]:
    """The lists of the main containers and of the native sidecars; empty where there is none.

    Admission precedes validation, so anything may be absent. An error of a condition is an alert.
    """
    keys = spec.split(".")
    exists = [f"{manifest} != null"]
    exists += [f"has({'.'.join((manifest, *keys[: n + 1]))})" for n in range(len(keys))]
    sidecars = "filter(c, has(c.restartPolicy) && c.restartPolicy == 'Always')"
    lists = []
    for name, some in (("containers", ""), ("initContainers", f".{sidecars}")):
        found = f"{manifest}.{spec}.{name}"
        here = " && ".join((*exists, f"has({found})", f"{found} != null"))
        lists.append(f"({here} ? {found}{some} : [])")
    return lists[0], lists[1]
