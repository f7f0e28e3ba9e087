"""How deep property tests look, and which tests stay together on one worker."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests.support.clusters import Clusters

# `make unit` looks less deep, with `--hypothesis-profile=fast`; `make test` looks as deep as is
# said at each test. `examples` in tests/support/depth.py scales by it.
settings.register_profile("thorough", max_examples=100, deadline=None)
settings.register_profile("fast", settings.get_profile("thorough"), max_examples=10)
settings.load_profile("thorough")

TOGETHER = ("tests/integration/chart/",)
"""Folders whose tests share what one worker computes once: here, the rendered chart."""


@pytest.fixture(scope="session")
def clusters(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clusters]:
    """Empty clusters."""
    found = Clusters(tmp_path_factory.mktemp("clusters"))
    yield found
    found.close()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """For `--dist=loadgroup`: what is set up once for a file runs on one worker. Tests that set up
    what they need each for itself, or share the `world`, go to whichever worker is free."""
    for item in items:
        group = _group(item)
        if group:
            item.add_marker(pytest.mark.xdist_group(group))


def _group(item: pytest.Item) -> str:
    file = item.nodeid.partition("::")[0]
    for folder in TOGETHER:
        if file.startswith(folder):
            return folder
    # Catalogues, generated tables and the like are computed once in a process.
    if file.startswith("tests/unit/") or "module" in _scopes(item):
        return file
    return ""


def _scopes(item: pytest.Item) -> set[str]:
    """Of the fixtures that a test uses."""
    fixtures = getattr(item, "_fixtureinfo").name2fixturedefs  # noqa: B009  # not in the types
    return {found[-1].scope for found in fixtures.values()}
