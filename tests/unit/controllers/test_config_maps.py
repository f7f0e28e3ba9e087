"""Which ConfigMaps the controller reads, how often, and what becomes of failures."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from fleet_telemetry.controllers.config_maps import ConfigMapReader
from fleet_telemetry.controllers.keys import ReconcileKey
from fleet_telemetry.evidence.config_maps import ABSENT
from fleet_telemetry.kube.client import KubernetesClient
from fleet_telemetry.workloads.registry import WorkloadKind
from fleet_telemetry.workloads.workload import WorkloadRef
from tests.support.api_stub import ApiStub, Asked
from tests.support.config_maps import config_map

FIRST, SECOND = (WorkloadRef("appsec", WorkloadKind.DEPLOYMENT, name) for name in ("a", "b"))
FORBIDDEN, BROKEN = 403, 500


@asynccontextmanager
async def reading(
    tmp_path: Path, stub: ApiStub, enqueue: Callable[[ReconcileKey], None] = lambda _: None
) -> AsyncIterator[ConfigMapReader]:
    client = await KubernetesClient.connect(str(stub.kubeconfig(tmp_path / "kubeconfig")))
    try:
        yield ConfigMapReader(client, enqueue, interval=0.01, pause=0.001)
    finally:
        await client.close()


def _names(stub: ApiStub) -> list[str]:
    return [asked.name for asked in stub.asked]


def test_it_asks_for_a_map_once_and_again_when_a_pod_has_started(tmp_path: Path) -> None:
    async def run() -> None:
        with ApiStub([config_map({"a": "1"})]) as stub:
            async with reading(tmp_path, stub) as reader:
                await reader.read(FIRST, ["settings"], [1])
                await reader.read(FIRST, ["settings"], [1])
                await reader.read(SECOND, ["settings"])
                assert _names(stub) == ["settings"]
                assert dict(reader.known(SECOND)["settings"].data) == {"a": "1"}
                await reader.read(FIRST, ["settings"], [1, 2])
                await reader.read(FIRST, ["settings"], [2])
                assert _names(stub) == ["settings"] * 2
                # What was read for one workload says nothing of another one's pods.
                await reader.read(SECOND, ["settings"], [2])
                assert _names(stub) == ["settings"] * 3
        assert all(asked.namespace == "appsec" for asked in stub.asked)

    asyncio.run(run())


def test_workloads_that_ask_at_once_share_an_answer(tmp_path: Path) -> None:
    async def run() -> None:
        with ApiStub([config_map({"a": "1"})]) as stub:
            async with reading(tmp_path, stub) as reader:
                refs = [WorkloadRef("appsec", WorkloadKind.JOB, str(one)) for one in range(50)]
                await asyncio.gather(*(reader.read(ref, ["settings"]) for ref in refs))
        assert _names(stub) == ["settings"]

    asyncio.run(run())


def test_a_map_that_does_not_exist_is_known_to_be_absent(tmp_path: Path) -> None:
    async def run() -> None:
        with ApiStub() as stub:
            async with reading(tmp_path, stub) as reader:
                await reader.read(FIRST, ["settings"])
                assert reader.known(FIRST) == {"settings": ABSENT}
                assert reader.known(SECOND) == {}

    asyncio.run(run())


def test_what_may_not_be_read_is_not_known_also_if_it_was(tmp_path: Path) -> None:
    async def run() -> None:
        status: list[int | None] = [None]
        with ApiStub([config_map({"a": "1"})], answer=lambda _: status[0]) as stub:
            async with reading(tmp_path, stub) as reader:
                await reader.read(FIRST, ["settings"])
                assert reader.known(FIRST)
                status[0] = FORBIDDEN
                await reader.read(FIRST, ["settings"], [1])
                assert reader.known(FIRST) == {}

    asyncio.run(run())


def test_after_a_failure_what_was_read_counts_for_a_while(tmp_path: Path) -> None:
    async def run() -> None:
        status: list[int | None] = [None]
        with ApiStub([config_map({"a": "1"})], answer=lambda _: status[0]) as stub:
            async with reading(tmp_path, stub) as reader:
                await reader.read(FIRST, ["settings"], [1])
                status[0] = BROKEN
                await reader.read(FIRST, ["settings"], [1, 2])
                # It was read before the pod started, so it says nothing of the pod.
                assert reader.known(FIRST) == {}

    asyncio.run(run())


def test_a_change_is_found_and_all_its_workloads_are_decided_again(tmp_path: Path) -> None:
    async def run() -> None:
        enqueued: list[ReconcileKey] = []
        found = asyncio.Event()

        def enqueue(key: ReconcileKey) -> None:
            enqueued.append(key)
            found.set()

        asked_again = threading.Event()

        def answer(_: Asked) -> None:
            if len(stub.asked) > len(("for the first", "again", "and again")):
                asked_again.set()

        stored = config_map({"a": "1"})
        with ApiStub([stored], answer=answer) as stub:
            async with reading(tmp_path, stub, enqueue) as reader:
                for ref in (FIRST, SECOND):
                    await reader.read(ref, ["settings"])
                running = asyncio.create_task(reader.run())
                # It asks again, and nothing is new.
                assert await asyncio.to_thread(asked_again.wait, 10)
                assert not enqueued
                stored["data"]["a"] = "2"
                stored["metadata"]["resourceVersion"] = "2"
                await asyncio.wait_for(found.wait(), 10)
                assert set(enqueued) == {FIRST, SECOND}
                assert reader.known(FIRST)["settings"].data["a"] == "2"
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)
                assert reader.known(FIRST) == {}  # the next leader reads for itself

    asyncio.run(run())


def test_nobody_asks_for_what_nobody_refers_to(tmp_path: Path) -> None:
    async def run() -> None:
        with ApiStub([config_map({"a": "1"})]) as stub:
            async with reading(tmp_path, stub) as reader:
                await reader.read(FIRST, ["settings", "other"])
                await reader.read(FIRST, ["other"])
                reader.forget(FIRST)
                reader.forget(SECOND)
                asked = len(stub.asked)
                running = asyncio.create_task(reader.run())
                await asyncio.sleep(0.05)
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)
                assert len(stub.asked) == asked
                assert reader.known(FIRST) == {}

    asyncio.run(run())
