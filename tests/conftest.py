"""How deep property tests look, and which tests stay together on one worker."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests.support.clusters import Clusters
from tests.support.shared_world import needs_shared_world

# `make unit` looks less deep, with `--hypothesis-profile=fast`; `make test` looks as deep as is
# said at each test. `examples` in tests/support/depth.py scales by it.
settings.register_profile("thorough", max_examples=100, deadline=None)
settings.register_profile("fast", settings.get_profile("thorough"), max_examples=10)
settings.load_profile("thorough")

# Eleven thousand tests and what they import are never garbage. To look through them again and again
# takes a sixth of the unit tests' time, and a third of the time to collect them.
gc.set_threshold(100_000, 50, 100)

TOGETHER = ("tests/integration/chart/",)
"""Folders whose tests share what one worker computes once: here, the rendered chart."""
WORLDS = 2
"""So many workers start the `world`: a cluster with an operator takes 20 seconds of a core to
start, and 0.15 of a core as long as it runs."""


@pytest.fixture(scope="session")
def clusters(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clusters]:
    """Empty clusters."""
    found = Clusters(tmp_path_factory.mktemp("clusters"))
    yield found
    found.close()


def pytest_collection_finish() -> None:
    """Nothing that is there now is looked at again by the garbage collector."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """For `--dist=loadgroup`: what is set up once for a file runs on one worker, and what shares
    the `world` on few. Other tests go to whichever worker is free."""
    with_world = sorted({_file(item) for item in items if needs_shared_world(item)})
    worlds = {file: f"world-{number % WORLDS}" for number, file in enumerate(with_world)}
    for item in items:
        group = worlds.get(_file(item)) or _group(item)
        if group:
            item.add_marker(pytest.mark.xdist_group(group))


def _file(item: pytest.Item) -> str:
    return item.nodeid.partition("::")[0]


def _group(item: pytest.Item) -> str:
    file = _file(item)
    for folder in TOGETHER:
        if file.startswith(folder):
            return folder
    # Catalogues, generated tables and the like are computed once in a process.
    if file.startswith("tests/unit/") or _uses_a_modules_fixture(item):
        return file
    return ""


def _uses_a_modules_fixture(item: pytest.Item) -> bool:
    fixtures = getattr(item, "_fixtureinfo").name2fixturedefs  # noqa: B009  # not in the types
    return any(found[-1].scope == "module" for found in fixtures.values())
