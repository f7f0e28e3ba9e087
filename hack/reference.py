"""Pages of docs/ about the API, the reasons and the metrics, from the code that defines them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric

from fleet_telemetry.model.reasons import EgressReason, PolicyReason, Reason
from fleet_telemetry.model.resources import RESOURCES, CustomResource
from fleet_telemetry.report.metrics import (
    AdmissionMetrics,
    ApiMetrics,
    ControllerMetrics,
    FleetCollector,
    VerificationMetrics,
    add_build_info,
)
from hack.crds import definition


def api_page() -> str:
    """docs/api.md: every field of every kind."""
    parts = ["# API reference", "", "Group `fleettelemetry.io`, version `v1alpha1`."]
    for resource in RESOURCES:
        parts += ["", *_kind(resource)]
    return "\n".join(parts) + "\n"


def _kind(resource: CustomResource) -> Iterator[str]:
    scope = "namespaced" if resource.namespaced else "cluster-scoped"
    yield f"## {resource.kind}"
    yield ""
    yield f"{resource.description} Short name `{resource.short_name}`, {scope}."
    schema = definition(resource)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    yield from _rules(schema)
    for root in ("spec", "status"):
        if root in schema["properties"]:
            yield from ("", "| field | type | meaning |", "|---|---|---|")
            yield from _fields(schema["properties"][root], root)


def _fields(schema: dict[str, Any], path: str) -> Iterator[str]:
    for name, part in schema.get("properties", {}).items():
        where = f"{path}.{name}"
        inner = part
        while "items" in inner:
            where, inner = f"{where}[]", inner["items"]
        required = name in schema.get("required", ())
        words = [part.get("description", "").rstrip("."), "required" if required else ""]
        if "default" in part:
            default = json.dumps(part["default"]).strip('"')
            words.append(f"default `{default}`")
        words += [rule["message"] for rule in part.get("x-kubernetes-validations", ())]
        words += [rule["message"] for rule in inner.get("x-kubernetes-validations", ())]
        words = [word for word in dict.fromkeys(words) if word]
        text = "; ".join(words).replace("|", "\\|")
        yield f"| `{where}` | {_type(inner)} | {text} |"
        yield from _fields(inner, where)


def _type(schema: dict[str, Any]) -> str:
    if "enum" in schema:
        return " \\| ".join(f"`{value}`" for value in schema["enum"])
    if isinstance(schema.get("additionalProperties"), dict):
        return f"map of {schema['additionalProperties']['type']}s"
    found: str = schema.get("format", schema["type"])
    return found


def _rules(schema: dict[str, Any]) -> Iterator[str]:
    for rule in schema.get("x-kubernetes-validations", ()):
        yield from ("", f"Rule: {rule['message']}.")


def reasons_page() -> str:
    """docs/reasons.md: every reason that a user can meet."""
    lines = [
        "# Reasons",
        "",
        "## Of a channel, in `WorkloadTelemetry`",
        "",
        "| reason | what it means |",
        "|---|---|",
        *(f"| `{reason}` | {reason.meaning} |" for reason in Reason),
        "",
        "## Of a channel's `egress`, in `WorkloadTelemetry`",
        "",
        "| reason | what it means |",
        "|---|---|",
        *(f"| `{reason}` | {reason.meaning} |" for reason in EgressReason),
        "",
        "## Of a condition of a policy or a product",
        "",
        "| reason | what it means |",
        "|---|---|",
        *(f"| `{reason}` | {reason.meaning} |" for reason in PolicyReason),
    ]
    return "\n".join(lines) + "\n"


def metrics_page() -> str:
    """docs/metrics.md: every metric with its type and labels."""
    lines = [
        "# Metrics",
        "",
        "Every process serves `/metrics` on the port of its probes (8080 in the chart). Metrics",
        "of the fleet come from the replica that holds the Lease and from no other, so that sums",
        "over replicas are true; the operational ones come from every process.",
        "",
        "An opted-out workload that submits nevertheless:",
        "",
        "```promql",
        'fleet_telemetry_submission_enabled{evidence="running"} == 1',
        "```",
        "",
        "The share of workloads under a policy that are proven to be as wished:",
        "",
        "```promql",
        'sum(fleet_telemetry_workloads{state="Compliant"}) / sum(fleet_telemetry_workloads)',
        "```",
        "",
        "| metric | type | labels | meaning |",
        "|---|---|---|---|",
    ]
    fleet, operational = CollectorRegistry(), CollectorRegistry()
    fleet.register(FleetCollector(lambda: iter(())))
    AdmissionMetrics(operational)
    ApiMetrics(operational)
    ControllerMetrics(operational)
    VerificationMetrics(operational)
    add_build_info(operational, "controller")
    lines += [_metric(metric, labels) for metric, labels in _metrics(fleet, operational)]
    return "\n".join(lines) + "\n"


def _metrics(*registries: CollectorRegistry) -> Iterator[tuple[Metric, Sequence[str]]]:
    for registry in registries:
        # The registry's public way shows no labels of metrics that have no sample yet.
        for collector in dict.fromkeys(registry._collector_to_names):  # noqa: SLF001
            for metric in collector.collect():
                labels = getattr(metric, "_labelnames", ()) or getattr(collector, "_labelnames", ())
                yield metric, labels


def _metric(metric: Metric, labels: Sequence[str]) -> str:
    name = f"{metric.name}_total" if metric.type == "counter" else metric.name
    shown = ", ".join(f"`{label}`" for label in labels)
    return f"| `{name}` | {metric.type} | {shown} | {metric.documentation} |"
