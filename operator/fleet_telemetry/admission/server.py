"""The admission server. It decides from the cache within milliseconds and never denies a workload.

After an internal error it allows the request unchanged.
"""

from __future__ import annotations

import asyncio
import base64
import logging
import ssl
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import msgspec
from aiohttp import web

from fleet_telemetry.admission.review import (
    NOTHING,
    AdmissionResult,
    review_pod,
    review_workload,
)
from fleet_telemetry.admission.trace import AdmissionTrace
from fleet_telemetry.admission.validation import Validation, validate
from fleet_telemetry.kube.cache import ClusterCache
from fleet_telemetry.objects.manifest import Manifest, dig, mapping_at, text_at
from fleet_telemetry.reporting.decisions import log_admission
from fleet_telemetry.reporting.metrics import AdmissionMetrics
from fleet_telemetry.workloads.owner import read_controller

_log = logging.getLogger(__name__)

_LARGEST_REQUEST_BYTES = 16 * 2**20
"""Room for two objects of the largest size that etcd stores, with their managed fields."""
_OWNER_SECONDS = 0.4
"""How long the review of a pod waits for its workload, which may have been created just before."""
_decoder = msgspec.json.Decoder()
_encoder = msgspec.json.Encoder()


class AdmissionServer:
    """Serves ``/mutate`` and ``/validate`` over TLS."""

    def __init__(
        self,
        cache: ClusterCache,
        metrics: AdmissionMetrics,
        now: Callable[[], datetime],
        tls: ssl.SSLContext,
        trace: AdmissionTrace,
    ) -> None:
        self._cache = cache
        self._metrics = metrics
        self._now = now
        self._tls = tls
        self._trace = trace
        self._runner: web.AppRunner | None = None
        self._draining = False

    async def start(self, host: str, port: int) -> None:
        """Start to listen. Raises OSError if the address is in use."""
        app = web.Application(client_max_size=_LARGEST_REQUEST_BYTES)
        app.router.add_post("/mutate", self._mutate)
        app.router.add_post("/validate", self._validate)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, host, port, ssl_context=self._tls).start()

    async def drain(self, seconds: float) -> None:
        """Keep serving until no more requests are routed here.

        Each response asks the API server to close its connection, so that it connects to another
        replica. A request on a connection that the server closes would be lost.
        """
        self._draining = True
        await asyncio.sleep(seconds)

    async def stop(self) -> None:
        """Stop listening, and finish the requests in progress."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _mutate(self, http: web.Request) -> web.Response:
        started = time.perf_counter()
        request = await _read(http)
        result = "error"
        answer = NOTHING
        try:
            if self._cache.synced.is_set():
                answer = await self._review(request)
                result = "patched" if answer.patch else "unchanged"
                if not request.get("dryRun"):
                    self._trace.expect(answer)
            else:
                result = "unsynced"
        except Exception:  # noqa: BLE001  # see the comment; it is logged
            # An internal error must not block a deployment.
            _log.exception("admission review failed; the request is allowed unchanged")
        seconds = time.perf_counter() - started
        self._metrics.observe("mutate", _kind(request), result, seconds)
        log_admission(request, answer.changes, seconds)
        return self._respond(request, _mutation(answer))

    async def _review(self, request: Manifest) -> AdmissionResult:
        if dig(request, "kind", "kind") != "Pod":
            return review_workload(request, self._cache, self._now())
        controller = read_controller(mapping_at(request, "object"))
        namespace = text_at(request, "namespace")
        owner = await self._cache.fleet.wait_for(namespace, controller, _OWNER_SECONDS)
        if owner is None or not owner.is_injected_by_pod:
            return NOTHING
        return review_pod(request, owner, self._cache, self._now())

    async def _validate(self, http: web.Request) -> web.Response:
        started = time.perf_counter()
        request = await _read(http)
        verdict = validate(request, self._cache.catalogue)
        result = "refused" if verdict.refusal else "accepted"
        self._metrics.observe("validate", _kind(request), result, time.perf_counter() - started)
        return self._respond(request, _validation(verdict))

    def _respond(self, request: Manifest, outcome: Mapping[str, Any]) -> web.Response:
        review = {
            "apiVersion": "admission.k8s.io/v1",
            "kind": "AdmissionReview",
            "response": {"uid": request.get("uid", ""), **outcome},
        }
        response = web.Response(body=_encoder.encode(review), content_type="application/json")
        if self._draining:
            response.force_close()
        return response


async def _read(http: web.Request) -> Manifest:
    try:
        request = dig(_decoder.decode(await http.read()), "request")
    except msgspec.DecodeError:
        request = None
    if not isinstance(request, dict):
        raise web.HTTPBadRequest(text="not an AdmissionReview\n")
    return request


def _kind(request: Manifest) -> str:
    return str(dig(request, "kind", "kind") or "")


def _mutation(answer: AdmissionResult) -> dict[str, Any]:
    response: dict[str, Any] = {"allowed": True}
    if answer.patch:
        response["patchType"] = "JSONPatch"
        response["patch"] = base64.b64encode(_encoder.encode(answer.patch)).decode()
    if answer.warnings:
        response["warnings"] = list(answer.warnings)
    return response


def _validation(verdict: Validation) -> dict[str, Any]:
    response: dict[str, Any] = {"allowed": not verdict.refusal}
    if verdict.refusal:
        response["status"] = {"code": 422, "reason": "Invalid", "message": verdict.refusal}
    if verdict.warnings:
        response["warnings"] = list(verdict.warnings)
    return response
