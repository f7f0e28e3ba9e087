"""What the API server's metrics and audit log say of lists and writes."""

from __future__ import annotations

from typing import Any

import pytest

from dev.bench.counting import (
    calls,
    lists_begun,
    lists_by_resource,
    samples,
    sum_of,
    writes_by_resource,
)

METRICS = """\
# HELP apiserver_request_total [STABLE] Counter of apiserver requests.
# TYPE apiserver_request_total counter
apiserver_request_total{code="200",group="apps",resource="deployments",verb="LIST"} 12
apiserver_request_total{code="410",group="apps",resource="deployments",verb="LIST"} 1
apiserver_request_total{code="200",group="",resource="pods",verb="LIST"} 3
apiserver_request_total{code="0",group="",resource="pods",verb="WATCH"} 4
apiserver_request_total{code="201",group="",resource="pods",verb="POST"} 5
apiserver_request_total{group="",resource="serviceaccounts",subresource="token",verb="POST"} 6
apiserver_request_total{code="200",group="apps",resource="deployments",verb="APPLY"} 2
apiserver_request_total{code="200",group="apps",resource="deployments",verb="GET"} 90
# TYPE apiserver_request_total_other counter
apiserver_request_total_other{code="200",group="apps",resource="deployments",verb="LIST"} 77
# TYPE apiserver_watch_list_duration_seconds histogram
apiserver_watch_list_duration_seconds_bucket{group="apps",resource="deployments",le="+Inf"} 99
apiserver_watch_list_duration_seconds_sum{group="apps",resource="deployments"} 99.5
apiserver_watch_list_duration_seconds_count{group="apps",resource="deployments"} 2
bare 7
barely 8
"""


def test_pages_and_streams_are_counted_by_resource() -> None:
    pages, streams = lists_by_resource(METRICS)
    assert pages == {"deployments.apps": 13, "pods": 3}
    assert streams == {"deployments.apps": 2}


def test_a_server_without_streaming_lists_has_none() -> None:
    pages, streams = lists_by_resource("\n".join(METRICS.splitlines()[:10]))
    assert pages.total() == 16
    assert streams.total() == 0


def test_writes_are_what_does_not_read() -> None:
    assert writes_by_resource(METRICS) == {"pods": 5, "deployments.apps": 2}


def test_a_metric_is_not_taken_for_one_whose_name_begins_likewise() -> None:
    assert sum_of(METRICS, "apiserver_request_total") == 123
    assert [sample.value for sample in samples(METRICS, "bare")] == [7]
    assert [sample.value for sample in samples(METRICS, "absent")] == []


ACCOUNT = "system:serviceaccount:fleet-telemetry:fleet-telemetry-controller"
DEPLOYMENTS = {"resource": "deployments", "apiGroup": "apps"}
STREAM = "sendInitialEvents=true&resourceVersionMatch=NotOlderThan&watch=true"


def event(verb: str, query: str = "", **other: Any) -> dict[str, Any]:
    return {
        "user": {"username": ACCOUNT},
        "verb": verb,
        "stage": "ResponseComplete",
        "requestURI": f"/apis/apps/v1/deployments?{query}",
        "objectRef": DEPLOYMENTS,
        **other,
    }


@pytest.mark.parametrize(
    ("events", "count"),
    [
        ([event("list", "limit=500")], 1),
        ([event("list", "limit=20"), event("list", "continue=abc&limit=20")], 1),
        ([event("list"), event("list")], 2),
        # A watch is recorded when it begins and when it ends.
        ([event("watch", STREAM, stage="ResponseStarted"), event("watch", STREAM)], 1),
        ([event("watch", STREAM, stage="ResponseStarted")], 1),
        ([event("watch", "watch=true", stage="ResponseStarted")], 0),
        ([event("get"), event("patch")], 0),
        ([event("list", user={"username": "system:serviceaccount:other:other"})], 0),
    ],
)
def test_a_list_counts_once_whatever_its_form(events: list[dict[str, Any]], count: int) -> None:
    assert lists_begun(events, ACCOUNT) == ({"deployments.apps": count} if count else {})


def test_the_calls_of_an_account_are_its_completed_requests() -> None:
    events = [
        event("list"),
        event("watch", stage="ResponseStarted"),
        event("get", objectRef=None),
        event("patch", user={"username": "admin"}),
    ]
    found = calls(events, ACCOUNT)
    assert found == {("list", "deployments.apps"): 1, ("get", "discovery"): 1}
