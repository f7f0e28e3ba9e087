"""The admission server without its socket: it responds to any request, and never denies one."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import ssl
from collections.abc import Callable
from typing import Any

import pytest
from aiohttp import web
from hypothesis import given
from prometheus_client import CollectorRegistry

from fleet_telemetry.admission import server as server_module
from fleet_telemetry.admission.server import AdmissionServer
from fleet_telemetry.admission.trace import AdmissionTrace
from fleet_telemetry.kube import kinds
from fleet_telemetry.kube.cache import ClusterCache
from fleet_telemetry.reporting.events import Notice
from fleet_telemetry.reporting.metrics import AdmissionMetrics
from fleet_telemetry.workloads.workload import WorkloadRef
from tests.support.admission_requests import cache_with, creation, policy_manifest, rolled
from tests.support.admission_strategies import broken
from tests.support.builders import (
    DTRACK_4,
    EMQX,
    EMQX_SWITCH,
    NAMESPACE,
    NGINX,
    NOW,
    OWNER,
    SONAR_SWITCH,
    SONARQUBE,
    Manifest,
    claimed,
    container,
    controller_of,
    manifest,
)
from tests.support.depth import examples
from tests.support.json_patch import apply_patch

OPT_OUT = policy_manifest()
CREATION = creation(manifest(container(SONARQUBE)))
TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)


class Http:
    """The part of an HTTP request that the server reads; ``test_network.py`` has real ones."""

    headers = {"Content-Type": "application/json"}  # never changed

    def __init__(self, body: bytes) -> None:
        self._left = [body]
        self.content_length = len(body)
        self.content = self

    async def readany(self) -> bytes:
        return self._left.pop() if self._left else b""


class Webhook:
    """A server and its metrics."""

    def __init__(self, cache: ClusterCache) -> None:
        self.registry = CollectorRegistry()
        metrics = AdmissionMetrics(self.registry)
        self.told: list[tuple[WorkloadRef, str, Notice]] = []
        self.trace = AdmissionTrace(cache.fleet, self._tell, lambda: 0.0)
        self.server = AdmissionServer(cache, metrics, lambda: NOW, TLS, self.trace)

    async def _tell(self, ref: WorkloadRef, uid: str, notice: Notice) -> None:
        self.told.append((ref, uid, notice))

    def post(self, path: str, body: Any) -> Manifest:
        """The AdmissionReview in the response."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        handle: Callable[[Any], Any] = getattr(self.server, f"_{path}")
        answer: web.Response = asyncio.run(handle(Http(raw)))
        assert answer.status == 200
        assert answer.content_type == "application/json"
        assert isinstance(answer.body, bytes)
        found: Manifest = json.loads(answer.body)
        assert (found["apiVersion"], found["kind"]) == ("admission.k8s.io/v1", "AdmissionReview")
        return found

    def mutate(self, request: Any) -> Manifest:
        found: Manifest = self.post("mutate", {"kind": "AdmissionReview", "request": request})
        assert found["response"]["allowed"] is True
        uid = request.get("uid", "")
        assert found["response"]["uid"] == (uid if isinstance(uid, str) else "")
        return found["response"]

    def counted(self, **labels: str) -> float:
        name = "fleet_telemetry_admission_requests_total"
        return self.registry.get_sample_value(name, labels) or 0.0


def patch_of(response: Manifest) -> list[dict[str, Any]]:
    assert response["patchType"] == "JSONPatch"
    operations: list[dict[str, Any]] = json.loads(base64.b64decode(response["patch"]))
    return operations


def test_a_review_gets_a_patch() -> None:
    webhook = Webhook(cache_with(OPT_OUT))
    response = webhook.mutate(CREATION)
    changed = apply_patch(CREATION["object"], patch_of(response))
    (found,) = changed["spec"]["template"]["spec"]["containers"]
    assert found["env"] == [{"name": SONAR_SWITCH, "value": "false"}]
    assert len(response["warnings"]) == 1
    assert webhook.counted(path="mutate", kind="Deployment", result="patched") == 1


def test_a_draining_replica_responds_and_closes_the_connection() -> None:
    """A request on a connection that the server closes would be lost."""
    webhook = Webhook(cache_with(OPT_OUT))

    def keeps_alive() -> bool | None:
        body = json.dumps({"request": CREATION}).encode()
        answer = asyncio.run(webhook.server._mutate(Http(body)))  # type: ignore[arg-type]
        assert b"patch" in (answer.body or b"")  # type: ignore[operator]
        return answer.keep_alive

    assert keeps_alive() is not False
    asyncio.run(webhook.server.drain(0))
    assert keeps_alive() is False


def test_a_response_without_a_change_has_no_patch() -> None:
    webhook = Webhook(cache_with(OPT_OUT))
    request = creation(manifest(container(NGINX)))
    assert webhook.mutate(request).keys() == {"uid", "allowed"}
    assert webhook.counted(path="mutate", kind="Deployment", result="unchanged") == 1


def test_nothing_is_decided_before_the_cache_is_synced() -> None:
    cache = cache_with(OPT_OUT)
    cache.synced.clear()
    webhook = Webhook(cache)
    assert webhook.mutate(CREATION).keys() == {"uid", "allowed"}
    assert webhook.counted(path="mutate", kind="Deployment", result="unsynced") == 1


def test_an_internal_error_allows_the_request_and_is_logged(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(server_module, "review_workload", fail)
    webhook = Webhook(cache_with(OPT_OUT))
    with caplog.at_level(logging.ERROR):
        assert webhook.mutate(CREATION).keys() == {"uid", "allowed"}
    assert "the request is allowed unchanged" in caplog.text
    assert webhook.counted(path="mutate", kind="Deployment", result="error") == 1


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"5", b"{}", b'"x"', b"\xff", b"null", b'{"request": []}']
)
@pytest.mark.parametrize("path", ["mutate", "validate"])
def test_a_body_that_is_no_review_is_a_bad_request(path: str, body: bytes) -> None:
    """The API server treats it as a failure of the webhook, and allows the request."""
    with pytest.raises(web.HTTPBadRequest):
        Webhook(cache_with()).post(path, body)


def stateful_set(**more: Any) -> Manifest:
    return manifest(container(EMQX), kind="StatefulSet", name="emqx", **more)


def pod_request() -> Manifest:
    owner = {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "name": "emqx",
        "uid": "uid-of-emqx",
        "controller": True,
    }
    pod = {
        "kind": "Pod",
        "metadata": {"name": "emqx-0", "ownerReferences": [owner]},
        "spec": {"containers": [container(EMQX)]},
    }
    return creation(claimed(pod))


def test_a_pod_is_injected_if_another_controller_owns_its_workload() -> None:
    cache = cache_with(OPT_OUT)
    stateful = next(kind for kind in kinds.WORKLOADS if kind.kind == "StatefulSet")
    cache.upsert(stateful, stateful_set(owner=OWNER))
    (operation,) = patch_of(Webhook(cache).mutate(pod_request()))
    assert operation["path"] == "/spec/containers/0/env"
    assert operation["value"] == [{"name": EMQX_SWITCH, "value": "false"}]

    cache.upsert(stateful, stateful_set())
    assert "patch" not in Webhook(cache).mutate(pod_request())


def test_a_pod_without_an_owner_does_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "_OWNER_SECONDS", 3600.0)
    request = pod_request()
    request["object"]["metadata"]["ownerReferences"] = []
    assert "patch" not in Webhook(cache_with(OPT_OUT)).mutate(request)


def test_a_pod_waits_a_limited_time_for_its_workload(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(server_module, "_OWNER_SECONDS", 0.001)
    assert "patch" not in Webhook(cache_with(OPT_OUT)).mutate(pod_request())


def test_a_pod_of_a_job_of_a_cron_job_does_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "_OWNER_SECONDS", 3600.0)
    cache = cache_with(OPT_OUT)
    nightly = manifest(container(EMQX), kind="CronJob", name="nightly")
    job = manifest(container(EMQX), kind="Job", name="emqx", owner=controller_of(nightly))
    cache.upsert(kinds.WORKLOAD_BY_KIND["CronJob"], nightly)
    cache.upsert(kinds.WORKLOAD_BY_KIND["Job"], job)
    request = pod_request()
    request["object"]["metadata"]["ownerReferences"] = [controller_of(job)]
    assert "patch" not in Webhook(cache).mutate(request)


def test_a_pod_of_an_orphan_is_injected_and_its_template_is_not() -> None:
    cache = cache_with(OPT_OUT)
    orphan = manifest(
        container(EMQX), kind="ReplicaSet", name="emqx-5f7", labels={"pod-template-hash": "5f7"}
    )
    cache.upsert(kinds.WORKLOAD_BY_KIND["ReplicaSet"], orphan)
    request = pod_request()
    request["object"]["metadata"]["ownerReferences"] = [controller_of(orphan)]
    assert patch_of(Webhook(cache).mutate(request))
    assert "patch" not in Webhook(cache).mutate(rolled(orphan))


@pytest.mark.parametrize(
    ("revision", "digest", "injected"),
    [("emqx-2", "ab", True), ("emqx-1", "ab", False), ("emqx-2", "cd", False)],
)
def test_a_pod_with_a_digest_gets_the_setting_of_its_templates_version(
    revision: str, digest: str, injected: bool
) -> None:
    # Another webhook has replaced the tag. The pod may be of an older revision.
    cache = cache_with(OPT_OUT)
    owner = manifest(
        container(f"{DTRACK_4}@sha256:{'ab' * 32}"), kind="StatefulSet", name="emqx", owner=OWNER
    )
    status = {"observedGeneration": 2, "updateRevision": "emqx-2"}
    cache.upsert(kinds.WORKLOAD_BY_KIND["StatefulSet"], {**owner, "status": status})
    request = pod_request()
    request["object"]["metadata"]["labels"] = {"controller-revision-hash": revision}
    (found,) = request["object"]["spec"]["containers"]
    found["image"] = f"{DTRACK_4.partition(':')[0]}@sha256:{digest * 32}"
    assert ("patch" in Webhook(cache).mutate(request)) is injected


@pytest.mark.parametrize(
    "forged",
    [{"uid": "other"}, {"apiVersion": "apps.kruise.io/v1"}, {"name": "other"}, {"kind": "Job"}],
)
def test_a_pod_with_a_forged_owner_is_nobodys(
    monkeypatch: pytest.MonkeyPatch, forged: Manifest
) -> None:
    monkeypatch.setattr(server_module, "_OWNER_SECONDS", 0.001)
    cache = cache_with(OPT_OUT)
    cache.upsert(kinds.WORKLOAD_BY_KIND["StatefulSet"], stateful_set(owner=OWNER))
    request = pod_request()
    request["object"]["metadata"]["ownerReferences"][0] |= forged
    assert "patch" not in Webhook(cache).mutate(request)


@examples(120)
@given(broken(CREATION))
def test_a_broken_request_is_allowed(request: Manifest) -> None:
    webhook = Webhook(cache_with(OPT_OUT))
    assert webhook.mutate(request)["allowed"] is True
    assert webhook.counted(path="mutate", kind="Deployment", result="error") == 0


def test_an_invalid_policy_is_refused_with_the_reason() -> None:
    entry = {"name": SONAR_SWITCH, "value": "true"}
    settings = [{"product": "sonarqube", "env": [entry]}]
    webhook = Webhook(cache_with())
    for spec, result in (({"injection": {"settings": settings}}, "refused"), ({}, "accepted")):
        request = {
            "uid": "1",
            "kind": {"kind": "TelemetryPolicy"},
            "object": policy_manifest(**spec),
        }
        response = webhook.post("validate", {"request": request})["response"]
        assert response["allowed"] is (result == "accepted")
        assert webhook.counted(path="validate", kind="TelemetryPolicy", result=result) == 1
        if result == "refused":
            assert response["status"]["code"] == 422
            assert SONAR_SWITCH in response["status"]["message"]


def test_a_policy_with_an_unknown_product_is_accepted_with_a_warning() -> None:
    policy = policy_manifest(products=["sonarcube"])
    request = {"uid": "1", "kind": {"kind": "TelemetryPolicy"}, "object": policy}
    response = Webhook(cache_with()).post("validate", {"request": request})["response"]
    assert response["allowed"] is True
    assert "sonarcube" in response["warnings"][0]


@pytest.mark.parametrize("synced", [True, False])
def test_a_policy_that_covers_nothing_is_accepted_with_a_warning(*, synced: bool) -> None:
    cache = cache_with()
    if not synced:
        cache.synced.clear()
    policy = policy_manifest(products=["emqx"])
    request = {
        "uid": "1",
        "kind": {"kind": "TelemetryPolicy"},
        "namespace": NAMESPACE,
        "object": policy,
        "dryRun": True,
    }
    response = Webhook(cache).post("validate", {"request": request})["response"]
    assert response["allowed"] is True
    said = response.get("warnings", [])
    assert [f"no workload of namespace {NAMESPACE}" in one for one in said] == [True] * synced


def test_a_dry_run_leaves_no_event() -> None:
    webhook = Webhook(cache_with(OPT_OUT))
    cache = webhook.server._cache
    for dry_run in (True, False):
        response = webhook.mutate(CREATION | {"dryRun": dry_run})
        changed = apply_patch(CREATION["object"], patch_of(response))
        changed["metadata"] |= {"uid": f"uid-{dry_run}", "namespace": NAMESPACE}
        cache.upsert(next(kind for kind in kinds.WORKLOADS if kind.kind == "Deployment"), changed)
        asyncio.run(webhook.trace.write())
        cache.delete(next(kind for kind in kinds.WORKLOADS if kind.kind == "Deployment"), changed)
        assert [uid for _, uid, _ in webhook.told] == ([] if dry_run else ["uid-False"])
