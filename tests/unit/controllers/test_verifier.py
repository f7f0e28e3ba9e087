"""When products are asked, as far as no API server is needed; the rest is in tests/e2e.

Time is the event loop's, and here it passes at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from fleet_telemetry.api.policy import ChannelName, RuntimeAction, Submission
from fleet_telemetry.api.product.spec import AdapterName, Api
from fleet_telemetry.api.reasons import Reason
from fleet_telemetry.api.selector import LabelSelector
from fleet_telemetry.catalogue.catalogue import builtin
from fleet_telemetry.controllers.runtime.verifier import Verifier
from fleet_telemetry.evidence.checks import Check
from fleet_telemetry.evidence.credentials import CredentialGrant
from fleet_telemetry.evidence.report import Reported
from fleet_telemetry.kube.cache import ClusterCache
from fleet_telemetry.kube.client import KubernetesClient
from fleet_telemetry.kube.transport import Transport
from fleet_telemetry.reporting.fleet_metrics import LastCheck
from fleet_telemetry.reporting.metrics import VerificationMetrics
from fleet_telemetry.workloads.registry import WorkloadKind
from fleet_telemetry.workloads.workload import WorkloadRef
from tests.support.builders import DTRACK_5, NOW, container, manifest
from tests.support.impatient import ImpatientLoop

ONE, TWO = (WorkloadRef("apps", WorkloadKind.DEPLOYMENT, name) for name in ("one", "two"))
WITHOUT = Check(
    product="dependency-track",
    api=Api(adapter=AdapterName.DEPENDENCY_TRACK, port=8080),
    desired=Submission.DISABLED,
    action=RuntimeAction.VERIFY,
    interval=3600,
    grant=None,
)
"""Without credentials: nothing and nobody is asked, and that is the answer."""
GRANT = CredentialGrant("TelemetryPolicy apps/ask", ("apps", "dtrack"))
MISSING = {
    ("dependency-track", ChannelName.USAGE): Reported(fault=Reason.CREDENTIALS_MISSING),
}


class Kit:
    """A verifier and what it does."""

    def __init__(self, host: str = "http://127.0.0.1:9") -> None:
        self.registry = CollectorRegistry()
        self.client = KubernetesClient(Transport.to(host))
        self.enqueued: list[WorkloadRef] = []
        self.changed = asyncio.Event()
        self.cache = ClusterCache(builtin())
        self.verifier = Verifier(
            self.cache,
            self.client,
            VerificationMetrics(self.registry),
            now=lambda: NOW,
            enqueue=self._enqueue,
            is_asked=lambda _ref, _check: True,
        )

    def _enqueue(self, ref: WorkloadRef) -> None:
        self.enqueued.append(ref)
        self.changed.set()

    def asked(self, product: str = "dependency-track", result: str = "CredentialsMissing") -> int:
        labels = {"product": product, "result": result}
        found = self.registry.get_sample_value("fleet_telemetry_vendor_checks_total", labels)
        return int(found or 0)

    @asynccontextmanager
    async def leading(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.verifier.run())
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


def run(body: Callable[[Kit], Awaitable[None]]) -> None:
    async def main() -> None:
        kit = Kit()
        await body(kit)
        await kit.client.close()

    with asyncio.Runner(loop_factory=ImpatientLoop) as runner:
        runner.run(main())


def test_what_is_planned_is_asked_at_once_and_then_at_its_interval() -> None:
    async def body(kit: Kit) -> None:
        async with kit.leading():
            kit.verifier.plan(ONE, (WITHOUT,), None)
            assert kit.verifier.results(ONE) == {}
            assert list(kit.verifier.last_checks()) == []
            await asyncio.sleep(1)
            assert kit.verifier.results(ONE) == MISSING
            (as_of,) = (one.as_of for one in kit.verifier.results(ONE).values())
            assert as_of == NOW
            assert kit.verifier.results(TWO) == {}
            last = LastCheck(ONE, "dependency-track", "CredentialsMissing", NOW)
            assert list(kit.verifier.last_checks()) == [last]
            assert kit.asked() == 1
            await asyncio.sleep(3500)
            assert kit.asked() == 1
            await asyncio.sleep(10 * 3600)
            assert 9 <= kit.asked() <= 11
            # It said the same each time.
            assert kit.enqueued == [ONE]

    run(body)


def test_the_same_plan_again_asks_nothing() -> None:
    async def body(kit: Kit) -> None:
        async with kit.leading():
            for _ in range(5):
                kit.verifier.plan(ONE, (replace(WITHOUT),), frozenset({"pod"}))
                await asyncio.sleep(10)
            assert kit.asked() == 1

    run(body)


@pytest.mark.parametrize(
    ("check", "pods"), [(WITHOUT, "other pods"), (replace(WITHOUT, interval=60), "pods")]
)
def test_a_change_leads_to_a_check_soon(check: Check, pods: str) -> None:
    async def body(kit: Kit) -> None:
        async with kit.leading():
            kit.verifier.plan(ONE, (WITHOUT,), "pods")
            await asyncio.sleep(100)
            kit.verifier.plan(ONE, (check,), pods)
            await asyncio.sleep(1.5)
            assert kit.asked() == 1
            await asyncio.sleep(1)
            assert kit.asked() == 2

    run(body)


def test_many_changes_in_a_row_are_one_pods() -> None:
    async def body(kit: Kit) -> None:
        async with kit.leading():
            kit.verifier.plan(ONE, (WITHOUT,), 0)
            await asyncio.sleep(1)
            for number in range(1, 10):
                kit.verifier.plan(ONE, (WITHOUT,), number)
                await asyncio.sleep(0.1)
            await asyncio.sleep(100)
            assert kit.asked() == 2

    run(body)


def test_what_is_planned_no_more_is_forgotten() -> None:
    async def body(kit: Kit) -> None:
        other = replace(WITHOUT, product="sonarqube")
        async with kit.leading():
            kit.verifier.plan(ONE, (WITHOUT, other), None)
            kit.verifier.plan(TWO, (WITHOUT,), None)
            await asyncio.sleep(1)
            assert len(kit.verifier.results(ONE)) == 2
            kit.verifier.plan(ONE, (other,), None)
            assert list(kit.verifier.results(ONE)) == [("sonarqube", ChannelName.USAGE)]
            kit.verifier.plan(ONE, (), None)
            assert kit.verifier.results(ONE) == {}
            assert kit.verifier.results(TWO) == MISSING
            await asyncio.sleep(2 * 3600)
            assert kit.asked("sonarqube") == 1

    run(body)


def test_what_is_planned_again_has_a_time_of_its_own() -> None:
    async def body(kit: Kit) -> None:
        async with kit.leading():
            kit.verifier.plan(ONE, (WITHOUT,), None)
            await asyncio.sleep(1800)
            kit.verifier.plan(ONE, (), None)
            kit.verifier.plan(ONE, (WITHOUT,), None)
            await asyncio.sleep(3000)
            assert kit.asked() == 2

    run(body)


def test_a_workload_that_was_created_anew_has_given_no_answer() -> None:
    async def body(kit: Kit) -> None:
        def create(uid: str) -> None:
            made = manifest(
                container(DTRACK_5), kind=ONE.kind, name=ONE.name, namespace=ONE.namespace
            )
            made["metadata"]["uid"] = uid
            kit.cache.fleet.upsert_workload(made, builtin())

        async with kit.leading():
            create("a")
            kit.verifier.plan(ONE, (WITHOUT,), "pods")
            await asyncio.sleep(1)
            assert kit.verifier.results(ONE) == MISSING
            create("b")
            kit.verifier.plan(ONE, (WITHOUT,), "pods")
            assert kit.verifier.results(ONE) == {}
            await asyncio.sleep(1)
            assert kit.verifier.results(ONE) == MISSING
            assert kit.asked() == 2

    run(body)


def test_a_bug_with_one_product_does_not_stop_the_others(
    caplog: pytest.LogCaptureFixture,
) -> None:
    # No catalogue has such a thing; it stands for whatever nobody thought of.
    nobody: Any = "Nobody"
    broken = replace(WITHOUT, product="broken", api=Api(adapter=nobody, port=1), grant=GRANT)
    caplog.set_level(logging.ERROR, "fleet_telemetry")

    async def body(kit: Kit) -> None:
        async with kit.leading():
            for number in range(50):
                ref = replace(ONE, name=f"broken-{number}")
                kit.verifier.plan(ref, (broken,), None)
            kit.verifier.plan(TWO, (WITHOUT,), None)
            await asyncio.sleep(1)
            assert kit.verifier.results(TWO) == MISSING
            assert len(caplog.records) == 50
            # It is tried again, and so are the others.
            await asyncio.sleep(5 * 3600)
            assert len(caplog.records) == 50 * 6
            assert kit.asked() >= 5

    run(body)
    text = caplog.messages[0]
    assert text.startswith("apps/Deployment/broken-0: check of broken failed: KeyError\n  File ")
    # The error's own text may be a credential or a part of the response.
    assert "Nobody" not in text


def test_who_leads_no_more_forgets_everything_and_may_lead_again() -> None:
    async def body(kit: Kit) -> None:
        async with kit.leading():
            kit.verifier.plan(ONE, (WITHOUT,), None)
            await asyncio.sleep(1)
        assert kit.verifier.results(ONE) == {}
        await asyncio.sleep(10 * 3600)
        assert kit.asked() == 1
        async with kit.leading():
            kit.verifier.plan(ONE, (WITHOUT,), None)
            await asyncio.sleep(1)
            assert kit.verifier.results(ONE) == MISSING
            assert kit.asked() == 2

    run(body)


def test_an_api_server_that_does_not_answer_is_a_reason_and_no_end() -> None:
    async def main() -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))  # and nobody listens
            kit = Kit(f"http://127.0.0.1:{taken.getsockname()[1]}")
            # The labels of the namespace are what is asked for first.
            by_label = replace(GRANT, namespace_selector=LabelSelector(match_labels={"a": "b"}))
            async with kit.leading():
                kit.verifier.plan(ONE, (replace(WITHOUT, grant=by_label),), None)
                async with asyncio.timeout(10):
                    await kit.changed.wait()
                (found,) = kit.verifier.results(ONE).values()
            await kit.client.close()
        assert (found.fault, found.message) == (
            Reason.UNREACHABLE,
            "The API server did not answer.",
        )
        assert kit.asked(result="Unreachable") == 1

    asyncio.run(main())
