"""How name servers are found, and which peers may report."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from ipaddress import ip_address, ip_network
from typing import Any

import pytest

from fleet_telemetry.controllers.observed.discovery import NameServers
from fleet_telemetry.controllers.observed.options import ObserverOptions
from fleet_telemetry.egress.dns.name_servers import NameServer
from tests.support.loops import run_and_close
from tests.support.object_stub import ObjectStub

LABELS = {"kubernetes.io/service-name": "kube-dns"}
OPTIONS = ObserverOptions(
    namespace="fleet-telemetry",
    service="fto-dnstap",
    address=ip_address("192.0.2.7"),
    host="127.0.0.1",
    port=6000,
    dns_namespace="kube-system",
    dns_service="kube-dns",
    sources=(ip_network("192.0.2.0/28"), ip_network("2001:db8::/64")),
)


def endpoint_slice(
    *addresses: str, name: str = "kube-dns-1", namespace: str = "kube-system", **more: Any
) -> dict[str, Any]:
    return {
        "kind": "EndpointSlice",
        "metadata": {"name": name, "namespace": namespace, "labels": LABELS},
        "addressType": "IPv4",
        "ports": [{"name": "dns", "port": 53, "protocol": "UDP"}],
        "endpoints": [{"addresses": [one]} for one in addresses],
        **more,
    }


SERVICE = {
    "kind": "Service",
    "metadata": {"name": "kube-dns", "namespace": "kube-system"},
    "spec": {
        "selector": {"k8s-app": "kube-dns"},
        "ports": [{"name": "dns", "port": 53, "protocol": "UDP"}],
    },
}
POD = {
    "kind": "Pod",
    "metadata": {
        "name": "coredns-1",
        "namespace": "kube-system",
        "labels": {"k8s-app": "kube-dns", "hash": "1"},
    },
    "status": {"podIP": "10.0.0.1", "phase": "Running"},
}


class Kit:
    def __init__(self, stub: ObjectStub) -> None:
        self.stub = stub
        self.reads: list[tuple[list[str], str]] = []
        self.now = 0.0
        self.client = stub.client()
        self.found = NameServers(self.client, OPTIONS, self._read, lambda: self.now)

    def _read(self, found: frozenset[NameServer], problem: str) -> None:
        self.reads.append((sorted(str(one.address) for one in found), problem))

    async def read(self) -> tuple[list[str], str]:
        await self.found.refresh()
        return self.reads[-1]


@asynccontextmanager
async def serving(*objects: dict[str, Any]) -> AsyncIterator[Kit]:
    async with ObjectStub(*objects) as stub:
        kit = Kit(stub)
        try:
            yield kit
        finally:
            await kit.client.close()


def test_the_slices_of_the_service_in_both_families() -> None:
    async def main() -> None:
        six = endpoint_slice("2001:db8:1::1", name="kube-dns-2", addressType="IPv6")
        other = endpoint_slice("10.9.9.9", namespace="other")
        unlabelled = endpoint_slice("10.9.9.8", name="x")
        unlabelled["metadata"] = {"name": "x", "namespace": "kube-system"}
        async with serving(endpoint_slice("10.0.0.1", "10.0.0.2"), six, other, unlabelled) as kit:
            assert await kit.read() == (["10.0.0.1", "10.0.0.2", "2001:db8:1::1"], "")

    run_and_close(main())


def test_the_pods_of_the_service_where_nobody_writes_slices() -> None:
    async def main() -> None:
        async with serving(SERVICE, POD) as kit:
            assert await kit.read() == (["10.0.0.1"], "")

    run_and_close(main())


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("objects", "answers", "problem"),
    [
        ([], {}, "there is no Service kube-system/kube-dns; name the one of the cluster's DNS"),
        ([SERVICE], {}, "the Service kube-system/kube-dns has no endpoints"),
        ([endpoint_slice()], {("GET", "services"): 403}, "has no endpoints"),
        ([SERVICE, POD], {("GET", "pods"): 403}, "has no endpoints"),
        (
            [endpoint_slice("10.0.0.1")],
            {("GET", "endpointslices"): 403},
            "the operator may not list EndpointSlices in the namespace kube-system",
        ),
        (
            [endpoint_slice("10.0.0.1")],
            {("GET", "endpointslices"): 500},
            "the EndpointSlices of the Service kube-system/kube-dns cannot be read",
        ),
        ([SERVICE, POD], {("GET", "pods"): 503}, "the pods of the Service"),
        (
            [endpoint_slice(*(f"10.0.{n // 250}.{n % 250 + 1}" for n in range(257)))],
            {},
            "has 257 endpoints, more than 256",
        ),
    ],
)
def test_why_they_are_not_known(
    objects: list[dict[str, Any]], answers: dict[tuple[str, str], int], problem: str
) -> None:
    async def main() -> None:
        async with serving(*objects) as kit:
            kit.stub.answer.update(answers)
            found, said = await kit.read()
            assert found == []
            assert problem in said

    run_and_close(main())


def test_what_was_read_counts_for_a_while_if_the_api_server_does_not_answer() -> None:
    async def main() -> None:
        async with serving(endpoint_slice("10.0.0.1")) as kit:
            await kit.read()
            kit.stub.answer["GET", "endpointslices"] = 503
            kit.now = 50.0
            await kit.read()
            assert kit.reads == [(["10.0.0.1"], "")]
            assert kit.found.admits("10.0.0.1")
            kit.now = 61.0
            assert (await kit.read())[0] == []
            assert not kit.found.admits("10.0.0.1")

    run_and_close(main())


def test_a_stranger_ends_that() -> None:
    async def main() -> None:
        async with serving(endpoint_slice("10.0.0.1")) as kit:
            await kit.read()
            kit.stub.answer["GET", "endpointslices"] = 503
            assert not kit.found.admits("10.0.0.2")
            assert (await kit.read())[0] == []

    run_and_close(main())


@pytest.mark.parametrize("status", [403, 404])
def test_a_refusal_is_no_outage(status: int) -> None:
    async def main() -> None:
        async with serving(endpoint_slice("10.0.0.1")) as kit:
            await kit.read()
            kit.stub.answer["GET", "endpointslices"] = status
            assert (await kit.read())[0] == []

    run_and_close(main())


def test_who_may_report() -> None:
    async def main() -> None:
        async with serving(endpoint_slice("10.0.0.1", "::ffff:10.0.0.2")) as kit:
            await kit.read()
            for admitted in (
                *("10.0.0.1", "::ffff:10.0.0.1", "10.0.0.2", "192.0.2.15", "::ffff:192.0.2.1"),
                *("2001:db8::5", "2001:db8::5%eth0"),
            ):
                assert kit.found.admits(admitted), admitted
            for refused in (
                *("10.0.0.3", "192.0.2.16", "2001:db8:0:1::1", "::10.0.0.1", "127.0.0.1", "::1"),
                *("", "x", "10.0.0.1 ", "10.0.0.01", "1" * 5000),
            ):
                assert not kit.found.admits(refused), refused

    run_and_close(main())


@pytest.mark.thorough
def test_a_stranger_has_the_name_servers_read_at_once() -> None:
    async def main() -> None:
        async with serving(endpoint_slice("10.0.0.1")) as kit:
            task = asyncio.create_task(kit.found.run())
            async with asyncio.timeout(5):  # earlier than they are read anyway
                while not kit.reads:  # noqa: ASYNC110  # nobody tells
                    await asyncio.sleep(0.01)
                assert not kit.found.admits("10.0.0.2")
                kit.stub.add(endpoint_slice("10.0.0.2", name="kube-dns-2"))
                while not kit.found.admits("10.0.0.2"):  # noqa: ASYNC110  # nobody tells
                    await asyncio.sleep(0.05)
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    run_and_close(main())


def test_the_same_problem_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)

    async def main() -> None:
        async with serving() as kit:
            for _ in range(3):
                await kit.read()
            kit.stub.add(endpoint_slice("10.0.0.1"))
            await kit.read()

    run_and_close(main())
    lines = [one.getMessage() for one in caplog.records if "name servers are" in one.getMessage()]
    assert len(lines) == 2
    assert "known again" in lines[1]
