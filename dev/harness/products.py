"""Fakes of the products' APIs, at the addresses at which the products would listen.

``python -m dev.harness.products FILE`` runs those that the file names; see ``ProductAddress``.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dev.fakes.dependency_track import FakeDependencyTrack
from dev.fakes.emqx import FakeEmqx
from dev.fakes.server import FakeProduct
from dev.fakes.sonarqube import FakeSonarQube
from dev.fakes.sourcegraph import FakeSourcegraph
from dev.harness.operator import LocalOperator, OperatorError

_READY_SECONDS = 60.0
CREDENTIALS: Mapping[str, Mapping[str, str]] = {
    "dependency-track": {"apiKey": "odt_demo"},
    "sonarqube": {"token": "squ_demo"},
    "emqx": {"apiKey": "demo", "apiSecret": "demo-secret"},
    "sourcegraph": {"token": "sgp_demo"},
}
"""By product; the code that starts the fakes puts them into Secrets."""


@dataclass(frozen=True)
class ProductAddress:
    """A product and where it listens: the address of a pod."""

    product: str
    address: str
    port: int


def _make(place: ProductAddress) -> FakeProduct:
    makers: Mapping[str, Callable[..., FakeProduct]] = {
        "dependency-track": _dependency_track,
        "sonarqube": _sonarqube,
        "emqx": _emqx,
        "sourcegraph": _sourcegraph,
    }
    return makers[place.product](address=place.address, port=place.port, tls=False)


def _dependency_track(**where: Any) -> FakeProduct:
    key = CREDENTIALS["dependency-track"]["apiKey"]
    # Its database is older than the policy, so the injected default had no effect.
    fake = FakeDependencyTrack(version="4.14.4", enabled="true", api_key=key, **where)
    fake.submit(1_795_000_000)
    return fake


def _sonarqube(**where: Any) -> FakeProduct:
    token = CREDENTIALS["sonarqube"]["token"]
    return FakeSonarQube(version="26.7.0.124771", enabled="false", token=token, **where)


def _emqx(**where: Any) -> FakeProduct:
    keys = CREDENTIALS["emqx"]
    return FakeEmqx(
        version="5.8.9",
        enabled=False,
        api_key=keys["apiKey"],
        api_secret=keys["apiSecret"],
        **where,
    )


def _sourcegraph(**where: Any) -> FakeProduct:
    return FakeSourcegraph(version="5.6.2535", token=CREDENTIALS["sourcegraph"]["token"], **where)


def start_products(operator: LocalOperator, places: Sequence[ProductAddress]) -> None:
    """Run fakes beside the operator, until its children end. Raises OperatorError."""
    log = operator.log("products")
    file = log.with_suffix(".json")
    file.write_text(json.dumps([dataclasses.asdict(place) for place in places]))
    command = [sys.executable, "-m", "dev.harness.products", str(file)]
    operator.children.start("products", command)
    deadline = time.monotonic() + _READY_SECONDS
    while "ready" not in log.read_text():
        operator.children.check("products")
        if time.monotonic() > deadline:
            raise OperatorError(f"the fakes are not ready; their log is {log}")
        time.sleep(0.05)


async def _serve(places: list[ProductAddress]) -> None:
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    fakes = [_make(place) for place in places]
    for fake in fakes:
        await fake.start()
    print("ready", flush=True)
    await stopped.wait()
    for fake in fakes:
        await fake.stop()


if __name__ == "__main__":
    asyncio.run(
        _serve([ProductAddress(**place) for place in json.loads(Path(sys.argv[1]).read_text())])
    )
