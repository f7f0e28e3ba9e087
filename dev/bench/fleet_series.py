"""What a controller exports of the fleet, and when it has followed a change."""

from __future__ import annotations

import asyncio
import gzip
import re
import urllib.request
from collections import Counter

from dev.bench.counting import samples
from dev.bench.server import until
from dev.harness.operator import LocalOperator

WORKLOADS = "fleet_telemetry_workloads"
LEADER = "fleet_telemetry_leader"
_POLL_SECONDS = 0.5
"""Seconds between scrapes: a scrape is work for the process that is measured."""
_SCRAPE_SECONDS = 10.0
_SUBMISSION = re.compile(r'^fleet_telemetry_policy_info\{.*submission="(\w+)"', re.MULTILINE)

Fleet = Counter[tuple[tuple[str, str], ...]]
"""Workloads by the labels of their series."""


def fleet_in(metrics: str) -> Fleet:
    """The counted workloads, by namespace, product, channel, setting and state."""
    return Counter(
        {
            tuple(sorted(sample.labels.items())): int(sample.value)
            for sample in samples(metrics, WORKLOADS)
            if sample.value
        }
    )


def asked_for(metrics: str) -> Counter[str]:
    """The counted workloads by the setting that their policies ask for."""
    found: Counter[str] = Counter()
    for labels, count in fleet_in(metrics).items():
        found[dict(labels)["desired"]] += count
    return found


def leads(metrics: str) -> bool:
    """Whether the process is the leader."""
    return any(sample.value for sample in samples(metrics, LEADER))


async def scrape(operator: LocalOperator, name: str) -> str:
    """The metrics of a process, as Prometheus asks for them; empty if it does not answer."""
    request = urllib.request.Request(  # noqa: S310  # our own URL
        f"{operator.url(name)}/metrics", headers={"Accept-Encoding": "gzip"}
    )

    def read() -> str:
        with urllib.request.urlopen(request, timeout=_SCRAPE_SECONDS) as answer:  # noqa: S310
            return gzip.decompress(answer.read()).decode()

    try:
        return await asyncio.to_thread(read)
    except OSError:
        return ""


async def until_all_ask_for(
    setting: str, operator: LocalOperator, name: str, seconds: float
) -> None:
    """Wait until the metrics show no other setting any more. Raises BenchError."""

    async def follow() -> bool:
        metrics = await scrape(operator, name)
        return set(asked_for(metrics)) == {setting} == set(_SUBMISSION.findall(metrics))

    await until(f"the metrics to show {setting}", seconds, follow, every=_POLL_SECONDS)
