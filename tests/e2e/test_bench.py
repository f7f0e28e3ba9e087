"""The benchmark of large fleets, at a size that shows what does not depend on size."""

from __future__ import annotations

from pathlib import Path

import pytest

from dev.bench import growth, plot, scale
from dev.bench.figures import Figure
from dev.bench.progress import Progress

pytestmark = pytest.mark.cluster


def value(figures: list[Figure], section: str, name: str) -> float:
    (found,) = (one for one in figures if section in one.section and one.name == name)
    assert found.spread is not None
    return found.spread.median


def test_nothing_is_written_where_nothing_changes(tmp_path: Path) -> None:
    figures = scale.measure(tmp_path, scale.Size(50, 10, 5, 1, 2, 2, 20, 3), Progress())
    for section in ("nothing changes", "restarted", "the leader killed"):
        assert value(figures, section, "writes by the operator, except its Lease") == 0
        assert value(figures, section, "writes by any client, except Leases and Nodes") == 0
    for workloads, products in (10, 2), (50, 10):
        section = f"{workloads} workloads, {products} of them run a product"
        lists = "LIST requests of both roles", "streaming lists of both roles"
        assert sum(value(figures, section, name) for name in lists) > 0
        assert value(figures, section, "lists of one kind that one role has begun, at most") > 0
    # A new record is an object and its status; a policy that changes is a status.
    flip = "the policy asks for the opposite"
    assert value(figures, flip, "writes per workload with a product, without the Lease") < 2
    assert value(figures, "come and go", "keys taken from the queue") > 0


def test_growth_is_measured_at_each_size_and_drawn(tmp_path: Path) -> None:
    size = growth.Size(5, 5, 5, {"pods": (0, 10)})
    figures = growth.measure(tmp_path, size, Progress())
    sizes = [one.size for one in figures if one.name == "controller: peak memory"]
    assert sizes == [0, 10, None]  # the last one is the growth
    picture = plot.draw([one.record() for one in figures])
    assert "Growth with pods (MB)" in picture
