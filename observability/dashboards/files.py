"""The dashboards as Grafana reads them."""

from __future__ import annotations

from collections.abc import Iterator

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

from observability.dashboards import compliance, health, observed, overview, workload


def dashboards() -> tuple[Dashboard, ...]:
    """All of them."""
    boards = overview, compliance, workload, observed, health
    return tuple(board.build() for board in boards)


def dashboard_files() -> Iterator[tuple[str, str]]:
    """The name and the content of each file; the same each time."""
    encoder = JSONEncoder(sort_keys=True, indent=2)
    for board in dashboards():
        yield f"{board.uid}.json", encoder.encode(board) + "\n"
