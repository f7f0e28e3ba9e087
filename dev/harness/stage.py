"""A local cluster with the operator, the showcase's fleet, and a Prometheus that scrapes it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dev.cluster.cluster import Cluster
from dev.fakes.hosted import FakesThread
from dev.harness.dns_server import LocalDnsServer
from dev.harness.operator import LocalOperator, Role
from dev.harness.pods import PodFollower
from dev.harness.prometheus import LocalPrometheus
from dev.harness.showcase import Showcase

ROLES: tuple[Role, ...] = ("webhook", "controller")


@dataclass(frozen=True)
class Stage:
    """Everything that runs."""

    cluster: Cluster
    operator: LocalOperator
    showcase: Showcase
    prometheus: LocalPrometheus


@contextmanager
def staged(directory: Path, *, rules: str) -> Iterator[Stage]:
    """Start everything, until the fleet has the expected states and was scraped a few times.

    ``rules`` is a rules file. Raises DevclusterError, OperatorError, ShowcaseError and
    PrometheusError.
    """
    with (
        LocalDnsServer(directory / "names") as names,
        Cluster(directory / "cluster", scheduler=True, kwok=True) as cluster,
        FakesThread() as host,
        PodFollower(cluster, host) as follower,
    ):
        showcase = Showcase(cluster, follower, names)
        showcase.prepare()
        operator = LocalOperator(cluster, directory / "operator")
        try:
            operator.install(showcase.values)
            for role in ROLES:
                operator.start(role)
            operator.wait_until_ready()
            showcase.create()
            showcase.wait()
            with LocalPrometheus(cluster, operator, directory / "prometheus") as prometheus:
                prometheus.start(*ROLES, rules=rules)
                # Enough for a rate.
                prometheus.await_that(
                    lambda: bool(prometheus.query("min(count_over_time(up[1m])) > 5")),
                    "some scrapes of every target",
                )
                yield Stage(cluster, operator, showcase, prometheus)
        finally:
            operator.children.kill_all()
