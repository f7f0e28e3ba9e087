"""An observer with a name server that reports to it, over real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Any

import pytest

from dev.harness.ports import free_port
from fleet_telemetry.api.reasons import ObservedReason
from fleet_telemetry.catalogue.catalogue import builtin
from fleet_telemetry.controllers.observed.observer import Observer
from fleet_telemetry.controllers.observed.options import ObserverOptions
from fleet_telemetry.controllers.observed.session import Pace
from fleet_telemetry.egress.dns.name_servers import NameServer
from fleet_telemetry.kube import kinds
from fleet_telemetry.kube.cache import ClusterCache
from fleet_telemetry.observed.ledger import HostClass
from fleet_telemetry.workloads.registry import WorkloadKind
from fleet_telemetry.workloads.workload import WorkloadRef
from tests.support.builders import SONARQUBE, container, manifest, pod_manifest
from tests.support.loops import run_and_close
from tests.support.object_stub import ObjectStub, Write
from tests.support.tapped_name_server import TappedNameServer

HOST = "telemetry.sonarsource.com"
OWNER = manifest(container(SONARQUBE), kind="StatefulSet")
REF = WorkloadRef(OWNER["metadata"]["namespace"], WorkloadKind.STATEFUL_SET, "it")
QUICK = Pace(tick=0.02, canaries=0.5, soonest=0.02, settle=0.05, begin=30.0)
SERVICE = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "fto-dnstap", "namespace": "fleet-telemetry", "uid": "u1"},
    "spec": {"ports": [{"name": "dnstap", "port": 6000}]},
}


def pod(name: str = "it-0", address: str = "10.1.2.3", uid: str = "p0") -> dict[str, Any]:
    found = pod_manifest(OWNER, name)
    found["metadata"]["uid"] = uid
    began = "2026-01-01T00:00:00Z"
    status = {"name": "app", "state": {"running": {"startedAt": began}}}
    found["status"] |= {"podIP": address, "startTime": began, "containerStatuses": [status]}
    return found


@dataclass
class Kit:
    """An observer of a cluster with one workload."""

    stub: ObjectStub
    port: int = field(default_factory=free_port)
    enqueued: list[WorkloadRef] = field(default_factory=list)
    path: NameServer | None = None

    def __post_init__(self) -> None:
        self.cache = self.new_cache()
        self.client = self.stub.client()
        self.options = ObserverOptions(
            namespace="fleet-telemetry",
            service="fto-dnstap",
            address=ip_address("192.0.2.7"),
            host="127.0.0.1",
            port=self.port,
            dns_namespace="kube-system",
            dns_service="kube-dns",
            path=self.path,
        )
        self.observer = Observer(
            self.cache,
            self.client,
            self.options,
            now=lambda: datetime.now(UTC),
            enqueue=self.enqueued.append,
            pace=QUICK,
        )
        self.cache.add_listener(self.observer.feed)

    @staticmethod
    def new_cache() -> ClusterCache:
        """Of the cluster."""
        cache = ClusterCache(builtin())
        cache.upsert(kinds.WORKLOAD_BY_KIND["StatefulSet"], OWNER)
        cache.upsert(kinds.POD, pod())
        return cache

    @asynccontextmanager
    async def leading(self) -> AsyncIterator[None]:
        await self.observer.begin()
        task = asyncio.create_task(self.observer.run())
        try:
            yield
            assert not task.done(), "it ended by itself"
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    @property
    def reason(self) -> ObservedReason | None:
        return self.observer.contacts_of(REF).reason

    @property
    def is_complete(self) -> bool:
        return self.observer.contacts_of(REF).complete_since is not None

    @property
    def is_chained(self) -> bool:
        """Whether canaries come back, whatever hosts are tapped."""
        figures = self.observer.figures()
        return figures is not None and figures.complete_since is not None


async def until(holds: Callable[[], object]) -> None:
    async with asyncio.timeout(90):
        while not holds():  # noqa: ASYNC110  # what is waited for is no event
            await asyncio.sleep(0.01)


async def until_complete(observer: Observer) -> None:
    """Wait until no lookup of the workload can be missing."""
    try:
        await until(lambda: observer.contacts_of(REF).complete_since)
    except TimeoutError:
        raise AssertionError(f"{observer.contacts_of(REF)}; {observer.figures()}") from None


@asynccontextmanager
async def tapped(**more: Any) -> AsyncIterator[tuple[Kit, TappedNameServer]]:
    async with ObjectStub(SERVICE) as stub:
        kit = Kit(stub)
        async with TappedNameServer(("127.0.0.1", kit.port), **more) as server:
            stub.add(server.endpoint_slice())
            try:
                yield kit, server
            finally:
                await kit.client.close()


def test_a_lookup_of_a_pod_is_a_contact_of_its_workload() -> None:
    async def main() -> None:
        async with tapped() as (kit, server), kit.leading():
            await until(lambda: kit.is_complete)
            kit.enqueued.clear()
            server.ask("10.1.2.3", HOST)
            await until(lambda: kit.observer.contacts_of(REF).seen)
            (contact,) = kit.observer.contacts_of(REF).seen
            assert (contact.host, contact.pod, contact.pod_uid) == (HOST, "it-0", "p0")
            assert kit.is_complete
            await until(lambda: REF in kit.enqueued)
            (record,) = kit.observer.records_of(REF)
            assert (record.host, record.pod) == (HOST, "it-0")
            figures = kit.observer.figures()
            assert figures is not None
            assert figures.lookups == {(REF, "sonarqube", HostClass.EXCLUSIVE): 1}
            assert figures.sources == {"127.0.0.1": True}

    run_and_close(main())


@pytest.mark.thorough
def test_nothing_is_enqueued_while_nothing_changes() -> None:
    async def main() -> None:
        async with tapped() as (kit, _), kit.leading():
            await until(lambda: kit.is_complete)
            await asyncio.sleep(0.1)
            kit.enqueued.clear()
            found = kit.observer.contacts_of(REF)
            await asyncio.sleep(1.2)  # several rounds of canaries
            assert kit.enqueued == []
            assert kit.observer.contacts_of(REF) == found
            assert kit.stub.writes == [Write("PATCH", "endpointslices", "fto-dnstap-leader")]

    run_and_close(main())


def test_a_name_server_that_is_not_connected_hides_lookups() -> None:
    async def main() -> None:
        async with tapped() as (kit, server), kit.leading():
            other = server.endpoint_slice(name="kube-dns-2")
            kit.stub.add({**other, "endpoints": [{"addresses": ["127.0.0.99"]}]})
            await until(lambda: kit.reason is ObservedReason.SOURCE_NOT_CONNECTED)
            figures = kit.observer.figures
            await until(
                lambda: (
                    (found := figures()) is not None
                    and found.sources == {"127.0.0.1": True, "127.0.0.99": False}
                )
            )
            assert not kit.is_complete

    run_and_close(main())


@pytest.mark.thorough
def test_who_is_no_name_server_any_more_is_disconnected() -> None:
    async def main() -> None:
        async with tapped() as (kit, server), kit.leading():
            await until(lambda: kit.is_complete)
            other = server.endpoint_slice()
            kit.stub.add({**other, "endpoints": [{"addresses": ["127.0.0.99"]}]})
            await until(lambda: not server.is_connected)
            figures = kit.observer.figures
            await until(
                lambda: (found := figures()) is not None and found.sources == {"127.0.0.99": False}
            )

    run_and_close(main())


@pytest.mark.thorough
@pytest.mark.parametrize("is_tapped", [True, False])
def test_what_pods_ask_has_to_reach_a_name_server_that_reports(*, is_tapped: bool) -> None:
    async def main() -> None:
        async with ObjectStub(SERVICE) as stub:
            port = free_port()
            tap, nobody = ("127.0.0.1", port), ("127.0.0.1", 9)
            async with (
                TappedNameServer(tap) as server,
                TappedNameServer(tap if is_tapped else nobody) as cache,
            ):
                kit = Kit(stub, port, path=cache.name_server)
                stub.add(server.endpoint_slice())
                async with kit.leading():
                    await until(lambda: len(cache.asked) > 3 and len(server.asked) > 6)
                    if is_tapped:
                        await until(lambda: kit.is_complete)
                    assert kit.is_complete is is_tapped
                await kit.client.close()

    run_and_close(main())


def test_a_tap_without_the_products_host_proves_nothing() -> None:
    async def main() -> None:
        async with tapped() as (kit, server):
            server.untapped.add(HOST)
            async with kit.leading():
                await until(lambda: kit.reason is ObservedReason.HOST_NOT_TAPPED)
                assert HOST in server.asked
                assert kit.observer.contacts_of(REF).detail == HOST

    run_and_close(main())


def test_a_canary_that_does_not_come_back_breaks_the_chain() -> None:
    async def main() -> None:
        async with tapped(taps=False) as (kit, server), kit.leading():
            await until(lambda: server.is_connected and len(server.asked) > 2)
            await asyncio.sleep(0.2)
            assert not kit.is_chained
            server.taps = True
            await until(lambda: kit.is_chained)

    run_and_close(main())


def test_autopath_hides_lookups() -> None:
    async def main() -> None:
        async with tapped(autopath=True) as (kit, server):
            server.untapped.add("never")
            async with kit.leading():
                # All names are reported, so those with a search domain are, too.
                await until(lambda: kit.is_complete)
                suffix = ".fleet-telemetry.svc.cluster.local"
                assert any(name.endswith(suffix) for name in server.asked)

    run_and_close(main())


def test_it_ends_and_begins_with_leading() -> None:
    async def main() -> None:
        async with tapped() as (kit, server):
            for _ in range(2):
                async with kit.leading():
                    await until(lambda: kit.is_complete)
                await until(lambda: not server.is_connected)
                with contextlib.suppress(ConnectionRefusedError):
                    await asyncio.open_connection("127.0.0.1", kit.port)
                    raise AssertionError("it listens and does not lead")
                assert kit.observer.figures() is None
                kit.cache.upsert(kinds.POD, pod("it-1", "10.1.2.4", "p1"))
            assert server.connections == 2

    run_and_close(main())


@pytest.mark.thorough
def test_a_port_in_use_stops_nothing_and_is_shown() -> None:
    async def main() -> None:
        async with tapped(taps=False) as (kit, _):
            with socket.create_server(("127.0.0.1", kit.port)):
                leading = kit.leading()
                await leading.__aenter__()
                await until(lambda: "cannot listen on" in kit.observer.contacts_of(REF).detail)
                assert kit.reason in (
                    ObservedReason.SOURCE_NOT_CONNECTED,
                    ObservedReason.NOT_PROVEN_YET,
                )
                # The other parts go on.
                await until(lambda: kit.stub.writes)
                await asyncio.sleep(0.1)
                kit.enqueued.clear()
            # What is shown changes, though nothing is proven.
            await until(lambda: "cannot listen on" not in kit.observer.contacts_of(REF).detail)
            await until(lambda: REF in kit.enqueued)
            await leading.__aexit__(None, None, None)

    run_and_close(main())


def test_a_refused_write_is_shown_and_stops_nothing() -> None:
    async def main() -> None:
        async with tapped() as (kit, _):
            kit.stub.answer["PATCH", "endpointslices"] = 403
            async with kit.leading():
                await until(lambda: kit.is_complete)

    run_and_close(main())


def test_a_bug_of_the_observer_is_no_failure_of_a_decision(caplog: Any) -> None:
    async def main() -> None:
        async with tapped() as (kit, _), kit.leading():
            await until(lambda: kit.is_complete)
            # What no code of ours does: the cache is broken.
            kit.cache.fleet._pods[("x", None)] = None  # type: ignore[index,assignment]
            kit.cache.fleet.workloads[REF] = "no workload"  # type: ignore[assignment]
            kit.observer.feed.workload_changed(REF)
            for _ in range(3):
                assert kit.reason is ObservedReason.NOT_PROVEN_YET
                kit.observer.feed.workload_changed(REF)
            assert "its log says how" in kit.observer.contacts_of(REF).detail

    run_and_close(main())
    assert any("it cannot be said what DNS showed" in one.getMessage() for one in caplog.records)
