"""Which client made which requests, from the API server's metrics and its audit log."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

Resource = str
"""Its plural and its group, such as ``leases.coordination.k8s.io``."""

LEASES = "leases.coordination.k8s.io"
_READING = frozenset({"GET", "LIST", "WATCH", "WATCHLIST", "CONNECT", "PROXY"})


_REQUESTS = "apiserver_request_total"
_STREAMED = "apiserver_watch_list_duration_seconds_count"


def sum_of(metrics: str, metric: str, /, **labels: str) -> float:
    """The sum of a metric's samples that have these labels."""
    return sum(
        sample.value
        for sample in samples(metrics, metric)
        if labels.items() <= sample.labels.items()
    )


def samples(metrics: str, metric: str) -> Iterator[Sample]:
    """The samples of one metric. Only its lines are parsed: there are megabytes of others."""
    begins = (f"{metric}{{", f"{metric} ")
    lines = [line for line in metrics.splitlines() if line.startswith(begins)]
    for family in text_string_to_metric_families("\n".join((*lines, ""))):
        yield from family.samples


def writes_by_resource(metrics: str) -> Counter[Resource]:
    """All writing requests so far, of all clients, without those for tokens."""
    found: Counter[Resource] = Counter()
    for sample in samples(metrics, _REQUESTS):
        labels = sample.labels
        # A kubelet asks for tokens, and here the harness, when it starts a process.
        if labels["verb"] not in _READING and labels.get("subresource") != "token":
            found[_resource(labels["resource"], labels["group"])] += int(sample.value)
    return found


def lists_by_resource(metrics: str) -> tuple[Counter[Resource], Counter[Resource]]:
    """All lists so far, of all clients: requests with the verb LIST, of which one page is one, and
    streaming lists, which the API server counts as watches, when the list has been sent."""
    pages: Counter[Resource] = Counter()
    streams: Counter[Resource] = Counter()
    for sample in samples(metrics, _REQUESTS):
        if sample.labels["verb"] == "LIST":
            found = _resource(sample.labels["resource"], sample.labels["group"])
            pages[found] += int(sample.value)
    for sample in samples(metrics, _STREAMED):
        found = _resource(sample.labels["resource"], sample.labels["group"])
        streams[found] += int(sample.value)
    return pages, streams


def calls(events: Iterable[Mapping[str, Any]], account: str) -> Counter[tuple[str, Resource]]:
    """The requests of an account, by verb and resource, from the audit log."""
    found: Counter[tuple[str, Resource]] = Counter()
    for event in events:
        if event["user"]["username"] == account and event["stage"] == "ResponseComplete":
            found[event["verb"], _resource_of(event)] += 1
    return found


def lists_begun(events: Iterable[Mapping[str, Any]], account: str) -> Counter[Resource]:
    """The lists that an account has begun, by resource: a list in pages is one, and a streaming
    list is one."""
    found: Counter[Resource] = Counter()
    for event in events:
        if event["user"]["username"] != account:
            continue
        verb, query = event["verb"], event["requestURI"]
        if verb == "list":
            found[_resource_of(event)] += (
                event["stage"] == "ResponseComplete" and "continue=" not in query
            )
        elif verb == "watch" and "sendInitialEvents=true" in query:
            found[_resource_of(event)] += event["stage"] == "ResponseStarted"
    return +found


def _resource_of(event: Mapping[str, Any]) -> Resource:
    ref = event.get("objectRef") or {}
    return _resource(ref.get("resource", "discovery"), ref.get("apiGroup", ""))


def _resource(plural: str, group: str) -> Resource:
    return f"{plural}.{group}" if group else plural
