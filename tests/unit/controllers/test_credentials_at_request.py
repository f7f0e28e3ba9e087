"""What is checked at the moment of a request: everything may have changed since it was planned.

The API server is a small one of the test's own; the product is a fake that records every request.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Any

import pytest
from aiohttp import web
from prometheus_client import CollectorRegistry

from dev.fakes.dependency_track import FakeDependencyTrack
from fleet_telemetry.api.product.setting import Setting
from fleet_telemetry.api.reasons import Reason
from fleet_telemetry.catalogue.catalogue import builtin
from fleet_telemetry.controllers.runtime.current_policies import is_still_asked
from fleet_telemetry.controllers.runtime.host_gate import REQUESTS_PER_HOST
from fleet_telemetry.controllers.runtime.verifier import Verifier
from fleet_telemetry.decision import decide
from fleet_telemetry.evidence.checks import Check
from fleet_telemetry.evidence.report import Reported
from fleet_telemetry.kube import kinds
from fleet_telemetry.kube.cache import ClusterCache
from fleet_telemetry.kube.client import KubernetesClient
from fleet_telemetry.kube.transport import Transport
from fleet_telemetry.reporting.metrics import VerificationMetrics
from fleet_telemetry.switches.edits import Trigger
from fleet_telemetry.workloads.registry import WorkloadKind
from fleet_telemetry.workloads.workload import WorkloadRef
from tests.support.admission_requests import policy_manifest
from tests.support.builders import (
    DTRACK_5,
    NAMESPACE,
    NOW,
    Manifest,
    container,
    manifest,
    under,
)
from tests.support.every import every

PRODUCT = "dependency-track"
REF = WorkloadRef(NAMESPACE, WorkloadKind.STATEFUL_SET, "it")
NAME_LABEL = {"kubernetes.io/metadata.name": NAMESPACE}
ALLOWED = {**NAME_LABEL, "may-have": "it"}
MARKED = {"fleettelemetry.io/credential": "true"}
EVIL = "evil.example/dependencytrack/apiserver:5.0.4"


class Cluster:
    """A namespace with a product, as the API server shows it."""

    def __init__(self, product: FakeDependencyTrack) -> None:
        self.product = product
        self.labels = dict(ALLOWED)
        self.secret: Manifest = {
            "metadata": {"labels": dict(MARKED)},
            "type": "Opaque",
            "data": {"apiKey": base64.b64encode(product.api_key.encode()).decode()},
        }
        self.seen: list[str] = []
        self.before_services: Callable[[], None] = lambda: None
        """Called right before the last answer that a check needs of the API server."""
        self.before_plan: Callable[[Verifier], Awaitable[None]] = _do_nothing
        self.cache = ClusterCache(builtin())
        self.workload = manifest(self._container(DTRACK_5), kind="StatefulSet")
        self.cache.upsert(kinds.WORKLOAD_BY_KIND["StatefulSet"], self.workload)
        self.run_pod(DTRACK_5)
        self.label(dict(ALLOWED))

    def label(self, labels: dict[str, str]) -> None:
        """The cache knows of these labels of the namespace."""
        metadata = {"name": NAMESPACE, "labels": labels}
        self.cache.upsert(
            kinds.NAMESPACE, {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}
        )

    def _container(self, image: str) -> Manifest:
        return container(image, ports=[{"name": "web", "containerPort": self.product.port}])

    def run_pod(self, image: str, **status: Any) -> None:
        """The workload's only pod runs this image."""
        owner = {
            "apiVersion": "apps/v1",
            "kind": "StatefulSet",
            "name": "it",
            "uid": self.workload["metadata"]["uid"],
            "controller": True,
        }
        metadata = {
            "name": "it-0",
            "namespace": NAMESPACE,
            "uid": "uid-of-it-0",
            "labels": {"app": "it"},
            "ownerReferences": [owner],
        }
        known = {
            "phase": "Running",
            "podIP": self.product.address,
            "conditions": [{"type": "Ready", "status": "True"}],
            "podIPs": [{"ip": self.product.address}],
        }
        spec = {"containers": [self._container(image)]}
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}
        self.cache.upsert(kinds.POD, {**pod, "status": {**known, **status}})

    def plan(self, *, named: bool = True, **credential: Any) -> Check:
        """The check by a cluster policy, as it is planned now."""
        of_product = {
            "product": PRODUCT,
            "secretRef": {"name": "key", "namespace": "vault"},
            "namespaceSelector": {"matchLabels": {"may-have": "it"}},
            "requireTLS": False,
            **credential,
        }
        service = {"name": "web", "port": self.product.port}
        runtime = {
            "credentials": [of_product],
            "endpoints": [{"product": PRODUCT, "service": service}] if named else [],
        }
        self.write_policy(runtime=runtime)
        asking = self.cache.policies_for(NAMESPACE)
        cluster = under(*asking, namespace_labels=self.cache.labels_of(NAMESPACE))
        (check,) = decide(cluster.input(self.workload, Trigger.RECONCILE)).checks
        return check

    def write_policy(self, **spec: Any) -> None:
        """The cache knows of the policy, with this spec."""
        self.policy = policy_manifest(cluster=True, **spec)
        self.cache.upsert(kinds.CLUSTER_POLICY, self.policy)

    def change_policy(self, **changes: Any) -> None:
        """The cache knows of the policy with these changes. None was decided on since."""
        self.write_policy(**{**self.policy["spec"], **changes})

    def change_credential(self, **changes: Any) -> None:
        """The same, of its credential."""
        runtime = self.policy["spec"]["runtime"]
        credential = {**runtime["credentials"][0], **changes}
        self.change_policy(runtime={**runtime, "credentials": [credential]})

    def change_runtime(self, **changes: Any) -> None:
        """The same, of all of its runtime section."""
        self.change_policy(runtime={**self.policy["spec"]["runtime"], **changes})

    async def answer(self, request: web.Request) -> web.Response:
        """What the API server answers."""
        self.seen.append(request.path)
        if request.path == f"/api/v1/namespaces/{NAMESPACE}":
            return web.json_response({"metadata": {"name": NAMESPACE, "labels": self.labels}})
        if request.path == "/api/v1/namespaces/vault/secrets/key":
            return web.json_response(self.secret)
        if request.path.endswith("/services"):
            self.before_services()
            ports = [{"name": "web", "port": self.product.port, "targetPort": self.product.port}]
            spec = {"clusterIP": self.product.address, "selector": {"app": "it"}, "ports": ports}
            service = {"metadata": {"name": "web", "namespace": NAMESPACE}, "spec": spec}
            return web.json_response({"items": [service]})
        return web.json_response({"kind": "Status", "code": 404}, status=404)

    async def ask(self, check: Check) -> Reported:
        """What one check comes to."""
        async with self._api_server() as url:
            client = KubernetesClient(Transport.to(url))
            told = asyncio.Event()
            verifier = Verifier(
                self.cache,
                client,
                VerificationMetrics(CollectorRegistry()),
                now=lambda: NOW,
                enqueue=lambda _: told.set(),
                is_asked=partial(is_still_asked, self.cache, lambda: NOW),
                loopback=True,
            )
            task = asyncio.create_task(verifier.run())
            try:
                await self.before_plan(verifier)
                verifier.plan(REF, (check,), None)
                async with asyncio.timeout(20):
                    await told.wait()
                (found,) = verifier.results(REF).values()
            finally:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task
                await client.close()
        return found

    @asynccontextmanager
    async def _api_server(self) -> AsyncIterator[str]:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self.answer)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        try:
            yield f"http://127.0.0.1:{runner.addresses[0][1]}"
        finally:
            await runner.cleanup()

    @property
    def has_read_a_secret(self) -> bool:
        return any("secrets" in path for path in self.seen)


async def _do_nothing(_: Verifier) -> None:
    pass


@asynccontextmanager
async def running() -> AsyncIterator[Cluster]:
    async with FakeDependencyTrack(tls=False, version="5.0.4", enabled="false") as product:
        yield Cluster(product)


def test_what_is_allowed_is_asked() -> None:
    async def main() -> None:
        async with running() as cluster:
            found = await cluster.ask(cluster.plan())
            assert (found.setting, found.fault) == (Setting.DISABLED, None)
            assert cluster.product.seen

    asyncio.run(main())


@pytest.mark.parametrize("labels", [NAME_LABEL, {**NAME_LABEL, "may-have": "not"}, {}])
def test_a_namespace_that_lost_its_label_gets_nothing(labels: dict[str, str]) -> None:
    async def main() -> None:
        async with running() as cluster:
            check = cluster.plan()
            assert check.withheld is None
            # The watch has not brought it yet.
            cluster.labels = labels
            found = await cluster.ask(check)
            assert found.fault is Reason.CREDENTIAL_NOT_FOR_NAMESPACE
            assert not cluster.has_read_a_secret
            assert cluster.product.seen == []

    asyncio.run(main())


def test_a_label_that_goes_while_a_check_is_under_way_ends_it() -> None:
    async def main() -> None:
        async with running() as cluster:
            check = cluster.plan()
            cluster.before_services = lambda: cluster.label(dict(NAME_LABEL))
            found = await cluster.ask(check)
            assert found.fault is Reason.CREDENTIAL_NOT_FOR_NAMESPACE
            assert cluster.has_read_a_secret
            assert cluster.product.seen == []

    asyncio.run(main())


@pytest.mark.parametrize(
    "status",
    [{"podIP": "127.99.0.1"}, {"conditions": []}, {"phase": "Failed"}],
    ids=["another address", "not ready", "finished"],
)
def test_a_pod_that_changes_while_its_request_waits_gets_nothing(status: dict[str, Any]) -> None:
    async def main() -> None:
        async with running() as cluster, AsyncExitStack() as places:
            host = f"{cluster.product.address}:{cluster.product.port}"
            changing: list[asyncio.Task[None]] = []

            async def occupy(verifier: Verifier) -> None:
                """Others ask the same host, until the pod has changed."""
                gate = verifier._gate
                for _ in range(REQUESTS_PER_HOST):
                    await places.enter_async_context(gate.use(host))

                async def change() -> None:
                    while gate._hosts[host][1] == REQUESTS_PER_HOST:  # noqa: ASYNC110
                        await asyncio.sleep(0.01)
                    cluster.run_pod(DTRACK_5, **status)
                    await places.aclose()

                changing.append(asyncio.create_task(change()))

            cluster.before_plan = occupy
            found = await cluster.ask(cluster.plan())
            assert found.fault is Reason.NO_VERIFIED_POD
            assert cluster.product.seen == []
            await asyncio.gather(*changing)

    asyncio.run(main())


_TAKEN_BACK: dict[str, Callable[[Cluster], object]] = {
    "the policy": lambda one: one.cache.delete(kinds.CLUSTER_POLICY, one.policy),
    "the credential": lambda one: one.change_runtime(credentials=[]),
    "the runtime section": lambda one: one.write_policy(),
    "the check": lambda one: one.change_runtime(action="Off"),
    "the Secret": lambda one: one.change_credential(secretRef={"name": "x", "namespace": "vault"}),
    "the namespace": lambda one: one.change_credential(namespaces=["other"]),
    "that TLS is not required": lambda one: one.change_credential(requireTLS=True),
    "the endpoint": lambda one: one.change_runtime(endpoints=[]),
    "the product": lambda one: one.change_policy(products=["emqx"]),
    "the workload, by a selector": lambda one: one.change_policy(
        selector={"matchLabels": {"app": "other"}}
    ),
    "the namespace, by a selector": lambda one: one.change_policy(
        namespaceSelector={"matchLabels": {"team": "other"}}
    ),
    "the workload, by an exception": lambda one: one.change_policy(
        exceptions=[
            {"namespace": NAMESPACE, "kind": "StatefulSet", "name": "it", "reason": "migration"}
        ]
    ),
    "what is desired": lambda one: one.change_policy(submission="Enabled"),
}


@pytest.mark.thorough
@every("take_back", _TAKEN_BACK.values(), ids=list(_TAKEN_BACK))
@every("under_way", [False, True])
def test_a_policy_that_no_longer_asks_for_a_check_has_nothing_sent(
    take_back: Callable[[Cluster], object], under_way: bool
) -> None:
    """The workload has not been decided on since the policy changed."""

    async def main() -> None:
        async with running() as cluster:
            check = cluster.plan()
            assert check.withheld is None
            if under_way:
                cluster.before_services = lambda: take_back(cluster) and None
            else:
                take_back(cluster)
            found = await cluster.ask(check)
            assert found.fault is not None
            assert cluster.has_read_a_secret is under_way
            assert cluster.product.seen == []

    asyncio.run(main())


def test_a_policy_that_changes_in_something_else_is_still_obeyed() -> None:
    async def main() -> None:
        async with running() as cluster:
            check = cluster.plan()
            cluster.change_policy(injection={"when": "Never"}, selector={"matchLabels": {}})
            assert (await cluster.ask(check)).setting is Setting.DISABLED

    asyncio.run(main())


def test_a_pod_with_another_image_gets_nothing() -> None:
    async def main() -> None:
        async with running() as cluster:
            check = cluster.plan()
            assert check.withheld is None
            cluster.run_pod(EVIL)
            found = await cluster.ask(check)
            assert found.fault is Reason.CREDENTIAL_NOT_FOR_IMAGE
            assert EVIL in found.message
            assert not cluster.has_read_a_secret
            assert cluster.product.seen == []

    asyncio.run(main())


def test_a_credential_that_requires_tls_is_not_sent_by_http() -> None:
    async def main() -> None:
        async with running() as cluster:
            check = cluster.plan(named=False, requireTLS=True)
            assert check.withheld is None
            found = await cluster.ask(check)
            assert found.fault is Reason.TLS_REQUIRED
            assert cluster.product.seen == []

    asyncio.run(main())


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"metadata": {}}, Reason.SECRET_NOT_LABELED),
        ({"type": "kubernetes.io/service-account-token"}, Reason.SECRET_TYPE_REFUSED),
    ],
)
def test_a_secret_that_does_not_consent_is_not_sent(change: Manifest, reason: Reason) -> None:
    async def main() -> None:
        async with running() as cluster:
            cluster.secret |= change
            found = await cluster.ask(cluster.plan())
            assert found.fault is reason
            assert "vault/key" in found.message
            assert cluster.product.seen == []

    asyncio.run(main())
