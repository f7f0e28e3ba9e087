"""One cluster with one operator for many tests; a namespace for each of them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dev.cluster import Cluster
from dev.harness.dns_server import LocalDnsServer
from dev.harness.operator import egress_values
from tests.support.custom_resources import CUSTOM_RESOURCES
from tests.support.forked_operator import local_operator
from tests.support.reader import Reader
from tests.support.shared_world import SharedWorld
from tests.support.world import Space, World

_numbers = itertools.count(1)
RUNTIME_SPACES = [f"runtime-{number}" for number in range(1, 51)]
"""Namespaces whose Secrets the chart lets the operator read."""
_free_runtime_spaces = iter(RUNTIME_SPACES)


@pytest.fixture(scope="session")
def shared_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SharedWorld]:
    shared = SharedWorld(lambda: _world(tmp_path_factory.mktemp("world")))
    yield shared
    shared.close()


@pytest.fixture
def world(shared_world: SharedWorld, request: pytest.FixtureRequest) -> Iterator[World]:
    yield shared_world.enter(request.node)
    shared_world.leave(request.node)


@contextmanager
def _world(directory: Path) -> Iterator[World]:
    with (
        LocalDnsServer(directory / "names") as names,
        Cluster(directory / "cluster", scheduler=True, kwok=True, audit=True) as cluster,
    ):
        operator = local_operator(cluster, directory / "operator")
        reader = Reader(cluster.kubeconfig)
        for name in RUNTIME_SPACES:
            reader.create_namespace(name)
        secrets = [{"namespace": name} for name in RUNTIME_SPACES]
        operator.install(
            {
                "runtime": {"secrets": secrets},
                "evidence": {"readConfigMaps": True},
                "egress": egress_values(names),
                "customResources": CUSTOM_RESOURCES,
            }
        )
        operator.start("webhook")
        operator.start("controller", extra=["--dns-interval=1", "--resource-interval=1"])
        operator.wait_until_ready()
        yield World(cluster, operator, directory, names)
        operator.stop_all()


@pytest.fixture
def space(world: World, request: pytest.FixtureRequest) -> Iterator[Space]:
    name = f"t{next(_numbers)}-{request.node.originalname.replace('_', '-')[:40].strip('-')}"
    world.reader.create_namespace(name)
    yield Space(world, name)
    world.reader.delete_namespace(name)


@pytest.fixture
def runtime_space(world: World) -> Iterator[Space]:
    with _runtime_space(world) as space:
        yield space


@pytest.fixture
def vault(world: World) -> Iterator[Space]:
    """A second namespace of that kind, such as one with Secrets for others."""
    with _runtime_space(world) as space:
        yield space


@pytest.fixture
def home(world: World) -> Iterator[Space]:
    """A third one."""
    with _runtime_space(world) as space:
        yield space


@contextmanager
def _runtime_space(world: World) -> Iterator[Space]:
    name = next(_free_runtime_spaces)
    yield Space(world, name)
    world.reader.delete_namespace(name)
