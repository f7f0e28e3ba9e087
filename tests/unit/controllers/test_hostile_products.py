"""Products that answer slowly, too much, or never: what that does to the checks of others.

The API server is a stand-in, the products are servers on loopback, and time is real.
"""

from __future__ import annotations

import asyncio
import contextlib
import copy
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from dev.fakes.emqx import FakeEmqx
from dev.fakes.server import ApiFault
from fleet_telemetry.api.policy import ChannelName, RuntimeAction, Submission
from fleet_telemetry.api.product.setting import Setting
from fleet_telemetry.api.product.spec import AdapterName, Api
from fleet_telemetry.api.reasons import Reason
from fleet_telemetry.catalogue.catalogue import builtin
from fleet_telemetry.controllers.runtime.verifier import Verifier
from fleet_telemetry.evidence.checks import Check
from fleet_telemetry.evidence.credentials import CredentialGrant
from fleet_telemetry.evidence.report import Reported
from fleet_telemetry.kube import kinds
from fleet_telemetry.kube.cache import ClusterCache
from fleet_telemetry.kube.client import KubernetesClient
from fleet_telemetry.kube.transport import Transport
from fleet_telemetry.reporting.metrics import VerificationMetrics
from fleet_telemetry.vendors.http import VendorClient
from fleet_telemetry.workloads.registry import WorkloadKind
from fleet_telemetry.workloads.workload import WorkloadRef
from tests.support import builders
from tests.support.kube_stub import KubeStub

KEYS = {"apiKey": "a3f0_administrator", "apiSecret": "9bQxT_of_the_administrator"}
SLOW = 40
"""Products of the slow namespace: more than there are workers."""
PATIENCE = 4.0
"""Seconds that a product has for an answer here."""
RIGHT = Reported(setting=Setting.DISABLED)


class Kit:
    """A verifier with products that are pods of StatefulSets."""

    def __init__(
        self,
        stack: AsyncExitStack,
        stub: KubeStub,
        *,
        interval: float = 3600,
        patience: float = PATIENCE,
    ) -> None:
        self._stack = stack
        self.stub = stub
        self.interval = interval
        self.client = KubernetesClient(Transport.to(stub.url))
        self.cache = ClusterCache(builtin())
        self.changed = asyncio.Event()
        self.verifier = Verifier(
            self.cache,
            self.client,
            VerificationMetrics(CollectorRegistry()),
            now=lambda: builders.NOW,
            enqueue=self._enqueue,
            is_asked=lambda _ref, _check: True,
            vendors=VendorClient(total_seconds=patience),
            loopback=True,
        )
        self.enqueued = 0
        self.pod: dict[str, Any] = {}
        """The manifest of the last pod."""
        self._port = 0

    def _enqueue(self, _: WorkloadRef) -> None:
        self.enqueued += 1
        self.changed.set()

    async def add(
        self,
        namespace: str,
        number: int,
        fault: ApiFault | None = None,
        action: RuntimeAction = RuntimeAction.VERIFY,
        **options: Any,
    ) -> FakeEmqx:
        """A product that runs as the only pod of a StatefulSet, and is to be checked."""
        # All products listen on one port, each on an address of its own.
        product = FakeEmqx(
            address=f"127.0.{3 + (namespace == 'quick')}.{number + 1}",
            port=self._port,
            tls=False,
            api_key=KEYS["apiKey"],
            api_secret=KEYS["apiSecret"],
            **{"enabled": False, **options},
        )
        await self._stack.enter_async_context(product)
        self._port = product.port
        if fault:
            product.fail(fault)
        name = f"emqx{number}"
        owner = builders.manifest(
            builders.container(builders.EMQX),
            kind="StatefulSet",
            name=name,
            namespace=namespace,
            replicas=1,
        )
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": f"{name}-0",
                "namespace": namespace,
                "uid": f"uid-of-{name}-0",
                "labels": {"app": "it"},
                "ownerReferences": [
                    {
                        "apiVersion": "apps/v1",
                        "kind": "StatefulSet",
                        "name": name,
                        "uid": owner["metadata"]["uid"],
                        "controller": True,
                    }
                ],
            },
            "spec": owner["spec"]["template"]["spec"],
            "status": {
                "phase": "Running",
                "podIP": product.address,
                "conditions": [{"type": "Ready", "status": "True"}],
                "containerStatuses": [{"name": "app", "ready": True, "state": {"running": {}}}],
            },
        }
        self.cache.upsert(kinds.WORKLOAD_BY_KIND[WorkloadKind.STATEFUL_SET], owner)
        self.cache.upsert(kinds.POD, pod)
        self.pod = pod
        check = Check(
            product="emqx",
            api=Api(adapter=AdapterName.EMQX, port=self._port),
            desired=Submission.DISABLED,
            action=action,
            interval=self.interval,
            grant=CredentialGrant("TelemetryPolicy ask", (namespace, "emqx")),
        )
        self.verifier.plan(ref(namespace, number), (check,), None)
        return product

    def result(self, namespace: str, number: int) -> Reported | None:
        return self.verifier.results(ref(namespace, number)).get(("emqx", ChannelName.USAGE))

    async def wait(self, until: Callable[[], object], seconds: float = 10) -> None:
        async with asyncio.timeout(seconds):
            while not until():
                self.changed.clear()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(0.05):
                        await self.changed.wait()


def ref(namespace: str, number: int) -> WorkloadRef:
    return WorkloadRef(namespace, WorkloadKind.STATEFUL_SET, f"emqx{number}")


@asynccontextmanager
async def leading(**options: Any) -> AsyncIterator[Kit]:
    async with AsyncExitStack() as stack:
        kit = Kit(stack, await stack.enter_async_context(KubeStub(KEYS)), **options)
        task = asyncio.create_task(kit.verifier.run())
        try:
            yield kit
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            await kit.client.close()


@pytest.mark.thorough
@pytest.mark.parametrize("fault", [ApiFault.HANG, ApiFault.SLOW_DRIP])
def test_slow_products_of_one_namespace_do_not_keep_others_waiting(fault: ApiFault) -> None:
    async def main() -> None:
        async with leading() as kit:
            for number in range(SLOW):
                await kit.add("slow", number, fault)
            await kit.add("quick", 0)
            # Before any of the slow ones has used up its time.
            await kit.wait(lambda: kit.result("quick", 0), seconds=PATIENCE * 0.75)
            found = kit.result("quick", 0)
            assert found is not None
            assert found.setting is Setting.DISABLED
            # The slow ones have their reason, in turn.
            await kit.wait(lambda: kit.result("slow", 0), seconds=PATIENCE * 2)
            slow = kit.result("slow", 0)
            assert slow is not None
            assert slow.fault is Reason.UNREACHABLE

    asyncio.run(main())


def test_nothing_is_left_of_checks_that_are_no_longer_planned() -> None:
    async def main() -> None:
        async with leading() as kit:
            for number in range(8):
                await kit.add("slow", number, ApiFault.CUT_BEFORE_ANSWER)
            await kit.wait(lambda: all(kit.result("slow", number) for number in range(8)))
            for number in range(8):
                kit.verifier.plan(ref("slow", number), (), None)
            await asyncio.sleep(0)
            assert kit.verifier.sizes() == {"checks": 0, "queue": 0, "namespaces": 0, "hosts": 0}

    asyncio.run(main())


@pytest.mark.thorough
def test_a_product_that_asks_for_a_day_is_asked_again_after_the_interval() -> None:
    async def main() -> None:
        async with leading(interval=0.4) as kit:
            product = await kit.add("quick", 0)
            await kit.wait(lambda: kit.result("quick", 0))
            product.fail(ApiFault.TOO_MANY_429)
            product.retry_after = "86400"
            product.seen.clear()
            await kit.wait(lambda: len(product.seen) >= 3, seconds=3)
            await kit.wait(lambda: kit.result("quick", 0) != RIGHT, seconds=1)
            found = kit.result("quick", 0)
            assert found is not None
            # With intervals as short as here, the answer may go stale before the third failure.
            assert found.fault in (Reason.RATE_LIMITED, Reason.REPORT_STALE)

    asyncio.run(main())


@pytest.mark.thorough
def test_an_answer_goes_stale_while_the_next_check_hangs() -> None:
    async def main() -> None:
        async with leading(interval=0.5, patience=30) as kit:
            product = await kit.add("quick", 0)
            await kit.wait(lambda: kit.result("quick", 0))
            product.fail(ApiFault.HANG)
            before = kit.enqueued
            await kit.wait(lambda: kit.enqueued > before, seconds=4)
            found = kit.result("quick", 0)
            assert found == Reported(fault=Reason.REPORT_STALE)

    asyncio.run(main())


def test_a_contrary_answer_counts_if_its_pod_goes_before_the_remediation() -> None:
    async def main() -> None:
        async with leading() as kit:
            product = await kit.add("quick", 0, action=RuntimeAction.REMEDIATE, enabled=True)
            while not product.seen:  # noqa: ASYNC110  # the very next moment matters
                await asyncio.sleep(0)
            for key in list(kit.cache.fleet.keys("Pod")):
                kit.cache.fleet.delete_pod(key)
            await kit.wait(lambda: kit.result("quick", 0))
            found = kit.result("quick", 0)
            assert found is not None
            assert (found.setting, found.fault) == (Setting.ENABLED, Reason.NO_VERIFIED_POD)

    asyncio.run(main())


def test_a_pod_that_cannot_be_asked_beside_one_that_can_is_no_answer() -> None:
    async def main() -> None:
        async with leading() as kit:
            product = await kit.add("quick", 0)
            other = copy.deepcopy(kit.pod)
            other["metadata"] |= {"name": "emqx0-1", "uid": "uid-of-emqx0-1"}
            other["status"]["podIP"] = "127.0.4.99"
            other["spec"]["containers"].append(
                {"name": "beside", "image": "nginx:1", "ports": [{"containerPort": product.port}]}
            )
            kit.cache.upsert(kinds.POD, other)
            await kit.wait(lambda: kit.result("quick", 0))
            found = kit.result("quick", 0)
            assert found is not None
            assert (found.setting, found.fault) == (Setting.UNKNOWN, Reason.NO_VERIFIED_POD)
            assert "where the others have the API" in found.message

    asyncio.run(main())


@pytest.mark.thorough
@pytest.mark.parametrize("fault", [ApiFault.HANG, ApiFault.ERROR_500, ApiFault.CUT_BEFORE_ANSWER])
def test_a_contrary_answer_counts_whatever_the_remediation_meets(fault: ApiFault) -> None:
    async def main() -> None:
        async with leading(patience=2.0) as kit:
            product = await kit.add("quick", 0, action=RuntimeAction.REMEDIATE, enabled=True)
            # The first request is for the setting; the others fail.
            while not product.seen:  # noqa: ASYNC110  # the very next moment matters
                await asyncio.sleep(0)
            product.fail(fault)
            await kit.wait(lambda: kit.result("quick", 0))
            found = kit.result("quick", 0)
            assert found is not None
            assert (found.setting, found.fault is None) == (Setting.ENABLED, False)

    asyncio.run(main())
