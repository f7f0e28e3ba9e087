"""Tests that share what a file sets up run on one worker."""

from __future__ import annotations

import pytest


def test_a_worker_is_given_whole_groups(request: pytest.FixtureRequest) -> None:
    """pytest-xdist distributes by what it appends to the name of a test. Where that has no effect,
    each worker sets everything up, and nothing says so."""
    if not getattr(request.config.option, "loadgroup", False):
        pytest.skip("this run does not distribute groups")
    assert request.node.nodeid.endswith("@tests/unit/test_grouping.py")
