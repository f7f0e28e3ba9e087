"""Somebody who creates workloads all the time, and looks at what comes back."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from dev.bench.errors import BenchError
from dev.bench.server import Server, connect
from dev.cluster import Cluster
from tests.support.world import SONAR_SWITCH, SONARQUBE, container, workload

_AT_ONCE = 5
_PATH = "/apis/apps/v1/namespaces/default/deployments"


@dataclass(frozen=True)
class Created:
    """What became of one request."""

    at: float
    seconds: float
    problem: str
    injected: bool


@dataclass(frozen=True)
class Summary:
    """What became of all."""

    created: Sequence[Created]

    @property
    def failed(self) -> list[Created]:
        return [one for one in self.created if one.problem]

    @property
    def missed(self) -> list[Created]:
        """Those that went in without injection."""
        return [one for one in self.created if not one.problem and not one.injected]

    @property
    def slowest(self) -> float:
        return max(one.seconds for one in self.created)

    def __str__(self) -> str:
        return (
            f"{len(self.created)} creates, {len(self.failed)} failed, {len(self.missed)} without"
            f" injection, the slowest took {self.slowest:.2f} s"
        )


class Load:
    """Use as a context; the summary is complete when it has ended."""

    def __init__(self, cluster: Cluster, rate: float = 20.0, prefix: str = "load") -> None:
        self._cluster = cluster
        # Several at once, as a deployment of several workloads is: each takes a connection.
        self._interval = _AT_ONCE / rate
        manifest = workload("Deployment", "load", container(SONARQUBE), replicas=0)
        del manifest["metadata"]["name"]
        manifest["metadata"]["generateName"] = f"{prefix}-"
        self._body = json.dumps(manifest).encode()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))
        self.created: list[Created] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stopping.set()
        self._thread.join()

    @property
    def summary(self) -> Summary:
        return Summary(tuple(self.created))

    async def _run(self) -> None:
        async with connect(self._cluster) as server, asyncio.TaskGroup() as group:
            due = time.monotonic()
            while not self._stopping.is_set():
                for _ in range(_AT_ONCE):
                    group.create_task(self._create(server))
                due += self._interval
                await asyncio.sleep(max(0.0, due - time.monotonic()))

    async def _create(self, server: Server) -> None:
        started, problem, answer = time.monotonic(), "", b""
        try:
            answer = await server.post(_PATH, self._body)
        except BenchError as error:
            problem = str(error)
        seconds = time.monotonic() - started
        injected = SONAR_SWITCH.encode() in answer
        self.created.append(Created(started, seconds, problem, injected))
