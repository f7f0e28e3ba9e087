"""Pages of docs/ about the API, the reasons and the metrics, from the code that defines them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric

from fleet_telemetry.admission.certificates.metrics import CertificateMetrics
from fleet_telemetry.api.reasons import (
    EgressReason,
    HostReason,
    ObservedReason,
    PolicyReason,
    Reason,
)
from fleet_telemetry.api.resources import RESOURCES, CustomResource
from fleet_telemetry.reporting import (
    fleet_metrics,
    host_metrics,
    namespace_metrics,
    observed_metrics,
    policy_metrics,
    workload_metrics,
)
from fleet_telemetry.reporting.families import Family
from fleet_telemetry.reporting.metrics import (
    AdmissionMetrics,
    ApiMetrics,
    ControllerMetrics,
    VerificationMetrics,
    WatchMetrics,
    add_build_info,
    add_cluster_info,
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
    """docs/reasons.md: every reason that a user can see."""
    lines = [
        "# Reasons",
        "",
        "## Channels of a `WorkloadTelemetry`",
        "",
        "| reason | meaning |",
        "|---|---|",
        *(f"| `{reason}` | {reason.meaning} |" for reason in Reason),
        "",
        "## `egress` of a channel",
        "",
        "| reason | meaning |",
        "|---|---|",
        *(f"| `{reason}` | {reason.meaning} |" for reason in EgressReason),
        "",
        "## `observed` of a channel",
        "",
        "| reason | meaning |",
        "|---|---|",
        *(f"| `{reason}` | {reason.meaning} |" for reason in ObservedReason),
        "",
        "## Conditions of policies and products",
        "",
        "| reason | meaning |",
        "|---|---|",
        *(f"| `{reason}` | {reason.meaning} |" for reason in PolicyReason),
        "",
        "## Conditions of a `TelemetryHost`",
        "",
        "| reason | meaning |",
        "|---|---|",
        *(f"| `{reason}` | {reason.meaning} |" for reason in HostReason),
    ]
    return "\n".join(lines) + "\n"


_METRICS = """\
# Metrics

Every process serves `/metrics` on its probe port (8080 in the chart). Only the leader exports the
metrics of the fleet, so that sums over replicas are right; every process exports its operational
metrics. A new leader exports no fleet metrics until it has reconciled every workload once.

The label `resource_namespace` is a workload's namespace, because Prometheus sets `namespace` to
that of the operator. No label holds the value of a variable, and none free text, except the
reason of an exception, which is cut to 120 characters. `kind` and `name` are the workload's.

The share of opted-out workloads that is proven:

```promql
sum(fleet_telemetry_workloads{{desired="Disabled", state="Compliant"}})
/ sum(fleet_telemetry_workloads{{desired="Disabled", state!="Exempt"}})
```

Opted-out workloads that report that they submit:

```promql
fleet_telemetry_submission_enabled{{evidence="reported"}} == 1
  and on (resource_namespace, kind, name, product, channel)
    fleet_telemetry_workload_state{{desired="Disabled", state!="Exempt"}}
```

## The fleet

| metric | labels | meaning | series |
|---|---|---|---|
{fleet}

## Single workloads

A workload with two channels has about twelve series: 10,000 workloads make about 120,000 series, a
scrape of some 22 MB (1 MB compressed, as Prometheus requests it) in half a second
([benchmarks](benchmarks.md)). `metrics.perWorkload: false` in the chart removes them; alerts then
name namespaces and products instead of workloads.

| metric | labels | meaning | series |
|---|---|---|---|
{workloads}

## Every process

| metric | type | labels | meaning |
|---|---|---|---|
{processes}

All histograms have the same buckets, so Prometheus can convert them to native ones at the scrape:
`metrics.serviceMonitor.nativeHistograms: true` in the chart, or
`convert_classic_histograms_to_nhcb: true` in a scrape configuration.
"""


def metrics_page() -> str:
    """docs/metrics.md: every metric with its labels, and how many series there are."""
    operational = CollectorRegistry()
    AdmissionMetrics(operational)
    CertificateMetrics(operational)
    ApiMetrics(operational)
    ControllerMetrics(operational)
    VerificationMetrics(operational)
    WatchMetrics(operational)
    add_build_info(operational, "controller")
    add_cluster_info(operational, "name")
    counted = (
        *fleet_metrics.FAMILIES,
        *namespace_metrics.FAMILIES,
        *policy_metrics.FAMILIES,
        *host_metrics.FAMILIES,
        *observed_metrics.FAMILIES,
    )
    return _METRICS.format(
        fleet="\n".join(map(_family, counted)),
        workloads="\n".join(
            map(_family, (*workload_metrics.FAMILIES, *observed_metrics.PER_WORKLOAD))
        ),
        processes="\n".join(_metric(metric, labels) for metric, labels in _metrics(operational)),
    )


def _family(family: Family) -> str:
    return (
        f"| `{family.full_name}` | {_labels(family.labels)} | {family.meaning} | {family.series} |"
    )


def _metrics(registry: CollectorRegistry) -> Iterator[tuple[Metric, Sequence[str]]]:
    # The registry's public way shows no labels of metrics that have no sample yet.
    for collector in dict.fromkeys(registry._collector_to_names):  # noqa: SLF001
        for metric in collector.collect():
            yield metric, getattr(collector, "_labelnames", ())


def _metric(metric: Metric, labels: Sequence[str]) -> str:
    name = f"{metric.name}_total" if metric.type == "counter" else metric.name
    return f"| `{name}` | {metric.type} | {_labels(labels)} | {metric.documentation} |"


def _labels(labels: Sequence[str]) -> str:
    return ", ".join(f"`{label}`" for label in labels)
