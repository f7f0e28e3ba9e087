"""Fakes at the addresses of pods, wherever their controllers put them."""

from __future__ import annotations

import threading
from contextlib import suppress
from types import TracebackType
from typing import Self, TypeVar
from urllib.parse import quote

from dev.cluster.api import ApiServerError
from dev.cluster.cluster import Cluster
from dev.fakes.hosted import FakesThread
from dev.fakes.server import FakeProduct

_POLL_SECONDS = 0.3
"""The operator waits for longer than that before it asks a new pod."""
_Kind = TypeVar("_Kind", bound=FakeProduct)


class PodFollower:
    """Follows pods in a thread of its own, and has a fake listen at the address of each."""

    def __init__(self, cluster: Cluster, host: FakesThread) -> None:
        self._cluster = cluster
        self._host = host
        self._followed: dict[tuple[str, str], FakeProduct] = {}
        self._known: set[tuple[FakeProduct, str]] = set()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stopped.set()
        self._thread.join()

    def start(self, fake: _Kind, namespace: str, selector: str) -> _Kind:
        """Start a fake, made without an address, that answers for the pods of a selector."""
        self._host.start(fake)
        self._followed[namespace, selector] = fake
        return fake

    def _run(self) -> None:
        while not self._stopped.wait(_POLL_SECONDS):
            # The API server may be away for a time.
            with suppress(OSError, ApiServerError):
                self._look()

    def _look(self) -> None:
        for (namespace, selector), fake in list(self._followed.items()):
            for address in pod_addresses(self._cluster, namespace, selector):
                if (fake, address) not in self._known:
                    self._host.listen(fake, address)
                    self._known.add((fake, address))


def pod_addresses(cluster: Cluster, namespace: str, selector: str = "") -> list[str]:
    """The addresses of the pods of a namespace that a label selector matches."""
    where = f"/api/v1/namespaces/{namespace}/pods?labelSelector={quote(selector)}"
    pods = cluster.read(where)["items"]
    addresses = (pod.get("status", {}).get("podIP") for pod in pods)
    return [address for address in addresses if address]
