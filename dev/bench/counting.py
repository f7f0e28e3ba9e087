"""Which client made which requests, from the API server's metrics and its audit log."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

Resource = str
"""Its plural and its group, such as ``leases.coordination.k8s.io``."""

LEASES = "leases.coordination.k8s.io"
_READING = frozenset({"GET", "LIST", "WATCH", "WATCHLIST", "CONNECT", "PROXY"})


def sum_of(metrics: str, metric: str, /, **labels: str) -> float:
    """The sum of a metric's samples that have these labels."""
    return sum(
        sample.value
        for family in text_string_to_metric_families(metrics)
        if metric.startswith(family.name)
        for sample in family.samples
        if sample.name == metric and labels.items() <= sample.labels.items()
    )


def writes_by_resource(metrics: str) -> Counter[Resource]:
    """All writing requests so far, of all clients."""
    found: Counter[Resource] = Counter()
    for family in text_string_to_metric_families(metrics):
        if family.name != "apiserver_request":
            continue
        for sample in family.samples:
            labels = sample.labels
            if sample.name == "apiserver_request_total" and labels["verb"] not in _READING:
                found[_resource(labels["resource"], labels["group"])] += int(sample.value)
    return found


def calls(events: Iterable[Mapping[str, Any]], account: str) -> Counter[tuple[str, Resource]]:
    """The requests of an account, by verb and resource, from the audit log."""
    found: Counter[tuple[str, Resource]] = Counter()
    for event in events:
        if event["user"]["username"] == account and event["stage"] == "ResponseComplete":
            ref = event.get("objectRef") or {}
            resource = _resource(ref.get("resource", "discovery"), ref.get("apiGroup", ""))
            found[event["verb"], resource] += 1
    return found


def _resource(plural: str, group: str) -> Resource:
    return f"{plural}.{group}" if group else plural
